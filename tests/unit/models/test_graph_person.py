"""Person networks: told from their graphs, and rewritten so that they give what their papers' arithmetic gives."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from faces_tools import PlainSession
from models_tools import NAMES, SIDE, decoded, edited, save, tiny_yolo
from onnx import helper

from fastface.errors import ModelError
from fastface.models.graph import inspect_graph, prepare_person

CELLS = 8 * 8 + 4 * 4 + 2 * 2


@pytest.mark.parametrize("family", ["yolo", "yolox"])
def test_rows_of_small_networks_are_exact_for_every_anchor(tmp_path: Path, family: str) -> None:
    path = tiny_yolo(tmp_path / "x.onnx", family)
    batch = np.random.default_rng(1).integers(0, 256, (3, SIDE, SIDE, 3), np.uint8)
    (found,) = PlainSession(prepare_person(path, tmp_path)).infer(batch)
    assert found.shape == (3, CELLS, 5)
    for picture, rows in zip(batch, found, strict=True):
        np.testing.assert_allclose(rows, decoded(path, family, picture), rtol=1e-4, atol=1e-4)


def test_exports_of_any_size_are_taken(tmp_path: Path) -> None:
    path = tiny_yolo(tmp_path / "x.onnx", "yolo", side=None)
    facts = inspect_graph(path)
    assert (facts.kind, facts.family, facts.input_size) == ("person", "yolo", None)
    picture = np.random.default_rng(2).integers(0, 256, (96, 96, 3), np.uint8)
    (found,) = PlainSession(prepare_person(path, tmp_path)).infer(picture[None])
    np.testing.assert_allclose(found[0], decoded(path, "yolo", picture), rtol=1e-4, atol=1e-4)


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
        (_end_to_end, r"its output \(1, 300, 6\) is not that of a person network: at 64x64 .*\(N, 4 \+ classes, 84\)"),
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
