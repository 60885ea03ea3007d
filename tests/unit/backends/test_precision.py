"""A lower precision is judged by what results are used for, and the one that is shown is in force.

No processor with bfloat16 is needed: benchmarks/emulation.py rounds as one does.
"""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from backends_tools import CPU_DEVICES, SMALL, judged, noise, open_on, openvino_in, write_small_graph

from fastface.backends import (
    DeviceInfo,
    ShapeRange,
    child,
    judge_precision,
    openvino_session,
    registry,
    select_device,
    trial,
)
from fastface.backends.openvino_session import compile_options
from fastface.backends.precision import LIMITS, disagreement, pair_detections
from fastface.backends.trial_pictures import NUM_PICTURES, draw_pictures
from fastface.errors import BackendError

EMBEDDING = noise((3, 64), seed=1).astype(np.float32) - 127


Outputs = list[np.ndarray]


# ── by hand ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def turned(vectors: np.ndarray, cosine: float) -> np.ndarray:
    """Vectors whose cosine with the given ones is as given."""
    other = np.roll(vectors, 1, axis=1)
    along = (other * vectors).sum(1, keepdims=True) / (vectors**2).sum(1, keepdims=True)
    across = other - along * vectors
    across *= np.linalg.norm(vectors, axis=1, keepdims=True) / np.linalg.norm(across, axis=1, keepdims=True)
    return (cosine * vectors + np.sqrt(1 - cosine**2) * across).astype(np.float32)


def faces(*scores: float) -> np.ndarray:
    """(1, n, 15): faces of 100 pixels side by side, landmarks in their middle."""
    rows = np.zeros((1, len(scores), 15), np.float32)
    for place, score in enumerate(scores):
        box = np.array([200 * place, 0, 200 * place + 100, 100])
        rows[0, place] = [score, *box, *([200 * place + 50, 50] * 5)]
    return rows


@pytest.mark.parametrize(("cosine", "agreed"), [(0.9999, True), (0.991, True), (0.989, False), (-1.0, False)])
def test_embeddings_agree_by_cosine(cosine: float, agreed: bool) -> None:
    assert (judged(EMBEDDING, turned(EMBEDDING, cosine)) == "") is agreed


@pytest.mark.parametrize(("cosine", "agreed"), [(0.9995, True), (0.9985, False)])
def test_float16_is_held_to_more(cosine: float, agreed: bool) -> None:
    assert (judged(EMBEDDING, turned(EMBEDDING, cosine), "float16") == "") is agreed
    assert judged(EMBEDDING, turned(EMBEDDING, cosine)) == ""


def test_length_of_an_embedding_does_not_matter_unless_it_is_lost() -> None:
    assert judged(EMBEDDING, EMBEDDING * np.float32(1.1)) == ""
    assert "cosine of 0.0" in judged(EMBEDDING, EMBEDDING * np.float32(0))


def test_one_bad_embedding_is_enough() -> None:
    worse = EMBEDDING.copy()
    worse[1] = turned(EMBEDDING, 0.5)[1]
    assert "cosine of 0.5" in judged(EMBEDDING, worse)


def test_a_face_near_the_threshold_may_vanish_or_appear_and_a_clear_one_may_not() -> None:
    """The threshold is 0.5, and the band 0.1 on both sides."""
    assert judged(faces(0.9, 0.9, 0.9, 0.55), faces(0.9, 0.9, 0.9, 0.47)) == ""
    assert judged(faces(0.9, 0.9, 0.9, 0.47), faces(0.9, 0.9, 0.9, 0.55)) == ""
    assert judged(faces(0.9, 0.9, 0.9, 0.43), faces(0.9, 0.9, 0.9, 0.0)) == ""
    assert "score 0.65 that is missed" in judged(faces(0.9, 0.9, 0.9, 0.65), faces(0.9, 0.9, 0.9, 0.3))
    assert "score 0.65 that is added" in judged(faces(0.9, 0.9, 0.9, 0.3), faces(0.9, 0.9, 0.9, 0.65))
    assert "score 0.110 off" in judged(faces(0.9, 0.9, 0.9, 0.7), faces(0.9, 0.9, 0.9, 0.59))


def test_persons_have_the_threshold_of_persons() -> None:
    exact = faces(0.9, 0.9, 0.9, 0.35)[..., :5]
    assert "score 0.35 that is missed" in judged(exact, faces(0.9, 0.9, 0.9, 0.15)[..., :5])
    assert judged(exact, faces(0.9, 0.9, 0.9, 0.27)[..., :5]) == ""


def test_scores_that_all_move_one_way_do_not_agree() -> None:
    exact = faces(*[0.8] * 40)
    assert judged(exact, faces(*[0.79, 0.81] * 20)) == ""
    assert "0.020 off in the mean" in judged(exact, faces(*[0.78] * 40))


@pytest.mark.parametrize(("pixels", "said"), [(0.6, ""), (1.0, "1.0% of the face's width off (median)")])
def test_landmarks_agree_by_the_face_s_width(pixels: float, said: str) -> None:
    moved = faces(0.9, 0.9)
    moved[..., 5::2] += np.float32(pixels)
    assert said in judged(faces(0.9, 0.9), moved)
    assert bool(judged(faces(0.9, 0.9), moved)) is bool(said)


def test_one_landmark_far_off_is_enough() -> None:
    moved = faces(0.9, 0.9, 0.9)
    moved[0, 1, 8] += 13
    assert "13.0% of the face's width off" in judged(faces(0.9, 0.9, 0.9), moved)


def test_a_box_that_covers_its_own_too_little_does_not_agree() -> None:
    moved = faces(0.9, 0.9)
    moved[0, 1, 1] += 25
    assert "overlap of 0.75" in judged(faces(0.9, 0.9), moved)


def test_rows_of_equal_score_may_change_places_and_doubles_do_not_count() -> None:
    exact = faces(0.9, 0.8, 0.8)
    assert judged(exact, exact[:, [0, 2, 1]]) == ""
    doubled = np.concatenate([exact, exact[:, :1]], axis=1)
    doubled[0, 3, 0] = 0.7
    pairs = pair_detections(doubled, exact, 0.4)
    assert (len(pairs.exact), len(pairs.missed), len(pairs.added)) == (3, 0, 0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("exact", [EMBEDDING, faces(0.9, 0.2)], ids=["embedding", "faces"])
def test_not_finite_is_not_agreed(exact: np.ndarray, value: float) -> None:
    broken = exact.copy()
    broken.flat[-1] = value
    assert judged(exact, broken) == "an output that is not finite"


def test_other_number_or_shape_is_not_agreed() -> None:
    assert "2 outputs instead of 1" in str(disagreement([EMBEDDING], [EMBEDDING] * 2, LIMITS["bfloat16"]))
    assert "instead of" in judged(EMBEDDING, EMBEDDING[:2])


def test_where_nothing_is_seen_scores_are_compared() -> None:
    assert judged(faces(0.2, 0.1), faces(0.25, 0.1)) == ""
    assert "off" in judged(faces(0.05, 0.02), faces(0.25, 0.1))


# ── real networks, rounded as a processor with bfloat16 does ────────────────────────────────────────────────────────


# ── the verdict and what is in force ────────────────────────────────────────────────────────────────────────────────

BFLOAT16 = DeviceInfo("openvino", "CPU", "bfloat16", "EPYC", "openvino 2026.4.1", precisions=("bfloat16", "float32"))


@pytest.mark.parametrize(("wanted", "aimed"), [("auto", "bfloat16"), ("bfloat16", "bfloat16"), ("float32", "float32")])
def test_a_device_aims_at_the_asked_precision(wanted: Any, aimed: str) -> None:
    assert select_device(BFLOAT16, wanted).precision == aimed


def test_a_precision_that_the_device_lacks_is_an_error_that_lists_those_it_has() -> None:
    with pytest.raises(BackendError, match=r"EPYC has no float16 .*; there are: auto, bfloat16, float32") as caught:
        select_device(BFLOAT16, "float16")
    assert caught.value.exit_code == 4


def test_float32_is_not_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "ask", lambda *_: pytest.fail("it was tried"))
    assert judge_precision(tmp_path / "none.onnx", replace(BFLOAT16, precision="float32"), (8, 8), tmp_path) == ""


class Trials:
    """What the process that tries a network answers; counts the questions."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answer = subprocess.CompletedProcess([], 0, json.dumps({"reason": ""}), "")
        self.count = 0
        monkeypatch.setattr(registry, "ask", self._ask)

    def _ask(self, what: str, *_: object) -> dict[str, Any]:
        self.count += 1
        return child.read_answer(what, self.answer)


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> Trials:
    return Trials(monkeypatch)


def verdict(graph: Path, cache: Path, device: DeviceInfo = BFLOAT16, size: tuple[int, int] = (8, 8)) -> str:
    """As a new process would have it."""
    registry._judge.cache_clear()
    return judge_precision(graph, device, size, cache)


@pytest.mark.parametrize("reason", ["", "a score 0.300 off"])
def test_a_verdict_is_kept_for_all_that_it_depends_on(
    reason: str, trials: Trials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials.answer.stdout = json.dumps({"reason": reason})
    graph = write_small_graph(tmp_path / "small.onnx")
    assert [verdict(graph, tmp_path / "cache") for _ in range(2)] == [reason] * 2
    assert trials.count == 1
    verdict(graph, tmp_path / "cache", size=(16, 8))
    verdict(graph, tmp_path / "cache", replace(BFLOAT16, precision="float16"))
    assert trials.count == 3
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    verdict(graph, tmp_path / "cache")
    monkeypatch.setattr(child, "version", lambda name: f"another {name}")
    verdict(graph, tmp_path / "cache")
    assert trials.count == 5
    graph.write_bytes(graph.read_bytes() + b"\0")
    verdict(graph, tmp_path / "cache")
    assert trials.count == 6


def test_a_crash_is_a_reason_that_is_not_kept(trials: Trials, tmp_path: Path) -> None:
    graph = write_small_graph(tmp_path / "small.onnx")
    trials.answer.returncode = -4
    assert "ended with -4" in verdict(graph, tmp_path)
    trials.answer.returncode = 0
    assert verdict(graph, tmp_path) == ""
    assert trials.count == 2


@pytest.mark.parametrize("content", ["", "[1]", "{}", '{"reason": 7}'])
def test_a_damaged_verdict_is_made_again(content: str, trials: Trials, tmp_path: Path) -> None:
    graph = write_small_graph(tmp_path / "small.onnx")
    verdict(graph, tmp_path / "cache")
    (note,) = (tmp_path / "cache").iterdir()
    note.write_text(content)
    assert verdict(graph, tmp_path / "cache") == ""
    assert trials.count == 2
    assert json.loads(note.read_text()) == {"reason": ""}


def test_a_network_that_cannot_be_compiled_in_it_has_that_as_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_network = openvino_session.OpenVinoSession._compile

    def fail(session: openvino_session.OpenVinoSession, size: tuple[int, ...]) -> Any:
        if session.device.precision == "bfloat16":
            raise RuntimeError("Exception from src/x.cpp:1:\ncould not create a primitive descriptor")
        return compile_network(session, size)

    monkeypatch.setattr(openvino_session.OpenVinoSession, "_compile", fail)
    device = replace(CPU_DEVICES["openvino"](), precision="bfloat16")
    reason = trial.compare(write_small_graph(tmp_path / "small.onnx"), device, (64, 96))
    assert reason.startswith("an error: ")
    assert "could not create a primitive descriptor" in reason


def test_a_session_computes_in_the_precision_that_it_is_given_or_fails(tmp_path: Path) -> None:
    """OpenVINO takes bfloat16 for a hint, and computes in float32 without a word where the processor lacks it."""
    there = openvino_session.describe("CPU")
    graph = write_small_graph(tmp_path / "small.onnx")
    for precision in there.precisions:
        session = open_on(replace(there, precision=precision), graph, SMALL, tmp_path)
        session.infer(noise(SMALL))
        assert session.device.precision == precision
    if "bfloat16" in there.precisions:
        return
    session = open_on(replace(there, precision="bfloat16"), graph, SMALL, tmp_path)
    with pytest.raises(BackendError, match="OpenVINO computes in f32 instead of bfloat16"):
        session.infer(noise(SMALL))


@pytest.fixture(params=["float32", "bfloat16"])
def device(request: pytest.FixtureRequest) -> DeviceInfo:
    """OpenVINO in each precision that this processor has."""
    return openvino_in(request.param)


@pytest.mark.parametrize("usual", [1, 4])
@pytest.mark.parametrize("batch", [1, 2, 3, 7])
def test_a_picture_has_the_same_bits_whatever_is_beside_it(
    batch: int, usual: int, device: DeviceInfo, tmp_path: Path
) -> None:
    graph = write_small_graph(tmp_path / "small.onnx")
    shapes = ShapeRange(SMALL, (usual, *SMALL[1:]), SMALL)
    session = openvino_session.OpenVinoSession(graph, device, threads=3, cache_folder=tmp_path / "cache", shapes=shapes)
    assert session.per_picture
    pictures = noise((batch, *SMALL[1:]))
    together = session.infer(pictures)
    for output, *each in zip(together, *(session.infer(pictures[i : i + 1]) for i in range(batch)), strict=True):
        np.testing.assert_array_equal(output, np.concatenate(each))


@pytest.mark.parametrize(("usual", "streams"), [(1, 1), (4, 3)])
def test_threads_share_a_picture_only_where_pictures_come_one_at_a_time(
    usual: int, streams: int, device: DeviceInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    options = openvino_session.compile_options

    def noted(threads: int, number: int, precision: Any) -> dict[str, Any]:
        asked.append((threads, number))
        return options(threads, number, precision)

    monkeypatch.setattr(openvino_session, "compile_options", noted)
    graph = write_small_graph(tmp_path / "small.onnx")
    shapes = ShapeRange(SMALL, (usual, *SMALL[1:]), SMALL)
    session = openvino_session.OpenVinoSession(graph, device, threads=3, cache_folder=tmp_path / "cache", shapes=shapes)
    session.infer(noise((5, *SMALL[1:])))
    session.infer(noise((1, *SMALL[1:])))
    assert asked == [(3, streams)]


def test_compile_options_name_threads_and_precision() -> None:
    options = compile_options(3, 2, "bfloat16")
    assert (options["INFERENCE_NUM_THREADS"], options["INFERENCE_PRECISION_HINT"]) == (3, "bf16")
    assert options["NUM_STREAMS"] == 2
    assert options["ENABLE_CPU_PINNING"] is False


def test_pictures_are_always_the_same_differ_and_repeat() -> None:
    pictures = draw_pictures(NUM_PICTURES + 2, 384, 640)
    assert (pictures.shape, pictures.dtype) == ((NUM_PICTURES + 2, 384, 640, 3), np.uint8)
    assert len({picture.tobytes() for picture in pictures}) == NUM_PICTURES
    np.testing.assert_array_equal(pictures[NUM_PICTURES:], pictures[:2])
    np.testing.assert_array_equal(draw_pictures(2, 384, 640), pictures[:2])
    assert min(picture.std() for picture in pictures) > 15
    for size in ((32, 32), (640, 32), (112, 112), (1088, 1920)):
        assert draw_pictures(2, *size).shape == (2, *size, 3)
