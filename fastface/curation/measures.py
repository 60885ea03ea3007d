"""Measure a picture as a whole: hash, sharpness, exposure, black borders, burnt-in text, a thumbnail.

`reader_process` calls `measure`. All measures except the hash are taken at one size, so an enlarged picture has the
same measures.
"""

import cv2
import numpy as np
import numpy.typing as npt

from fastface.curation.candidates import PictureMeasures
from fastface.types import Image

_SIDE = 512
"""Maximum length in pixels of the longer side; larger pictures are reduced to it."""

_HASH_INPUT, _HASH_SIDE = 32, 8

_THUMBNAIL = 96
"""Side of the thumbnail in pixels: strokes of burnt-in letters remain visible."""

_CRUSHED, _BLOWN = 5, 250
"""Maximum grey level of shadows without detail, and minimum grey level of lights without detail."""

_DARK_MEAN, _DARK_PEAK = 20, 40
"""Limits for a row of a black border: its mean is below the first, and hardly a pixel is above the second. Black of
limited range is 16, and JPEG spreads an edge over eight pixels."""
_DARK_SHARE = 0.98

_TEXT_CONTRAST = 120
"""Minimum step of grey beside a stroke: burnt-in text has an outline to be readable on any ground. Of 305 photos three
were classified as text, one of them with a subtitle. Of 251 photos and crops with a drawn line of white letters, 206
were. At 90, a third of those is missed, because edges of the ground join the letters."""
_TEXT_HEIGHT = 0.02, 0.12
_TEXT_ASPECT, _TEXT_FILL, _TEXT_STROKES = 3.0, 0.4, 1.2
_LEAST_LETTERS = 5
"""Minimum height in pixels of letters with strokes."""
_TEXT_REACH = 0.03
"""Gap between letters that is closed, as a share of the height (0–1)."""

_Grey = npt.NDArray[np.uint8]


def measure(picture: Image) -> PictureMeasures:
    """Measure one picture.

    Args:
        picture: (H, W, 3) uint8 BGR as displayed.

    Raises:
        cv2.error: A side is longer than OpenCV's resizing allows.
    """
    grey: _Grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)
    small = _fit(grey)
    rows, columns = (_extent(_is_lit(small, axis)) for axis in (1, 0))  # none of a black picture
    # Borders have their own measure; as shadows they would be penalised twice.
    lit = small[rows, columns]
    inside = lit if lit.size else small
    _, deviation = cv2.meanStdDev(cv2.Laplacian(inside, cv2.CV_16S))
    return PictureMeasures(
        size=(picture.shape[1], picture.shape[0]),
        phash=perceptual_hash(grey),
        sharpness=float(deviation[0, 0]) ** 2,
        mean=float(inside.mean()) / 255,
        crushed=float((inside <= _CRUSHED).mean()),
        blown=float((inside >= _BLOWN).mean()),
        border=1 - lit.size / small.size,
        text=_text(inside),
        thumbnail=cv2.resize(grey, (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False),
    )


def perceptual_hash(grey: _Grey) -> int:
    """Compute the 64-bit DCT hash of a grey picture: similar pictures differ in few bits, others in about 32.

    Each bit compares one of the 8×8 lowest frequencies, without the constant ones, of a 32×32 picture with their
    median. Source: Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010, section 3.2.1.
    Area averaging, which the reduction does anyway, replaces its 7×7 filter.

    Args:
        grey: (H, W) uint8.

    Returns:
        The bits by rows of ascending vertical frequency, the lowest frequency in the highest bit.
    """
    shrunk = cv2.resize(grey, (_HASH_INPUT, _HASH_INPUT), interpolation=cv2.INTER_AREA)
    low = cv2.dct(shrunk.astype(np.float32))[1 : _HASH_SIDE + 1, 1 : _HASH_SIDE + 1]
    return int.from_bytes(np.packbits(low > np.median(low)).tobytes())


def _fit(grey: _Grey) -> _Grey:
    height, width = grey.shape
    factor = _SIDE / max(height, width)
    if factor >= 1:
        return grey
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _is_lit(grey: _Grey, axis: int) -> npt.NDArray[np.bool_]:
    dark = (grey.mean(axis=axis) <= _DARK_MEAN) & ((grey <= _DARK_PEAK).mean(axis=axis) >= _DARK_SHARE)
    lit: npt.NDArray[np.bool_] = ~dark
    return lit


def _extent(lit: npt.NDArray[np.bool_]) -> slice:
    places = np.flatnonzero(lit)
    return slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0)


def _text(grey: _Grey) -> float:
    """Estimate the share of the picture's width with lines of hard strokes: 0–1, a hint of text.

    The morphological gradient finds strokes, and closing joins the strokes of a line. Components count if they are as
    long and as full as a line of text, and have many strokes. This is the usual OpenCV recipe for text, a heuristic:
    fences and stripes may count too, and soft or very large letters do not.
    """
    height, width = grey.shape
    if height * _TEXT_HEIGHT[1] < _LEAST_LETTERS:
        return 0.0  # OpenCV's components of an empty band would end the process
    gradient = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3)))
    strokes = (gradient >= _TEXT_CONTRAST).astype(np.uint8)
    reach = max(3, round(height * _TEXT_REACH))
    lines = cv2.morphologyEx(strokes, cv2.MORPH_CLOSE, np.ones((1, reach), np.uint8))
    _, _, boxes, _ = cv2.connectedComponentsWithStats(lines)
    columns = np.zeros(width, np.bool_)
    for box in boxes[1:].tolist():
        if _is_line(strokes, box, height):
            left, _, length, _, _ = box
            columns[left : left + length] = True
    return float(columns.mean())


def _is_line(strokes: _Grey, box: list[int], height: int) -> bool:
    """Return whether a component (left, top, width, height, area) looks like a line of text."""
    left, top, length, thickness, area = box
    least, most = (share * height for share in _TEXT_HEIGHT)
    if not max(least, _LEAST_LETTERS) <= thickness <= most or length < _TEXT_ASPECT * thickness:
        return False
    if area < _TEXT_FILL * length * thickness:
        return False
    part = strokes[top : top + thickness, left : left + length].astype(np.int8)
    begun = (np.diff(part, axis=1, prepend=0) > 0).sum(axis=1).mean()
    return bool(begun >= _TEXT_STROKES * length / thickness)
