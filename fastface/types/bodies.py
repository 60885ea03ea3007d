"""Bodies as a struct of arrays: where a person is seen, whether or not the face is."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from fastface.types.faces import RowTable

__all__ = ["NUM_COLOURS", "Bodies"]

NUM_COLOURS = 128
"""Components of a body's colours: 64 of the upper half, 64 of the lower."""


@dataclass(frozen=True, slots=True)
class Bodies(RowTable):
    """Bodies in one video, one row a person's box in one frame.

    Attributes:
        time: (n,) float64, seconds from the first frame.
        pts: (n,) int64, in the stream's time base.
        boxes: (n, 4) float32, x1, y1, x2, y2 in pixels of the frame as displayed, within it.
        person_score: (n,) float32, 0–1.
        colours: (n, C) float16, L2-normalised: how alike two bodies are dressed is their product, 0–1.
        face: (n,) int32, row in the video's `Faces` of the face on it; -1 without one, or before that is known.
        track: (n,) int32, a number that bodies of one track share within a video; -1 before tracks are linked.
        jpeg: (n,) object, bytes: a small picture of it; None for most.
    """

    time: npt.NDArray[np.float64]
    pts: npt.NDArray[np.int64]
    boxes: npt.NDArray[np.float32]
    person_score: npt.NDArray[np.float32]
    colours: npt.NDArray[np.float16]
    face: npt.NDArray[np.int32]
    track: npt.NDArray[np.int32]
    jpeg: npt.NDArray[np.object_]

    @property
    def tracks(self) -> npt.NDArray[np.int64]:
        """(n,) the number of each body's track."""
        return self.track.astype(np.int64)

    @classmethod
    def empty(cls) -> Self:
        """No bodies."""
        return cls(
            time=np.empty(0, np.float64),
            pts=np.empty(0, np.int64),
            boxes=np.empty((0, 4), np.float32),
            person_score=np.empty(0, np.float32),
            colours=np.empty((0, NUM_COLOURS), np.float16),
            face=np.empty(0, np.int32),
            track=np.empty(0, np.int32),
            jpeg=np.empty(0, np.object_),
        )
