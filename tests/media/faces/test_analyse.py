"""Published networks find the same faces in frames and in pictures, and a face that fills its picture."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from faces_tools import PlainSession, frames_of, planes_of

from fastface.faces.analyse import FaceAnalyser, letterbox
from fastface.faces.arcface import Recogniser
from fastface.faces.scrfd import Detector
from fastface.models.graph import prepare_detector, prepare_recogniser
from fastface.types import Geometry


@pytest.fixture(scope="module")
def real(shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> FaceAnalyser:
    cache = tmp_path_factory.mktemp("networks")
    detector = prepare_detector(shared_models / "buffalo_s/det_500m.onnx", cache)
    recogniser = prepare_recogniser(shared_models / "single/mobilefacenet.onnx", cache)
    return FaceAnalyser(Detector(PlainSession(detector), 0.5), Recogniser(PlainSession(recogniser), 128), 0)


def test_frames_and_pictures_give_the_same_faces(real: FaceAnalyser, shared_media: Path) -> None:
    frames = frames_of(shared_media / "clips/street.mp4", (0, 50))
    geometry = Geometry(display=(1920, 1080), planes=(1920, 1080), canvas=(640, 384), content=(640, 360))
    canvases = np.stack([letterbox(frame, 640)[0][:384] for frame in frames])
    planes = np.stack([planes_of(frame) for frame in frames])
    batch = real.describe(real.detect(canvases), planes, geometry, [0, 1], [Fraction(0), Fraction(2)])
    pictures = [real.analyse_picture(frame) for frame in frames]
    assert [int((batch.pts == i).sum()) for i in (0, 1)] == [len(faces) for faces in pictures]
    assert len(batch) >= 8
    boxes = np.concatenate([faces.boxes for faces in pictures])
    embeddings = np.concatenate([faces.embedding for faces in pictures]).astype(np.float32)
    # The smaller canvas' lower border lies nearer to the picture, which moves boxes by fractions of a pixel, and
    # 4:2:0 chroma blurs the colours.
    np.testing.assert_allclose(batch.boxes, boxes, atol=3)
    assert np.median((batch.embedding.astype(np.float32) * embeddings).sum(axis=1)) > 0.98


def test_a_face_that_fills_its_picture_is_found(real: FaceAnalyser, shared_media: Path) -> None:
    picture = cv2.imread(str(shared_media / "photos/friends/Chandler.png"))
    (whole,) = real.analyse_picture(picture).boxes
    left, top, right, bottom = whole.astype(int)
    tight = real.analyse_picture(picture[top:bottom, left:right])
    assert len(tight) == 1
    np.testing.assert_allclose(tight.boxes[0], [0, 0, right - left, bottom - top], atol=0.12 * (right - left))
