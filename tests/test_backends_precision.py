"""bfloat16 is used only where it agrees with float32; told with a runtime that computes what we say."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from backends_tools import CPU_DEVICES, SMALL, noise, open_on, write_real_graph, write_small_graph

from fastface.backends import ShapeRange, openvino_session
from fastface.backends.openvino_session import choose_precision, compile_options
from fastface.backends.precision import FLOAT16, agrees, disagreement, probe_picture, probe_pictures

EMBEDDING = noise((3, 64), seed=1).astype(np.float32) - 127
ROWS = np.sort(noise((2, 20, 15), seed=2).astype(np.float32) / 255, axis=1)[:, ::-1]


def turned(vectors: np.ndarray, cosine: float) -> np.ndarray:
    """Vectors whose cosine with the given ones is as given."""
    other = np.roll(vectors, 1, axis=1)
    along = (other * vectors).sum(1, keepdims=True) / (vectors**2).sum(1, keepdims=True)
    across = other - along * vectors
    across *= np.linalg.norm(vectors, axis=1, keepdims=True) / np.linalg.norm(across, axis=1, keepdims=True)
    return (cosine * vectors + np.sqrt(1 - cosine**2) * across).astype(np.float32)


@pytest.mark.parametrize(("cosine", "agreed"), [(0.9999, True), (0.991, True), (0.989, False), (-1.0, False)])
def test_embeddings_agree_by_cosine(cosine: float, agreed: bool) -> None:
    assert agrees([EMBEDDING], [turned(EMBEDDING, cosine)]) is agreed


@pytest.mark.parametrize(("cosine", "agreed"), [(0.9995, True), (0.9985, False)])
def test_float16_is_held_to_more(cosine: float, agreed: bool) -> None:
    assert agrees([EMBEDDING], [turned(EMBEDDING, cosine)], FLOAT16) is agreed
    assert agrees([EMBEDDING], [turned(EMBEDDING, cosine)])


@pytest.mark.parametrize(("pixels", "agreed"), [(0.9, True), (1.1, False)])
@pytest.mark.parametrize("column", [1, 2, 3, 4])
def test_boxes_of_faces_stay_within_a_pixel_in_float16(column: int, pixels: float, agreed: bool) -> None:
    exact = np.zeros((2, 20, 15), np.float32)
    exact[..., 0] = np.linspace(0.9, 0.1, 20)
    exact[..., 1:5] = np.arange(20)[:, None] * 50
    moved = exact.copy()
    moved[1, 3, column] += pixels
    assert agrees([exact], [moved], FLOAT16) is agreed
    assert agrees([exact], [moved])
    nothing = exact.copy()
    nothing[1, 19, column] += pixels  # a row of score 0.1 shows nothing
    assert agrees([exact], [nothing], FLOAT16)


def test_what_does_not_agree_is_said() -> None:
    assert "cosine of 0.5" in str(disagreement([EMBEDDING], [turned(EMBEDDING, 0.5)], FLOAT16))
    assert "score 0.05" in str(disagreement([ROWS], [ROWS + np.float32(0.05)], FLOAT16))
    assert "not finite" in str(disagreement([ROWS], [ROWS * np.float32(np.inf)], FLOAT16))


def test_probe_pictures_differ_and_begin_with_the_head() -> None:
    pictures = probe_pictures(6, 112, 112)
    assert pictures.shape == (6, 112, 112, 3)
    np.testing.assert_array_equal(pictures[0], probe_picture(112, 112)[0])
    np.testing.assert_array_equal(pictures[4:], pictures[:2])
    assert len({picture.tobytes() for picture in pictures}) == 4
    assert probe_pictures(1, 64, 96).shape == (1, 64, 96, 3)


def test_length_of_an_embedding_does_not_matter() -> None:
    assert agrees([EMBEDDING], [EMBEDDING * 1.1])


def test_one_bad_row_is_enough() -> None:
    worse = EMBEDDING.copy()
    worse[1] = turned(EMBEDDING, 0.5)[1]
    assert not agrees([EMBEDDING], [worse])


@pytest.mark.parametrize(("shift", "agreed"), [(0.019, True), (0.021, False)])
def test_scores_agree_by_difference(shift: float, agreed: bool) -> None:
    assert agrees([ROWS], [ROWS + np.float32(shift)]) is agreed


def test_rows_of_equal_score_may_change_places() -> None:
    swapped = ROWS.copy()
    swapped[:, 3, 1:], swapped[:, 4, 1:] = ROWS[:, 4, 1:], ROWS[:, 3, 1:]
    assert agrees([ROWS], [swapped])


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("exact", [EMBEDDING, ROWS])
def test_not_finite_is_not_agreed(exact: np.ndarray, value: float) -> None:
    broken = exact.copy()
    broken.flat[-1] = value
    assert not agrees([exact], [broken])


def test_other_number_or_shape_is_not_agreed() -> None:
    assert not agrees([EMBEDDING], [EMBEDDING, EMBEDDING])
    assert not agrees([EMBEDDING], [EMBEDDING[:2]])


@pytest.mark.parametrize(("cosine", "chosen"), [(0.999, "bfloat16"), (0.9, "float32")])
def test_precision_is_chosen_by_comparison(cosine: float, chosen: str) -> None:
    outputs = {"float32": (EMBEDDING,), "bfloat16": (turned(EMBEDDING, cosine),)}
    assert choose_precision("bfloat16", outputs.__getitem__) == chosen


def test_float32_is_not_compared() -> None:
    def refuse(precision: str) -> tuple[np.ndarray, ...]:
        raise AssertionError(precision)

    assert choose_precision("float32", refuse) == "float32"


@pytest.mark.parametrize(("cosine", "chosen"), [(0.999, "bfloat16"), (0.9, "float32")])
def test_session_compiles_in_the_precision_that_agreed(
    cosine: float, chosen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A processor with bfloat16, faked: the compiled network turns its embeddings by as much as told."""
    asked = []

    def compile_faked(session: openvino_session.OpenVinoSession, size: tuple[int, ...], precision: str) -> object:
        asked.append((size, precision))
        outputs = EMBEDDING if precision == "float32" else turned(EMBEDDING, cosine)
        return SimpleNamespace(compute=lambda pictures: (outputs,))

    monkeypatch.setattr(openvino_session.OpenVinoSession, "_compile", compile_faked)
    device = replace(CPU_DEVICES["openvino"](), precision="bfloat16")
    session = open_on(device, write_small_graph(tmp_path / "small.onnx"), SMALL, tmp_path)
    assert session.device.precision == chosen
    assert {precision for _, precision in asked} == {"float32", "bfloat16"}
    session.run(noise(SMALL))
    assert asked[-1] == (SMALL[1:], chosen)


@pytest.mark.parametrize("usual", [1, 4])
@pytest.mark.parametrize("batch", [1, 2, 3, 7])
def test_a_picture_has_the_same_bits_whatever_is_beside_it(batch: int, usual: int, tmp_path: Path) -> None:
    graph = write_small_graph(tmp_path / "small.onnx")
    shapes = ShapeRange(SMALL, (usual, *SMALL[1:]), SMALL)
    session = openvino_session.OpenVinoSession(graph, CPU_DEVICES["openvino"](), threads=3, shapes=shapes)
    assert session.per_picture
    pictures = noise((batch, *SMALL[1:]))
    together = session.run(pictures)
    for output, *each in zip(together, *(session.run(pictures[i : i + 1]) for i in range(batch)), strict=True):
        np.testing.assert_array_equal(output, np.concatenate(each))


@pytest.mark.parametrize(("usual", "streams"), [(1, 1), (4, 3)])
def test_threads_share_a_picture_only_where_pictures_come_one_at_a_time(
    usual: int, streams: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    options = openvino_session.compile_options

    def noted(threads: int, number: int, precision: Any) -> dict[str, Any]:
        asked.append((threads, number))
        return options(threads, number, precision)

    monkeypatch.setattr(openvino_session, "compile_options", noted)
    graph = write_small_graph(tmp_path / "small.onnx")
    shapes = ShapeRange(SMALL, (usual, *SMALL[1:]), SMALL)
    session = openvino_session.OpenVinoSession(graph, CPU_DEVICES["openvino"](), threads=3, shapes=shapes)
    session.run(noise((5, *SMALL[1:])))
    session.run(noise((1, *SMALL[1:])))
    assert asked == [(3, streams)]


def test_compile_options_name_threads_and_precision() -> None:
    options = compile_options(3, 2, "bfloat16")
    assert (options["INFERENCE_NUM_THREADS"], options["INFERENCE_PRECISION_HINT"]) == (3, "bf16")
    assert options["NUM_STREAMS"] == 2
    assert options["ENABLE_CPU_PINNING"] is False


def test_probe_picture_is_always_the_same_and_no_flat_colour() -> None:
    picture = probe_picture(384, 640)
    assert picture.shape == (1, 384, 640, 3)
    assert picture.dtype == np.uint8
    assert picture.std() > 30
    np.testing.assert_array_equal(picture, probe_picture(384, 640))


def test_probe_picture_gives_an_embedding_of_some_length(shared_models: Path, tmp_path: Path) -> None:
    graph = write_real_graph(shared_models / "buffalo_s" / "w600k_mbf.onnx", tmp_path / "real.onnx")
    session = open_on(CPU_DEVICES["onnxruntime"](), graph, (1, 112, 112, 3), tmp_path)
    (embedding,) = session.run(probe_picture(112, 112))
    assert np.linalg.norm(embedding) > 1
    assert agrees([embedding], session.run(probe_picture(112, 112)))


@pytest.mark.parametrize("size", [(384, 640), (640, 384), (640, 640)])
def test_published_detector_sees_the_probe_picture(shared_models: Path, size: tuple[int, int]) -> None:
    """A picture without a detection would compare zeros with zeros."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    network = onnxruntime.InferenceSession(
        str(shared_models / "buffalo_s" / "det_500m.onnx"), options, providers=["CPUExecutionProvider"]
    )
    planes = (probe_picture(*size)[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32) - 127.5) / 128
    outputs = network.run(None, {network.get_inputs()[0].name: planes})
    assert max(scores.max() for scores in outputs[:3]) > 0.6
