"""Which detected face a drawn region means, in pictures that were turned after or before it was drawn."""

import numpy as np
import pytest

from fastface.gallery.photo_set.region_matching import match_regions
from fastface.gallery.photo_set.xmp_regions import Region
from fastface.types import Faces

WIDE, TALL = (400, 200), (200, 400)


def faces(*boxes: tuple[float, float, float, float]) -> Faces:
    count = len(boxes)
    zeros = np.zeros(count, np.float32)
    return Faces(
        time=np.zeros(count),
        pts=np.zeros(count, np.int64),
        boxes=np.array(boxes, np.float32).reshape(count, 4),
        landmarks=np.zeros((count, 5, 2), np.float32),
        det_score=zeros,
        quality=zeros,
        sharpness=zeros,
        yaw=zeros,
        track=np.full(count, -1, np.int32),
        damaged=np.zeros(count, np.bool_),
        embedding=np.zeros((count, 4), np.float16),
    )


def test_the_nearest_face_is_taken_and_none_twice() -> None:
    found = faces((40, 40, 80, 80), (200, 40, 240, 80))
    regions = [Region((0.1, 0.2, 0.2, 0.4)), Region((0.49, 0.15, 0.61, 0.42)), Region((0.11, 0.2, 0.21, 0.4))]
    assert match_regions(regions, found, WIDE) == [0, 1, None]


def test_a_region_beside_all_faces_is_nobody() -> None:
    assert match_regions([Region((0.7, 0.7, 0.8, 0.9))], faces((40, 40, 80, 80)), WIDE) == [None]
    assert match_regions([Region((0.7, 0.7, 0.8, 0.9))], faces(), WIDE) == [None]
    assert match_regions([], faces((40, 40, 80, 80)), WIDE) == []


def test_a_whole_head_is_the_face_in_it() -> None:
    # 40 × 40 pixels in 80 × 80: an overlap of a quarter
    assert match_regions([Region((0.05, 0.1, 0.25, 0.5))], faces((40, 40, 80, 80)), WIDE) == [0]


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        # A face at (0.1–0.2, 0.2–0.4) of a stored picture of 400 × 200, after the turn that its EXIF asks for.
        (WIDE, (40, 40, 80, 80)),
        (TALL, (120, 40, 160, 80)),  # a quarter turn clockwise: x′ = 1 − y, y′ = x
        (WIDE, (320, 120, 360, 160)),  # half a turn
        (TALL, (40, 320, 80, 360)),  # a quarter turn the other way: x′ = y, y′ = 1 − x
    ],
)
@pytest.mark.parametrize("applied_to", [None, (400.0, 200.0)])
def test_a_region_of_the_stored_picture_is_turned(
    size: tuple[int, int], shown: tuple[float, float, float, float], applied_to: tuple[float, float] | None
) -> None:
    region = Region((0.1, 0.2, 0.2, 0.4), applied_to)
    far = (size[0] - 30, size[1] - 10, size[0] - 20, size[1])
    assert match_regions([region], faces(far, shown), size) == [1]


def test_a_region_of_the_displayed_picture_is_not_turned() -> None:
    region = Region((0.1, 0.2, 0.2, 0.4), (200.0, 400.0))
    assert match_regions([region], faces((20, 80, 40, 160)), TALL) == [0]
