"""Define the jobs, results and settings of the export process.

`exporter` sends the jobs and `process` runs them. Their `repr` is part of each file's key: a change of a field makes
all files again.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastface.backends import DeviceInfo
from fastface.export.crops.xmp import NamedFace
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
    is_damaged: bool = False  # the scan did not decode all packets


@dataclass(frozen=True, slots=True)
class BoxedJob:
    """Write a copy of [start, end) of a video, in seconds from its first frame, with boxes drawn into it."""

    info: VideoInfo
    start: float
    end: float
    tracks: tuple[BoxTrack, ...]
    destination: Path


@dataclass(frozen=True, slots=True)
class ReelPart:
    """A span of a reel: [start, end) in seconds from the video's first frame, and the title of its chapter."""

    info: VideoInfo
    start: float
    end: float
    title: str


@dataclass(frozen=True, slots=True)
class ReelJob:
    """Write one film of spans of several videos."""

    parts: tuple[ReelPart, ...]
    destination: Path


@dataclass(frozen=True, slots=True)
class SheetTile:
    """A frame of a contact sheet: its pts (None without a picture), the box of the face, and two lines of text."""

    info: VideoInfo
    pts: int | None
    box: tuple[float, float, float, float] | None
    lines: tuple[str, str]


@dataclass(frozen=True, slots=True)
class SheetJob:
    """Draw one page of a contact sheet."""

    heading: str
    tiles: tuple[SheetTile, ...]
    destination: Path


@dataclass(frozen=True, slots=True)
class CropJob:
    """One crop: the frame's pts, the box and landmarks of the face, the file, and its metadata.

    `name` is the person's name for XMP; empty for none.
    """

    pts: int
    box: tuple[float, float, float, float]
    landmarks: tuple[float, ...]
    path: Path
    description: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class SnapshotJob:
    """One whole frame with boxes; `faces` are names and boxes for XMP."""

    pts: int
    labels: tuple[BoxLabel, ...]
    path: Path
    faces: tuple[NamedFace, ...] = ()


@dataclass(frozen=True, slots=True)
class PicturesJob:
    """All pictures of one video, made in one pass; `persons` detects bodies, None without such a network."""

    info: VideoInfo
    style: CropStyle
    persons: PersonNetwork | None
    crops: tuple[CropJob, ...]
    snapshots: tuple[SnapshotJob, ...]


@dataclass(frozen=True, slots=True)
class PortraitJob:
    """One portrait of a face: its number, the frame's pts, and the five landmarks."""

    number: int
    pts: int
    landmarks: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PortraitsJob:
    """Portraits of faces in one video; the result is {number: JPEG} of those whose frames can be decoded."""

    info: VideoInfo
    portraits: tuple[PortraitJob, ...]


@dataclass(frozen=True, slots=True)
class ExportResult:
    """Result of a job: facts of each file, and descriptions of missing pictures."""

    facts: dict[Path, dict[str, Any]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """Settings of an export process for its whole life."""

    device: DeviceInfo
    threads: int
    cache_folder: Path


ExportJob = BoxedJob | ClipJob | PicturesJob | ReelJob | SheetJob
"""Jobs whose results are files."""
