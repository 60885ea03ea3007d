"""Alignment against scikit-image and OpenCV, on whole pictures and on planes; sharpness, yaw and quality by hand."""

import cv2
import numpy as np
import pytest
from faces_tools import planes_of

from fastface.faces.align import (
    ARCFACE,
    _warp_converted,
    align_picture,
    align_planes,
    alignable,
    cut_picture,
    cut_planes,
    estimate_transforms,
)
from fastface.faces.quality import quality, sharpness, yaw
from fastface.types import Geometry


def landmarks_at(x: float, y: float, scale: float, degrees: float) -> np.ndarray:
    """The template turned about its middle, scaled, its middle moved to (x, y)."""
    turn = np.radians(degrees)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return (((ARCFACE.template - 56) * scale) @ rotation.T + (x, y)).astype(np.float32)


def noise(width: int, height: int) -> np.ndarray:
    small = np.random.default_rng(5).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize("seed", range(10))
def test_transform_is_umeyamas(seed: int) -> None:
    transform = pytest.importorskip("skimage.transform")
    rng = np.random.default_rng(seed)
    # The last ones are mirrored: the best similarity is still no reflection.
    points = landmarks_at(300, 200, 1.7, 40 * seed) + rng.normal(0, 4, (5, 2)).astype(np.float32)
    points = points * ((-1, 1) if seed > 7 else (1, 1))
    expected = transform.SimilarityTransform.from_estimate(points, ARCFACE.template).params[:2]
    np.testing.assert_allclose(estimate_transforms(points[None])[0], expected, atol=1e-6)


def test_margin_and_size_scale_the_template() -> None:
    points = landmarks_at(56, 56, 1, 0)
    transform = estimate_transforms(points[None], size=224, margin=0.5)[0]
    # The square and half of it on each side make 224 pixels of 224: nothing is scaled, the square begins at 56.
    np.testing.assert_allclose(transform, [[1, 0, 56], [0, 1, 56]], atol=1e-4)
    assert align_picture(noise(200, 200), points, size=224, margin=0.5).shape == (224, 224, 3)


def test_landmarks_without_a_transform_are_told() -> None:
    good = landmarks_at(50, 50, 1, 0)
    rows = np.stack([good, np.full((5, 2), 7), good * np.nan, np.where(good > 60, np.inf, good)]).astype(np.float32)
    assert alignable(rows).tolist() == [True, False, False, False]
    assert alignable(rows[:0]).shape == (0,)


@pytest.mark.parametrize(
    "points",
    [
        landmarks_at(320, 180, 0.5, 0),
        landmarks_at(321.3, 179.7, 1.9, 33),
        landmarks_at(10, 20, 1.2, -15),  # over the corner
        landmarks_at(635, 355, 1.0, 170),
        landmarks_at(320, 180, 6, 10),  # larger than the frame
        landmarks_at(-500, -500, 1, 0),  # outside
    ],
)
@pytest.mark.parametrize("stored", [(640, 360), (320, 180)])
def test_planes_give_the_same_face_as_the_whole_frame_converted(points: np.ndarray, stored: tuple[int, int]) -> None:
    planes = planes_of(noise(*stored))
    geometry = Geometry(display=(640, 360), planes=stored, canvas=(640, 384), content=(640, 360))
    whole = cv2.cvtColor(planes.reshape(-1, stored[0]), cv2.COLOR_YUV2BGR_I420)
    expected = align_picture(whole, points * (stored[0] / 640))
    (found,) = align_planes(planes[None], geometry, [0], points[None])
    assert found.shape == (112, 112, 3)
    assert cv2.absdiff(found, expected).max() <= 2
    assert cv2.absdiff(found, expected).mean() < 0.2  # a face one pixel off would differ by 10


@pytest.mark.parametrize(
    "points",
    [
        landmarks_at(320, 180, 0.7, 0),
        landmarks_at(321.3, 179.7, 1.1, 33),
    ],
)
def test_a_picture_to_look_at_is_the_same_face_with_room_around_it(points: np.ndarray) -> None:
    """Of a soft picture it does not matter that the pixels of a large face are averaged. It is nowhere better moved."""
    soft = cv2.GaussianBlur(noise(640, 360), (0, 0), 12)
    planes = planes_of(cv2.normalize(soft, None, 0, 255, cv2.NORM_MINMAX))
    geometry = Geometry(display=(640, 360), planes=(640, 360), canvas=(640, 384), content=(640, 360))
    whole = cv2.cvtColor(planes.reshape(-1, 640), cv2.COLOR_YUV2BGR_I420)
    expected = align_picture(whole, points, 144, 0.5)
    (found,) = cut_planes(planes, geometry, points[None], 144, 0.5)
    assert found.shape == (144, 144, 3)
    difference = cv2.absdiff(found, expected).mean()
    assert difference < 1.5
    step = np.ptp(points[:, 0]) / 32  # about two pixels of the picture
    for move in ([step, 0], [-step, 0], [0, step], [0, -step]):
        moved = align_picture(whole, points + np.float32(move), 144, 0.5)
        assert cv2.absdiff(found, moved).mean() > 1.2 * difference
    assert cv2.absdiff(found, cut_picture(whole, points, 144, 0.5)).mean() < 3


@pytest.mark.parametrize(
    "points",
    [
        landmarks_at(20, 30, 1.2, -15),  # at the corner
        landmarks_at(600, 180, 1.5, 20),
        landmarks_at(320, 300, 1.0, 0),
        landmarks_at(320, 180, 2.5, 10),  # its crop is larger than the frame
    ],
)
def test_a_picture_to_look_at_lies_in_the_frame_and_shows_the_whole_face(points: np.ndarray) -> None:
    frame = np.full((360, 640, 3), 200, np.uint8)  # nothing of it is black
    for x, y in points:
        cv2.circle(frame, (round(x), round(y)), max(2, round(np.ptp(points[:, 1]) / 12)), (90, 90, 90), -1)
    geometry = Geometry(display=(640, 360), planes=(640, 360), canvas=(640, 384), content=(640, 360))
    (found,) = cut_planes(planes_of(frame), geometry, points[None], 144, 0.5)
    for cut in (found, cut_picture(frame, points, 144, 0.5)):
        assert cut.min() > 70
        dots, _ = cv2.connectedComponents((cut.min(axis=2) < 145).astype(np.uint8))
        assert dots - 1 == 5  # eyes, nose, corners of the mouth


def test_planes_of_another_pixel_aspect_are_stretched() -> None:
    # Stored at half the width that is shown: the face on planes must be that of the stretched picture.
    shown = noise(640, 360)
    geometry = Geometry(display=(640, 360), planes=(320, 360), canvas=(640, 384), content=(640, 360))
    points = landmarks_at(300, 200, 1.5, 20)
    planes = planes_of(cv2.resize(shown, (320, 360), interpolation=cv2.INTER_AREA))
    (found,) = align_planes(planes[None], geometry, [0], points[None])
    assert cv2.absdiff(found, align_picture(shown, points)).mean() < 12
    assert cv2.absdiff(found, align_picture(noise(648, 360)[:, 8:], points)).mean() > 20


@pytest.mark.parametrize("seed", range(20))
def test_four_channels_are_warped_to_the_bits_of_three(seed: int) -> None:
    """What OpenCV promises nowhere: faces of frames are cut as BGRA, those of photos as BGR."""
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (*rng.integers(20, 300, 2), 3), np.uint8)
    transform = estimate_transforms(landmarks_at(*rng.uniform(0, 200, 2), rng.uniform(0.2, 4), 40 * seed)[None])[0]
    face = np.empty((112, 112, 3), np.uint8)
    _warp_converted(cv2.cvtColor(picture, cv2.COLOR_BGR2BGRA), transform, face)
    np.testing.assert_array_equal(face, cv2.warpAffine(picture, transform, (112, 112), borderValue=(0, 0, 0)))


def test_a_face_has_the_same_bits_among_others_as_alone() -> None:
    planes = np.stack([planes_of(noise(640, 360)), planes_of(noise(640, 360)[::-1])])
    geometry = Geometry(display=(640, 360), planes=(640, 360), canvas=(640, 384), content=(640, 360))
    rng = np.random.default_rng(3)
    places = [(*rng.uniform(0, 500, 2), rng.uniform(0.3, 3), rng.uniform(-180, 180)) for _ in range(23)]
    points, frames = np.stack([landmarks_at(*place) for place in places]), rng.integers(0, 2, 23)
    together = align_planes(planes, geometry, frames, points)
    for face, frame, own in zip(together, frames, points, strict=True):
        np.testing.assert_array_equal(face, align_planes(planes, geometry, [frame], own[None])[0])
    assert together.any(axis=(1, 2, 3)).sum() > 10
    assert align_planes(planes, geometry, [], points[:0]).shape == (0, 112, 112, 3)


def test_sharpness_falls_with_blur_and_is_zero_on_a_flat_face() -> None:
    flat = np.full((112, 112, 3), 90, np.uint8)
    sharp = np.random.default_rng(2).integers(0, 256, (112, 112, 3), np.uint8)
    blurred = cv2.GaussianBlur(sharp, (0, 0), 2)
    values = sharpness(np.stack([flat, blurred, sharp]))
    assert values[0] == 0
    assert 0 < values[1] < values[2]
    grey = cv2.cvtColor(sharp, cv2.COLOR_BGR2GRAY).astype(float)
    padded = np.pad(grey, 1, mode="reflect")
    laplacian = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:] - 4 * grey
    assert values[2] == pytest.approx(laplacian.var(), rel=1e-5)
    assert sharpness(flat[None][:0]).shape == (0,)


@pytest.mark.parametrize("degrees", [-75, -30, 0, 20, 60])
@pytest.mark.parametrize("roll", [0, 25, -90])
def test_yaw_of_a_head_turned_in_space(degrees: float, roll: float) -> None:
    # Eyes 63 mm apart, nose 31.5 mm before them, mouth below; seen from the front, no perspective.
    head = np.array([[-31.5, 0, 0], [31.5, 0, 0], [0, 35, 31.5], [-25, 65, 10], [25, 65, 10]])
    turn, tilt = np.radians([degrees, roll])
    seen = np.stack([head[:, 0] * np.cos(turn) + head[:, 2] * np.sin(turn), head[:, 1]], axis=1)
    tilted = seen @ np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
    assert yaw(tilted[None].astype(np.float32)) == pytest.approx([degrees], abs=0.01)


def test_yaw_of_eyes_in_one_point_is_zero() -> None:
    assert yaw(np.ones((1, 5, 2), np.float32)).tolist() == [0]


def test_quality_is_the_geometric_mean_of_four_shares() -> None:
    boxes = np.array([[0, 0, 112, 140], [0, 0, 56, 140], [0, 0, 500, 500]], np.float32)
    sharp = np.array([100, 300, 0], np.float32)
    turned = np.array([0, 60, 0], np.float32)
    score = np.array([1, 0.8, 1], np.float32)
    expected = [(1 * 0.5 * 1 * 1) ** 0.25, (0.5 * 0.75 * 0.5 * 0.8) ** 0.25, 0]
    np.testing.assert_allclose(quality(boxes, sharp, turned, score), expected, rtol=1e-5)
