"""Text and marks over a picture are told by its clean copy, wherever they lie; other differences are none."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw, ImageFont

from fastface.curation.measures import measure
from fastface.curation.overlays import is_overlaid

Picture = npt.NDArray[np.uint8]


def photos(shared_media: Path) -> list[Picture]:
    paths = sorted((shared_media / "photos" / "jurassic").glob("*/*"))[::8]
    assert len(paths) >= 8
    return [np.ascontiguousarray(cv2.imread(str(path))) for path in paths]


def thumbnail(picture: Picture) -> Picture:
    return measure(picture).thumbnail


def written(picture: Picture, place: float, ink: tuple[int, int, int, int]) -> Picture:
    """With a word across the picture, its middle at a share of the height, saved as JPEG."""
    height, width = picture.shape[:2]
    below = Image.fromarray(picture[:, :, ::-1].copy()).convert("RGBA")
    above = Image.new("RGBA", below.size)
    font = ImageFont.load_default(size=width / 8)
    ImageDraw.Draw(above).text((width / 2, height * place), "SHUTTERSTOCK", ink, font, "mm")
    drawn = np.asarray(Image.alpha_composite(below, above).convert("RGB"))[:, :, ::-1]
    return np.ascontiguousarray(cv2.imdecode(cv2.imencode(".jpg", drawn, (cv2.IMWRITE_JPEG_QUALITY, 85))[1], 1))


@pytest.mark.parametrize("place", [0.1, 0.35, 0.5, 0.65, 0.9])
@pytest.mark.parametrize("ink", [(255, 255, 255, 255), (255, 255, 255, 130), (0, 0, 0, 170)])
def test_a_word_is_found_wherever_it_lies(shared_media: Path, place: float, ink: tuple[int, int, int, int]) -> None:
    found = []
    for clean in photos(shared_media):
        marked = thumbnail(written(clean, place, ink))
        assert not is_overlaid(thumbnail(clean), marked)
        found.append(is_overlaid(marked, thumbnail(clean)))
    # Black letters on a black ground are not to be seen.
    assert np.mean(found) >= (0.9 if ink[0] else 0.5), found


def test_a_sharper_a_smaller_and_another_copy_have_nothing_over_them(shared_media: Path) -> None:
    for clean in photos(shared_media):
        others = (
            cv2.GaussianBlur(clean, (0, 0), 2),
            cv2.GaussianBlur(clean, (0, 0), 4),
            cv2.resize(clean, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
            cv2.imdecode(cv2.imencode(".jpg", clean, (cv2.IMWRITE_JPEG_QUALITY, 40))[1], 1),
            np.roll(clean, clean.shape[1] // 40, axis=1),
            (clean * 0.9).astype(np.uint8),
        )
        for other in others:
            assert not is_overlaid(thumbnail(clean), thumbnail(np.ascontiguousarray(other)))
            assert not is_overlaid(thumbnail(np.ascontiguousarray(other)), thumbnail(clean))


def test_of_pictures_that_were_marked_in_reality_the_clean_one_is_told(shared_media: Path) -> None:
    folder = shared_media / "failing" / "faces" / "curate_keeps_watermarked" / "wm"
    seen = {path.stem: thumbnail(np.ascontiguousarray(cv2.imread(str(path)))) for path in sorted(folder.iterdir())}
    clean = seen.pop("clean")
    assert len(seen) == 5
    for name, marked in seen.items():
        assert is_overlaid(marked, clean), name
        assert not is_overlaid(clean, marked), name
