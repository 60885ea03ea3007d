"""Define units of videos, their sampled frames, and the memory layout of frames.

Decoders, scheduler and index use them. Times are `Fraction`s, so that cells and units have exact edges.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Self

import numpy as np
import numpy.typing as npt

from fastface.choices import DecoderName, Sampling, Size
from fastface.types.faces import RowTable

LOOKS_VERSION = 1
"""Increased with every change of the results of `faces.looks`: an index of another version is built again."""


@dataclass(frozen=True, slots=True)
class SecondLooks:
    """Further detections in the frames of films. Pictures get all."""

    close_ups: bool = True  # on half the canvas, if no face was found
    turned: bool = True  # at the places of doubtful faces, turned


@dataclass(frozen=True, slots=True)
class BlurGate:
    """Limits of a frame that is sharp enough to search; see `faces.blur`.

    Attributes:
        threshold: Minimum variance of the Laplacian of a sharp tile.
        tiles: Number of rows and columns into which the frame is divided; 1 for the whole frame.
        share: Minimum share of sharp tiles, 0–1: a portrait before a soft background is not blurred.
    """

    threshold: float
    tiles: int = 1
    share: float = 1.0


Image = npt.NDArray[np.uint8]
"""A picture (height, width, 3), BGR, 0–255, unless its docstring says otherwise."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A stretch of one video: the unit of scheduling, retry and commit.

    Attributes:
        video_id: The video.
        index: Place among the video's units, from 0; -1 for a stretch that is searched again and more closely.
        start: First second, inclusive; on a cell's edge of the sampling grid.
        end: Last second, exclusive; None for the end of the video.
        sampling: Choice of frames in the stretch.
        decoder: The decoder to use.
    """

    video_id: str
    index: int
    start: Fraction
    end: Fraction | None
    sampling: Sampling
    decoder: DecoderName = "pyav"

    @property
    def dense(self) -> bool:
        """True if the stretch is searched again, more closely."""
        return self.index < 0

    @property
    def key(self) -> str:
        """Name of the unit within its video, the same in every run."""
        if not self.dense:
            return f"{self.index:06d}"
        closeness = "" if self.sampling.period is None else f"@{self.sampling.period}"
        return f"{self.start}-{self.end}{closeness}".replace("/", "_")


@dataclass(frozen=True, slots=True)
class Geometry:
    """Memory layout of one frame, and mapping of its pixels to the displayed frame.

    A frame's planes are I420: Y (height, width), then U and V (height / 2, width / 2), one after the other, uint8. Both
    picture sizes are even.

    Attributes:
        display: (width, height) of the frame as displayed; boxes and landmarks are in its pixels.
        planes: (width, height) of the Y plane as stored. Smaller than `display` for frames over 4096 × 2304.
        canvas: (width, height) of the detector's input; sides are multiples of 32.
        content: (width, height) of the picture in the canvas' top left corner; the rest is black.
    """

    display: Size
    planes: Size
    canvas: Size
    content: Size

    @property
    def plane_bytes(self) -> int:
        """Bytes of the three planes of one frame."""
        return self.planes[0] * self.planes[1] * 3 // 2

    @property
    def canvas_bytes(self) -> int:
        """Bytes of one BGR canvas."""
        return self.canvas[0] * self.canvas[1] * 3

    @property
    def canvas_to_display(self) -> tuple[float, float]:
        """Factors (x, y) from canvas pixels to displayed pixels."""
        return self.display[0] / self.content[0], self.display[1] / self.content[1]

    @property
    def display_to_planes(self) -> tuple[float, float]:
        """Factors (x, y) from displayed pixels to pixels of the stored Y plane."""
        return self.planes[0] / self.display[0], self.planes[1] / self.display[1]


SIGNATURE_SIZE = 320
"""Components of a signature: three of each of 8 × 8 fields, and 128 colours; see `video.frames.shots`."""


@dataclass(frozen=True, slots=True)
class SampledFrames(RowTable):
    """Every sampled frame of one video, with or without a face; one row a frame, in order of time.

    Attributes:
        time: (n,) float64, seconds from the first frame.
        pts: (n,) int64, in the stream's time base, rising: `Faces.pts` refers to a row.
        shot: (n,) int32, a number that the frames of one shot share; -1 before shots are known. Numbers rise, except at
            a flash: it is a shot of its own, after which the previous shot continues.
        signature: (n, S) uint8, a very coarse picture of the frame: see `video.frames.shots`. It has no components if
            it was not read.
    """

    time: npt.NDArray[np.float64]
    pts: npt.NDArray[np.int64]
    shot: npt.NDArray[np.int32]
    signature: npt.NDArray[np.uint8]

    def find_shot(self, pts: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """Return (k,) int32: the shot of the frame of each pts.

        Args:
            pts: (k,) of faces or bodies: each belongs to a sampled frame.
        """
        rows = np.searchsorted(self.pts, pts)
        assert len(rows) == 0 or (rows.max() < len(self) and np.array_equal(self.pts[rows], pts)), "not sampled"
        return self.shot[rows]

    @classmethod
    def empty(cls) -> Self:
        """Return no frames."""
        return cls(
            time=np.empty(0, np.float64),
            pts=np.empty(0, np.int64),
            shot=np.empty(0, np.int32),
            signature=np.empty((0, SIGNATURE_SIZE), np.uint8),
        )
