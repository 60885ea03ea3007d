"""Published person networks give what the arithmetic of their papers gives."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import onnx
import openvino
import pytest
from faces_tools import PlainSession, frames_of
from models_tools import decoded, tiny_yolo

from fastface.errors import ModelError
from fastface.models.graph import inspect_graph, prepare_detector, prepare_person

REAL = {"yolo11n_int8_mwc.onnx": ("yolo", 320), "yolox_nano.onnx": ("yolox", 416)}


def canvases_of(shared_media: Path, side: int) -> npt.NDArray[np.uint8]:
    frames = frames_of(shared_media / "clips/friends.mp4", (10, 200, 400))
    return np.stack([cv2.resize(frame, (side, side)) for frame in frames])


@pytest.mark.parametrize("name", REAL)
def test_real_networks_give_what_the_papers_arithmetic_gives(
    shared_models: Path, shared_media: Path, tmp_path: Path, name: str
) -> None:
    family, side = REAL[name]
    path = shared_models / "person" / name
    session = PlainSession(prepare_person(path, tmp_path))
    for picture in canvases_of(shared_media, side):
        expected = decoded(path, family, picture)
        assert expected[0, 0] > 0.5
        (rows,) = session.infer(picture[None])
        assert rows.shape == (1, 1024, 5)
        np.testing.assert_allclose(rows[0, :, 0], expected[:1024, 0], atol=1e-6)
        np.testing.assert_allclose(rows[0, :20], expected[:20], atol=1e-3)


def test_a_batch_equals_one_by_one_and_what_depends_on_its_neighbours_keeps_a_batch_of_one(
    shared_models: Path, shared_media: Path, tmp_path: Path
) -> None:
    batch = canvases_of(shared_media, 416)
    session = PlainSession(prepare_person(shared_models / "person/yolox_nano.onnx", tmp_path))
    (together,) = session.infer(batch)
    alone = np.concatenate([session.infer(picture[None])[0] for picture in batch])
    np.testing.assert_allclose(together[:, :50], alone[:, :50], atol=1e-3)
    quantised = onnx.load(str(prepare_person(shared_models / "person/yolo11n_int8_mwc.onnx", tmp_path))).graph
    assert [d.dim_value for d in quantised.input[0].type.tensor_type.shape.dim] == [1, 320, 320, 3]


def test_both_runtimes_agree(shared_models: Path, shared_media: Path, tmp_path: Path) -> None:
    """Of eight bits, each runtime rounds its own way: that network is compared by the persons that it finds."""
    for path in (shared_models / "person/yolox_nano.onnx", tiny_yolo(tmp_path / "x.onnx", "yolo")):
        graph = prepare_person(path, tmp_path)
        model = openvino.Core().read_model(str(graph))
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
        free = openvino.compile_model(model, "CPU", settings)
        side = model.input(0).partial_shape[1].get_length()
        model.reshape([1, side, side, 3])
        alone = openvino.compile_model(model, "CPU", settings)
        batch = canvases_of(shared_media, side)
        (expected,) = PlainSession(graph).infer(batch)
        for found in (free(batch)[0], np.concatenate([alone(picture[None])[0] for picture in batch])):
            assert found.shape == expected.shape
            np.testing.assert_allclose(found[..., 0], expected[..., 0], atol=1e-4)
            np.testing.assert_allclose(found[:, :8], expected[:, :8], atol=0.05)


@pytest.mark.parametrize("name", REAL)
def test_families_are_told_from_the_graph_and_noted(shared_models: Path, tmp_path: Path, name: str) -> None:
    family, side = REAL[name]
    for _ in range(2):  # from the graph, then from its note
        facts = inspect_graph(shared_models / "person" / name, tmp_path)
        assert (facts.kind, facts.family, facts.input_size) == ("person", family, (side, side))


def test_kinds_are_not_taken_for_each_other(shared_models: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"det_500m\.onnx' is no person network: it is a detector"):
        prepare_person(shared_models / "buffalo_s/det_500m.onnx", tmp_path)
    with pytest.raises(ModelError, match=r"yolox_nano\.onnx' is no detector: it is a person network"):
        prepare_detector(shared_models / "person/yolox_nano.onnx", tmp_path)
