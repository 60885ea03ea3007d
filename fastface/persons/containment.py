"""Match faces with bodies: the person box that contains the face, else an estimate from the face. Pure.

Crops call `locate_body`. Body tracks call `match_faces`, the inverse: the face of each body in a frame.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastface.types import FloatArray, Size

LEAST_SHARE = 0.7
"""Minimum share of a face's area in the box of its person. Boxes are cut at the hair and at a tilted head."""

LOWEST_FACE = 0.8
"""Maximum height of a face's centre in the box, as a share from the top: 0.1 if standing, 0.5 in a close portrait."""

_HEADS_HIGH = 7.5
_SHOULDERS_WIDE = 3.0
_HEAD_OF_FACE = 1.25
"""A figure is 7.5 heads high and, at the shoulders, 3 faces wide (Loomis, "Figure Drawing for All It's Worth", 1943).
A detector's face box ends at the upper forehead, and the crown is a quarter of its height above."""


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a face.

    Attributes:
        box: (4,) float32, x1, y1, x2, y2 in pixels of the picture, within it.
        person: Row of its person box; None for an estimate.
    """

    box: FloatArray
    person: int | None

    @property
    def is_estimate(self) -> bool:
        """True if no person box contains the face, and the body is estimated from the face alone."""
        return self.person is None


def locate_body(face: npt.ArrayLike, persons: FloatArray, picture: Size) -> Body:
    """Return the body of a face: its person's box, else an estimate.

    Args:
        face: x1, y1, x2, y2 in pixels of the picture.
        persons: (n, 4) boxes of persons in the same pixels.
        picture: (width, height).
    """
    person = match_person(face, persons)
    box = estimate_body(face, picture) if person is None else persons[person]
    return Body(box, person)


def match_person(face: npt.ArrayLike, persons: FloatArray) -> int | None:
    """Return the row of the person box that best contains a face; None if no box does.

    A box wins if it is smaller, contains more of the face, and has the face nearer to its upper middle. The box of
    another person in front or behind usually contains the face only in part: share × middle × height / √area.

    Args:
        face: x1, y1, x2, y2; its area is not zero.
        persons: (n, 4) in the same pixels.
    """
    fit = _fit(face, persons)
    return int(np.argmax(fit)) if fit.max(initial=-1) >= 0 else None


def match_faces(persons: FloatArray, faces: FloatArray) -> npt.NDArray[np.int64]:
    """Return (n,) the row of the face on each person of a frame; -1 without a face. A face is on one person at most.

    The best fit comes first, so that a face behind a person is not assigned to that person.

    Args:
        persons: (n, 4) boxes of persons, x1, y1, x2, y2.
        faces: (m, 4) in the same pixels; no area is zero.
    """
    fits = np.array([_fit(face, persons) for face in faces]).reshape(len(faces), len(persons))
    found = np.full(len(persons), -1, np.int64)
    while fits.max(initial=-1) >= 0:
        face, person = np.unravel_index(np.argmax(fits), fits.shape)
        found[person] = face
        fits[face], fits[:, person] = -1, -1
    return found


def _fit(face: npt.ArrayLike, persons: FloatArray) -> npt.NDArray[np.float64]:
    """Return (n,) the fit of each box to a face; -1 for boxes that do not contain it."""
    box = np.asarray(face, np.float64)
    boxes = persons.astype(np.float64).reshape(-1, 4)
    sizes = boxes[:, 2:] - boxes[:, :2]
    common = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
    share = common.clip(0).prod(axis=1) / max((box[2:] - box[:2]).prod(), 1e-6)
    # A box without an area contains nothing; its share is zero for any divisor.
    across, down = (((box[:2] + box[2:]) / 2 - boxes[:, :2]) / np.maximum(sizes, 1e-6)).T
    holds = (share >= LEAST_SHARE) & (down <= LOWEST_FACE)
    fit = share * (1 - np.abs(across - 0.5)) * (1 - down / 2) / np.sqrt(np.maximum(sizes, 1e-6).prod(axis=1))
    held: npt.NDArray[np.float64] = np.where(holds, fit, -1)
    return held


def estimate_body(face: npt.ArrayLike, picture: Size) -> FloatArray:
    """Estimate the box (4,) of a standing body seen from the front, from its face, clipped to the picture.

    Args:
        face: x1, y1, x2, y2 in pixels of the picture; its centre is in the picture.
        picture: (width, height).
    """
    x1, y1, x2, y2 = (float(value) for value in np.asarray(face))
    head = (y2 - y1) * _HEAD_OF_FACE
    crown, middle, half = y2 - head, (x1 + x2) / 2, (x2 - x1) * _SHOULDERS_WIDE / 2
    body = np.array([middle - half, crown, middle + half, crown + _HEADS_HIGH * head])
    return body.clip(0, [*picture, *picture]).astype(np.float32)
