"""Records of videos and units in the ledger, and their form as text."""

import json
from dataclasses import asdict, dataclass, field, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

from fastface.types import Size, VideoInfo


@dataclass(frozen=True, slots=True)
class VideoRecord:
    """A video as the ledger has it.

    Attributes:
        video_id: The video's name in OUT.
        path: Where it was found.
        fingerprint: What the file was like; another one means that all must be done again.
        scan_key: Digest of every setting that the index depends on.
        state: `scanning` until finished, then one of the states of the run's report.
        reason: Why it is not `done`; empty if it is.
        coverage: Decoded share of the declared duration, 0–1; None where no duration is declared.
        info: What the probe found; None if it could not be probed.
        num_units: Units that it is worked off in.
        copy_print: What the file at `path` is like, if it is a copy in the place of the scanned file; else empty.
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
    copy_print: str = ""

    @property
    def file_print(self) -> str:
        """The fingerprint that the file at `path` has as long as it does not change."""
        return self.copy_print or self.fingerprint


@dataclass(frozen=True, slots=True)
class CopyRecord:
    """A file with the same content as a video, which was left out of a scan."""

    path: Path
    fingerprint: str  # of the file itself
    original: str  # fingerprint of the video


@dataclass(frozen=True, slots=True)
class UnitRecord:
    """A committed unit.

    Attributes:
        key: Names the unit within its video: the same stretch and sampling has the same key in every run.
        start: First second, inclusive.
        end: Last second, exclusive; None for the end of the video.
        dense: Whether the stretch was looked at again, more closely.
        period: Seconds between samples of a dense one; None for every frame.
        decoded: Frames decoded.
        sampled: Frames looked at.
        inferred: Frames searched.
        repeated: Of these, frames equal to the one before them.
        blurred: Of the frames searched, those too blurred to be given to the detector.
        unsharp: Faces left out, since not sharp enough.
        quarantined: Frames given up.
        faces: Faces found.
        damaged: Faces found in frames that may be damaged.
        portraits: Faces of which pictures may be taken; if any, the unit and its video have a file of them.
        bodies: Bodies found; None if they were not looked for, and then there is no file of them.
        errors: Packets that could not be decoded.
        encrypted: Of these, packets that are encrypted.
        covered: Seconds of video that were decoded.
        decoder: What decoded them; empty for pictures.
        decoder_reason: Why that is not the decoder that was asked for; empty if it is.
        unread: Why the disk or the share did not give all of it; empty if it did.
        lost: Why the unit has no result: `state: reason`; empty if it has one.
        keyframes: When the keyframes are shown that were looked at; empty unless it was only they.
        seconds: Time of each stage.
        sizes: (width, height) as displayed of frames looked at, where that is not the first frame's.
    """

    key: str
    start: Fraction
    end: Fraction | None
    dense: bool
    period: Fraction | None = None
    decoded: int = 0
    sampled: int = 0
    inferred: int = 0
    repeated: int = 0
    blurred: int = 0
    unsharp: int = 0
    quarantined: int = 0
    faces: int = 0
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
        """JSON."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_text(cls, text: str) -> "UnitRecord":
        """The record that `to_text` wrote."""
        values = json.loads(text)
        exact = {name: None if values[name] is None else Fraction(values[name]) for name in _UNIT_FRACTIONS}
        keyframes = tuple(map(Fraction, values["keyframes"]))
        return cls(**{**values, **exact, "keyframes": keyframes, "sizes": _sizes(values["sizes"])})


def _sizes(listed: list[list[int]]) -> tuple[Size, ...]:
    return tuple((width, height) for width, height in listed)


_UNIT_FRACTIONS = ("start", "end", "period", "covered")
_FRACTIONS = ("pixel_aspect", "time_base", "rate", "duration", "player_offset", "sound_end", "declared")


def info_to_text(info: VideoInfo) -> str:
    """A probe's result as JSON; fractions stay exact."""
    return json.dumps(asdict(info), default=str)


def info_from_text(text: str) -> VideoInfo:
    """The VideoInfo that `info_to_text` wrote."""
    values: dict[str, Any] = json.loads(text)
    for name in _FRACTIONS:
        values[name] = None if values.get(name) is None else Fraction(values[name])
    values["other_sizes"] = _sizes(values.get("other_sizes", []))
    for item in fields(VideoInfo):
        if isinstance(values.get(item.name), list):
            values[item.name] = tuple(values[item.name])
    return VideoInfo(**{**values, "path": Path(values["path"])})
