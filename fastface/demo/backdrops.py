"""Draw backdrops: still pictures of any size, drawn once.

`script` calls it; tests compare frames, so a backdrop must have the same pixels on every machine.
"""

from enum import StrEnum
from functools import lru_cache

import cv2
import numpy as np

from fastface.demo.persons import Colour
from fastface.types import Image, Size


class Backdrop(StrEnum):
    """Backdrop behind the persons."""

    TITLE = "title"
    HILLS = "hills"
    ROOM = "room"
    NIGHT = "night"
    BEACH = "beach"
    PLAIN = "plain"


@lru_cache(maxsize=32)
def backdrop(kind: Backdrop, size: Size) -> Image:
    """Return a picture of `size` without persons. Shared and read-only: copy it before drawing."""
    picture = _PAINTERS[kind](size)
    picture.flags.writeable = False
    return picture


def _gradient(size: Size, top: Colour, bottom: Colour) -> Image:
    share = np.linspace(0, 1, size[1], dtype=np.float32)[:, None, None]
    rows = np.array(top, np.float32) * (1 - share) + np.array(bottom, np.float32) * share
    return np.ascontiguousarray(np.broadcast_to(np.rint(rows), (size[1], size[0], 3)).astype(np.uint8))


def _point(picture: Image, x: float, y: float) -> tuple[int, int]:
    """Return the point at a share of the width and of the height."""
    return round(picture.shape[1] * x), round(picture.shape[0] * y)


def _disc(picture: Image, x: float, y: float, radius: float, colour: Colour) -> None:
    cv2.circle(picture, _point(picture, x, y), round(picture.shape[0] * radius), colour, -1, cv2.LINE_AA)


def _hill(picture: Image, centre: tuple[float, float], axes: tuple[float, float], colour: Colour) -> None:
    cv2.ellipse(picture, _point(picture, *centre), _point(picture, *axes), 0, 0, 360, colour, -1, cv2.LINE_AA)


def _cloud(picture: Image, x: float, y: float) -> None:
    for dx, radius in ((-0.05, 0.04), (0.0, 0.06), (0.05, 0.045)):
        _disc(picture, x + dx, y, radius, (250, 250, 246))


def _paint_hills(size: Size) -> Image:
    picture = _gradient(size, (250, 206, 140), (246, 238, 220))
    _disc(picture, 0.86, 0.18, 0.09, (120, 226, 254))
    _cloud(picture, 0.2, 0.16)
    _cloud(picture, 0.62, 0.24)
    _hill(picture, (0.15, 1.05), (0.45, 0.5), (120, 186, 120))
    _hill(picture, (0.8, 1.1), (0.5, 0.5), (96, 168, 98))
    return picture


def _paint_room(size: Size) -> Image:
    picture = _gradient(size, (196, 220, 232), (170, 200, 216))
    cv2.rectangle(picture, _point(picture, 0.06, 0.12), _point(picture, 0.26, 0.56), (240, 250, 250), -1)
    cv2.rectangle(picture, _point(picture, 0.075, 0.145), _point(picture, 0.245, 0.535), (238, 206, 150), -1)
    cv2.rectangle(picture, _point(picture, 0.155, 0.12), _point(picture, 0.165, 0.56), (240, 250, 250), -1)
    cv2.rectangle(picture, _point(picture, 0.76, 0.2), _point(picture, 0.92, 0.44), (70, 110, 140), -1)
    cv2.rectangle(picture, _point(picture, 0.775, 0.23), _point(picture, 0.905, 0.41), (200, 230, 190), -1)
    cv2.rectangle(picture, _point(picture, 0, 0.82), _point(picture, 1, 1), (90, 130, 168), -1)
    return picture


def _paint_night(size: Size) -> Image:
    picture = _gradient(size, (70, 34, 20), (120, 84, 60))
    stars = np.random.default_rng(7).random((60, 2)) * (1, 0.6)
    for x, y in stars:
        cv2.circle(picture, _point(picture, float(x), float(y)), 1, (220, 230, 235), -1, cv2.LINE_AA)
    _disc(picture, 0.14, 0.2, 0.09, (200, 240, 246))
    _disc(picture, 0.165, 0.18, 0.08, (82, 44, 28))
    for place, height in enumerate((0.62, 0.48, 0.7, 0.55, 0.66, 0.5, 0.6, 0.72)):
        cv2.rectangle(
            picture,
            _point(picture, place / 8, height),
            _point(picture, place / 8 + 0.11, 1),
            (64, 44, 34),
            -1,
        )
        for row in range(3):
            corner = _point(picture, place / 8 + 0.03, height + 0.06 + row * 0.1)
            cv2.rectangle(picture, corner, (corner[0] + 10, corner[1] + 12), (110, 200, 230), -1)
    return picture


def _paint_beach(size: Size) -> Image:
    picture = _gradient(size, (246, 214, 170), (222, 224, 250))
    _disc(picture, 0.5, 0.5, 0.14, (110, 190, 250))
    cv2.rectangle(picture, _point(picture, 0, 0.5), _point(picture, 1, 0.74), (190, 150, 70), -1)
    for row in (0.56, 0.63, 0.69):
        for x in np.arange(0.02 + row / 7, 1, 0.16):
            cv2.line(
                picture,
                _point(picture, float(x), row),
                _point(picture, float(x) + 0.06, row),
                (226, 196, 130),
                2,
                cv2.LINE_AA,
            )
    cv2.rectangle(picture, _point(picture, 0, 0.74), _point(picture, 1, 1), (160, 214, 240), -1)
    return picture


def _paint_plain(size: Size) -> Image:
    return _gradient(size, (226, 220, 212), (190, 184, 176))


def _paint_title(size: Size) -> Image:
    picture = _gradient(size, (112, 70, 40), (60, 36, 24))
    for text, y, scale, thickness in (("fastface", 0.5, 2.4, 5), ("a film of cartoon persons", 0.64, 0.8, 2)):
        (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
        place = (size[0] - width) // 2, round(size[1] * y)
        cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, (230, 240, 250), thickness, cv2.LINE_AA)
    return picture


_PAINTERS = {
    Backdrop.TITLE: _paint_title,
    Backdrop.HILLS: _paint_hills,
    Backdrop.ROOM: _paint_room,
    Backdrop.NIGHT: _paint_night,
    Backdrop.BEACH: _paint_beach,
    Backdrop.PLAIN: _paint_plain,
}
