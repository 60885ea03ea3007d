"""Define the rows of the ledger: videos, their further names and committed units, and their conversion to JSON.

`ledger` stores them; the scan, the export and `status` read them. A changed field needs a new version of the ledger.
"""

import json
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from sys import intern
from typing import Any, NamedTuple

from fastface.choices import Size
from fastface.errors import InputError
from fastface.footage import FrameCounts, VideoInfo
from fastface.video.identity.fingerprint import is_unchanged


@dataclass(frozen=True, slots=True)
class VideoRecord:
    """Row of a video in the ledger.

    Attributes:
        video_id: The video's name in OUT.
        path: Path of the file or sequence.
        fingerprint: Fingerprint of the scanned content; if it changes, everything is done again. Empty if the content
            changed during the scan.
        scan_key: Digest of every setting that the index depends on.
        state: `scanning` until finished, then one of the states of the run's report.
        reason: Reason why the state is not `done`; empty if it is.
        coverage: Decoded share of the declared duration, 0–1; None if no duration is declared.
        info: Result of the probe; None if the probe failed.
        num_units: Number of units of the video.
        stamp: Size and times of the file at `path` when its content was read.
        disk: Mount point of the file system that holds the file; empty if unknown.
    """

    video_id: str
    path: Path
    fingerprint: str
    scan_key: str
    state: str = "scanning"
    reason: str = ""
    coverage: float | None = None
    info: VideoInfo | None = None
    num_units: int = 0
    stamp: str = ""
    disk: str = ""

    def has_unchanged_file(self) -> bool:
        """Return whether the file at `path` has the scanned content.

        Raises:
            InputError: The file cannot be read.
        """
        return is_unchanged(self.path, self.fingerprint, self.stamp)


class VideoState(NamedTuple):
    """State of a video, without the facts that only a search needs."""

    video_id: str
    state: str
    reason: str
    is_begun: bool  # whether a scan has begun it
    duration: float | None  # declared seconds; None if they are unknown


@dataclass(frozen=True, slots=True)
class NameRecord:
    """A further file with the content of a video: a copy or a link. It is not scanned."""

    path: Path
    fingerprint: str  # of the video
    stamp: str  # size and times of this file when its content was read
    disk: str  # mount point of the file system that holds this file

    def has_unchanged_file(self) -> bool:
        """Return whether this file has the content of the video; false if it cannot be read."""
        try:
            return is_unchanged(self.path, self.fingerprint, self.stamp)
        except InputError:
            return False


@dataclass(frozen=True, slots=True)
class UnitRecord(FrameCounts):
    """Row of a committed unit in the ledger, with the counts of its frames.

    Attributes:
        key: Name of the unit within its video; the same stretch and sampling has the same key in every run.
        start: First second, inclusive.
        end: Last second, exclusive; None for the end of the video.
        dense: True if the stretch was scanned again, with more samples.
        period: Seconds between samples of a dense unit; None for every frame.
        decoded: Number of decoded frames.
        damaged: Number of faces in frames that may be damaged.
        portraits: Number of faces that may get a picture. If above 0, the unit and its video have a file of pictures.
        bodies: Number of bodies found; None if the scan did not search for bodies. Then there is no file of them.
        errors: Number of packets that could not be decoded.
        encrypted: Number of these that are encrypted.
        covered: Seconds of video that were decoded.
        decoder: Name of the decoder; empty for pictures.
        decoder_reason: Reason why that is not the requested decoder; empty if it is.
        unread: Read error of the disk or the share; empty without one.
        lost: Reason why the unit has no result, as `state: reason`; empty if it has one.
        keyframes: Times of the searched keyframes; empty unless only keyframes were searched.
        seconds: Seconds of each stage.
        sizes: Displayed (width, height) of sampled frames that differ from the first frame's.
    """

    key: str
    start: Fraction
    end: Fraction | None
    dense: bool
    period: Fraction | None = None
    decoded: int = 0
    damaged: int = 0
    portraits: int = 0
    bodies: int | None = None
    errors: int = 0
    encrypted: int = 0
    covered: Fraction = Fraction(0)
    decoder: str = ""
    decoder_reason: str = ""
    unread: str = ""
    lost: str = ""
    keyframes: tuple[Fraction, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    sizes: tuple[Size, ...] = ()

    def to_text(self) -> str:
        """Convert the record to JSON."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_text(cls, text: str) -> "UnitRecord":
        """Parse the result of `to_text`."""
        values = json.loads(text)
        for name in _UNIT_FRACTIONS:
            values[name] = None if values[name] is None else _fraction(values[name])
        values["keyframes"] = tuple(map(Fraction, values["keyframes"]))
        values["sizes"] = _sizes(values["sizes"])
        return cls(**values)


UNIT_SUMS = (*FrameCounts().select_counts(), "damaged")
"""Fields of a `UnitRecord` that are summed for its video."""


class UnitSummary(NamedTuple):
    """Facts on a committed unit for the report of a run."""

    sums: tuple[int, ...]  # of the fields `UNIT_SUMS`
    seconds: dict[str, float]
    decoder: str
    decoder_reason: str


class VideoSummary(NamedTuple):
    """Facts on a video for the reports of a run. The whole records of 100,000 videos take seconds to parse."""

    video_id: str
    path: Path
    fingerprint: str = ""
    scan_key: str = ""
    state: str = "scanning"
    reason: str = ""
    coverage: float | None = None
    duration: float | None = None  # declared seconds; None if they are unknown
    player_offset: float = 0.0
    is_film: bool = True
    remarkable: VideoInfo | None = None  # result of the probe if a field of `REMARKABLE` is unusual; else None
    units: tuple[UnitSummary, ...] = ()


REMARKABLE = ("is_counted", "is_rate_assumed", "sound_end", "declared", "other_sizes", "num_other_films")
"""Fields of a `VideoInfo` that `runtime.remarks` describes if they differ from their defaults."""


@lru_cache(4096)
def _fraction(text: str) -> Fraction:
    """Parse a fraction. Thousands of videos share their rates: parsing takes most of the time of reading a record."""
    return Fraction(text)


def _sizes(listed: list[list[int]]) -> tuple[Size, ...]:
    return tuple((width, height) for width, height in listed)


_UNIT_FRACTIONS = ("start", "end", "period", "covered")
_PAIRS = ("size", "coded_size")
_WORDS = ("codec", "pixel_format")
"""Texts that thousands of videos share."""
_FRACTIONS = ("pixel_aspect", "time_base", "rate", "duration", "player_offset", "sound_end", "declared")


def info_to_text(info: VideoInfo) -> str:
    """Convert the result of a probe to JSON; fractions stay exact."""
    return json.dumps(asdict(info), default=str)


def info_from_text(text: str, path: Path | None = None) -> VideoInfo:
    """Parse the result of `info_to_text`.

    Args:
        text: The text.
        path: The path of the record, if it is known. It is nearly always that of the probe: one object serves both.
    """
    values: dict[str, Any] = json.loads(text)
    for name in _FRACTIONS:
        values[name] = None if values.get(name) is None else _fraction(values[name])
    values["other_sizes"] = _sizes(values.get("other_sizes", []))
    for name in _PAIRS:
        values[name] = tuple(values[name])
    for name in _WORDS:
        values[name] = intern(values[name])
    values["path"] = path if path is not None and values["path"] == str(path) else Path(values["path"])
    return VideoInfo(**values)
