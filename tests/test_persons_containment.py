"""Whose body a face is on; and what is taken for a body where no person was found."""

import numpy as np
import pytest

from fastface.persons.containment import body_of, estimate_body, person_of

FACE = (100, 100, 140, 150)
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
    assert person_of(FACE, boxes(*persons)) == expected


def test_a_child_before_its_mother_keeps_its_own_box() -> None:
    mother, child = (100, 100, 400, 1000), (180, 500, 320, 1000)
    persons = boxes(mother, child)
    assert person_of((220, 120, 280, 200), persons) == 0
    assert person_of((225, 510, 275, 570), persons) == 1


def test_a_body_is_its_persons_box_or_is_told_to_be_an_estimate() -> None:
    found = body_of(FACE, boxes((0, 0, 50, 50), (70, 80, 170, 400)), PICTURE)
    assert (found.person, found.is_estimate, found.box.tolist()) == (1, False, [70, 80, 170, 400])
    guessed = body_of(FACE, boxes((0, 0, 50, 50)), PICTURE)
    assert (guessed.person, guessed.is_estimate) == (None, True)
    assert guessed.box.tolist() == estimate_body(FACE, PICTURE).tolist()


def test_an_estimated_body_has_the_proportions_of_a_figure() -> None:
    # face 40 wide, 50 high: head 62.5 from the crown at 87.5, body 7.5 × 62.5 = 468.75 high, 120 wide around x = 120
    np.testing.assert_allclose(estimate_body(FACE, PICTURE), [60, 87.5, 180, 556.25])


def test_an_estimated_body_ends_at_the_pictures_edges() -> None:
    np.testing.assert_allclose(estimate_body((0, 0, 40, 50), (90, 300)), [0, 0, 80, 300])
    assert estimate_body((0, 0, 40, 50), (90, 300)).dtype == np.float32
