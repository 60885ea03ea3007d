"""Batches of frames and single pictures to `Faces`: with networks that answer as told, and with real ones."""

from fractions import Fraction

import numpy as np
import pytest
from faces_tools import FixedSession

from fastface.faces.analyse import FaceAnalyser, letterbox
from fastface.faces.arcface import Recogniser
from fastface.faces.scrfd import Detector
from fastface.types import Geometry

GEOMETRY = Geometry(display=(640, 360), planes=(640, 360), canvas=(320, 192), content=(320, 180))


def row(score: float, left: float, size: float) -> list[float]:
    """A box of `size` × `size` canvas pixels at (`left`, 50) with a frontal face in it; score 0 is no face."""
    face = [(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.75), (0.65, 0.75)]
    points = [value for x, y in face for value in (left + x * size, 50 + y * size)]
    return [score, left, 50, left + size, 50 + size, *points]


def analyser(rows: list[list[list[float]]], embeddings: list[list[float]], min_face: float = 0) -> FaceAnalyser:
    detector = Detector(FixedSession(np.array(rows, np.float32)), 0.5)
    vectors = np.array(embeddings, np.float32).reshape(-1, 2)
    return FaceAnalyser(detector, Recogniser(FixedSession(vectors), 2), min_face)


def analyse(faces: FaceAnalyser, frames: int):
    return faces.describe(
        faces.detect(np.zeros((frames, 192, 320, 3), np.uint8)),
        np.zeros((frames, GEOMETRY.plane_bytes), np.uint8),
        GEOMETRY,
        [100 + 10 * i for i in range(frames)],
        [Fraction(i, 3) for i in range(frames)],
    )


def test_rows_come_by_frame_then_by_score_in_displayed_pixels() -> None:
    rows = [[row(0.9, 10, 40), row(0.7, 200, 30)], [row(0, 0, 9)] * 2, [row(0.8, 100, 20), row(0, 0, 9)]]
    faces = analyse(analyser(rows, [[1, 0], [0, 2], [3, 4]]), 3)
    assert faces.pts.tolist() == [100, 100, 120]
    assert faces.time.tolist() == [0.0, 0.0, 2 / 3]
    np.testing.assert_allclose(faces.det_score, [0.9, 0.7, 0.8], rtol=1e-6)
    np.testing.assert_allclose(faces.boxes, [[20, 100, 100, 180], [400, 100, 460, 160], [200, 100, 240, 140]])
    np.testing.assert_allclose(faces.landmarks[0, 2], [20 + 0.5 * 80, 100 + 0.6 * 80])
    np.testing.assert_allclose(faces.embedding, [[1, 0], [0, 1], [0.6, 0.8]], atol=1e-3)
    np.testing.assert_allclose(faces.yaw, 0, atol=1e-3)
    assert faces.embedding.dtype == np.float16
    assert faces.track.tolist() == [-1, -1, -1]
    assert faces.quality.shape == faces.sharpness.shape == (3,)


def test_faces_below_the_least_size_are_left_out_in_displayed_pixels() -> None:
    rows = [[row(0.9, 10, 40), row(0.8, 100, 20), row(0.7, 200, 19.5)]]
    faces = analyse(analyser(rows, [[1, 0], [0, 1]], min_face=40), 1)
    np.testing.assert_allclose(faces.det_score, [0.9, 0.8], rtol=1e-6)


def test_a_batch_without_faces_is_empty_with_the_right_shapes() -> None:
    faces = analyse(analyser([[row(0.1, 0, 9)]] * 2, []), 2)
    assert len(faces) == 0
    assert faces.embedding.shape == (0, 2)
    assert faces.boxes.shape == (0, 4)
    assert faces.landmarks.shape == (0, 5, 2)


def test_faces_that_cannot_be_aligned_or_embedded_are_counted_and_cost_the_others_nothing() -> None:
    point = row(0.8, 100, 30)[:5] + [110.0] * 10
    rows = [[row(0.9, 10, 40), point, row(0.7, 200, 30)]]
    maker = analyser(rows, [[np.nan, 1], [0, 1]])
    faces = analyse(maker, 1)
    np.testing.assert_allclose(faces.det_score, [0.7], rtol=1e-6)
    np.testing.assert_allclose(faces.embedding, [[0, 1]])
    assert maker.unusable == 2


def test_time_is_counted_by_stage() -> None:
    maker = analyser([[row(0.9, 10, 40)]], [[1, 0]])
    assert maker.seconds == {"detect": 0, "align": 0, "embed": 0}
    analyse(maker, 1)
    assert all(seconds > 0 for seconds in maker.seconds.values())


@pytest.mark.parametrize(
    ("size", "content", "factor"),
    [((1920, 1080), (640, 360), 1 / 3), ((500, 1000), (320, 640), 0.64), ((640, 1), (640, 1), 1)],
)
def test_letterbox_scales_into_the_corner(size, content, factor: float) -> None:
    canvas, found = letterbox(np.full((size[1], size[0], 3), 200, np.uint8), 640)
    assert found == pytest.approx(factor)
    lit = canvas.any(axis=2)
    assert (lit.any(axis=0).sum(), lit.any(axis=1).sum()) == content
    assert lit[: content[1], : content[0]].all()
