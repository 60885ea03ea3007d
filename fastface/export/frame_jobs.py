"""Define the jobs and results of the process that makes the pictures of an audit.

`audit` sends them and `frame_process` runs them. They are pickled, so they hold plain values only.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from fastface.types import VideoInfo

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class FramePicture:
    """A picture of a frame, with boxes to draw and one box to show in a close-up, if any."""

    number: int
    pts: int
    boxes: tuple[Box, ...]
    close: Box | None = None


@dataclass(frozen=True, slots=True)
class FramesJob:
    """Pictures of frames of one video."""

    info: VideoInfo
    wanted: tuple[FramePicture, ...]


@dataclass(frozen=True, slots=True)
class CellsJob:
    """Samples of some cells of one video's sampling grid; `video` is its number in the parent."""

    video: int
    info: VideoInfo
    size: Fraction
    cells: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PhotoJob:
    """A picture of a target's photo: a thumbnail or, with a box to draw, a larger picture."""

    target: int
    path: Path
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class FrameImages:
    """JPEG pictures of a frame, and of a close-up of the face.

    `place` is the requested number, the cell, or the target.
    """

    place: int
    pts: int
    frame: bytes
    close: bytes = b""
