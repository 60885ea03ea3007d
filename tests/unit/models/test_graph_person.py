"""Person networks: told from their graphs, and rewritten so that they give what their papers' arithmetic gives."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import openvino
import pytest
from faces_tools import PlainSession, frames_of
from models_tools import NAMES, SIDE, edited, save, tiny_yolo
from onnx import helper

from fastface.errors import ModelError
from fastface.models.graph import inspect_graph, prepare_detector, prepare_person

REAL = {"yolo11n_int8_mwc.onnx": ("yolo", 320), "yolox_nano.onnx": ("yolox", 416)}
CELLS = 8 * 8 + 4 * 4 + 2 * 2


def original_session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def decoded(path: Path, family: str, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Rows of score and corners of all anchors by falling score, by the arithmetic that the families publish."""
    session = original_session(path)
    values = picture.astype(np.float32)
    if family == "yolo":  # RGB, 0 to 1; centre, size, then a share for each class, a column an anchor
        values = values[..., ::-1] / np.float32(255)
    (out,) = session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(values.transpose(2, 0, 1)[None])})
    if family == "yolo":
        x, y, w, h, score = out[0, :5].astype(np.float64)
    else:  # exp and grid of YOLOX' decode_outputs, one cell after the other
        side = picture.shape[0]
        cells = [(c, r, s) for s in (8, 16, 32) for r in range(side // s) for c in range(side // s)]
        column, row, stride = np.array(cells, np.float64).T
        dx, dy, log_w, log_h, share, person = out[0, :, :6].astype(np.float64).T
        x, y, w, h = (dx + column) * stride, (dy + row) * stride, np.exp(log_w) * stride, np.exp(log_h) * stride
        score = share * person
    rows = np.stack([score, x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=1)
    return rows[np.argsort(-score, kind="stable")]


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
        (rows,) = session.run(picture[None])
        assert rows.shape == (1, 1024, 5)
        np.testing.assert_allclose(rows[0, :, 0], expected[:1024, 0], atol=1e-6)
        np.testing.assert_allclose(rows[0, :20], expected[:20], atol=1e-3)


@pytest.mark.parametrize("family", ["yolo", "yolox"])
def test_rows_of_small_networks_are_exact_for_every_anchor(tmp_path: Path, family: str) -> None:
    path = tiny_yolo(tmp_path / "x.onnx", family)
    batch = np.random.default_rng(1).integers(0, 256, (3, SIDE, SIDE, 3), np.uint8)
    (found,) = PlainSession(prepare_person(path, tmp_path)).run(batch)
    assert found.shape == (3, CELLS, 5)
    for picture, rows in zip(batch, found, strict=True):
        np.testing.assert_allclose(rows, decoded(path, family, picture), rtol=1e-4, atol=1e-4)


def test_a_batch_equals_one_by_one_and_what_depends_on_its_neighbours_keeps_a_batch_of_one(
    shared_models: Path, shared_media: Path, tmp_path: Path
) -> None:
    batch = canvases_of(shared_media, 416)
    session = PlainSession(prepare_person(shared_models / "person/yolox_nano.onnx", tmp_path))
    (together,) = session.run(batch)
    alone = np.concatenate([session.run(picture[None])[0] for picture in batch])
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
        (expected,) = PlainSession(graph).run(batch)
        for found in (free(batch)[0], np.concatenate([alone(picture[None])[0] for picture in batch])):
            assert found.shape == expected.shape
            np.testing.assert_allclose(found[..., 0], expected[..., 0], atol=1e-4)
            np.testing.assert_allclose(found[:, :8], expected[:, :8], atol=0.05)


def test_exports_of_any_size_are_taken(tmp_path: Path) -> None:
    path = tiny_yolo(tmp_path / "x.onnx", "yolo", side=None)
    facts = inspect_graph(path)
    assert (facts.kind, facts.family, facts.input_size) == ("person", "yolo", None)
    picture = np.random.default_rng(2).integers(0, 256, (96, 96, 3), np.uint8)
    (found,) = PlainSession(prepare_person(path, tmp_path)).run(picture[None])
    np.testing.assert_allclose(found[0], decoded(path, "yolo", picture), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", REAL)
def test_families_are_told_from_the_graph_and_noted(shared_models: Path, tmp_path: Path, name: str) -> None:
    family, side = REAL[name]
    for _ in range(2):  # from the graph, then from its note
        facts = inspect_graph(shared_models / "person" / name, tmp_path)
        assert (facts.kind, facts.family, facts.input_size) == ("person", family, (side, side))


def test_class_names_decide_where_an_export_has_them(tmp_path: Path) -> None:
    assert inspect_graph(tiny_yolo(tmp_path / "a.onnx", "yolo", names=NAMES)).kind == "person"
    alone = tiny_yolo(tmp_path / "b.onnx", "yolo", names="{0: 'person'}", classes=1)
    assert inspect_graph(alone).kind == "person"


def _with_exp(model: onnx.ModelProto) -> None:
    model.graph.node.insert(0, helper.make_node("Exp", ["in"], ["unused"]))


def _end_to_end(path: Path) -> Path:
    """What exports with the suppression inside look like: 300 rows of a box, a score and a class."""
    nodes = [helper.make_node("Conv", ["in", "w"], ["map"]), helper.make_node("Reshape", ["map", "to"], ["out"])]
    weights = {"w": np.zeros((1800, 3, SIDE, SIDE), np.float32), "to": np.array([1, 300, 6], np.int64)}
    return save(path, nodes, weights, (1, 3, SIDE, SIDE), {"out": 3})


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (_end_to_end, r"its output \(1, 300, 6\) is neither \(N, 4 \+ classes, 84\).*64x64"),
        (lambda p: tiny_yolo(p, "yolo", names="{0: 'face'}", classes=1), "first class is 'face', not 'person'"),
        (lambda p: tiny_yolo(p, "yolo", names="{0: 'person'}"), "names 1 classes, and its rows have room for 80"),
        (lambda p: tiny_yolo(p, "yolox", classes=20), "names no classes, and it has 20 classes, but COCO has 80"),
        (lambda p: edited(tiny_yolo(p, "yolox"), p, _with_exp), "decodes its boxes itself: export it without"),
        (lambda p: tiny_yolo(p, "yolox", side=None), "without a fixed size: export it with one"),
    ],
)
def test_other_networks_are_refused_in_one_line_that_says_what_they_are(tmp_path: Path, make, told: str) -> None:
    path = make(tmp_path / "x.onnx")
    assert inspect_graph(path).kind == "unknown"
    with pytest.raises(ModelError, match=rf"x\.onnx' is no person network: .*{told}") as caught:
        prepare_person(path, tmp_path / "cache")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "cache").exists()


def test_kinds_are_not_taken_for_each_other(shared_models: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"det_500m\.onnx' is no person network: it is a detector"):
        prepare_person(shared_models / "buffalo_s/det_500m.onnx", tmp_path)
    with pytest.raises(ModelError, match=r"yolox_nano\.onnx' is no detector: it is a person network"):
        prepare_detector(shared_models / "person/yolox_nano.onnx", tmp_path)
