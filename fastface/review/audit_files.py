"""Read and define the files of an audit: the drawn moments (sample.json) and the user's answers (audit.json)."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fastface.errors import ConfigError
from fastface.review.estimates import AnsweredMoment
from fastface.review.sampling import Role, Stratum

_Place = Field(ge=0)


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class AuditItem(_Strict):
    """A moment on the page."""

    id: str
    stratum: int = _Place
    video: str
    time: float  # seconds from the first frame
    pts: int
    period: float  # seconds that the moment stands for
    target: int | None  # place of the target of a hit or a near miss
    box: tuple[float, float, float, float] | None  # face: x1, y1, x2, y2 in pixels of the frame as displayed
    choices: tuple[int, ...]  # places of the targets that may be the answer


class DrawnStratum(_Strict):
    """A stratum, and the number of its moments on the page."""

    role: Role
    kind: str
    target: int | None
    moments: int
    seconds: float
    drawn: int

    @property
    def stratum(self) -> Stratum:
        """Return the stratum."""
        return Stratum(self.role, self.kind, self.target, self.moments, self.seconds)


class LeftOut(_Strict):
    """A video of the answer without a drawn moment."""

    video: str
    reason: str
    hits: int
    samples: int


class AuditSample(_Strict):
    """Sample of an audit, and the answer that it was drawn from."""

    schema_version: Literal[1] = 1
    answer: str  # digest of the answer and the index
    seed: int
    targets: tuple[str, ...]
    strata: tuple[DrawnStratum, ...]
    items: tuple[AuditItem, ...]
    left_out: tuple[LeftOut, ...] = ()
    lost: int = 0  # number of drawn moments that could not be decoded again

    @property
    def digest(self) -> str:
        """Return a digest of the sample: it depends on the answer, the index, the seed and the size."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


class AuditAnswer(_Strict):
    """Answer of the user on one moment: the targets in it, or unsure."""

    id: str
    persons: tuple[int, ...] = ()  # numbers of targets, from 1, as on the page
    unsure: bool = False


class AuditAnswers(_Strict):
    """The file that the page saves."""

    schema_version: Literal[1]
    audit: str
    seed: int
    answers: tuple[AuditAnswer, ...]


_File = TypeVar("_File", bound=_Strict)


def read_sample(path: Path, draw: str) -> AuditSample:
    """Read sample.json.

    Args:
        path: Path of the file.
        draw: Command that creates it, for the message.

    Raises:
        ConfigError: The file does not exist or is damaged.
    """
    if not path.exists():
        raise ConfigError(f"{str(path)!r} does not exist; draw a sample first: {draw}")
    return _read_file(path, AuditSample, f"is damaged; draw a new sample, with: {draw}")


def read_answers(path: Path, sample: AuditSample) -> AuditAnswers:
    """Read the saved answers of the page.

    Raises:
        ConfigError: The file cannot be read, was not saved by the page, or does not belong to the sample.
    """
    found = _read_file(path, AuditAnswers, "is no file that audit.html saved")
    if found.audit != sample.digest:
        raise ConfigError(
            f"{str(path)!r} was saved by the page of another sample or another answer; open audit.html again"
        )
    items = {item.id: item for item in sample.items}
    seen: set[str] = set()
    for answer in found.answers:
        fault = _fault(answer, items.get(answer.id), answer.id in seen)
        if fault:
            raise ConfigError(f"{str(path)!r}: moment {answer.id!r}: {fault}")
        seen.add(answer.id)
    return found


def answered_moments(sample: AuditSample, answers: AuditAnswers) -> list[AnsweredMoment]:
    """Return the moments with a certain answer."""
    items = {item.id: item for item in sample.items}
    return [
        AnsweredMoment(items[one.id].stratum, items[one.id].period, frozenset(number - 1 for number in one.persons))
        for one in answers.answers
        if not one.unsure
    ]


def _fault(answer: AuditAnswer, item: AuditItem | None, is_double: bool) -> str:
    """Return the fault of an answer; empty if there is none."""
    if item is None:
        return "not in the sample"
    if is_double:
        return "answered twice"
    if answer.unsure and answer.persons:
        return "unsure, and a person, exclude each other"
    if not {number - 1 for number in answer.persons} <= set(item.choices):
        allowed = ", ".join(str(place + 1) for place in item.choices)
        return f"persons {list(answer.persons)}: allowed are {allowed}"
    if item.box is not None and len(answer.persons) > 1:
        return "one face is one person"
    return ""


def _read_file(path: Path, kind: type[_File], what: str) -> _File:
    try:
        return kind.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        reason = " ".join(f"{where}: {fault['msg']}".removeprefix(": ").split())
        raise ConfigError(f"{str(path)!r} {what} ({reason})") from error


def item_id(parts: Sequence[object]) -> str:
    """Return a name of a moment within its sample, the same in every draw."""
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
