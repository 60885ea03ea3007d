"""Describe the events of a cartoon film, and so the exact result of a search in it.

`scripts` builds scripts, `film` draws them. All places are whole numbers, equal on every machine.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

import numpy as np

from fastface.demo.anatomy import BOX, CELL, FACE_BOTTOM, FACE_TOP, GLASSES_ORIGIN, LANDMARKS
from fastface.demo.backdrops import Backdrop, backdrop
from fastface.demo.persons import Disguise, Person
from fastface.demo.sprites import HEAD_REACH, SHOULDER_REACH, sprite
from fastface.types import FloatArray, Image, Size

BARCODE_HEIGHT: Final = 16
"""Height of a barcode in pixels, at the bottom of a film of scale 1."""

_SCALES = (1, 2, 4)


_Box = tuple[int, int, int, int]
"""x1, y1, x2, y2 in pixels."""


@dataclass(frozen=True, slots=True)
class Appearance:
    """One person on the stage for a while.

    Attributes:
        person: The person.
        start: First frame.
        end: First frame after it.
        place: (x, y) of the face's centre at the start; multiples of 8 × `scale`.
        scale: 1, 2 or 4: the face is 80, 160 or 320 pixels wide.
        to: Place of the face at the last frame, reached in a line by whole cells; None to stand still.
        away: True if the person shows their back: visible in the picture, but the networks find no face.
        disguise: The disguise.
    """

    person: Person
    start: int
    end: int
    place: tuple[int, int]
    scale: int = 1
    to: tuple[int, int] | None = None
    away: bool = False
    disguise: Disguise = Disguise.NONE

    def __post_init__(self) -> None:
        if self.scale not in _SCALES:
            raise ValueError(f"scale {self.scale} of {self.person.name!r} is not one of {_SCALES}")
        cell = CELL * self.scale
        if any(part % cell for part in (*self.place, *(self.to or ()))):
            raise ValueError(f"{self.person.name!r} stands off the grid of {cell} pixels")
        if not 0 <= self.start < self.end:
            raise ValueError(f"{self.person.name!r} appears in no frame of [{self.start}, {self.end})")

    def place_person(self, frame: int) -> tuple[int, int]:
        """Return (x, y) of the face's centre in one frame."""
        steps = self.end - 1 - self.start
        if self.to is None or not steps:
            return self.place
        cell = CELL * self.scale
        (x, y), (to_x, to_y), step = self.place, self.to, frame - self.start
        # Whole numbers throughout: the same place on every machine.
        return x + (to_x - x) * step // steps // cell * cell, y + (to_y - y) * step // steps // cell * cell


@dataclass(frozen=True, slots=True)
class Scene:
    """A backdrop from one frame on; a change of scene is a cut."""

    start: int
    backdrop: Backdrop


@dataclass(frozen=True, slots=True)
class Sighting:
    """One face that the networks must find in one frame.

    Attributes:
        person: The person.
        disguise: The disguise.
        box: x1, y1, x2, y2 in pixels of the film at scale 1.
        landmarks: (5, 2) float32, the same pixels.
    """

    person: Person
    disguise: Disguise
    box: tuple[int, int, int, int]
    landmarks: FloatArray


@dataclass(frozen=True)
class Script:
    """A film.

    Later appearances are drawn over earlier ones. A frame in which a person covers another's face raises an error,
    since it would have no exact truth.

    Attributes:
        num_frames: Number of frames.
        appearances: Appearances of the persons.
        scenes: Scenes by start; the first starts at 0.
        size: (width, height) in pixels, multiples of 8.
        barcode: True if each frame carries its number, see `film.read_barcode`.
    """

    num_frames: int
    appearances: tuple[Appearance, ...]
    scenes: tuple[Scene, ...] = (Scene(0, Backdrop.HILLS),)
    size: Size = (640, 360)
    barcode: bool = False

    def __post_init__(self) -> None:
        starts = [scene.start for scene in self.scenes]
        if starts[:1] != [0] or any(a >= b for a, b in pairwise(starts)):
            raise ValueError(f"scenes must start at frame 0 and follow each other, not {starts}")
        floor = self.size[1] - BARCODE_HEIGHT * self.barcode
        for one in self.appearances:
            for _, y in (one.place, one.to or one.place):
                if y + FACE_TOP * one.scale < 0 or y + FACE_BOTTOM * one.scale > floor:
                    raise ValueError(f"the face of {one.person.name!r} at height {y} is cut by the frame's edge")

    @cached_property
    def _casts(self) -> list[list[Appearance]]:
        casts: list[list[Appearance]] = [[] for _ in range(self.num_frames)]
        for one in self.appearances:
            for cast in casts[one.start : one.end]:
                cast.append(one)
        return casts

    @cached_property
    def _backdrops(self) -> list[Backdrop]:
        ends = [scene.start for scene in self.scenes[1:]] + [self.num_frames]
        return [scene.backdrop for scene, end in zip(self.scenes, ends, strict=True) for _ in range(scene.start, end)]

    @property
    def persons(self) -> tuple[Person, ...]:
        """All persons that appear, by name."""
        return tuple(sorted({one.person for one in self.appearances}, key=lambda one: one.name))

    def sightings(self, frame: int) -> tuple[Sighting, ...]:
        """Return the faces to be found in a frame, by their boxes from left to right.

        Raises:
            ValueError: A person covers a face, or a person appears twice.
        """
        cast = self._casts[frame]
        if len({one.person.code for one in cast}) < len(cast):
            raise ValueError(f"frame {frame}: a person appears twice")
        found = [_sighting(one, frame) for n, one in enumerate(cast) if self._is_seen(one, cast[n + 1 :], frame)]
        return tuple(sorted(found, key=lambda sighting: sighting.box))

    def _is_seen(self, one: Appearance, before: list[Appearance], frame: int) -> bool:
        if one.away:
            return False
        face = _move((BOX[0], FACE_TOP, BOX[2], FACE_BOTTOM), one, frame)
        for other in before:
            if any(_overlap(face, _move(part, other, frame)) for part in (HEAD_REACH, SHOULDER_REACH)):
                raise ValueError(f"frame {frame}: {other.person.name!r} stands before {one.person.name!r}")
        # The networks find a face only if its glasses are completely in the frame.
        reach = GLASSES_ORIGIN[0] * CELL * one.scale
        return one.place_person(frame)[0] + reach >= 0 and one.place_person(frame)[0] - reach <= self.size[0]

    def draw(self, frame: int) -> Image:
        """Draw one frame without its barcode; the caller owns it."""
        picture = backdrop(self._backdrops[frame], self.size).copy()
        for one in self._casts[frame]:
            sprite(one.person, one.scale, one.disguise, away=one.away).blend_sprite(picture, one.place_person(frame))
        return picture

    def looks_like_before(self, frame: int) -> bool:
        """Return whether only the barcode differs from the previous frame, so that its picture can be reused."""
        if frame == 0 or self._backdrops[frame] != self._backdrops[frame - 1]:
            return False
        now, then = self._casts[frame], self._casts[frame - 1]
        return now == then and all(one.place_person(frame) == one.place_person(frame - 1) for one in now)


def _sighting(one: Appearance, frame: int) -> Sighting:
    centre = np.array(one.place_person(frame), np.float32)
    return Sighting(one.person, one.disguise, _move(BOX, one, frame), LANDMARKS * one.scale + centre)


def _move(zone: _Box, one: Appearance, frame: int) -> _Box:
    x, y = one.place_person(frame)
    x1, y1, x2, y2 = (part * one.scale for part in zone)
    return x + x1, y + y1, x + x2, y + y2


def _overlap(a: _Box, b: _Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
