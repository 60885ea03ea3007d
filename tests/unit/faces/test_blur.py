"""The gate before the network: what is a blurred frame. Expected variances by hand and by NumPy."""

import cv2
import numpy as np
import pytest

from fastface.faces.blur import is_blurred
from fastface.types import BlurGate

SIZE = (64, 32)


def canvas_of(picture: np.ndarray) -> np.ndarray:
    """A grey picture in the top left corner of a larger black canvas."""
    height, width = picture.shape
    canvas = np.zeros((height + 32, width + 32, 3), np.uint8)
    canvas[:height, :width] = picture[..., None]
    return canvas


def stripes(contrast: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Columns that alternate by `contrast`: the Laplacian is ±2 · contrast everywhere, its variance 4 · contrast²."""
    width, height = size
    return np.tile((100 + contrast * (np.arange(width) % 2)).astype(np.uint8), (height, 1))


@pytest.mark.parametrize(("contrast", "blurred"), [(0, True), (1, True), (5, True), (6, False), (40, False)])
def test_a_frame_is_judged_by_the_variance_of_its_laplacian(contrast: int, blurred: bool) -> None:
    # 4 · 5² = 100 and 4 · 6² = 144, on both sides of 120.
    assert is_blurred(canvas_of(stripes(contrast)), SIZE, BlurGate(120)) == blurred


def test_a_frame_that_just_reaches_the_threshold_is_sharp() -> None:
    assert not is_blurred(canvas_of(stripes(5)), SIZE, BlurGate(100))
    assert is_blurred(canvas_of(stripes(5)), SIZE, BlurGate(100.1))


def test_the_black_around_the_picture_does_not_count() -> None:
    """A flat white picture has no edge but that to the black."""
    white = np.full(SIZE[::-1], 255, np.uint8)
    assert is_blurred(canvas_of(white), SIZE, BlurGate(1))
    assert not is_blurred(canvas_of(white), (SIZE[0] + 32, SIZE[1] + 32), BlurGate(1))


@pytest.mark.parametrize("sharp_tiles", range(17))
def test_of_a_grid_so_many_tiles_must_be_sharp(sharp_tiles: int) -> None:
    picture = np.full((64, 64), 100, np.uint8)
    for tile in range(sharp_tiles):
        row, column = divmod(tile, 4)
        # Away from the tile's edges, so that its neighbours stay flat.
        picture[16 * row + 3 : 16 * row + 13, 16 * column + 3 : 16 * column + 13] = stripes(60, (10, 10))
    gate = BlurGate(120, tiles=4, share=0.25)
    assert is_blurred(canvas_of(picture), (64, 64), gate) == (sharp_tiles < 4)
    assert is_blurred(canvas_of(picture), (64, 64), BlurGate(120, tiles=4, share=1)) == (sharp_tiles < 16)


@pytest.mark.parametrize("size", [(2, 2), (3, 70), (641, 359)])
def test_pictures_that_the_grid_does_not_divide_are_judged_too(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, size[::-1], np.uint8)
    assert not is_blurred(canvas_of(noise), size, BlurGate(120, tiles=16, share=0.9))
    assert is_blurred(canvas_of(np.full_like(noise, 9)), size, BlurGate(120, tiles=16, share=0.01))


def test_the_measure_is_that_of_numpy() -> None:
    picture = cv2.GaussianBlur(np.random.default_rng(2).integers(0, 256, (90, 120), np.uint8), (0, 0), 1.5)
    inner = np.pad(picture.astype(float), 1, mode="reflect")
    edges = inner[:-2, 1:-1] + inner[2:, 1:-1] + inner[1:-1, :-2] + inner[1:-1, 2:] - 4 * inner[1:-1, 1:-1]
    variance = float(edges.var())
    assert not is_blurred(canvas_of(picture), (120, 90), BlurGate(variance * 0.999))
    assert is_blurred(canvas_of(picture), (120, 90), BlurGate(variance * 1.001))
