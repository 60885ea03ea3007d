"""What is measured of a picture, against NumPy, Pillow and arithmetic by hand."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw, ImageFont

from fastface.curation.candidates import exposure
from fastface.curation.measures import measure, perceptual_hash

Grey = npt.NDArray[np.uint8]


def scene(width: int = 400, height: int = 300, seed: int = 1) -> Grey:
    """Soft shapes of all sizes, as a photo has them: (height, width, 3) BGR."""
    noise = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), np.uint8)
    soft = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return (soft * 0.6 + 50).astype(np.uint8)


def differing(left: int, right: int) -> int:
    return (left ^ right).bit_count()


def test_the_hash_is_that_of_the_cosine_transform_by_its_definition() -> None:
    grey = np.random.default_rng(3).integers(0, 256, (32, 32), np.uint8)
    n, k = np.arange(32), np.arange(1, 9)[:, None]
    basis = np.cos(np.pi * (2 * n + 1) * k / 64)
    low = basis @ grey.astype(float) @ basis.T
    bits = "".join("1" if value > np.median(low) else "0" for value in low.ravel())
    assert perceptual_hash(grey) == int(bits, 2)
    assert bits.count("1") == 32


def test_a_large_picture_is_hashed_as_pillow_shrinks_it() -> None:
    grey = np.random.default_rng(4).integers(0, 256, (256, 256), np.uint8)
    shrunk = np.asarray(Image.fromarray(grey).resize((32, 32), Image.Resampling.BOX))
    assert differing(perceptual_hash(grey), perceptual_hash(shrunk)) <= 2  # both round to whole levels


def test_saved_smaller_or_darker_is_nearly_the_same_picture_and_another_scene_is_not() -> None:
    picture = scene()
    own = measure(picture).phash
    encoded, content = cv2.imencode(".jpg", cv2.resize(picture, (200, 150)), [cv2.IMWRITE_JPEG_QUALITY, 60])
    assert encoded
    assert differing(own, measure(cv2.imdecode(content, cv2.IMREAD_COLOR)).phash) <= 6
    assert differing(own, measure((picture * 0.7).astype(np.uint8)).phash) <= 6
    others = [differing(own, measure(scene(seed=seed)).phash) for seed in range(2, 12)]
    assert min(others) >= 16


def test_sharpness_is_the_variance_of_the_laplacian() -> None:
    picture = np.random.default_rng(6).integers(60, 200, (300, 400, 3), np.uint8)
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(int)
    padded = np.pad(grey, 1, mode="reflect")
    laplacian = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:] - 4 * grey
    assert measure(picture).sharpness == pytest.approx(laplacian.var(), rel=1e-6)
    assert measure(cv2.GaussianBlur(picture, (0, 0), 3)).sharpness < laplacian.var() / 4


def test_exposure_counts_pixels_and_is_a_parabola_of_the_mean() -> None:
    picture = np.full((100, 200, 3), 128, np.uint8)
    picture[:, :20] = 255  # a tenth
    picture[:, 20:60] = 50
    measures = measure(picture)
    assert (measures.crushed, measures.blown) == (0, pytest.approx(0.1))
    mean = (20 * 255 + 40 * 50 + 140 * 128) / 200 / 255
    assert measures.mean == pytest.approx(mean)
    assert exposure(measures) == pytest.approx(4 * mean * (1 - mean) * 0.9)
    assert exposure(measure(np.zeros((50, 50, 3), np.uint8))) == 0
    assert exposure(measure(np.full((50, 50, 3), 255, np.uint8))) == 0


def test_borders_are_measured_by_their_share_and_are_no_shadows() -> None:
    picture = scene(400, 300)
    assert measure(picture).border == 0
    boxed = np.zeros((400, 500, 3), np.uint8)
    boxed[50:350, 60:460] = picture
    measures = measure(boxed)
    # 400 × 300 of 500 × 400; the row next to an edge may be a little off.
    assert measures.border == pytest.approx(1 - 120_000 / 200_000, abs=0.01)
    assert measures.crushed < 0.01
    assert measures.mean == pytest.approx(measure(picture).mean, abs=0.01)
    assert measure(np.zeros((300, 400, 3), np.uint8)).border == 1


def test_a_night_scene_is_no_border() -> None:
    dark = (scene() * 0.1).astype(np.uint8)
    dark[::10, ::7] = 120  # lamps
    assert measure(dark).border < 0.05  # the nine rows below the last lamp


@pytest.mark.parametrize("place", [0.05, 0.3, 0.45, 0.6, 0.86])
def test_a_line_of_text_is_seen_wherever_it_lies(place: float) -> None:
    plain = scene(640, 360)
    assert measure(plain).text == 0
    assert measure(written(plain, place)).text > 0.4


def written(picture: Grey, place: float) -> Grey:
    """The picture with a subtitle whose top is at a share of the height."""
    drawn = Image.fromarray(picture[:, :, ::-1].copy())
    width, height = drawn.size
    font = ImageFont.load_default(size=round(height * 0.06))
    outline = {"stroke_width": 2, "stroke_fill": (0, 0, 0)}
    at = (width / 2, height * place)
    ImageDraw.Draw(drawn).text(at, "Could this be any more obvious?", (255,) * 3, font, "mt", **outline)
    return np.ascontiguousarray(np.asarray(drawn)[:, :, ::-1])


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 4000, 3), (4000, 1, 3), (2, 3, 3), (16, 16, 3)])
def test_tiny_and_thin_pictures_have_measures(shape: tuple[int, int, int]) -> None:
    measures = measure(np.full(shape, 200, np.uint8))
    assert measures.size == (shape[1], shape[0])
    assert (measures.border, measures.text, measures.sharpness) == (0, 0, 0)
