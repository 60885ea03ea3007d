"""How a body is dressed, in numbers: against OpenCV's histograms, and drawn figures that are alike or are not."""

import cv2
import numpy as np
import pytest

from fastface.persons.bodies import describe_colours

RED, GREEN, BLUE, GREY = (30, 30, 200), (30, 160, 30), (200, 60, 30), (100, 100, 100)
CELL = (10, 7)
"""Rows and columns of pixels of one of the 32 × 16 cells that the middle 70 % of a box of 160 × 320 are averaged to."""

BOX = (0, 0, 160, 320)
MIDDLE = slice(24, 136)


def colours(picture: np.ndarray, *boxes: tuple[float, ...]) -> np.ndarray:
    """(n, 128) float64."""
    found = describe_colours(picture, np.array(boxes, np.float32).reshape(-1, 4))
    assert (found.dtype, found.shape) == (np.float16, (len(boxes), 128))
    return found.astype(np.float64)


def alike(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other)


def figure(seed: int) -> np.ndarray:
    """A body of five colours, each of its cells of one; grey beside it."""
    chance = np.random.default_rng(seed)
    palette = chance.integers(0, 256, (5, 3))
    cells = palette[chance.choice(5, (32, 16), p=chance.dirichlet([1] * 5))]
    body = cells.repeat(CELL[0], axis=0).repeat(CELL[1], axis=1).astype(np.uint8)
    return cv2.copyMakeBorder(body, 0, 0, MIDDLE.start, BOX[2] - MIDDLE.stop, cv2.BORDER_CONSTANT, value=GREY)


def coat_and_trousers(coat: tuple[int, ...], trousers: tuple[int, ...]) -> np.ndarray:
    picture = np.full((320, 160, 3), GREY, np.uint8)
    picture[:160, MIDDLE] = coat
    picture[160:, MIDDLE] = trousers
    return picture


def coefficient(one: np.ndarray, other: np.ndarray) -> float:
    """Mean of the halves' Bhattacharyya coefficients, by OpenCV, whose distance is √(1 − coefficient)."""
    halves = []
    for rows in (slice(0, 160), slice(160, 320)):
        both = [
            cv2.calcHist([picture[rows, MIDDLE]], [0, 1, 2], None, [4] * 3, [0, 256] * 3) for picture in (one, other)
        ]
        halves.append(1 - cv2.compareHist(*both, cv2.HISTCMP_BHATTACHARYYA) ** 2)
    return float(np.mean(halves))


@pytest.mark.parametrize("seed", range(8))
def test_the_product_is_the_mean_bhattacharyya_coefficient_of_the_halves(seed: int) -> None:
    one, other = figure(seed), cv2.addWeighted(figure(seed), 0.7, figure(seed + 100), 0.3, 0)
    expected = coefficient(one, other)
    assert 0.1 < expected < 0.99
    assert alike(colours(one, BOX)[0], colours(other, BOX)[0]) == pytest.approx(expected, abs=2e-3)


def test_the_product_of_a_drawn_example_by_hand() -> None:
    # Upper halves: all red; red and blue in halves. Lower: green in both. (√(1 × ½) + 1) ÷ 2.
    one, other = coat_and_trousers(RED, GREEN), coat_and_trousers(RED, GREEN)
    other[:80, MIDDLE] = BLUE
    assert alike(colours(one, BOX)[0], colours(other, BOX)[0]) == pytest.approx((0.5**0.5 + 1) / 2, abs=1e-3)


def test_they_are_of_length_one() -> None:
    noise = np.random.default_rng(2).integers(0, 256, (90, 120, 3), np.uint8)
    corners = np.random.default_rng(3).uniform(0, 60, (50, 2))
    boxes = np.hstack([corners, corners + np.random.default_rng(4).uniform(0.1, 29, (50, 2))])
    np.testing.assert_allclose(np.linalg.norm(colours(noise, *boxes), axis=1), 1, atol=1e-3)
    assert colours(noise).shape == (0, 128)


def person(coat: tuple[int, ...], height: int = 180) -> np.ndarray:
    """Somebody who fills a picture, drawn with hair, a face, a coat with a belt, trousers and shoes."""
    picture = np.full((180, 60, 3), (224, 224, 224), np.uint8)
    cv2.ellipse(picture, (30, 18), (12, 17), 0, 0, 360, (32, 32, 96), -1)
    cv2.ellipse(picture, (30, 22), (9, 11), 0, 0, 360, (96, 160, 224), -1)
    cv2.rectangle(picture, (10, 34), (50, 95), coat, -1)
    cv2.rectangle(picture, (10, 78), (50, 84), (32, 96, 96), -1)
    for left in (14, 33):
        cv2.rectangle(picture, (left, 96), (left + 13, 170), (96, 32, 32), -1)
        cv2.rectangle(picture, (left, 171), (left + 13, 179), (32, 32, 32), -1)
    # As a camera sees it: what is sharp to the pixel has means that lie in any bin, by where the cells' edges fall.
    seen = cv2.GaussianBlur(picture, (0, 0), 3)
    return cv2.resize(seen, (height // 3, height), interpolation=cv2.INTER_LINEAR)


@pytest.mark.parametrize("height", [360, 630, 720])
def test_a_picture_and_the_same_enlarged_agree(height: int) -> None:
    for coat in (RED, BLUE, GREEN):
        (one,) = colours(person(coat), (0, 0, 60, 180))
        (other,) = colours(person(coat, height), (0, 0, height // 3, height))
        assert alike(one, other) >= 0.99
        others = [colours(person(another), (0, 0, 60, 180))[0] for another in (RED, BLUE, GREEN) if another != coat]
        assert max(alike(one, another) for another in others) < 0.8


def test_coat_and_trousers_changed_for_each_other_are_other_clothes() -> None:
    (one,), (other,) = (colours(coat_and_trousers(*pair), BOX) for pair in ((RED, BLUE), (BLUE, RED)))
    assert alike(one, one) == pytest.approx(1, abs=1e-3)
    assert alike(one, other) == 0
    (same_coat,) = colours(coat_and_trousers(RED, GREEN), BOX)
    assert alike(one, same_coat) == pytest.approx(0.5, abs=1e-3)


def test_what_is_seen_beside_the_body_does_not_matter() -> None:
    indoors, outdoors = coat_and_trousers(RED, BLUE), coat_and_trousers(RED, BLUE)
    outdoors[:, : MIDDLE.start], outdoors[:, MIDDLE.stop :] = GREEN, GREEN
    assert (colours(indoors, BOX) == colours(outdoors, BOX)).all()


@pytest.mark.parametrize(
    ("box", "column", "row"),
    [
        ((0, 0, 1, 1), 0, 0),
        ((7, 5, 8, 6), 7, 5),
        ((19, 9, 20, 10), 19, 9),
        ((19.6, 9.7, 20, 10), 19, 9),  # less than a pixel, at the lower right corner
        ((7.2, 5.3, 7.4, 5.4), 7, 5),
        ((7.6, 5.7, 7.9, 5.9), 7, 5),
    ],
)
def test_a_box_of_one_pixel_has_its_colour(box: tuple[float, ...], column: int, row: int) -> None:
    picture = np.full((10, 20, 3), GREY, np.uint8)
    picture[row, column] = (255, 130, 10)  # bins 3, 2 and 0 of four
    (found,) = colours(picture, box)
    assert np.flatnonzero(found).tolist() == [3 * 16 + 2 * 4, 64 + 3 * 16 + 2 * 4]
    np.testing.assert_allclose(found[found > 0], 0.5**0.5, atol=1e-3)


@pytest.mark.parametrize("box", [(0, 0, 20, 10), (0, 0, 0.5, 10), (19.5, 0, 20, 10), (0, 9.5, 20, 10), (0, 0, 20, 0.5)])
def test_a_box_at_the_edges_takes_only_what_is_there(box: tuple[float, ...]) -> None:
    # The picture is the middle of a larger one of another colour: who reads past its edges sees that.
    large = np.full((30, 60, 3), GREEN, np.uint8)
    large[10:20, 20:40] = RED
    (found,) = colours(large[10:20, 20:40], box)
    (red,) = colours(np.full((10, 20, 3), RED, np.uint8), (0, 0, 20, 10))
    assert (found == red).all()
