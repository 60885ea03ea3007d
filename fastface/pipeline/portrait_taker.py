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
"""Seconds. Of a track pictures are kept that are a second apart; its first and its whole faces are pictured anyway."""
BODY_GAP = Fraction(1, 2)
"""Seconds. Bodies are pictured in frames that are due only."""

_LONG_AFTER = Fraction(600)
_LONG_GAP = Fraction(2)
"""A film that cannot be entered in its middle is one unit of hours, and a unit's pictures are in memory at once."""


class PortraitClock:
    """Picks the first whole frame of each stretch of a unit, of a folder of pictures every one.

    After ten minutes of a unit it is the first of every two seconds. Stretches that are looked at again are not
    pictured: they were the first time.

    Args:
        info: The video.
        unit: The unit.
        wanted: Whether there are to be any pictures.
        gap: Length of a stretch in seconds.
    """

    def __init__(self, info: VideoInfo, unit: Unit, *, wanted: bool, gap: Fraction) -> None:
        self._gap = gap
        self._start = unit.start
        self._is_on = wanted and not unit.dense
        self._is_folder = not info.is_film
        self._done: tuple[Fraction, int] | None = None

    def is_due(self, frame: SampledFrame) -> bool:
        """Return whether this sample is due; asked of each sample in order."""
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
    """The faces of the last sample with any, before a place of a unit: (attempt, batch, frame)."""

    place: tuple[int, int, int]
    faces: Faces
    worth: npt.NDArray[np.float32]


class PortraitTaker:
    """Takes the pictures of batch after batch, and remembers the last sample of the latest one.

    So of a batch that follows the latest one fewer faces are pictured in vain. Which pictures are kept does not depend
    on that: see `events.UnitScanned`.
    """

    def __init__(self) -> None:
        self._last: _Sample | None = None

    def take(self, task: InferFrames, runs: Sequence[range], planes: npt.NDArray[np.uint8], faces: Faces) -> Thumbnails:
        """A row for each face of the task's whole frames, with pictures of those that are to be pictured.

        Args:
            task: The frames.
            runs: Those that are equal together.
            planes: (r, plane_bytes) of the r runs.
            faces: Of all frames, in order.
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
        """The last sample before the task, if the task goes on where the latest one ended."""
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
        # No face after a cut continues one before it.
        if before is None or any(task.pts[frame] > before.faces.pts[-1] for frame in task.cuts):
            return None
        return _Sample(place, before.faces, before.worth)
