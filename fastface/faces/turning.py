"""Which way up a photo is: photos that lost their EXIF lie on their side or on their head.

A detector of upright faces also finds faces that stand on their head, with scores of 0.5–0.8 and with wrong landmarks,
so that one score at one scale does not decide. The sum of the scores at five small scales does. The smallest matter
where a face fills the photo: there a face on its side has nearly the score of an upright one, unless it is small.
A head that leans by 45° is seen in two turns; then both give the same landmarks, and neither turn is needed.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fastface.faces.scrfd import Detections
from fastface.types import Image
from fastface.video.canvas import PICTURE_CANVAS

__all__ = ["LARGEST_LEAN", "NUM_TURNS", "TurnScores", "is_leaning", "score_turns", "turn_back", "turned"]

NUM_TURNS = 4
_SIDES = (160, 96, 128, 224, 320)
"""Sides of the squares in which a picture is shown in all four turns; four of the largest fill the canvas."""

_GAP = 8
_SURE_AT_FIRST = 0.15
"""Lead at the first scale by which a picture is upright. Of 304 photos one in a hundred leads by less than 0.11; no
photo that was turned leads at all."""
_SURE = 0.25
"""Of 56 portraits that are all face, each in four turns, the right turn leads by 0.7 and more."""
_SAME_LANDMARKS = 0.1
"""Mean distance of landmarks, as a share of the face's side, up to which two looks found the same face. Eyes and mouth
that are exchanged lie four times as far apart."""

LARGEST_LEAN = 60.0
"""Degrees up to which a head leans; beyond, the photo, or the person, lies on the side."""

_LEAST_SEEN = 1.67
"""Sum of the five scores below which the face is too small to be seen at these scales."""


@dataclass(frozen=True, slots=True)
class TurnScores:
    """How much each quarter turn of a picture looks like faces.

    Attributes:
        best: The turn that does most: as `turned` has it; 0 is the picture as it is.
        lead: How far its sum of scores is above that of the picture as it is, or, if that is the best one itself,
            above that of every other turn.
        is_seen: Whether any face was large enough to be seen at these scales.
    """

    best: int
    lead: float
    is_seen: bool

    @property
    def is_sure(self) -> bool:
        """Whether no other turn comes near."""
        return self.is_seen and self.lead >= _SURE


def turned(picture: Image, quarters: int) -> Image:
    """The picture turned by so many quarters, counter-clockwise; the picture itself for none."""
    return np.ascontiguousarray(np.rot90(picture, quarters)) if quarters else picture


def turn_back(found: Detections, size: tuple[int, int], quarters: int) -> Detections:
    """What was found in a turned picture, in pixels of the picture as it is.

    Args:
        found: Boxes and landmarks in pixels of `turned(picture, quarters)`.
        size: (width, height) of the picture as it is.
        quarters: As for `turned`.
    """
    corners = _points_back(found.boxes.reshape(-1, 2, 2), size, quarters)
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    return Detections(boxes, _points_back(found.landmarks, size, quarters), found.det_score)


def _points_back(points: npt.NDArray[np.float32], size: tuple[int, int], quarters: int) -> npt.NDArray[np.float32]:
    right, bottom = np.float32(size[0] - 1), np.float32(size[1] - 1)
    x, y = points[..., 0], points[..., 1]
    back = ((x, y), (right - y, x), (right - x, bottom - y), (y, bottom - x))[quarters % NUM_TURNS]
    return np.stack(back, axis=-1)


def score_turns(picture: Image, detect: Callable[[Image], Detections]) -> TurnScores:
    """Looks at a picture in all four turns, at small scales; at one of them if that leaves no doubt.

    Args:
        picture: (H, W, 3) BGR.
        detect: Finds faces in a canvas of 640 × 640, with low scores too.
    """
    total = np.zeros(NUM_TURNS)
    for side in _SIDES:
        total += _scores_at(picture, side, detect)
        if side == _SIDES[0] and total[0] - total[1:].max() >= _SURE_AT_FIRST:
            return TurnScores(0, _SURE, is_seen=True)
    best = int(total.argmax())
    rival = total[1:].max() if best == 0 else total[0]
    return TurnScores(best, float(total[best] - rival), bool(total[best] >= _LEAST_SEEN))


def _scores_at(picture: Image, side: int, detect: Callable[[Image], Detections]) -> npt.NDArray[np.float64]:
    """(4,) the best score of each turn."""
    height, width = picture.shape[:2]
    factor = (side - _GAP) / max(width, height)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    canvas = np.zeros((PICTURE_CANVAS, PICTURE_CANVAS, 3), np.uint8)
    for quarters in range(NUM_TURNS):
        tile = np.rot90(small, quarters)
        top, left = (side * place for place in divmod(quarters, 2))
        canvas[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    found = detect(canvas)
    column, row = ((found.boxes[:, :2] + found.boxes[:, 2:]) / 2 // side).T.astype(np.int64)
    scores = np.zeros(NUM_TURNS)
    inside = (column >= 0) & (column < 2) & (row >= 0) & (row < 2)
    np.maximum.at(scores, (row * 2 + column)[inside], found.det_score[inside])
    return scores


def is_leaning(upright: Detections, other: Detections) -> bool:
    """Whether the largest face of a picture only leans, and has the same landmarks whichever way up the picture is.

    Args:
        upright: At least one face, of the picture as it is.
        other: Faces of the picture turned, in pixels of the picture as it is.
    """
    sides = (upright.boxes[:, 2:] - upright.boxes[:, :2]).min(axis=1)
    largest = int(sides.argmax())
    distances = np.linalg.norm(other.landmarks - upright.landmarks[largest], axis=2).mean(axis=1)
    nearest = int(distances.argmin())
    eyes = other.landmarks[nearest, 1] - other.landmarks[nearest, 0]
    degrees = abs(np.degrees(np.arctan2(eyes[1], eyes[0])))
    return bool(distances[nearest] < _SAME_LANDMARKS * sides[largest] and degrees <= LARGEST_LEAN)
