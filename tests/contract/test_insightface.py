"""The rewritten networks against insightface's own classes on the unmodified files, on real frames."""

import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
from faces_tools import PlainSession, frames_of

from fastface.faces.align import align_picture
from fastface.faces.analyse import letterbox
from fastface.faces.arcface import Recogniser
from fastface.faces.scrfd import Detector
from fastface.models.graph import inspect_graph, prepare_detector, prepare_recogniser

DETECTORS = ("buffalo_s/det_500m.onnx", "single/scrfd_2.5g_bnkps.onnx")
RECOGNISERS = ("buffalo_s/w600k_mbf.onnx", "single/mobilefacenet.onnx")
FRAMES = {"street.mp4": (0, 25, 50), "friends.mp4": (20, 200, 400), "hamilton.mp4": (10, 100)}
DET_THRESHOLD = 0.5


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("networks")


@pytest.fixture(scope="session")
def frames(shared_media: Path) -> list[np.ndarray]:
    found = [frame for name, numbers in FRAMES.items() for frame in frames_of(shared_media / "clips" / name, numbers)]
    assert len(found) == 8
    return found


def original(path: Path):
    """insightface's object for an unmodified network, on the CPU."""
    with warnings.catch_warnings():
        # Of insightface's own dependencies.
        warnings.simplefilter("ignore")
        model_zoo = pytest.importorskip("insightface.model_zoo")
        network = model_zoo.get_model(str(path), providers=["CPUExecutionProvider"])
    network.prepare(ctx_id=-1, input_size=(640, 640), det_thresh=DET_THRESHOLD)
    return network


@pytest.fixture(scope="session", params=DETECTORS)
def detections(request, shared_models: Path, cache: Path, frames: list[np.ndarray]):
    """(expected of insightface, our detector, canvases, factors) for one detector network."""
    path = shared_models / request.param
    reference = original(path)
    expected = [reference.detect(frame) for frame in frames]
    canvases, factors = zip(*(letterbox(frame, 640) for frame in frames), strict=True)
    return expected, Detector(PlainSession(prepare_detector(path, cache)), DET_THRESHOLD), np.stack(canvases), factors


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_detectors_agree_per_picture(detections, batch: int) -> None:
    expected, detector, canvases, factors = detections
    found = [faces for i in range(0, 8, batch) for faces in detector.detect(canvases[i : i + batch])]
    assert sum(len(boxes) for boxes, _ in expected) >= 15
    for (boxes, landmarks), ours, factor in zip(expected, found, factors, strict=True):
        assert len(ours) == len(boxes)
        np.testing.assert_allclose(ours.det_score, boxes[:, 4], atol=1e-3)
        np.testing.assert_allclose(ours.boxes / factor, boxes[:, :4], atol=0.5)
        np.testing.assert_allclose(ours.landmarks / factor, landmarks, atol=0.5)


@pytest.fixture(scope="session")
def aligned(shared_models: Path, cache: Path, frames: list[np.ndarray]):
    """(frames' index, landmarks, our aligned pictures) of the faces in all frames."""
    from insightface.utils import face_align

    detector = original(shared_models / DETECTORS[0])
    faces = [(frame, points) for frame in frames for points in detector.detect(frame)[1]]
    ours = np.stack([align_picture(frame, points) for frame, points in faces])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = np.stack([face_align.norm_crop(frame, points) for frame, points in faces])
    assert len(ours) >= 15
    return ours, theirs


def test_alignment_agrees(aligned) -> None:
    ours, theirs = aligned
    assert cv2.absdiff(ours.reshape(-1, 112, 3), theirs.reshape(-1, 112, 3)).max() <= 1


@pytest.mark.parametrize("name", RECOGNISERS)
def test_recognisers_agree_per_face(shared_models: Path, cache: Path, aligned, name: str) -> None:
    ours, theirs = aligned
    path = shared_models / name
    reference = original(path)
    expected = np.concatenate([reference.get_feat(face) for face in theirs])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    dimension = inspect_graph(path).dimension
    assert expected.shape == (len(ours), dimension)
    recogniser = Recogniser(PlainSession(prepare_recogniser(path, cache)), dimension, max_chunk=8)
    for batch in (1, 3, 8):
        parts = [recogniser.embed(ours[i : i + batch]) for i in range(0, len(ours), batch)]
        assert all(valid.all() for _, valid in parts)
        cosines = (np.concatenate([part for part, _ in parts]) * expected).sum(axis=1)
        assert cosines.min() >= 0.9999
