"""Whose body a face is on; and what is taken for a body where no person was found."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastface.persons.containment import estimate_body, locate_body, match_faces, match_person

FACE = (100, 100, 140, 150)
STANDS = (70, 80, 170, 400)
BESIDE = (300, 80, 400, 400)
PICTURE = (1000, 2000)


def boxes(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


@pytest.mark.parametrize(
    ("persons", "expected"),
    [
        ([], None),
        ([(300, 80, 400, 400)], None),  # beside
        ([(70, 80, 170, 400)], 0),  # stands
        ([(60, 60, 180, 180)], 0),  # a portrait: the face is in the middle
        ([(80, 130, 160, 500)], None),  # somebody else's: 40 % of the face
        ([(80, 112, 160, 500)], 0),  # cut at the forehead: 76 % of the face
        ([(60, -600, 180, 150)], None),  # the face is at the feet
        ([(0, 0, 900, 1000), (70, 80, 170, 400)], 1),  # the smaller
        ([(70, 80, 170, 400), (0, 0, 900, 1000)], 0),
        ([(70, 80, 170, 400), (20, 80, 120, 400)], 0),  # half in a neighbour
        ([(125, 80, 225, 400), (60, 80, 180, 420)], 1),  # the one that holds more of it
        ([(20, 90, 145, 400), (60, 90, 185, 400)], 1),  # the one in whose middle it is
        ([(70, -50, 170, 250), (70, 90, 170, 390)], 1),  # the one at whose top it is
        ([(120, 120, 120, 120)], None),  # a box without an area
    ],
)
def test_the_box_that_holds_a_face_best(persons: list[tuple[float, ...]], expected: int | None) -> None:
    assert match_person(FACE, boxes(*persons)) == expected


def test_a_child_before_its_mother_keeps_its_own_box() -> None:
    mother, child = (100, 100, 400, 1000), (180, 500, 320, 1000)
    persons = boxes(mother, child)
    assert match_person((220, 120, 280, 200), persons) == 0
    assert match_person((225, 510, 275, 570), persons) == 1


def test_a_body_is_its_persons_box_or_is_told_to_be_an_estimate() -> None:
    found = locate_body(FACE, boxes((0, 0, 50, 50), (70, 80, 170, 400)), PICTURE)
    assert (found.person, found.is_estimate, found.box.tolist()) == (1, False, [70, 80, 170, 400])
    guessed = locate_body(FACE, boxes((0, 0, 50, 50)), PICTURE)
    assert (guessed.person, guessed.is_estimate) == (None, True)
    assert guessed.box.tolist() == estimate_body(FACE, PICTURE).tolist()


def test_an_estimated_body_has_the_proportions_of_a_figure() -> None:
    # face 40 wide, 50 high: head 62.5 from the crown at 87.5, body 7.5 × 62.5 = 468.75 high, 120 wide around x = 120
    np.testing.assert_allclose(estimate_body(FACE, PICTURE), [60, 87.5, 180, 556.25])


def test_an_estimated_body_ends_at_the_pictures_edges() -> None:
    np.testing.assert_allclose(estimate_body((0, 0, 40, 50), (90, 300)), [0, 0, 80, 300])
    assert estimate_body((0, 0, 40, 50), (90, 300)).dtype == np.float32


def on(persons: list[tuple[float, ...]], faces: list[tuple[float, ...]]) -> list[int]:
    return match_faces(boxes(*persons), boxes(*faces)).tolist()


@pytest.mark.parametrize(
    ("persons", "faces", "expected"),
    [
        ([], [], []),
        ([], [FACE], []),
        ([STANDS, BESIDE], [], [-1, -1]),
        ([BESIDE], [FACE], [-1]),
        ([BESIDE, STANDS], [FACE], [-1, 0]),
        ([(0, 0, 900, 1000), STANDS], [FACE], [-1, 0]),  # in both, and on one only
        ([STANDS, (72, 82, 168, 390)], [FACE, (330, 100, 370, 150)], [-1, 0]),  # the second face is on nobody
        ([STANDS, BESIDE], [(330, 100, 370, 150), FACE], [1, 0]),
    ],
)
def test_a_face_is_on_one_person_and_a_person_has_one_face(
    persons: list[tuple[float, ...]], faces: list[tuple[float, ...]], expected: list[int]
) -> None:
    assert on(persons, faces) == expected


def test_the_best_fit_is_taken_first_and_the_next_best_of_what_is_left() -> None:
    # Both faces are best on the first: at 0.6 and at 0.45 of its width. On the second: at 0.3 and at 0.15.
    persons = [(0, 0, 100, 300), (30, 0, 130, 300)]
    sixty, forty_five = (50, 20, 70, 50), (35, 20, 55, 50)
    assert on(persons, [sixty]) == [0, -1]
    assert on(persons, [sixty, forty_five]) == [1, 0]
    assert on(persons, [forty_five, sixty]) == [0, 1]
    assert on(persons[::-1], [sixty, forty_five]) == [0, 1]


def test_a_face_behind_somebody_is_not_taken_for_that_ones() -> None:
    before, behind = (100, 100, 300, 700), (230, 90, 350, 450)
    own, over_the_shoulder = (170, 120, 230, 200), (260, 105, 300, 155)
    assert on([before], [over_the_shoulder]) == [0]  # whose body is not found
    assert on([before, behind], [over_the_shoulder]) == [-1, 0]  # who turns away has no face
    assert on([before, behind], [over_the_shoulder, own]) == [1, 0]
    assert on([before], [over_the_shoulder, own]) == [1]


SIDES = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(1, 60), st.integers(1, 90))
"""Left, top, width and height."""


def drawn(sides: list[tuple[int, ...]]) -> np.ndarray:
    return boxes(*((x, y, x + width, y + height) for x, y, width, height in sides))


@given(st.lists(SIDES, max_size=6), SIDES)
def test_of_a_single_face_both_ways_of_asking_agree(persons: list[tuple[int, ...]], face: tuple[int, ...]) -> None:
    found, owner = match_faces(drawn(persons), drawn([face])), match_person(drawn([face])[0], drawn(persons))
    assert found.tolist() == [0 if row == owner else -1 for row in range(len(persons))]


@given(st.lists(SIDES, max_size=6), st.lists(SIDES, max_size=6))
def test_each_pair_is_one_that_holds_and_none_that_could_be_is_left(
    persons: list[tuple[int, ...]], faces: list[tuple[int, ...]]
) -> None:
    bodies, seen = drawn(persons), drawn(faces)
    found = match_faces(bodies, seen).tolist()
    taken = [face for face in found if face >= 0]
    assert len(found) == len(persons)
    assert len(set(taken)) == len(taken)
    for person, face in enumerate(found):
        left = [face] if face >= 0 else sorted(set(range(len(faces))) - set(taken))
        holds = [match_person(seen[one], bodies[person : person + 1]) is not None for one in left]
        assert all(holds) if face >= 0 else not any(holds)
