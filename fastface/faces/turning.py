"""Find the upright turn of photos, and heads that lie or are upside down in upright frames.

Photos that lost their EXIF can have any quarter turn. A detector of upright faces also finds upside-down faces, with
scores of 0.5–0.8 and with wrong landmarks. So one score at one scale does not decide; the sum of the scores at five
small scales does. The smallest scales matter if a face fills the photo: there a face on its side scores nearly like an
upright one, unless it is small. A head that is tilted by 45° is found in two turns; then both give the same landmarks,
and neither turn is needed.

The measurement used upright frames with 61 portraits, turned by 90 and 180 degrees. The first detection scores at least
0.3 at the face's place for 53 and 45 of them. But it returns the landmarks of an upright face. Detection in the turned
cut scores 0.72 to 0.9, with a median cosine of 0.95 to the upright portrait. `looks` and `analyse` call this module.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fastface.faces.scrfd import Detections, Detector
from fastface.types import Image
from fastface.video.frames.canvas import PICTURE_CANVAS

NUM_TURNS = 4
_SIDES = (160, 96, 128, 224, 320)
"""Sides in pixels of the squares in which a picture is tried in all four turns; four of the largest fill the canvas."""

_GAP = 8
_SURE_AT_FIRST = 0.15
"""Lead at the first scale from which a picture counts as upright. Of 304 photos one in a hundred leads by less than
0.11; no turned photo leads at all."""
_SURE = 0.25
"""Minimum lead of a certain turn. Of 56 portraits that only show a face, in four turns each, the right turn leads by
0.7 and more."""
_SAME_LANDMARKS = 0.1
"""Maximum mean distance of landmarks, as a share of the face's side, if two detections found the same face. Swapped
eyes and mouth lie four times as far apart."""

LARGEST_LEAN = 60.0
"""Maximum tilt of a head in degrees; beyond, the photo, or the person, lies on the side."""

CLEAR_SCORE = 0.7
"""Minimum detector score of a face that is certain. Below, it may be a turned head with wrong landmarks."""

CANDIDATE_SCORE = 0.3
"""Minimum score of an upright detection whose place is searched turned."""

_TURNED_SCORE = 0.6
_TURNED_LEAD = 0.05
"""Lead that a turned detection needs to replace an upright one, beside `_TURNED_SCORE`. Lying heads in films reach 0.67
to 0.75; of upright faces with scores below `CLEAR_SCORE` none exceeded 0.5 (75 candidates of a film)."""

_SEARCH_SIDE, _SEARCH_SCORE = 96, 0.35
_EXACT_SIDE = 128
_CUT_SCALE = 2.0
"""Sides in pixels of the square cuts around a candidate, `_CUT_SCALE` times its box: three quarter turns side by side,
a ninth of a canvas, find the turn; one cut at the exact angle gives the landmarks."""

_LEAST_ROLL = 40.0
"""Minimum tilt in degrees at which the upright detection fails; below it is equally good."""

_LEAST_TURNED_SIDE = 32
_MOST_TURNED = 2
"""Smallest side in canvas pixels of a candidate that is searched turned, and the maximum number in a frame, by score,
to bound the cost."""

_ANGLES, _UPSIDE_DOWN = (90, 180, 270), (180,)
"""Angles in degrees at which a doubtful face is searched."""

_NARROW = 0.7
"""Minimum width of a lying head's box, as a share of its height: of 188 lying and tilted heads none was below 0.74.
Every second doubtful upright face in films is below; these are searched upside down only, for a third of the cost."""

_LEAST_SEEN = 1.67
"""Minimum sum of the five scores; below it the face is too small for these scales."""


@dataclass(frozen=True, slots=True)
class TurnScores:
    """Face scores of the quarter turns of a picture.

    Attributes:
        best: The turn with the highest sum, in quarters of `turn_picture`; 0 is the original picture.
        lead: Difference of its sum to the sum of the original picture or, if that is the best, to the next best sum.
        is_seen: True if any face was large enough for these scales.
    """

    best: int
    lead: float
    is_seen: bool

    @property
    def is_sure(self) -> bool:
        """True if no other turn has a similar sum."""
        return self.is_seen and self.lead >= _SURE


def turn_picture(picture: Image, quarters: int) -> Image:
    """Turn a picture by some quarters, counter-clockwise; return the picture itself for 0."""
    return np.ascontiguousarray(np.rot90(picture, quarters)) if quarters else picture


def turn_back(found: Detections, size: tuple[int, int], quarters: int) -> Detections:
    """Map results of a turned picture back to pixels of the original.

    Args:
        found: Boxes and landmarks in pixels of the turned picture.
        size: (width, height) of the original picture.
        quarters: See `turn_picture`.
    """
    corners = _points_back(found.boxes.reshape(-1, 2, 2), size, quarters)
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    return Detections(boxes, _points_back(found.landmarks, size, quarters), found.det_score)


def _points_back(points: npt.NDArray[np.float32], size: tuple[int, int], quarters: int) -> npt.NDArray[np.float32]:
    right, bottom = np.float32(size[0] - 1), np.float32(size[1] - 1)
    x, y = points[..., 0], points[..., 1]
    back = ((x, y), (right - y, x), (right - x, bottom - y), (y, bottom - x))[quarters % NUM_TURNS]
    return np.stack(back, axis=-1)


def measure_roll(landmarks: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Return the clockwise angle of the line of the eyes in degrees, -180 to 180, from landmarks (…, 5, 2)."""
    eyes = landmarks[..., 1, :] - landmarks[..., 0, :]
    degrees: npt.NDArray[np.floating] = np.degrees(np.arctan2(eyes[..., 1], eyes[..., 0]))
    return degrees


def score_turns(picture: Image, detect: Callable[[Image], Detections]) -> TurnScores:
    """Score a picture in all four turns, at small scales; at one scale only if its result is certain.

    Args:
        picture: (H, W, 3) BGR.
        detect: Detects faces in a canvas of 640 × 640, with low scores too.
    """
    total = np.zeros(NUM_TURNS)
    for side in _SIDES:
        total += _score_turn(picture, side, detect)
        if side == _SIDES[0] and total[0] - total[1:].max() >= _SURE_AT_FIRST:
            return TurnScores(0, _SURE, is_seen=True)
    best = int(total.argmax())
    rival = total[1:].max() if best == 0 else total[0]
    return TurnScores(best, float(total[best] - rival), bool(total[best] >= _LEAST_SEEN))


def _score_turn(picture: Image, side: int, detect: Callable[[Image], Detections]) -> npt.NDArray[np.float64]:
    """Return (4,) the best score of each turn."""
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
    """Return whether the largest face of a picture is only tilted: its landmarks are the same for each turn.

    Args:
        upright: At least one face, of the original picture.
        other: Faces of the turned picture, in pixels of the original.
    """
    sides = (upright.boxes[:, 2:] - upright.boxes[:, :2]).min(axis=1)
    largest = int(sides.argmax())
    distances = np.linalg.norm(other.landmarks - upright.landmarks[largest], axis=2).mean(axis=1)
    nearest = int(distances.argmin())
    degrees = abs(float(measure_roll(other.landmarks[nearest])))
    return bool(distances[nearest] < _SAME_LANDMARKS * sides[largest] and degrees <= LARGEST_LEAN)


# ── doubtful faces of a frame, searched turned ──────────────────────────────────────────────────────────────────────


def turn_doubtful(
    detector: Detector,
    pictures: Sequence[Image],
    found: Detections,
    frame: npt.NDArray[np.int64],
    batch: int,
) -> Detections:
    """Return the same faces, with corrected landmarks, box and score if the head is turned.

    Args:
        detector: Network that finds faces.
        pictures: (H, W, 3) BGR each.
        found: Faces in pixels of the pictures.
        frame: (n,) the picture number of each face.
        batch: Number of cuts that are searched at once, if a runtime's arithmetic depends on it.
    """
    rows = _doubtful_rows(found, frame)
    turned: list[int] = []
    exact: list[_Cut] = []
    sides = found.boxes[rows, 2:] - found.boxes[rows, :2]
    is_narrow = sides[:, 0] < _NARROW * sides[:, 1]
    for some, angles in ((rows[~is_narrow], _ANGLES), (rows[is_narrow], _UPSIDE_DOWN)):
        cuts = [_Cut(pictures[frame[row]], found.boxes[row], angle, _SEARCH_SIDE) for row in some for angle in angles]
        seen = _look_at_cuts(detector, cuts, len(angles), batch)
        for place, row in enumerate(some.tolist()):
            best = max(seen[len(angles) * place : len(angles) * (place + 1)], key=lambda face: face.score)
            if best.score >= _SEARCH_SCORE:
                turned.append(row)
                exact.append(_Cut(pictures[frame[row]], found.boxes[row], -best.roll, _EXACT_SIDE))
    boxes, landmarks, scores = found.boxes.copy(), found.landmarks.copy(), found.det_score.copy()
    for row, face in zip(turned, _look_at_cuts(detector, exact, 1, batch), strict=True):
        is_better = face.score >= max(_TURNED_SCORE, scores[row] + _TURNED_LEAD)
        if is_better and abs(face.roll) >= _LEAST_ROLL:
            boxes[row], landmarks[row], scores[row] = face.box, face.landmarks, face.score
    return Detections(boxes, landmarks, scores)


def _doubtful_rows(found: Detections, frame: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the rows to search turned: the highest scores of each frame, below a clear score."""
    sides = (found.boxes[:, 2:] - found.boxes[:, :2]).max(axis=1)
    rows = np.flatnonzero((found.det_score < CLEAR_SCORE) & (sides >= _LEAST_TURNED_SIDE))
    rows = rows[np.lexsort((-found.det_score[rows], frame[rows]))]
    begins = np.searchsorted(frame[rows], frame[rows])
    return rows[np.arange(len(rows)) - begins < _MOST_TURNED]


@dataclass(frozen=True, slots=True)
class _CutFace:
    """The face in the middle of a cut, in pixels of the picture; a score of 0 if there is none."""

    score: float
    box: npt.NDArray[np.float32]
    landmarks: npt.NDArray[np.float32]

    @property
    def roll(self) -> float:
        """Clockwise angle of the line of the eyes in degrees, -180 to 180."""
        return float(measure_roll(self.landmarks))


@dataclass(frozen=True, slots=True)
class _Cut:
    """A square cut around a box of a picture, turned clockwise by an angle in degrees."""

    picture: Image
    box: npt.NDArray[np.float32]
    angle: float
    side: int

    @property
    def matrix(self) -> npt.NDArray[np.float64]:
        """(2, 3) matrix from the picture's pixels to the cut's pixels."""
        corners = self.box.astype(np.float64).reshape(2, 2)
        centre, size = corners.mean(axis=0), (corners[1] - corners[0]).max()
        factor, angle = self.side / (_CUT_SCALE * max(size, 1.0)), np.radians(self.angle)
        cosine, sine = factor * np.cos(angle), factor * np.sin(angle)
        linear = np.array([[cosine, -sine], [sine, cosine]])
        return np.column_stack([linear, self.side / 2 - linear @ centre])

    def pixels(self) -> Image:
        """Draw (side, side, 3) BGR, black outside the picture."""
        matrix = self.matrix
        shrink = float(np.hypot(matrix[0, 0], matrix[1, 0]))
        if shrink >= 0.5:
            return np.asarray(cv2.warpAffine(self.picture, matrix, (self.side, self.side)), np.uint8)
        # Linear interpolation alone would skip pixels, so the cut's region is scaled down first.
        height, width = self.picture.shape[:2]
        reach = self.side / shrink * np.sqrt(0.5) + 1
        x, y = (self.box[:2] + self.box[2:]) / 2
        left, right = (int(np.clip(edge, 0, width)) for edge in (x - reach, x + reach))
        top, bottom = (int(np.clip(edge, 0, height)) for edge in (y - reach, y + reach))
        if left == right or top == bottom:
            return np.zeros((self.side, self.side, 3), np.uint8)
        size = (max(1, round((right - left) * 2 * shrink)), max(1, round((bottom - top) * 2 * shrink)))
        part = cv2.resize(self.picture[top:bottom, left:right], size, interpolation=cv2.INTER_AREA)
        matrix[:, 2] += matrix[:, :2] @ (left, top)
        matrix[:, :2] /= np.array(size) / (right - left, bottom - top)
        return np.asarray(cv2.warpAffine(part, matrix, (self.side, self.side)), np.uint8)

    def face(self, found: Detections) -> _CutFace:
        """Return the face with the highest score in the middle of the cut."""
        middle = self.side / 2
        centres = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
        is_near = (np.abs(centres - middle) < self.side / 5).all(axis=1)
        if not is_near.any():
            return _CutFace(0.0, np.zeros(4, np.float32), np.zeros((5, 2), np.float32))
        row = int(np.flatnonzero(is_near)[0])
        back = cv2.invertAffineTransform(self.matrix)
        landmarks = (found.landmarks[row] @ back[:, :2].T + back[:, 2]).astype(np.float32)
        sides = (found.boxes[row, 2:] - found.boxes[row, :2]) * float(np.hypot(back[0, 0], back[1, 0]))
        if abs(np.sin(np.radians(self.angle))) > np.sqrt(0.5):
            sides = sides[::-1]  # the head lies, so width and height of its box are swapped
        centre = centres[row] @ back[:, :2].T + back[:, 2]
        box = np.concatenate([centre - sides / 2, centre + sides / 2]).astype(np.float32)
        return _CutFace(float(found.det_score[row]), box, landmarks)


def _look_at_cuts(detector: Detector, cuts: list[_Cut], across: int, batch: int) -> list[_CutFace]:
    """Find the face of each cut. All cuts have one size; `across` cuts lie side by side in one canvas."""
    if not cuts:
        return []
    strips = [np.hstack([cut.pixels() for cut in cuts[n : n + across]]) for n in range(0, len(cuts), across)]
    found, place = detector.detect_in_batches(np.stack(strips), batch, CANDIDATE_SCORE)
    centres = (found.boxes[:, 0] + found.boxes[:, 2]) / 2
    faces = []
    for number, cut in enumerate(cuts):
        column = number % across
        inside = found[(place == number // across) & (centres // cut.side == column)]
        faces.append(cut.face(inside.shift(np.array([-column * cut.side, 0], np.float32))))
    return faces
