"""Jobs and results of the process that makes the pictures of an audit."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from fastface.types import VideoInfo

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class FramePicture:
    """A picture: a frame, the boxes to draw, and the one of them that is shown close, if any."""

    number: int
    pts: int
    boxes: tuple[Box, ...]
    close: Box | None = None


@dataclass(frozen=True, slots=True)
class FramesJob:
    """Pictures of one video."""

    info: VideoInfo
    wanted: tuple[FramePicture, ...]


@dataclass(frozen=True, slots=True)
class CellsJob:
    """The samples of some cells of one video's sampling grid; `video` names it for the parent."""

    video: int
    info: VideoInfo
    size: Fraction
    cells: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PhotoJob:
    """A picture of a photo of a target: a small one or, with a box to draw, a larger one."""

    target: int
    path: Path
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class FrameImages:
    """Pictures of a frame: JPEG of the whole, and of the face.

    `place` is the number that was wanted, the cell, or the target.
    """

    place: int
    pts: int
    frame: bytes
    close: bytes = b""
