"""Take pictures of faces in an inference process.

A frame is due for pictures by its time alone, independent of batches, workers and decoders.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from fastface.faces.portraits import choose_portraits, portrait_worth
from fastface.faces.thumbnails import picture_faces
from fastface.pipeline.messages import InferFrames
from fastface.types import Faces, Thumbnails, Unit, VideoInfo
from fastface.video.frames.frame import SampledFrame

FACE_GAP = Fraction(1)
"""Seconds between the kept pictures of a track; its first face and its whole faces get pictures anyway."""
BODY_GAP = Fraction(1, 2)
"""Seconds. Bodies get pictures only in frames that are due."""

_LONG_AFTER = Fraction(600)
_LONG_GAP = Fraction(2)
"""A film without keyframes in its middle is one unit of hours, and all pictures of a unit are in memory at once."""


class PortraitClock:
    """Select the first whole frame of each stretch of a unit, or every picture of a folder.

    After ten minutes of a unit a stretch is two seconds long. Stretches that are decoded again get no pictures: the
    first pass took them.

    Args:
        info: The video.
        unit: The unit.
        wanted: True if faces get pictures.
        gap: Length of a stretch in seconds.
    """

    def __init__(self, info: VideoInfo, unit: Unit, *, wanted: bool, gap: Fraction) -> None:
        self._gap = gap
        self._start = unit.start
        self._is_on = wanted and not unit.dense
        self._is_folder = not info.is_film
        self._done: tuple[Fraction, int] | None = None

    def is_due(self, frame: SampledFrame) -> bool:
        """Return whether this sample is due; call it for each sample in order."""
        if not self._is_on or frame.flagged:
            return False
        gap = self._gap if frame.time < self._start + _LONG_AFTER else _LONG_GAP
        stretch = (gap, frame.time // gap)
        if stretch == self._done and not self._is_folder:
            return False
        self._done = stretch
        return True


@dataclass(frozen=True, slots=True)
class _Sample:
    """Faces of the last sample with faces before a place of a unit: (attempt, batch, frame)."""

    place: tuple[int, int, int]
    faces: Faces
    worth: npt.NDArray[np.float32]


class PortraitTaker:
    """Take the pictures of successive batches, and keep the last sample of the latest batch.

    So a batch that follows the latest one has fewer needless pictures. The pictures that are kept do not depend on
    that: see `events.UnitScanned`.
    """

    def __init__(self) -> None:
        self._last: _Sample | None = None

    def take(self, task: InferFrames, runs: Sequence[range], planes: npt.NDArray[np.uint8], faces: Faces) -> Thumbnails:
        """Return a row for each face of the task's whole frames, with pictures of the chosen faces.

        Args:
            task: The frames.
            runs: Runs of equal frames.
            planes: (r, plane_bytes) of the r runs.
            faces: Faces of all frames, in order.
        """
        if not len(faces):
            self._last = self._remember(task, faces, np.empty(0, np.float32))
            return Thumbnails.empty()
        worth = portrait_worth(faces, task.geometry.display)
        worth[np.isin(faces.pts, [task.pts[frame] for frame in task.damaged])] = -1
        chosen = self._choose(task, faces, worth)
        portraits = Thumbnails.of(faces, worth, [None] * len(faces))
        for pixels, run in zip(planes, runs, strict=True):
            rows = np.flatnonzero(chosen & np.isin(faces.pts, [task.pts[frame] for frame in run]))
            if len(rows):  # equal frames have the same pixels
                portraits.jpeg[rows] = picture_faces(faces[rows], worth[rows], pixels, task.geometry).jpeg
        self._last = self._remember(task, faces, worth)
        return portraits[worth >= 0]

    def _choose(self, task: InferFrames, faces: Faces, worth: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
        due = np.isin(faces.pts, [task.pts[frame] for frame in task.faces_due])
        before = self._before(task)
        cuts = np.array([task.pts[frame] for frame in task.cuts], np.int64)
        if before is None:
            return choose_portraits(faces, worth, due, task.max_gap, cuts)
        count = len(before.faces)
        known = Faces.concatenate([before.faces, faces])
        all_worth, all_due = np.concatenate([before.worth, worth]), np.concatenate([np.zeros(count, np.bool_), due])
        return choose_portraits(known, all_worth, all_due, task.max_gap, cuts)[count:]

    def _before(self, task: InferFrames) -> _Sample | None:
        """Return the last sample before the task, if the task continues the latest one."""
        place = (task.work, task.sequence, task.first)
        return self._last if self._last is not None and self._last.place == place else None

    def _remember(self, task: InferFrames, faces: Faces, worth: npt.NDArray[np.float32]) -> _Sample | None:
        end = task.first + task.count
        is_end = end == len(task.pts)
        place = (task.work, task.sequence + 1, 0) if is_end else (task.work, task.sequence, end)
        before = self._before(task)
        if len(faces):
            rows = faces.pts == faces.pts[-1]
            before = _Sample(place, faces[rows], worth[rows])
        # A face after a cut does not continue a face before the cut.
        if before is None or any(task.pts[frame] > before.faces.pts[-1] for frame in task.cuts):
            return None
        return _Sample(place, before.faces, before.worth)
