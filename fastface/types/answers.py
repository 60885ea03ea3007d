"""Define targets, hits and spans: the data of a search.

The search makes them; tables and exports read them. A new field of a table row starts here.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from fastface.types.faces import FloatArray, RowTable

FramingClass = Literal["close-up", "portrait", "half", "full"]
"""Visible part of a person in a picture, from the head to the whole body."""


class HitKind(IntEnum):
    """Reason for a hit."""

    FACE = 0
    """The face alone matches the target."""
    TRACK = 1
    """Its track matches; the face alone is turned, blurred or covered."""
    CLUSTER = 2
    """Its track matches together with other tracks of the same film or shot."""
    BODY = 3
    """Its body is followed; the face is hidden or poor."""
    DECISION = 4
    """The user confirmed its track in a review."""


BY_DECISION = "decision"
"""Name of `GrownReference.anchor` for a face that the user confirmed."""

HIT_KINDS = tuple(kind.name.lower() for kind in HitKind)
"""The names in tables, by value."""


@dataclass(frozen=True, slots=True)
class GrownReference:
    """A face of a film that joined a target's references, and its evidence.

    Attributes:
        target: The target's label.
        video_id: The video.
        time: Seconds from the first frame.
        box: x1, y1, x2, y2 in pixels of the frame as displayed.
        anchor: Name of the photo that its track is nearest to; `BY_DECISION` if the user confirmed the face.
        track_evidence: Joint evidence of its track's best faces and the photos; see `gallery.track_voting`. NaN if the
            user confirmed the face, as for the next two fields.
        similarity: Cosine of the face alone to the target's nearest photo.
        margin: Lead of that evidence over the nearest other target or lookalike; NaN if there is none.
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
        sources: k names of the photos of the references.
        added: Origin of the last references, if these are faces of films and no photos; in the same order.
        rejected: (r, D) float32, L2-normalised: faces of which the user said that they are another person's.
    """

    label: str
    embeddings: FloatArray
    sources: tuple[str, ...]
    added: tuple[GrownReference, ...] = ()
    rejected: FloatArray = field(default_factory=lambda: np.empty((0, 0), np.float32))

    @property
    def photo_embeddings(self) -> FloatArray:
        """(p, D) float32: the references that come from photos."""
        return self.embeddings[: len(self.embeddings) - len(self.added)]


@dataclass(frozen=True, slots=True)
class Gallery:
    """All targets, their lookalikes, and the contract of their embeddings.

    Attributes:
        targets: The persons to find, sorted by label.
        lookalikes: Persons of `--not`: a face nearer to one of them is no hit.
        contract: Digest of recogniser and preprocessing; embeddings of another contract cannot be compared.
        everyone: True if every face is a hit (`-t '*'`), under the label `everyone`.
    """

    targets: tuple[Target, ...]
    lookalikes: tuple[Target, ...]
    contract: str
    everyone: bool = False


@dataclass(frozen=True, slots=True)
class Hits(RowTable):
    """Faces that match one target in one video, in order of time.

    Attributes:
        face: (n,) int64, rows of the video's `Faces`; -1 if only the body is visible.
        time: (n,) float64, seconds from the first frame.
        pts: (n,) int64, of the frame, in the stream's time base.
        period: (n,) float64, seconds that the hit represents: the sample period, or the frame's if every frame was
            searched.
        similarity: (n,) float32, cosine to the nearest reference of the target, without references of the hit's own
            track. NaN if only the body is visible.
        margin: (n,) float32, similarity minus that of the nearest other target or lookalike; `similarity + 1` if there
            is no other.
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
    """A track that may be the target's but was rejected: the user can review it.

    Attributes:
        target: The target's label.
        track: Number of the track within the video.
        start: Time of the track's first face, in seconds from the first frame.
        end: Time of its last face.
        faces: Number of its faces.
        best_similarity: The largest cosine of one of its faces to the target.
        similarity: Cosine of its best faces' mean to the nearest reference.
        evidence: Joint evidence of all its faces and the references; see `gallery.track_voting`.
        margin: Lead of the evidence over the nearest other target or lookalike.
        reason: Reason for the rejection, in words.
    """

    target: str
    track: int
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
        best_similarity: The largest similarity of these hits; None if there are none.
        mean_similarity: The mean similarity of these hits; None if there are none.
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
    """Mode and real bounds of a clip.

    A copied clip begins at the keyframe before its span.

    Attributes:
        mode: `copy`, `smart` or `precise`.
        start: Start of the clip in seconds from the video's first frame.
        end: End of the clip in the same seconds.
        left_out: Streams of the video that are not in the clip, and the reasons.
        reason: Why the clip is not `smart`, if that was requested.
    """

    mode: str
    start: float
    end: float
    left_out: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SpanRow:
    """A span and its clip.

    Attributes:
        span: The span.
        clip: The clip's path relative to the output folder, with `/`; empty if there is none.
        cut: Mode and real bounds of the clip; None if there is none.
        path: Path of the video.
        pictures: Names of the first and the last picture with a hit, in a folder of pictures; empty for films.
        player_offset: Time in seconds that a player shows at the video's first frame.
    """

    span: Span
    clip: str = ""
    cut: ClipCut | None = None
    path: Path | None = None
    pictures: tuple[str, str] = ("", "")
    player_offset: float = 0.0
