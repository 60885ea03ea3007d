"""Targets, hits and spans."""

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from fastface.types.faces import FloatArray, RowTable

FramingClass = Literal["close-up", "portrait", "half", "full"]
"""How much of a person a picture shows, from the head to all of it."""


class HitKind(IntEnum):
    """Reason for a hit."""

    FACE = 0
    """The face alone is like the target."""
    TRACK = 1
    """Its track is: the face alone is turned, blurred or covered."""
    CLUSTER = 2
    """Its track is, together with what other tracks of the same film or shot show."""
    BODY = 3
    """Its body is followed; the face is not seen, or not well."""


HIT_KINDS = tuple(kind.name.lower() for kind in HitKind)
"""The names in tables, by value."""


@dataclass(frozen=True, slots=True)
class GrownReference:
    """A face of a film that joined a target's references, and what speaks for it.

    Attributes:
        target: The target's label.
        video_id: The video.
        time: Seconds from the first frame.
        box: x1, y1, x2, y2 in pixels of the frame as displayed.
        anchor: Name of the photo that its track is nearest to.
        track_evidence: What its track's best faces and the photos amount to; see `gallery.track_voting`.
        similarity: Cosine of the face alone to the target's nearest photo.
        margin: Lead of that evidence over the nearest other target or lookalike; NaN where there is none.
        quality: 0–1.
        yaw: Degrees.
    """

    target: str
    video_id: str
    time: float
    box: tuple[float, float, float, float]
    anchor: str
    track_evidence: float
    similarity: float
    margin: float
    quality: float
    yaw: float


@dataclass(frozen=True, slots=True)
class Target:
    """A person to find.

    Attributes:
        label: The name; unique in a gallery.
        embeddings: (k, D) float32, L2-normalised, one row a reference.
        sources: k names of the photos that the references came from.
        added: Where the last references are from, if these are faces of films and no photos; in the same order.
    """

    label: str
    embeddings: FloatArray
    sources: tuple[str, ...]
    added: tuple[GrownReference, ...] = ()

    @property
    def photo_embeddings(self) -> FloatArray:
        """(p, D) float32: the references that are photos."""
        return self.embeddings[: len(self.embeddings) - len(self.added)]


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
class Hits(RowTable):
    """Faces that one target claims in one video, in order of time.

    Attributes:
        face: (n,) int64, rows of the video's `Faces`; -1 where only the body is seen.
        time: (n,) float64, seconds from the first frame.
        pts: (n,) int64, of the frame, in the stream's time base.
        period: (n,) float64, seconds that the hit stands for: the sample period, or the frame's where every frame was
            looked at.
        similarity: (n,) float32, cosine to the nearest reference of the target; none from the hit's own track. NaN
            where only the body is seen.
        margin: (n,) float32, similarity minus that of the nearest other target or lookalike; `similarity + 1` where
            there is no other.
        by: (n,) int8, the `HitKind` of each.
    """

    face: npt.NDArray[np.int64]
    time: npt.NDArray[np.float64]
    pts: npt.NDArray[np.int64]
    period: npt.NDArray[np.float64]
    similarity: npt.NDArray[np.float32]
    margin: npt.NDArray[np.float32]
    by: npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A track that may be a target's and is not taken for it: for a person to look at.

    Attributes:
        target: The target's label.
        start: Time of the track's first face, in seconds from the first frame.
        end: Time of its last face.
        faces: Number of its faces.
        best_similarity: The largest cosine of one of its faces to the target.
        similarity: Cosine of its best faces together to the nearest reference.
        evidence: What all its faces and references together amount to; see `gallery.track_voting`.
        margin: Lead of the evidence over the nearest other target or lookalike.
        reason: Why it is not taken, in words.
    """

    target: str
    start: float
    end: float
    faces: int
    best_similarity: float
    similarity: float
    evidence: float
    margin: float
    reason: str


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
        hits: Number of hits that are faces.
        best_similarity: The largest similarity among these; None without any.
        mean_similarity: The mean similarity of the same hits.
    """

    video_id: str
    target: str
    start: float
    end: float
    first_hit: float
    last_hit: float
    hits: int
    best_similarity: float | None
    mean_similarity: float | None


@dataclass(frozen=True, slots=True)
class ClipCut:
    """How a clip was cut.

    A copied clip begins at the keyframe before its span.

    Attributes:
        mode: `copy` or `precise`.
        start: Seconds from the video's first frame.
        end: The same.
        left_out: Streams of the video that are not in the clip, and why.
    """

    mode: str
    start: float
    end: float
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SpanRow:
    """A span and the clip that was cut from it.

    Attributes:
        span: The span.
        clip: The clip's path relative to the output folder, with `/`; empty where there is none.
        cut: How the clip was cut and where it really begins and ends; None where there is none.
        path: Where the video is.
        pictures: Names of the first and the last picture with a hit, in a folder of pictures; empty of films.
        player_offset: Seconds that a player shows when the video's first frame is on the screen.
    """

    span: Span
    clip: str = ""
    cut: ClipCut | None = None
    path: Path | None = None
    pictures: tuple[str, str] = ("", "")
    player_offset: float = 0.0
