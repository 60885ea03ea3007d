"""The errands of the export process."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastface.backends import DeviceInfo
from fastface.export.overlay import BoxTrack
from fastface.export.plan import BoxLabel, ClipMode, CropStyle
from fastface.persons.network import PersonNetwork
from fastface.types import VideoInfo


@dataclass(frozen=True, slots=True)
class ClipJob:
    """Cut [start, end) of a video, in seconds from its first frame."""

    info: VideoInfo
    start: float
    end: float
    destination: Path
    mode: ClipMode


@dataclass(frozen=True, slots=True)
class BoxedJob:
    """A copy of [start, end) of a video with boxes in it."""

    info: VideoInfo
    start: float
    end: float
    tracks: tuple[BoxTrack, ...]
    destination: Path


@dataclass(frozen=True, slots=True)
class CropJob:
    """One crop: the frame's pts, the face in it, the file, and what stands in the file's metadata."""

    pts: int
    box: tuple[float, float, float, float]
    landmarks: tuple[float, ...]
    path: Path
    description: str


@dataclass(frozen=True, slots=True)
class SnapshotJob:
    """One whole frame with boxes."""

    pts: int
    labels: tuple[BoxLabel, ...]
    path: Path


@dataclass(frozen=True, slots=True)
class PicturesJob:
    """All pictures of one video, made in one pass; `persons` finds bodies, where there is such a network."""

    info: VideoInfo
    style: CropStyle
    persons: PersonNetwork | None
    crops: tuple[CropJob, ...]
    snapshots: tuple[SnapshotJob, ...]


@dataclass(frozen=True, slots=True)
class PortraitJob:
    """One small picture of a face: its number, the frame's pts, and the five landmarks."""

    number: int
    pts: int
    landmarks: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PortraitsJob:
    """Small pictures of faces of one video; the result is {number: JPEG} of those whose frames can be decoded."""

    info: VideoInfo
    portraits: tuple[PortraitJob, ...]


@dataclass(frozen=True, slots=True)
class ExportResult:
    """An errand's result: facts worth keeping, by file, and what could not be made."""

    facts: dict[Path, dict[str, Any]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """Settings of an export process for all of its life, with the person network if there is one."""

    device: DeviceInfo
    threads: int
    cache_folder: Path


ExportJob = BoxedJob | ClipJob | PicturesJob
"""Those whose results are files."""
