"""The errands of the export process."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastface.export.plans import BoxLabel, ClipMode, CropStyle
from fastface.types import VideoInfo

__all__ = ["ClipJob", "CropJob", "Made", "PicturesJob", "SnapshotJob"]


@dataclass(frozen=True, slots=True)
class ClipJob:
    """Cut [start, end) of a video, in seconds from its first frame."""

    info: VideoInfo
    start: float
    end: float
    destination: Path
    mode: ClipMode


@dataclass(frozen=True, slots=True)
class CropJob:
    """One crop: the frame's pts, the face in it, and the file."""

    pts: int
    box: tuple[float, ...]
    landmarks: tuple[float, ...]
    path: Path


@dataclass(frozen=True, slots=True)
class SnapshotJob:
    """One whole frame with boxes."""

    pts: int
    labels: tuple[BoxLabel, ...]
    path: Path


@dataclass(frozen=True, slots=True)
class PicturesJob:
    """All pictures of one video, made in one pass."""

    info: VideoInfo
    style: CropStyle
    crops: tuple[CropJob, ...]
    snapshots: tuple[SnapshotJob, ...]


@dataclass(frozen=True, slots=True)
class Made:
    """An errand's result: facts worth keeping, and what could not be made."""

    facts: dict[str, Any] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
