"""From canvases to bodies: boxes by hand arithmetic, what is pictured, and frames that repeat. The network is fixed."""

from collections.abc import Sequence
from typing import cast

import cv2
import numpy as np
import pytest

from fastface.persons.bodies import BodyFinder, FrameTime, describe_colours
from fastface.persons.yolo import PersonDetections, PersonDetector
from fastface.pipeline.inference.worker_loop import BatchPixels, find_bodies
from fastface.pipeline.messages import InferFrames
from fastface.types import Bodies, Geometry, Image

GEOMETRY = Geometry(display=(1280, 720), planes=(1280, 720), canvas=(640, 384), content=(640, 360))
"""Twice the canvas; its last 24 rows are black."""

LEFT, RIGHT = (10, 20, 60, 220), (300, 100, 420, 360)


class FixedPersons:
    """Finds the same persons in every picture, and notes what it was shown."""

    def __init__(self, *boxes: tuple[float, ...]) -> None:
        scores = np.linspace(0.9, 0.5, len(boxes), dtype=np.float32)
        self.persons = PersonDetections(np.array(boxes, np.float32).reshape(-1, 4), scores)
        self.shown: list[Image] = []

    def detect(self, pictures: Sequence[Image]) -> list[PersonDetections]:
        self.shown += [picture.copy() for picture in pictures]
        return [self.persons] * len(pictures)


def body_finder(*boxes: tuple[float, ...]) -> BodyFinder:
    return BodyFinder(cast("PersonDetector", FixedPersons(*boxes)))


def shown_to(made: BodyFinder) -> list[Image]:
    """What the network was shown so far."""
    return cast("FixedPersons", made.detector).shown


def canvases(count: int, seed: int = 0) -> np.ndarray:
    """Soft clouds of colour, other ones in each, above black rows."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 9, 16, 3), np.uint8)
    found = np.zeros((count, 384, 640, 3), np.uint8)
    for canvas, cloud in zip(found, coarse, strict=True):
        canvas[:360] = cv2.resize(cloud, (640, 360), interpolation=cv2.INTER_CUBIC)
    return found


def moments(count: int, *pictured: int) -> list[FrameTime]:
    return [FrameTime(1000 + 40 * n, 0.04 * n, n in pictured) for n in range(count)]


def is_pictured(bodies: Bodies) -> list[bool]:
    return [jpeg is not None for jpeg in bodies.jpeg]


def decoded(jpeg: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)


def test_bodies_are_by_frame_and_by_score_in_pixels_of_the_displayed_frame() -> None:
    shown = canvases(3)
    found = body_finder(LEFT, RIGHT).find(shown, GEOMETRY, moments(3))
    assert found.boxes.tolist() == [[20, 40, 120, 440], [600, 200, 840, 720]] * 3
    np.testing.assert_allclose(found.person_score, [0.9, 0.5] * 3)
    assert found.pts.tolist() == [1000, 1000, 1040, 1040, 1080, 1080]
    np.testing.assert_allclose(found.time, [0, 0, 0.04, 0.04, 0.08, 0.08])
    assert found.face.tolist() == found.track.tolist() == [-1] * 6
    assert {name: getattr(found, name).dtype for name in Bodies.__dataclass_fields__} == {
        name: getattr(Bodies.empty(), name).dtype for name in Bodies.__dataclass_fields__
    }
    for frame, canvas in enumerate(shown):
        pair = slice(2 * frame, 2 * frame + 2)
        assert (found.colours[pair] == describe_colours(canvas[:360], np.array([LEFT, RIGHT], np.float32))).all()


def test_what_fills_the_canvas_up_is_not_looked_at() -> None:
    shown, made = canvases(2), body_finder(LEFT)
    shown[:, 360:] = 255
    found = made.find(shown, GEOMETRY, moments(2, 0, 1))
    assert [picture.shape for picture in shown_to(made)] == [(360, 640, 3)] * 2
    shown[:, 360:] = 0
    again = made.find(shown, GEOMETRY, moments(2, 0, 1))
    for name in ("colours", "jpeg"):
        assert getattr(found, name).tolist() == getattr(again, name).tolist(), name


def test_sides_of_a_frame_may_be_scaled_each_by_its_own_factor() -> None:
    odd = Geometry(display=(321, 241), planes=(320, 240), canvas=(640, 480), content=(640, 480))
    found = body_finder((0, 0, 640, 480), (64, 48, 128, 96)).find(np.zeros((1, 480, 640, 3), np.uint8), odd, moments(1))
    np.testing.assert_allclose(found.boxes, [[0, 0, 321, 241], [32.1, 24.1, 64.2, 48.2]], rtol=1e-6)


@pytest.mark.parametrize(
    ("display", "content"),
    [
        ((1280, 720), (640, 360)),
        ((1920, 1080), (640, 360)),
        ((768, 432), (640, 360)),  # of float32, 360 × 1.2 is 432.00003
    ],
)
def test_no_body_reaches_over_the_edges_of_the_frame(display: tuple[int, int], content: tuple[int, int]) -> None:
    geometry = Geometry(display, display, GEOMETRY.canvas, content)
    found = body_finder((0, 0, *content)).find(canvases(1), geometry, moments(1))
    assert found.boxes.tolist() == [[0, 0, *display]]


def test_nobody_and_no_frames_are_no_bodies() -> None:
    for made, count in ((body_finder(), 3), (body_finder(LEFT), 0)):
        found = made.find(canvases(count), GEOMETRY, moments(count))
        assert (len(found), found.boxes.shape, found.colours.shape) == (0, (0, 4), (0, 128))


def test_pictures_are_taken_of_the_frames_that_are_to_be_pictured_and_show_the_body() -> None:
    shown = canvases(3)
    found = body_finder(LEFT, RIGHT).find(shown, GEOMETRY, moments(3, 1))
    assert is_pictured(found) == [False, False, True, True, False, False]
    for row, (x1, y1, x2, y2) in ((2, LEFT), (3, RIGHT)):
        height = min(160, y2 - y1)
        size = (round((x2 - x1) * height / (y2 - y1)), height)
        expected = cv2.resize(shown[1, y1:y2, x1:x2], size, interpolation=cv2.INTER_AREA)
        picture = decoded(found.jpeg[row])
        assert picture.shape == expected.shape
        assert np.abs(picture.astype(float) - expected).mean() < 6
        assert np.abs(expected.astype(float) - expected.mean(axis=(0, 1))).mean() > 18  # it could show something else


@pytest.mark.parametrize(
    ("box", "size"),
    [
        ((5, 5, 6, 6), (1, 1)),
        ((5.4, 5.4, 5.6, 5.6), (1, 1)),
        ((639.5, 359.5, 640, 360), (1, 1)),
        ((10, 0, 11, 360), (1, 160)),  # 0.44 pixels wide
        ((10.5, 20.5, 60.5, 120.5), (51, 101)),  # all pixels that it touches
        ((0, 0, 640, 360), (284, 160)),
    ],
)
def test_pictures_of_small_and_narrow_bodies(box: tuple[float, ...], size: tuple[int, int]) -> None:
    found = body_finder(box).find(canvases(1), GEOMETRY, moments(1, 0))
    assert decoded(found.jpeg[0]).shape[1::-1] == size


def test_of_a_crowd_the_surest_eight_are_pictured() -> None:
    crowd = [(30 * n, 50, 30 * n + 40, 250) for n in range(12)]
    found = body_finder(*crowd).find(canvases(2), GEOMETRY, moments(2, 1))
    assert is_pictured(found) == [False] * 12 + [True] * 8 + [False] * 4


def job(runs: list[range], *pictured: int, bodies: bool = True) -> BatchPixels:
    """Four frames of which those of a run are equal; another canvas fills the batch up."""
    times = tuple(n / 25 for n in range(4))
    pts = tuple(1000 + 40 * n for n in range(4))
    task = InferFrames(1, 0, GEOMETRY, 0, 4, pts, times, bodies_due=tuple(pictured), bodies=bodies)
    return BatchPixels(
        task, runs, canvases(5, seed=1)[[*(run[0] for run in runs), 4]], np.zeros((len(runs), 8), np.uint8)
    )


def test_equal_frames_have_equal_bodies_and_are_searched_once() -> None:
    made = body_finder(LEFT, RIGHT)
    seconds = {"detect": 1.0}
    found = find_bodies(made, job([range(1), range(1, 4)], 2), seconds)
    assert len(shown_to(made)) == 2
    assert found.pts.tolist() == [1000, 1000, 1040, 1040, 1080, 1080, 1120, 1120]
    np.testing.assert_allclose(found.time, np.repeat([0, 0.04, 0.08, 0.12], 2))
    for name in ("boxes", "person_score", "colours"):
        values = getattr(found, name).reshape(4, 2, -1)
        assert (values[1:] == values[1]).all(), name
    assert (found.colours[:2] != found.colours[2:4]).any()
    assert is_pictured(found) == [False] * 4 + [True] * 2 + [False] * 2
    assert seconds["detect"] == 1
    assert seconds["persons"] == made.seconds > 0


@pytest.mark.parametrize("pictured", [(), (0,), (1, 3), (0, 1, 2, 3)])
def test_it_makes_no_difference_whether_frames_are_seen_to_be_equal(pictured: tuple[int, ...]) -> None:
    one = job([range(1), range(1, 4)], *pictured)
    shown = one.canvases[[0, 1, 1, 1]]
    alone = BatchPixels(one.task, [range(n, n + 1) for n in range(4)], shown, np.zeros((4, 8), np.uint8))
    found, expected = (find_bodies(body_finder(LEFT, RIGHT), each, {}) for each in (one, alone))
    assert len(found) == 8
    for name in Bodies.__dataclass_fields__:
        assert getattr(found, name).tolist() == getattr(expected, name).tolist(), name


def test_blurred_frames_are_not_searched_for_bodies() -> None:
    made = body_finder(LEFT)
    found = find_bodies(made, job([range(1), range(3, 4)], 0, 1), {})
    assert found.pts.tolist() == [1000, 1120]
    assert is_pictured(found) == [True, False]
    nothing = find_bodies(made, job([]), {})
    assert len(nothing) == 0
    assert len(shown_to(made)) == 2


def test_without_a_network_or_if_they_are_not_wanted_there_are_none_and_no_time_is_told() -> None:
    made, seconds = body_finder(LEFT), {"detect": 1.0}
    assert len(find_bodies(None, job([range(4)]), seconds)) == 0
    assert len(find_bodies(made, job([range(4)], bodies=False), seconds)) == 0
    assert seconds == {"detect": 1.0}
    assert shown_to(made) == []
