"""Sampled frames as a struct of arrays: when they are shown, and in which shot."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from fastface.types.faces import RowTable

__all__ = ["SIGNATURE_SIZE", "SampledFrames"]

SIGNATURE_SIZE = 320
"""Components of a signature: three of each of 8 × 8 fields, and 128 colours; see `video.frames.shots`."""


@dataclass(frozen=True, slots=True)
class SampledFrames(RowTable):
    """Every sampled frame of one video, whether or not it shows a face; one row a frame, in order of time.

    Attributes:
        time: (n,) float64, seconds from the first frame.
        pts: (n,) int64, in the stream's time base, rising: `Faces.pts` names a row.
        shot: (n,) int32, a number that the frames of one shot share; -1 before shots are known. Numbers rise, but for a
            flash: that is a shot of its own, after which the one before it goes on.
        signature: (n, S) uint8, what the frame looks like, very coarsely: see `video.frames.shots`. It has no
            components where it was not read.
    """

    time: npt.NDArray[np.float64]
    pts: npt.NDArray[np.int64]
    shot: npt.NDArray[np.int32]
    signature: npt.NDArray[np.uint8]

    def find_shot(self, pts: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """(k,) int32: the shot of the frame of each pts.

        Args:
            pts: (k,) of faces or bodies: each is that of a sampled frame.
        """
        rows = np.searchsorted(self.pts, pts)
        assert len(rows) == 0 or (rows.max() < len(self) and np.array_equal(self.pts[rows], pts)), "not sampled"
        return self.shot[rows]

    @classmethod
    def empty(cls) -> Self:
        """No frames."""
        return cls(
            time=np.empty(0, np.float64),
            pts=np.empty(0, np.int64),
            shot=np.empty(0, np.int32),
            signature=np.empty((0, SIGNATURE_SIZE), np.uint8),
        )
