"""Rewritten networks compute what the originals do: every export style, any batch and canvas, both CPU runtimes."""

import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from faces_tools import PlainSession
from models_tools import pictures, tiny_arcface, tiny_scrfd

from fastface.faces.scrfd import Detector
from fastface.models.graph import prepare_detector, prepare_recogniser


def insightface_detects(path: Path, picture: np.ndarray, threshold: float):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scrfd = pytest.importorskip("insightface.model_zoo.scrfd")
        network = scrfd.SCRFD(model_file=str(path))
    network.prepare(ctx_id=-1, det_thresh=threshold)
    return network.detect(picture, input_size=picture.shape[1::-1])


@pytest.mark.parametrize("style", ["old", "new"])
@pytest.mark.parametrize("landmarks", [True, False])
def test_every_export_style_detects_as_insightface_does(tmp_path: Path, style: str, landmarks: bool) -> None:
    path = tiny_scrfd(tmp_path / "x.onnx", style=style, landmarks=landmarks)
    batch = pictures(3, 64, 96)
    found = Detector(PlainSession(prepare_detector(path, tmp_path)), 0.3).detect(batch)
    assert len(found) == 3
    for picture, ours in zip(batch, found, strict=True):
        boxes, points = insightface_detects(path, picture, 0.3)
        assert len(ours) == len(boxes) > 10
        np.testing.assert_allclose(ours.boxes, boxes[:, :4], atol=1e-3)
        np.testing.assert_allclose(ours.det_score, boxes[:, 4], atol=1e-5)
        if landmarks:
            np.testing.assert_allclose(ours.landmarks, points, atol=1e-3)


@pytest.mark.parametrize("variant", [{"style": "map"}, {"style": "map", "sigmoid": False}, {"sigmoid": False}])
def test_plain_feature_maps_and_logits_mean_the_same(tmp_path: Path, variant: dict) -> None:
    batch = pictures(2, 64, 64)
    (expected,) = PlainSession(prepare_detector(tiny_scrfd(tmp_path / "x.onnx"), tmp_path)).infer(batch)
    (found,) = PlainSession(prepare_detector(tiny_scrfd(tmp_path / "y.onnx", **variant), tmp_path)).infer(batch)
    np.testing.assert_array_equal(found, expected)


def test_without_landmarks_the_mean_face_is_placed_in_the_box(tmp_path: Path) -> None:
    path = tiny_scrfd(tmp_path / "x.onnx", landmarks=False)
    (rows,) = PlainSession(prepare_detector(path, tmp_path)).infer(pictures(1, 64, 64))
    (box, points) = rows[0, 0, 1:5], rows[0, 0, 5:].reshape(5, 2)
    width, height = box[2:] - box[:2]
    np.testing.assert_allclose(points[2] - box[:2], [0.5 * width, 0.59 * height], rtol=1e-4)
    np.testing.assert_allclose(points[0] + points[1], 2 * box[:2] + (width, 0.78 * height), rtol=1e-5)


def test_rows_fall_by_score_and_are_at_most_1024(tmp_path: Path) -> None:
    session = PlainSession(prepare_detector(tiny_scrfd(tmp_path / "x.onnx"), tmp_path))
    for height, width, anchors in ((32, 32, 42), (640, 384, 1024)):
        (rows,) = session.infer(pictures(2, height, width))
        assert rows.shape == (2, anchors, 15)
        assert np.diff(rows[:, :, 0], axis=1).max() <= 1e-6  # ranked before the sigmoid, which rounds
        assert np.ptp(rows[:, :, 0]) > 0.1


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("normalises", [True, False])
def test_recognisers_of_every_style_agree_with_their_original(tmp_path: Path, fixed: bool, normalises: bool) -> None:
    path = tiny_arcface(tmp_path / "x.onnx", fixed=fixed, normalises=normalises)
    batch = pictures(5, 112, 112)
    values = batch[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)
    values = values if normalises else (values - 127.5) / 127.5
    original = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    expected = np.concatenate([original.run(None, {"in": face[None]})[0] for face in values])
    (found,) = PlainSession(prepare_recogniser(path, tmp_path)).infer(batch)
    np.testing.assert_allclose(found, expected, atol=1e-4)
