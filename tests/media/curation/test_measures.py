"""Text over a picture is measured on real photos."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from fastface.curation.measures import measure


def test_subtitles_of_real_photos(shared_media: Path) -> None:
    """Of the photos of this person one has a subtitle."""
    photos = sorted((shared_media / "photos" / "friends_tv" / "Monica_Geller").iterdir())
    assert len(photos) >= 10
    texts = {path.name: measure(cv2.cvtColor(np.asarray(opened(path)), cv2.COLOR_RGB2BGR)).text for path in photos}
    assert [name for name, text in texts.items() if text > 0] == ["00000010.jpg"]


def opened(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB")
