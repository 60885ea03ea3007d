"""Define the user's decisions on spans and near misses, and store them in OUT/.fastface/decisions.json.

`review.decision_file` adds decisions; each search reads them. A decision stores faces of its tracks, with embeddings,
so that it outlives the answer, the tracks' numbers and the index. Files of decisions are kept apart, in the order in
which they were applied: later decisions win, and the last file can be taken back.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from fastface.errors import FaceIndexError
from fastface.files import write_atomic
from fastface.index.anchor_record import Anchor, unpack_look

Verdict = Literal["confirmed", "rejected", "given"]
MomentKind = Literal["span", "near_miss"]


class StrictModel(BaseModel):
    """A part of a file that fastface or one of its pages wrote: nothing is converted, nothing is unknown."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class Moment:
    """Moment of a decision: a row of spans.csv or review.csv."""

    video: str
    target: str
    start: float
    end: float
    kind: MomentKind


class Decision(StrictModel):
    """The user's verdict on one span of spans.json or one near miss of review.csv."""

    video: str
    target: str  # label of the span or near miss
    start: float = Field(ge=0)  # as in the table; spans are padded
    end: float = Field(ge=0)
    what: MomentKind
    verdict: Verdict  # given: rejected for `target`, confirmed for `person`
    person: str | None  # label, for `given`

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.end < self.start:
            raise ValueError("end is before start")
        if (self.verdict == "given") != (self.person is not None):
            raise ValueError("person must be a name if the verdict is given, and null otherwise")
        if self.person is not None and (not self.person.strip() or self.person == self.target):
            raise ValueError("person must be another name than target")
        return self

    @property
    def moment(self) -> Moment:
        """Return what the decision is about."""
        return Moment(self.video, self.target, self.start, self.end, self.what)

    def effects(self) -> tuple[tuple[str, bool], ...]:
        """Return (label, true if confirmed for it), one or two."""
        if self.person is not None:
            return (self.target, False), (self.person, True)
        return ((self.target, self.verdict == "confirmed"),)


class DecidedFace(StrictModel):
    """A face of a decided track."""

    time: float
    box: tuple[float, float, float, float]
    look: str  # embedding, see `index.anchors.encode_look`
    quality: float
    yaw: float
    is_typical: bool  # whether it is similar to the mean of its track, so that it may be a reference

    @field_validator("look")
    @classmethod
    def _check_look(cls, look: str) -> str:
        unpack_look(look, look.partition(":")[0])
        return look

    def anchor(self, video_id: str) -> Anchor:
        """Return the anchor of the face in its video."""
        return Anchor(video_id, self.time, self.box, look=self.look)


class StoredDecision(Decision):
    """A decision, and faces of each of its tracks in order of time."""

    tracks: tuple[tuple[DecidedFace, ...], ...]


class AppliedFile(StrictModel):
    """The decisions of one file."""

    digest: str  # of the file's decisions: the same file is not applied twice in a row
    decisions: tuple[StoredDecision, ...]


class DecisionStore(StrictModel):
    """All decisions on the answers in an output folder, in the order of their files."""

    schema_version: Literal[1] = 1
    files: tuple[AppliedFile, ...] = ()

    @classmethod
    def load(cls, state: Path) -> Self:
        """Read the decisions of an output folder; none if there is no file.

        Args:
            state: OUT/.fastface.

        Raises:
            FaceIndexError: The file is damaged or of another version.
        """
        path = _path(state)
        try:
            return cls.model_validate_json(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return cls()
        except (OSError, ValidationError) as error:
            reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.strerror
            raise FaceIndexError(f"cannot read {str(path)!r}: {reason}; remove it: then no decision is kept") from error

    def save(self, state: Path) -> None:
        """Write the file, readable by its owner only; remove it if there are no decisions.

        Raises:
            SpaceError: No space is left.
        """
        if self.files:
            write_atomic(_path(state), self.model_dump_json(), private=True)
        else:
            _path(state).unlink(missing_ok=True)

    @property
    def decisions(self) -> list[StoredDecision]:
        """Return all decisions, the latest last."""
        return [one for file in self.files for one in file.decisions]

    def with_file(self, file: AppliedFile) -> Self:
        """Add a file as the last one."""
        return self.model_copy(update={"files": (*self.files, file)})

    def without_last(self, digest: str) -> Self:
        """Remove the last file if it has this digest; after a kill it may be missing."""
        is_last = bool(self.files) and self.files[-1].digest == digest
        return self.model_copy(update={"files": self.files[:-1]}) if is_last else self

    def without_videos(self, videos: Collection[str]) -> Self:
        """Remove all decisions on some videos."""
        files = (
            file.model_copy(update={"decisions": tuple(one for one in file.decisions if one.video not in videos)})
            for file in self.files
        )
        return self.model_copy(update={"files": tuple(file for file in files if file.decisions)})


def _path(state: Path) -> Path:
    return state / "decisions.json"
