"""Keep answers to earlier searches in OUT/earlier/<name> when another search begins.

`commands.run` and `pick` call it. A search is identified by the name of its answer. Without a name, its targets and
expressions give one. The same search replaces its answer in place. So does a search with more targets, if neither has
a name or expressions. Files of a kind that is no longer exported are removed. Another search first moves the previous
answer (tables, clips, pictures, reels, timelines) to a folder of its own. An answer that was moved away comes back
when its search is repeated. So each search has one folder.

OUT/.fastface/answer.json records whose answer is in OUT, whether it is being moved, and the answers that were moved. It
is written before the first file moves and after the last. A move only renames files, so a killed command continues
where it stopped.
"""

import hashlib
import json
import os
import shlex
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self

from fastface.errors import FaceIndexError
from fastface.failpoints import fail_point
from fastface.files import private_folder, remove_empty, write_atomic
from fastface.names import pluralize, safe_name, shorten_lines, valid_text
from fastface.runtime.context import RunContext
from fastface.runtime.output_folder import ANSWER_TABLES, EARLIER
from fastface.runtime.run_report import restore_answer_record

_SCHEMA_VERSION = 2
_MOVED = (*ANSWER_TABLES, "report.html")
_FOLDERS = ("clips", "crops", "reels", "sheets", "snapshots", "timelines")
_PRIVATE = ("crops", "reels", "sheets", "snapshots")
_MOST_NAMED = 3
"""Maximum number of targets in the name of an answer; of more, the name has their number and a digest."""
_WHERE = " where "
"""Text between the targets and the expressions in the name of an answer."""

_Move = Literal["", "away", "back"]


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


def keep_earlier_answer(context: RunContext, targets: Collection[str], where: Collection[str] = ()) -> Answer:
    """Prepare OUT for the answer to a search, before any of its files is written.

    Args:
        context: Run context.
        targets: Labels of the search.
        where: Its expressions.

    Returns:
        The answer that OUT will hold.

    Raises:
        FaceIndexError: The record of the answers in OUT is damaged.
        SpaceError: No space is left.
    """
    root, note = context.out.root, _note_path(context.out.state)
    asked = Answer.to_search(targets, where, context.config.question.name)
    answers, move = _read_note(note)
    before = answers.last
    if move == "back":  # the move was interrupted
        _move(context, before.folder, "")
    earlier = [one for one in answers.earlier if one.folder != before.folder and (root / one.folder).is_dir()]
    if before.loses_to(asked) and not context.config.export.replace:
        if move != "away":
            _remove(context, before.folder)
            _write(note, before, "away", earlier)
        restore_answer_record(root)
        _move(context, "", before.folder)
        context.observer.note(f"{_describe_moved(context, before)}; --replace removes it instead")
        earlier = [before, *earlier]
    earlier = [one for one in earlier if one.folder != asked.folder]
    asked = replace(asked, asked=datetime.now(UTC).isoformat(timespec="seconds"))
    if (root / asked.folder).is_dir():
        _write(note, asked, "back", earlier)
        _move(context, asked.folder, "")
    _write(note, asked, "", earlier)
    return asked


def describe_move(out: Path, asked: Answer) -> str:
    """Describe where the answer in OUT would move; empty if it answers the same search, or there is none."""
    before = read_answers(out).last
    if not before.loses_to(asked):
        return ""
    return f"the previous answer ({before.title}) would be moved to {str(out / before.folder)!r}"


def read_answers(out: Path) -> Answers:
    """Read which answers an output folder holds; those that the user removed are left out.

    Raises:
        FaceIndexError: The record of the answers is damaged.
    """
    answers, _ = _read_note(_note_path(out / ".fastface"))
    return replace(answers, earlier=tuple(one for one in answers.earlier if (out / one.folder).is_dir()))


def _note_path(state: Path) -> Path:
    return state / "answer.json"


def _read_note(path: Path) -> tuple[Answers, _Move]:
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


def _write(path: Path, last: Answer, move: str, earlier: Sequence[Answer]) -> None:
    content = {"schema_version": _SCHEMA_VERSION, "last": asdict(last), "move": move}
    write_atomic(path, json.dumps({**content, "earlier": list(map(asdict, earlier))}) + "\n", private=True)


def _describe_moved(context: RunContext, before: Answer) -> str:
    folder = before.folder
    exports = [path.removeprefix(f"{folder}/") for path in context.ledger.exports() if path.startswith(f"{folder}/")]
    counts = {noun: sum(path.startswith(f"{noun}s/") for path in exports) for noun in ("clip", "crop", "snapshot")}
    files = ", ".join(pluralize(count, noun) for noun, count in counts.items() if count)
    where = shlex.quote(str(context.out.root / folder))
    return f"previous answer on {before.title} ({files or 'tables'}) moved to {where}"


def _move(context: RunContext, source: str, target: str) -> None:
    """Move an answer from one folder below OUT to another; files that an interrupted move has moved stay there."""
    root = context.out.root
    for path in _list_exports(context, source):
        moved = _place(path.removeprefix(f"{source}/") if source else path, target)
        if (root / moved).is_dir():  # a folder of the user has this name: it stays in place
            continue
        if os.path.lexists(root / path):
            _rename(root, path, moved, target)
            fail_point("answers.renamed")
        if os.path.lexists(root / moved):
            context.ledger.move_export(path, moved)
        else:
            context.ledger.forget_export(path)
    for name in _MOVED:
        if (root / _place(name, source)).is_file():
            _rename(root, _place(name, source), _place(name, target), target)
            fail_point("answers.table")
    if source:
        remove_empty(root / source, root)


def _rename(root: Path, path: str, moved: str, target: str) -> None:
    """Rename a file; folders with pictures of faces are accessible to their owner only."""
    folder = moved.removeprefix(f"{target}/").partition("/")[0]
    if folder in _PRIVATE:
        private_folder(root / _place(folder, target))
    (root / moved).parent.mkdir(parents=True, exist_ok=True)
    (root / path).replace(root / moved)
    remove_empty((root / path).parent, root)


def _remove(context: RunContext, folder: str) -> None:
    """Remove an older answer to the same search; files that fastface did not make stay."""
    root = context.out.root
    for path in _list_exports(context, folder):
        (root / path).unlink(missing_ok=True)
        context.ledger.forget_export(path)
        remove_empty((root / path).parent, root)
    for name in _MOVED:
        (root / _place(name, folder)).unlink(missing_ok=True)
        remove_empty((root / _place(name, folder)).parent, root)


def _list_exports(context: RunContext, folder: str) -> list[str]:
    """List the exports of the answer in a folder below OUT."""
    paths: Iterable[str] = context.ledger.exports()
    if folder:
        return [path for path in paths if path.startswith(f"{folder}/")]
    return [path for path in paths if path.partition("/")[0] in _FOLDERS]


def _place(name: str, folder: str) -> str:
    return f"{folder}/{name}" if folder else name
