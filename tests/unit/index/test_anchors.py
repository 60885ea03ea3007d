"""A face or body is found again by its place and its look, whatever was scanned again."""

from dataclasses import replace

import numpy as np
import pytest
from gallery_tools import axis, faces_of

from fastface.index.anchor_record import Anchor
from fastface.index.anchors import anchored_track, encode_look
from fastface.types import NUM_COLOURS, Bodies

BOX = (100.0, 50.0, 180.0, 150.0)


def film(rate: float, shift: float = 0.0) -> object:
    """Ten seconds: one stands at the left, track 3, one at the right until 5 s, track 8, another there then, 11."""
    times = np.arange(0, 10, 1 / rate) + shift
    left = [(float(time), 3, BOX) for time in times]
    right = [(float(time), 8 if time < 5 else 11, (300.0, 50.0, 380.0, 150.0)) for time in times]
    rows = sorted(left + right)
    count = len(rows)
    return faces_of(
        [axis(0)] * count, [row[0] for row in rows], tracks=[row[1] for row in rows], boxes=[row[2] for row in rows]
    )


@pytest.mark.parametrize(("rate", "shift"), [(5, 0), (25, 0), (10, 0.03), (4, 0.1), (1, 0.4), (29.97, 0.01)])
def test_a_face_is_found_again_at_any_rate_of_sampling(rate: float, shift: float) -> None:
    faces = film(rate, shift)
    for time in (0.4, 2.0, 4.4, 5.6, 9.2):
        assert anchored_track(faces, Anchor("a", time, BOX)) == 3
        moved = (310.0, 60.0, 385.0, 155.0)  # of the box at the right, an IoU of 0.66
        assert anchored_track(faces, Anchor("a", time, moved)) == (8 if time < 5 else 11)


def test_the_nearest_in_time_is_it() -> None:
    faces = film(5)
    box = (300.0, 50.0, 380.0, 150.0)
    assert anchored_track(faces, Anchor("a", 4.8, box)) == 8
    assert anchored_track(faces, Anchor("a", 4.91, box)) == 11
    assert anchored_track(faces, Anchor("a", 4.89, box)) == 8


def test_of_two_at_one_time_the_one_that_overlaps_more_is_it() -> None:
    boxes = [(0.0, 0.0, 100.0, 100.0), (20.0, 0.0, 120.0, 100.0)]
    faces = faces_of([axis(0)] * 2, [1.0, 1.0], tracks=[1, 2], boxes=boxes)
    assert anchored_track(faces, Anchor("a", 1.0, (8.0, 0.0, 108.0, 100.0))) == 1
    assert anchored_track(faces, Anchor("a", 1.0, (12.0, 0.0, 112.0, 100.0))) == 2


@pytest.mark.parametrize(
    "gone",
    [
        Anchor("a", 2.0, (200.0, 50.0, 280.0, 150.0)),  # between the two
        Anchor("a", 2.0, (100.0, 50.0, 180.0, 300.0)),  # an IoU of 0.4
        Anchor("a", 11.0, BOX),
        Anchor("a", -0.6, BOX),
        Anchor("a", 2.0, (0.0, 0.0, 0.0, 0.0)),
        Anchor("a", float("inf"), BOX),
        Anchor("a", 2.0, (180.0, 150.0, 100.0, 50.0)),  # from right to left
    ],
)
def test_where_nothing_is_any_more_nothing_is_found(gone: Anchor) -> None:
    assert anchored_track(film(5), gone) is None


def test_of_no_face_none_is_found() -> None:
    assert anchored_track(film(5)[:0], Anchor("a", 2.0, BOX)) is None


def test_a_face_without_a_track_is_its_own() -> None:
    faces = faces_of([axis(0)] * 3, [0.0, 1.0, 2.0], tracks=[-1, 4, -1], boxes=[BOX] * 3)
    assert [anchored_track(faces, Anchor("a", time, BOX)) for time in (0.0, 1.0, 2.0)] == [5, 4, 7]


def test_who_is_in_the_place_of_another_by_now_is_not_taken_for_her() -> None:
    faces = faces_of([axis(0), axis(1), axis(2)], [0.0, 0.04, 0.08], tracks=[4, 5, 6], boxes=[BOX] * 3)
    looks = [encode_look(one, "arcface-r50") for one in faces.embedding]
    for is_film in (True, False):
        for row, time in enumerate((0.0, 0.04, 0.08)):
            # A picture came before all others.
            moved = Anchor("a", time - 0.04, BOX, look=looks[row])
            assert anchored_track(faces, moved, contract="arcface-r50", is_film=is_film) == 4 + row
        gone = Anchor("a", 0.0, BOX, look=encode_look(axis(7).astype(np.float16), "arcface-r50"))
        assert anchored_track(faces, gone, contract="arcface-r50", is_film=is_film) is None
        # What another recogniser said of her tells nothing.
        assert anchored_track(faces, gone, contract="arcface-r100", is_film=True) == 4


def test_a_body_in_the_place_of_another_is_told_by_its_clothes() -> None:
    clothes = np.eye(NUM_COLOURS, dtype=np.float16)[:3]
    boxes = np.array([BOX] * 3, np.float32)
    bodies = replace(
        Bodies.empty(),
        time=np.array([0.0, 0.04, 0.08]),
        pts=np.arange(3),
        boxes=boxes,
        colours=clothes,
        track=np.array([4, 5, 6], np.int32),
    )
    for is_film in (True, False):
        for row in range(3):
            anchor = Anchor("a", 0.0, BOX, is_body=True, look=encode_look(clothes[row]))
            assert anchored_track(bodies, anchor, is_film=is_film) == 4 + row
        other = Anchor("a", 0.0, BOX, is_body=True, look=encode_look(np.eye(NUM_COLOURS, dtype=np.float16)[5]))
        assert anchored_track(bodies, other, is_film=is_film) is None


@pytest.mark.parametrize(("rate", "shift"), [(5, 0), (25, 0), (10, 0.03), (4, 0.1), (1, 0.4)])
def test_a_body_is_found_among_bodies_as_a_face_among_faces(rate: float, shift: float) -> None:
    faces = film(rate, shift)
    bodies = replace(Bodies.empty(), time=faces.time, pts=faces.pts, boxes=faces.boxes, track=faces.track)
    assert len(bodies) == len(faces) > 19
    for time in (0.4, 2.0, 4.4, 5.6, 9.2):
        assert anchored_track(bodies, Anchor("a", time, BOX, is_body=True)) == 3
        moved = Anchor("a", time, (310.0, 60.0, 385.0, 155.0), is_body=True)
        assert anchored_track(bodies, moved) == (8 if time < 5 else 11)
    assert anchored_track(bodies, Anchor("a", 2.0, (200.0, 50.0, 280.0, 150.0), is_body=True)) is None
    assert anchored_track(bodies, Anchor("a", 11.0, BOX, is_body=True)) is None
    assert anchored_track(Bodies.empty(), Anchor("a", 2.0, BOX, is_body=True)) is None
