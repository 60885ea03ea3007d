"""Record the answers of an output folder in OUT/.fastface/answer.json: the last one, and those that were moved away.

`earlier_answers` writes the record, before the first file of an answer moves and after the last. `status` reads it. A
search is identified by the name of its answer. Without a name, its targets and expressions give one.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

from fastface.errors import FaceIndexError
from fastface.files import write_atomic
from fastface.names import safe_name, shorten_lines, valid_text
from fastface.runtime.output_folder import EARLIER

_SCHEMA_VERSION = 2
_MOST_NAMED = 3
"""Maximum number of targets in the name of an answer; of more, the name has their number and a digest."""
_WHERE = " where "
"""Text between the targets and the expressions in the name of an answer."""

Move = Literal["", "away", "back"]
"""Direction of an unfinished move of the last answer; empty if all its files are in place."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A search, as stored with its answer.

    Attributes:
        targets: Labels of the search, sorted.
        where: Its expressions, sorted; empty if the spans are those of the targets.
        given_name: Name that the user gave the answer; empty to derive it.
        asked: Time of the search: UTC, ISO 8601; empty for a search that only begins.
    """

    targets: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    given_name: str = ""
    asked: str = ""

    @classmethod
    def to_search(cls, targets: Iterable[str], where: Iterable[str] = (), name: str = "") -> Self:
        """Return the answer to a search."""
        return cls(tuple(sorted(set(targets))), tuple(sorted(set(where))), name.strip())

    @property
    def name(self) -> str:
        """Name of the answer; different for different searches."""
        if self.given_name:
            return self.given_name
        who = _join_names(self.targets, "+")
        return f"{who}{_WHERE}{_join_names(self.where, '; ')}" if self.where else who

    @property
    def folder(self) -> str:
        """Folder below OUT to which the answer is moved."""
        return f"{EARLIER}/{safe_name(self.name)}"

    @property
    def title(self) -> str:
        """The search in words."""
        names = [valid_text(name) for name in self.targets]
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        who = ", ".join(names[:_MOST_NAMED]) + more
        where = "; ".join(shorten_lines([valid_text(one) for one in self.where], _MOST_NAMED))
        return f"{who}{_WHERE}{where}" if where else who

    def loses_to(self, other: "Answer") -> bool:
        """Return whether this is an answer that the answer to `other` does not include or replace."""
        if not self.targets or self.folder == other.folder:
            return False
        is_wider = set(self.targets) <= set(other.targets)
        return bool(self.given_name or other.given_name or self.where or other.where) or not is_wider


@dataclass(frozen=True, slots=True)
class Answers:
    """All answers of an output folder.

    Attributes:
        last: The answer in OUT itself; without targets if there is none.
        earlier: The answers that were moved to their folders, the latest first.
    """

    last: Answer = Answer()
    earlier: tuple[Answer, ...] = ()


def _join_names(names: Sequence[str], separator: str) -> str:
    """Join some names to one text; different for different names."""
    if len(names) <= _MOST_NAMED and not any(separator.strip() in name or _WHERE in name for name in names):
        return separator.join(names)
    digest = hashlib.sha256(json.dumps(names).encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{safe_name(names[0], 60)}{separator}{len(names) - 1} more {digest}"


def read_answers(out: Path) -> Answers:
    """Read which answers an output folder holds; those that the user removed are left out.

    Raises:
        FaceIndexError: The record of the answers is damaged.
    """
    answers, _ = read_record(record_path(out / ".fastface"))
    return replace(answers, earlier=tuple(one for one in answers.earlier if (out / one.folder).is_dir()))


def record_path(state: Path) -> Path:
    """Return the file of the record.

    Args:
        state: OUT/.fastface.
    """
    return state / "answer.json"


def read_record(path: Path) -> tuple[Answers, Move]:
    """Read the searches whose answers OUT holds, and the direction of an unfinished move."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["schema_version"] != _SCHEMA_VERSION or found["move"] not in ("", "away", "back"):
            raise ValueError(f"version {found['schema_version']}")
        return Answers(_read_answer(found["last"]), tuple(map(_read_answer, found["earlier"]))), found["move"]
    except FileNotFoundError:
        return Answers(), ""
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FaceIndexError(
            f"cannot read {str(path)!r}: {error}; remove it: then the next answer replaces the one that is there"
        ) from error


def _read_answer(found: dict[str, Any]) -> Answer:
    targets, where = (tuple(map(str, found[key])) for key in ("targets", "where"))
    return Answer(targets, where, str(found["given_name"]), str(found["asked"]))


def write_record(path: Path, last: Answer, move: Move, earlier: Sequence[Answer]) -> None:
    """Write the record, readable by its owner only.

    Raises:
        SpaceError: No space is left.
    """
    content = {"schema_version": _SCHEMA_VERSION, "last": asdict(last), "move": move}
    write_atomic(path, json.dumps({**content, "earlier": list(map(asdict, earlier))}) + "\n", private=True)
