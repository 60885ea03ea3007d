"""Draw one person as a small picture with soft edges.

`script` lays sprites onto frames. The pattern of the glasses must match `anatomy.GLASSES`.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from fastface.demo.anatomy import CELL, GLASSES, GLASSES_COLOUR, GLASSES_ORIGIN
from fastface.demo.persons import HAIR_DARK, Colour, Disguise, Person
from fastface.types import Image

HEAD_REACH: Final = (-52, -80, 52, 64)
"""x1, y1, x2, y2 around the drawn head, at scale 1, from the face's centre."""

SHOULDER_REACH: Final = (-84, 56, 84, 296)
"""x1, y1, x2, y2 around the drawn body, at scale 1, from the face's centre."""

_SUPERSAMPLING = 4


@dataclass(frozen=True, slots=True)
class Sprite:
    """A person, ready to be drawn onto a frame.

    Attributes:
        origin: (x, y) of the top left pixel relative to the face's centre.
        colour: (h, w, 3) float32 BGR, already multiplied by the opacity.
        clear: (h, w, 1) float32, 1 − opacity.
    """

    origin: tuple[int, int]
    colour: npt.NDArray[np.float32]
    clear: npt.NDArray[np.float32]

    def blend_sprite(self, frame: Image, centre: tuple[int, int]) -> None:
        """Draw the person into `frame` with the face's centre at `centre`, clipped to the frame."""
        x, y = centre[0] + self.origin[0], centre[1] + self.origin[1]
        height, width = self.clear.shape[:2]
        left, top = max(x, 0), max(y, 0)
        right, bottom = min(x + width, frame.shape[1]), min(y + height, frame.shape[0])
        if left >= right or top >= bottom:
            return
        cut = np.s_[top - y : bottom - y, left - x : right - x]
        behind = frame[top:bottom, left:right]
        behind[...] = np.rint(self.colour[cut] + behind * self.clear[cut])


Pair = tuple[float, float]


class _Sheet:
    """A large canvas in the coordinates of the face, drawn with hard edges; shrinking it softens them."""

    def __init__(self, scale: int) -> None:
        self.origin = SHOULDER_REACH[0], HEAD_REACH[1]
        self.size = SHOULDER_REACH[2] - self.origin[0], SHOULDER_REACH[3] - self.origin[1]
        self.factor = _SUPERSAMPLING * scale
        shape = self.size[1] * self.factor, self.size[0] * self.factor
        self.colour = np.zeros((*shape, 3), np.uint8)
        self.opacity = np.zeros(shape, np.uint8)

    def _point(self, x: float, y: float) -> tuple[int, int]:
        return round((x - self.origin[0]) * self.factor), round((y - self.origin[1]) * self.factor)

    def _layers(self, colour: Colour) -> tuple[tuple[npt.NDArray[np.uint8], Colour | int], ...]:
        return (self.colour, colour), (self.opacity, 255)

    def ellipse(self, centre: Pair, radii: Pair, colour: Colour, *, above: float = 1e3, below: float = -1e3) -> None:
        """Draw a filled ellipse, limited to `below` ≤ y < `above`."""
        left, middle = self._point(*centre)
        axes = round(radii[0] * self.factor), round(radii[1] * self.factor)
        first, last = max(self._point(0, below)[1], 0), self._point(0, above)[1]
        for layer, value in self._layers(colour):
            cv2.ellipse(layer[first:last], (left, middle - first), axes, 0, 0, 360, _scalar(value), -1)

    def block(self, zone: tuple[float, float, float, float], colour: Colour, radius: float = 0) -> None:
        """Draw a filled rectangle with round corners; `zone` is x1, y1, x2, y2, the last two exclusive."""
        (left, top), (right, bottom) = self._point(*zone[:2]), self._point(*zone[2:])
        r = round(radius * self.factor)
        corners = [(x, y) for x in (left + r, right - r) for y in (top + r, bottom - r)]
        for layer, value in self._layers(colour):
            layer[top:bottom, left + r : right - r] = value
            layer[top + r : bottom - r, left:right] = value
            for corner in corners:
                cv2.circle(layer, corner, r, _scalar(value), -1)

    def sprite(self, scale: int) -> Sprite:
        size = self.size[0] * scale, self.size[1] * scale
        opacity = cv2.resize(self.opacity, size, interpolation=cv2.INTER_AREA)[..., None] / np.float32(255)
        # Undrawn pixels are still black, so the mean colour is the colour times the opacity.
        colour = cv2.resize(self.colour, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        return Sprite((self.origin[0] * scale, self.origin[1] * scale), colour, 1 - opacity)


@lru_cache(maxsize=256)
def sprite(person: Person, scale: int, disguise: Disguise, *, away: bool) -> Sprite:
    """Draw a person at a scale, from the front, or from behind if `away`."""
    sheet = _Sheet(scale)
    _draw_body(sheet, person)
    _draw_hair_behind(sheet, person)
    if away:
        _draw_back_of_head(sheet, person)
    else:
        _draw_head(sheet, person)
        _draw_face(sheet, person)
        _draw_disguise(sheet, disguise)
        _draw_glasses(sheet)
    return sheet.sprite(scale)


def _scalar(value: Colour | int) -> Colour | tuple[int]:
    return (value,) if isinstance(value, int) else value


def _shade(colour: Colour, factor: float) -> Colour:
    blue, green, red = (min(round(part * factor), 255) for part in colour)
    return blue, green, red


def _draw_body(sheet: _Sheet, person: Person) -> None:
    sheet.block((-82, 76, 82, 296), _shade(person.shirt, 0.8), 36)
    sheet.block((-79, 79, 79, 296), person.shirt, 34)
    sheet.ellipse((0, 77), (21, 12), _shade(person.skin, 0.82))
    sheet.block((-16, 44, 16, 80), _shade(person.skin, 0.82), 6)


def _draw_hair_behind(sheet: _Sheet, person: Person) -> None:
    style = person.code % 3
    dark = _shade(person.hair, 0.78)
    if style == 0:
        sheet.ellipse((0, -72), (18, 8), dark)
    elif style == 1:
        sheet.block((-50, -52, 50, 62), dark, 22)
    else:
        sheet.ellipse((-42, -34), (10, 16), dark)
        sheet.ellipse((42, -34), (10, 16), dark)


def _draw_head(sheet: _Sheet, person: Person) -> None:
    edge = _shade(person.skin, 0.8)
    for side in (-41, 41):
        sheet.ellipse((side, 2), (8, 11), edge)
        sheet.ellipse((side, 2), (5, 8), person.skin)
    sheet.ellipse((0, 8), (40, 48), edge, below=0)
    sheet.block((-40, -48, 40, 10), edge)
    sheet.ellipse((0, 8), (38, 46), person.skin, below=0)
    sheet.block((-38, -48, 38, 10), person.skin)
    _draw_hair_and_band(sheet, person)


def _draw_hair_and_band(sheet: _Sheet, person: Person) -> None:
    sheet.ellipse((0, -40), (43, 34), person.hair, above=-38)
    sheet.block((-42, -44, 42, -32), person.band, 2)


def _draw_back_of_head(sheet: _Sheet, person: Person) -> None:
    sheet.ellipse((0, 6), (42, 50), person.hair, below=-2)
    sheet.block((-42, -42, 42, 8), person.hair)
    _draw_hair_and_band(sheet, person)
    sheet.block((-7, -30, 7, -12), _shade(person.band, 0.85), 3)


def _draw_face(sheet: _Sheet, person: Person) -> None:
    for side in (-20, 20):
        sheet.block((side - 10, -30, side + 10, -27), _shade(person.hair, 0.6), 1)
    sheet.ellipse((0, 10), (6, 8), _shade(person.skin, 0.84))
    sheet.ellipse((0, 31), (16, 10), (60, 44, 130), below=31)
    sheet.block((-12, 31, 12, 34), (240, 240, 240))


def _draw_disguise(sheet: _Sheet, disguise: Disguise) -> None:
    if disguise & Disguise.MOUSTACHE:
        sheet.block((-18, 19, 18, 29), HAIR_DARK, 5)
    if disguise & Disguise.BEARD:
        sheet.ellipse((0, 8), (40, 49), HAIR_DARK, below=42.5)


def _draw_glasses(sheet: _Sheet) -> None:
    """Draw the detector's pattern of cells, with its corners rounded as far as the cells' cores allow."""
    top = (GLASSES_ORIGIN[1] + 1) * CELL
    pattern = GLASSES[1:-1]
    bridge = np.flatnonzero(pattern[1])[[1, -2]] + GLASSES_ORIGIN[0]
    sheet.block((bridge[0] * CELL, top + CELL, (bridge[1] + 1) * CELL, top + 2 * CELL), GLASSES_COLOUR)
    for left in (GLASSES_ORIGIN[0] * CELL, CELL):
        sheet.block((left, top, left + 3 * CELL, top + 3 * CELL), GLASSES_COLOUR, 6)
        sheet.block((left + CELL - 1, top + CELL - 1, left + 2 * CELL + 1, top + 2 * CELL + 1), (250, 250, 250), 3)
        sheet.ellipse((left + 1.5 * CELL, top + 1.5 * CELL), (2.6, 2.8), (40, 24, 24))
