"""The face tracks of one video, each with the mean of its best faces."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from fastface.types.faces import RowTable

__all__ = ["FaceTracks"]


@dataclass(frozen=True, slots=True)
class FaceTracks(RowTable):
    """Tracks of one video, one row a track, in order of their numbers.

    Attributes:
        number: (t,) int64, as `Faces.tracks` has it.
        shot: (t,) int32, the shot that it lies in; a track never crosses a cut.
        start: (t,) float64, time of its first face in seconds from the first frame.
        end: (t,) float64, time of its last face.
        faces: (t,) int32, number of its faces.
        embedding: (t, D) float16, L2-normalised mean of its best faces, weighted by quality.
    """

    number: npt.NDArray[np.int64]
    shot: npt.NDArray[np.int32]
    start: npt.NDArray[np.float64]
    end: npt.NDArray[np.float64]
    faces: npt.NDArray[np.int32]
    embedding: npt.NDArray[np.float16]

    @classmethod
    def empty(cls, dimension: int) -> Self:
        """No tracks, of embeddings with `dimension` components."""
        return cls(
            number=np.empty(0, np.int64),
            shot=np.empty(0, np.int32),
            start=np.empty(0, np.float64),
            end=np.empty(0, np.float64),
            faces=np.empty(0, np.int32),
            embedding=np.empty((0, dimension), np.float16),
        )
