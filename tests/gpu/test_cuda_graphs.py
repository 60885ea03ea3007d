"""CUDA graphs, captured and replayed by ONNX Runtime's own CUDA provider on a card that only copies."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from card_tools import SHAPE, copying_session, events, noise, on_card

from fastface.backends import cuda_session as card_session

HERE = "test_cuda_graphs"


def captured(folder: str, quick: str) -> Any:
    """A session that was captured: what came of it, and whether all batches are right."""
    seconds = iter((2.0, 1.0) if quick == "quick" else (1.0, 2.0))
    card_session._least_seconds = lambda *_: next(seconds)
    session = copying_session(folder, captures=True)
    batches = [noise(shape, seed) for seed, shape in enumerate([SHAPE, SHAPE, (1, 8, 8, 3), SHAPE])]
    return [session.capture, all(np.array_equal(session.infer(batch)[0], batch) for batch in batches)]


def test_a_batch_of_the_usual_shape_is_one_launch_of_a_cuda_graph(libraries: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    told, is_right = on_card(libraries, f"{HERE}:captured", tmp_path, "quick", LOG=log)
    assert told == "a CUDA graph: 4 pictures take 1000.00 ms with it, 2000.00 without"
    assert is_right
    names = [name for name, _ in events(log) if name != "allocated"]
    # Capturing launches once; then two more of the trial, and three of the four batches.
    assert names == ["captured"] + ["launched"] * 6


def test_a_cuda_graph_that_is_no_quicker_is_not_used(libraries: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    told, is_right = on_card(libraries, f"{HERE}:captured", tmp_path, "slow", LOG=log)
    assert told == "no CUDA graph: 4 pictures take 2000.00 ms with it, 1000.00 without"
    assert is_right
    assert [name for name, _ in events(log)].count("launched") == 3


@pytest.mark.parametrize(
    ("graphs", "told"),
    [
        ("empty", "its outputs are not those without it"),
        ("refused", "CUDA failure 801: operation not supported ; GPU=0"),
    ],
)
def test_without_a_cuda_graph_that_can_be_trusted_all_is_as_before(
    graphs: str, told: str, libraries: Path, tmp_path: Path
) -> None:
    found, is_right = on_card(libraries, f"{HERE}:captured", tmp_path, "quick", GRAPHS=graphs)
    assert found.startswith("no CUDA graph: ")
    assert told in found
    assert is_right


def crowded(folder: str) -> Any:
    """A captured session when the card is filled up by others: is a batch right, and what became of the graph?"""
    seconds = iter((2.0, 1.0))
    card_session._least_seconds = lambda *_: next(seconds)
    session = copying_session(folder, captures=True)
    before, captured = session.capture, session._captured[SHAPE]

    def full(_batch: np.ndarray) -> None:
        raise RuntimeError("CUDA failure 2: out of memory")

    captured.compute = full
    batch = noise(SHAPE)
    return [before, np.array_equal(session.infer(batch)[0], batch), session._most, session.capture]


def test_a_cuda_graph_gives_way_where_memory_is_short(libraries: Path, tmp_path: Path) -> None:
    before, is_right, most, after = on_card(libraries, f"{HERE}:crowded", tmp_path)
    assert before.startswith("a CUDA graph")
    assert is_right
    assert most is None  # as large as before
    assert after == "no CUDA graph any more: CUDA failure 2: out of memory"
