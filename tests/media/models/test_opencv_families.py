"""YuNet and SFace give what OpenCV's own classes for them give, on stand-ins with the published interfaces."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from faces_tools import PlainSession
from family_tools import sface_of_arcface, tiny_yunet, yunet_of_scrfd
from models_tools import pictures

from fastface.faces.align import ARCFACE, align_picture
from fastface.faces.arcface import Recogniser
from fastface.faces.scrfd import Detector
from fastface.models.graph import inspect_graph, prepare_detector, prepare_recogniser

WIDTH, HEIGHT = 160, 128


def opencv_rows(graph: Path, picture: npt.NDArray[np.uint8], score: float, overlap: float) -> npt.NDArray[np.float32]:
    """Score, corners and landmarks of `FaceDetectorYN`, by falling score."""
    height, width = picture.shape[:2]
    detector = cv2.FaceDetectorYN.create(str(graph), "", (width, height), score, overlap, 5000)
    _, found = detector.detect(picture)
    rows = np.concatenate([found[:, 14:], found[:, :2], found[:, :2] + found[:, 2:4], found[:, 4:14]], axis=1)
    return rows[np.argsort(-rows[:, 0], kind="stable")]


def test_all_rows_of_a_yunet_are_those_of_opencv(tmp_path: Path) -> None:
    graph = tiny_yunet(tmp_path / "yunet.onnx")
    assert inspect_graph(graph).kind == "detector"
    session = PlainSession(prepare_detector(graph, tmp_path / "cache"))
    batch = pictures(3, HEIGHT, WIDTH)
    (rows,) = session.infer(batch)
    cells = sum((HEIGHT // stride) * (WIDTH // stride) for stride in (8, 16, 32))
    assert rows.shape == (3, cells, 15)
    for found, picture in zip(rows, batch, strict=True):
        expected = opencv_rows(graph, picture, 0.0, 1.0)
        assert len(expected) == cells
        np.testing.assert_allclose(found[:, 0], expected[:, 0], atol=1e-5)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=2e-2)


def test_faces_of_a_photo_are_those_of_opencv(shared_models: Path, shared_media: Path, tmp_path: Path) -> None:
    graph = yunet_of_scrfd(shared_models / "buffalo_s" / "det_500m.onnx", tmp_path / "yunet.onnx")
    detector = Detector(PlainSession(prepare_detector(graph, tmp_path / "cache")), 0.3)
    photos = sorted((shared_media / "photos" / "jurassic").glob("*/*"))[::12]
    assert len(photos) == 6
    for photo in photos:
        canvas = cv2.resize(cv2.imread(str(photo)), (448, 416), interpolation=cv2.INTER_AREA)
        (found,) = detector.detect(canvas[None])
        expected = opencv_rows(graph, canvas, 0.3, 0.4)
        assert len(found) == len(expected) > 0
        np.testing.assert_allclose(found.boxes, expected[:, 1:5], atol=0.1)
        np.testing.assert_allclose(found.landmarks.reshape(-1, 10), expected[:, 5:], atol=0.1)


def test_embeddings_of_an_sface_are_those_of_opencv(shared_models: Path, shared_media: Path, tmp_path: Path) -> None:
    graph = sface_of_arcface(shared_models / "buffalo_s" / "w600k_mbf.onnx", tmp_path / "sface.onnx")
    facts = inspect_graph(graph)
    assert (facts.kind, facts.dimension, facts.input_size) == ("recogniser", 128, (112, 112))
    recogniser = Recogniser(
        PlainSession(prepare_recogniser(graph, tmp_path / "cache")), 128, max_chunk=4, alignment=ARCFACE
    )
    reference = cv2.FaceRecognizerSF.create(str(graph), "")
    photo = cv2.imread(str(next(iter(sorted((shared_media / "photos" / "jurassic" / "alan_grant").glob("*"))))))
    height, width = photo.shape[:2]
    points = np.array([[0.4, 0.4], [0.6, 0.4], [0.5, 0.5], [0.42, 0.6], [0.58, 0.6]], np.float32) * (width, height)
    row = np.concatenate([np.zeros(4), points.ravel(), [1.0]]).astype(np.float32)[None]
    aligned = reference.alignCrop(photo, row)
    ours = align_picture(photo, points)
    assert np.abs(aligned.astype(int) - ours).mean() < 1.0
    vectors, _ = recogniser.embed(np.stack([aligned, aligned[:, ::-1]]))
    for vector, picture in zip(vectors, (aligned, np.ascontiguousarray(aligned[:, ::-1])), strict=True):
        feature = reference.feature(picture)[0]
        assert float(vector @ feature / np.linalg.norm(feature)) == pytest.approx(1, abs=1e-4)
