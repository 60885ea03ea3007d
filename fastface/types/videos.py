"""Define videos, their sampling, and the memory layout of frames.

Decoders, scheduler and index use them. Times are `Fraction`s, so that cells and units have exact edges.
"""

from collections.abc import Collection
from dataclasses import dataclass, fields
from fractions import Fraction
from operator import attrgetter
from pathlib import Path
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
class VideoInfo:
    """Facts about a video before its frames are decoded.

    Attributes:
        path: The file, or the pattern of an image sequence.
        video_id: The input's relative path made safe for a folder name; unique in a run.
        size: (width, height) of the first frame as displayed: after rotation and pixel aspect ratio.
        coded_size: (width, height) as decoded.
        rotation: Degrees clockwise by which a decoded frame is turned for display: 0, 90, 180 or 270.
        mirrored: True if the display matrix also mirrors the frame, left to right, before it is turned.
        pixel_aspect: Width of a decoded pixel over its height.
        interlaced: True if the first frame is flagged as interlaced.
        time_base: Seconds of one pts tick.
        rate: Average frames per second from the header; None if the header has none.
        start_pts: pts of the first frame; every time counts from it.
        duration: Seconds of picture from the header. If the header has none: None until the whole video was read, then
            the seconds read.
        codec: The codec's short name.
        pixel_format: The decoder's pixel format.
        estimated_times: True if frames have no timestamps, or the clock jumps back in the middle. Times are then
            counted by `rate` there and are valid only if decoding begins at the beginning.
        uses_dts: True if the container has no presentation times, and FFmpeg's estimates are wrong. A frame then has
            the decoding time of the packet that brought it out of the decoder, in order of output.
        player_offset: Seconds from a player's zero, the start of the file's first stream, to the first frame: sound or
            another stream may start before it. A player, and `ffmpeg -ss`, count from that zero.
        is_counted: True if no frame has a valid timestamp: each is shown 1 / `rate` after the previous one.
        is_rate_assumed: True if they are counted at a rate that no header gives.
        max_pixels: Width × height of the largest decoded frame, since a film may change its size.
        is_film: True if its frames follow each other. Pictures of a folder need not: each may have another size, and
            shows a separate moment.
        sound_end: Seconds from the first frame to the end of the sound, if the picture ends clearly before it.
        other_sizes: (width, height) as displayed of later frames of other sizes; known after the scan. Boxes and
            landmarks are in pixels of their own frame.
        num_other_films: Number of further video streams in the file.
        declared: Seconds that the header declares, if the file is shorter but complete.
        timecode: SMPTE timecode of the first frame, as the file has it; empty without one.
        has_sound: True if the file has a sound track.
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
    uses_dts: bool = False
    player_offset: Fraction = Fraction(0)
    max_pixels: int = 2**31 - 1
    is_film: bool = True
    is_counted: bool = False
    is_rate_assumed: bool = False
    sound_end: Fraction | None = None
    declared: Fraction | None = None
    other_sizes: tuple[Size, ...] = ()
    num_other_films: int = 0
    timecode: str = ""
    has_sound: bool = False

    def frame_time(self, pts: int) -> Fraction:
        """Return the seconds of a pts from the first frame."""
        return (pts - self.start_pts) * self.time_base

    def to_pts(self, time: Fraction) -> int:
        """Return the largest pts that is not after `time` seconds from the first frame."""
        return self.start_pts + int(time // self.time_base)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameCounts:
    """Counts of the frames of a batch, unit, video or run, and of their faces. They can be added.

    `sampled = inferred + quarantined` for every unit, video and run.
    """

    sampled: int = 0  # sampled frames
    inferred: int = 0  # sampled frames that were searched
    repeated: int = 0  # searched frames that equal the previous frame; they get its faces
    blurred: int = 0  # searched frames that the detector skipped because of blur
    unsharp: int = 0  # faces left out because they are not sharp
    quarantined: int = 0  # sampled frames that killed every worker that searched them
    faces: int = 0  # faces found

    def __add__(self, other: "FrameCounts") -> "FrameCounts":
        return FrameCounts(**{name: getattr(self, name) + getattr(other, name) for name in _COUNTS})

    @classmethod
    def sum_up(cls, counted: Collection["FrameCounts"]) -> "FrameCounts":
        """Return the sums of many counts: adding the counts of 100,000 videos one by one takes a second."""
        return FrameCounts(**{name: sum(map(attrgetter(name), counted)) for name in _COUNTS})

    def select_counts(self) -> dict[str, int]:
        """Return {name of a count: count}, without the fields of a subclass."""
        return {name: getattr(self, name) for name in _COUNTS}


_COUNTS = tuple(field.name for field in fields(FrameCounts))


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
