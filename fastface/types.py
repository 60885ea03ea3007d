"""The nouns that travel between the rooms. Pure: no I/O, nothing of any library but NumPy."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

__all__ = [
    "ALIGNED_SIZE",
    "DecoderName",
    "Faces",
    "FloatArray",
    "Gallery",
    "Geometry",
    "Hits",
    "Image",
    "Sampling",
    "Size",
    "Span",
    "Target",
    "Unit",
    "VideoInfo",
]

ALIGNED_SIZE = 112
"""Side of an aligned face in pixels: what ArcFace networks take."""

Size = tuple[int, int]
"""(width, height) in pixels."""

Image = npt.NDArray[np.uint8]
"""A picture (height, width, 3), BGR, 0–255, unless its docstring says otherwise."""

FloatArray = npt.NDArray[np.float32]

DecoderName = Literal["pyav", "nvdec", "auto"]
"""What decodes videos: FFmpeg's libraries; a card, and they where it cannot; the card if its library is there."""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What is known of a video before its frames are decoded.

    Attributes:
        path: The file, or the pattern of an image sequence.
        video_id: The input's relative path made safe for a folder name; unique in a run.
        size: (width, height) as displayed: after rotation and pixel aspect ratio.
        coded_size: (width, height) as decoded.
        rotation: Degrees clockwise by which a decoded frame is turned for display: 0, 90, 180 or 270.
        mirrored: Whether the display matrix also mirrors the frame, left to right, before it is turned.
        pixel_aspect: Width of a decoded pixel over its height.
        interlaced: Whether the first frame is flagged as interlaced.
        time_base: Seconds of one pts tick.
        rate: Average frames a second from the header; None where the header has none.
        start_pts: pts of the first frame; every time counts from it.
        duration: Seconds from the header; None where the header has none.
        codec: The codec's short name.
        pixel_format: The decoder's pixel format.
        estimated_times: Whether frames have no timestamps, or the clock is set back in the middle, so that times are
            counted by `rate` there and hold only when decoding begins at the beginning.
    """

    path: Path
    video_id: str
    size: Size
    coded_size: Size
    rotation: int
    mirrored: bool
    pixel_aspect: Fraction
    interlaced: bool
    time_base: Fraction
    rate: Fraction | None
    start_pts: int
    duration: Fraction | None
    codec: str
    pixel_format: str
    estimated_times: bool = False

    def time_of(self, pts: int) -> Fraction:
        """Seconds from the first frame."""
        return (pts - self.start_pts) * self.time_base

    def pts_at(self, time: Fraction) -> int:
        """The largest pts that is not after `time` seconds from the first frame."""
        return self.start_pts + int(time // self.time_base)


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which frames are looked at.

    With a period P, time is a grid of cells [kP, (k+1)P) and the first frame of each cell is a sample. So whether a
    frame is a sample does not depend on where decoding began, as long as it began on a cell's edge.

    Attributes:
        period: Seconds between samples; None takes every frame.
        keyframes: Whether only keyframes are samples: the first one of each cell that has one.
    """

    period: Fraction | None
    keyframes: bool = False

    def cell(self, time: Fraction) -> int | None:
        """The grid cell of a time; None where every frame is a sample."""
        return None if self.period is None else int(time // self.period)


@dataclass(frozen=True, slots=True)
class Unit:
    """A stretch of one video: what is scheduled, retried and committed.

    Attributes:
        video_id: The video.
        index: Place among the video's units, from 0; -1 for a stretch that is looked at again and more closely.
        start: First second, inclusive; on a cell's edge of the sampling grid.
        end: Last second, exclusive; None reads to the end of the video.
        sampling: Which frames of the stretch are looked at.
        decoder: What is to decode it.
    """

    video_id: str
    index: int
    start: Fraction
    end: Fraction | None
    sampling: Sampling
    decoder: DecoderName = "pyav"

    @property
    def dense(self) -> bool:
        """Whether it is a stretch that is looked at again, more closely."""
        return self.index < 0

    @property
    def key(self) -> str:
        """Names the unit within its video, alike in every run."""
        if not self.dense:
            return f"{self.index:06d}"
        closeness = "" if self.sampling.period is None else f"@{self.sampling.period}"
        return f"{self.start}-{self.end}{closeness}".replace("/", "_")


@dataclass(frozen=True, slots=True)
class Geometry:
    """How one frame lies in memory and how its pixels map onto the displayed frame.

    A frame's planes are I420: Y (height, width), then U and V (height / 2, width / 2), one after the other, uint8.
    Both picture sizes are even.

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


class _Rows:
    """A struct of arrays, one row an item: filter by mask or index, concatenate. For frozen dataclasses of arrays."""

    def __len__(self) -> int:
        first = fields(self)[0]  # type: ignore[arg-type]
        return len(getattr(self, first.name))

    def __getitem__(self, key: npt.NDArray[Any] | slice) -> Self:
        return replace(self, **{f.name: getattr(self, f.name)[key] for f in fields(self)})  # type: ignore[type-var, arg-type]

    @classmethod
    def concatenate(cls, parts: Iterable[Self]) -> Self:
        """All rows of all parts, in order. At least one part is needed, since it gives the dtypes."""
        kept = list(parts)
        return cls(**{f.name: np.concatenate([getattr(p, f.name) for p in kept]) for f in fields(kept[0])})  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Faces(_Rows):
    """Faces of one video, one row a face.

    Attributes:
        time: (n,) float64, seconds from the first frame.
        pts: (n,) int64, in the stream's time base.
        boxes: (n, 4) float32, x1, y1, x2, y2 in pixels of the frame as displayed; may reach over its edges.
        landmarks: (n, 5, 2) float32, (x, y) of left eye, right eye, nose, left and right mouth corner as seen.
        det_score: (n,) float32, 0–1.
        quality: (n,) float32, 0–1; see `faces.quality`.
        sharpness: (n,) float32, variance of the Laplacian of the aligned face.
        yaw: (n,) float32, degrees estimated from the landmarks; positive turns to the picture's right.
        track: (n,) int32, a number that faces of one track share within a video; -1 before tracks are linked.
        damaged: (n,) bool, whether the frame may be damaged: the decoder said so, or a packet before it was lost.
        embedding: (n, D) float16, L2-normalised.
    """

    time: npt.NDArray[np.float64]
    pts: npt.NDArray[np.int64]
    boxes: npt.NDArray[np.float32]
    landmarks: npt.NDArray[np.float32]
    det_score: npt.NDArray[np.float32]
    quality: npt.NDArray[np.float32]
    sharpness: npt.NDArray[np.float32]
    yaw: npt.NDArray[np.float32]
    track: npt.NDArray[np.int32]
    damaged: npt.NDArray[np.bool_]
    embedding: npt.NDArray[np.float16]

    @classmethod
    def empty(cls, dimension: int) -> Self:
        """No faces, of embeddings with `dimension` components."""
        return cls(
            time=np.empty(0, np.float64),
            pts=np.empty(0, np.int64),
            boxes=np.empty((0, 4), np.float32),
            landmarks=np.empty((0, 5, 2), np.float32),
            det_score=np.empty(0, np.float32),
            quality=np.empty(0, np.float32),
            sharpness=np.empty(0, np.float32),
            yaw=np.empty(0, np.float32),
            track=np.empty(0, np.int32),
            damaged=np.empty(0, np.bool_),
            embedding=np.empty((0, dimension), np.float16),
        )


@dataclass(frozen=True, slots=True)
class Target:
    """A person to find.

    Attributes:
        label: The name; unique in a gallery.
        embeddings: (k, D) float32, L2-normalised, one row a reference.
        sources: k names of the photos that the references came from.
    """

    label: str
    embeddings: FloatArray
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gallery:
    """All targets, the lookalikes that they must not be taken for, and the contract that their embeddings belong to.

    Attributes:
        targets: The persons to find, sorted by label.
        lookalikes: Persons of `--not`: a face nearer to one of them is no hit.
        contract: Digest of recogniser and preprocessing; embeddings of another contract cannot be compared.
        everyone: Whether every face is a hit (`-t '*'`), under the label `everyone`.
    """

    targets: tuple[Target, ...]
    lookalikes: tuple[Target, ...]
    contract: str
    everyone: bool = False


@dataclass(frozen=True, slots=True)
class Hits(_Rows):
    """Faces that one target claims in one video, in order of time.

    Attributes:
        face: (n,) int64, rows of the video's `Faces`.
        time: (n,) float64, seconds from the first frame.
        period: (n,) float64, seconds that the hit stands for: the sample period, or the frame's where every frame was
            looked at.
        similarity: (n,) float32, cosine to the nearest reference of the target.
        margin: (n,) float32, similarity minus that of the nearest other target or lookalike; `similarity + 1` where
            there is no other.
    """

    face: npt.NDArray[np.int64]
    time: npt.NDArray[np.float64]
    period: npt.NDArray[np.float64]
    similarity: npt.NDArray[np.float32]
    margin: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Span:
    """An interval of one video in which one target appears.

    Attributes:
        video_id: The video.
        target: The target's label.
        start: Padded and clamped, seconds from the first frame.
        end: Padded and clamped, exclusive.
        first_hit: Time of the first hit.
        last_hit: Time of the last hit.
        hits: Number of hits.
        best_similarity: The largest similarity among the hits.
        mean_similarity: The mean similarity of the hits.
    """

    video_id: str
    target: str
    start: float
    end: float
    first_hit: float
    last_hit: float
    hits: int
    best_similarity: float
    mean_similarity: float
