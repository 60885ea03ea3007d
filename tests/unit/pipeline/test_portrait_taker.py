"""A batch that follows the latest one is not pictured anew; any other one is."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from index_tools import some_faces

from fastface.pipeline.messages import InferFrames
from fastface.pipeline.portrait_taker import PortraitTaker
from fastface.types import Faces, Geometry

GEOMETRY = Geometry((640, 360), (640, 360), (640, 384), (640, 360))
PLANES = np.full(640 * 360 * 3 // 2, 128, np.uint8)


def task(sequence: int, work: int = 1, cuts: tuple[int, ...] = ()) -> InferFrames:
    """A batch of two frames, five a second; none is due."""
    pts = (2 * sequence, 2 * sequence + 1)
    times = tuple(number / 5 for number in pts)
    return InferFrames(
        0, 0, GEOMETRY, 0, 2, pts, times, portraits=True, max_gap=0.7, work=work, sequence=sequence, cuts=cuts
    )


def still(frames: Sequence[int]) -> Faces:
    """One face that does not move, once a frame."""
    (x, y), points = (300, 100), [[20, 30], [50, 30], [35, 50], [25, 70], [45, 70]]
    one = replace(
        some_faces(1),
        boxes=np.array([[x, y, x + 70, y + 100]], np.float32),
        landmarks=np.array([points], np.float32) + np.float32([x, y]),
        quality=np.array([0.5], np.float32),
    )
    faces = Faces.concatenate([some_faces(0), *[one] * len(frames)])
    return replace(faces, pts=np.array(frames, np.int64), time=np.array(frames) / 5)


def taken(taker: PortraitTaker, asked: InferFrames, frames: Sequence[int]) -> list[bool]:
    runs = [range(place, place + 1) for place in range(2)]
    return taker.take(asked, runs, np.stack([PLANES, PLANES]), still(frames)).taken.tolist()


def test_a_face_that_goes_on_from_the_batch_before_is_not_pictured_again() -> None:
    taker = PortraitTaker()
    assert taken(taker, task(0), (0, 1)) == [True, False]
    assert taken(taker, task(1), (2, 3)) == [False, False]
    assert taken(taker, task(2), ()) == []
    assert taken(taker, task(3), (6, 7)) == [False, False]  # 0.6 s after frame 3
    assert taken(taker, task(4), ()) == []
    assert taken(taker, task(5), (11,)) == [True]  # 0.8 s after frame 7


def test_after_another_batch_all_faces_are_pictured() -> None:
    taker = PortraitTaker()
    taken(taker, task(0), (0, 1))
    assert taken(taker, task(2), (4, 5)) == [True, False]  # batch 1 is another worker's
    assert taken(taker, task(3, work=2), (6, 7)) == [True, False]
    taken(taker, task(5), ())
    assert taken(taker, task(6), (12, 13)) == [True, False]


def test_after_a_cut_a_face_is_pictured_again() -> None:
    """Both tracks need a picture, however alike their faces are; the cut may lie in a frame without any."""
    taker = PortraitTaker()
    assert taken(taker, task(0, cuts=(1,)), (0, 1)) == [True, True]
    assert taken(taker, task(1, cuts=(0,)), (2, 3)) == [True, False]
    assert taken(taker, task(2, cuts=(1,)), (4,)) == [False]
    assert taken(taker, task(3), (6,)) == [True]
    assert taken(taker, task(4, cuts=(0,)), ()) == []
    assert taken(taker, task(5), (10,)) == [True]
