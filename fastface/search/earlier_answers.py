"""Keep answers to earlier searches in OUT/earlier/<targets> when another search begins.

`commands.run` and `pick` call it. A search is identified by its targets. The same search, or one with more targets,
replaces its answer in place; files of a kind that is no longer exported are removed. Another search first moves the
previous answer (tables, clips, crops, snapshots, timelines) to a folder of its own. An answer that was moved away comes
back when its search is repeated. So each search has one folder.

OUT/.fastface/answer.json records whose answer is in OUT, and whether it is being moved. It is written before the first
file moves and after the last. A move only renames files, so a killed command continues where it stopped.
"""

import hashlib
import json
import os
import shlex
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fastface.errors import FaceIndexError
from fastface.failpoints import fail_point
from fastface.files import private_folder, remove_empty, write_atomic
from fastface.names import pluralize, safe_name, valid_text
from fastface.runtime.context import RunContext
from fastface.runtime.output_folder import EARLIER

_SCHEMA_VERSION = 1
_TABLES = (
    "spans.csv", "spans.json", "hits.csv", "review.csv", "bank_growth.csv", "run.json", "report.html",
    "crops/crops.csv",
)  # fmt: skip
_FOLDERS = ("clips", "crops", "snapshots", "timelines")
_PRIVATE = ("crops", "snapshots")
_MOST_NAMED = 3
"""Maximum number of targets in a folder's name; of more, the name has their number and a digest."""

_Move = Literal["", "away", "back"]


@dataclass(frozen=True, slots=True)
class _Question:
    """Targets of a search, as stored with its answer."""

    targets: frozenset[str]

    def loses_to(self, other: "_Question") -> bool:
        """Return whether the answer to `other` lacks a target of this search."""
        return not self.targets <= other.targets


def keep_earlier_answer(context: RunContext, targets: Collection[str]) -> None:
    """Prepare OUT for the answer to a search, before any of its files is written.

    Args:
        context: Run context.
        targets: Labels of the search.

    Raises:
        FaceIndexError: The record of the answer in OUT is damaged.
        SpaceError: No space is left.
    """
    root, note = context.out.root, _note_path(context.out.state)
    asked = _Question(frozenset(targets))
    before, move = _read_question(note)
    if move == "back":  # the move was interrupted
        _move(context, _folder(before), "")
    if before.loses_to(asked) and not context.config.export.replace:
        away = _folder(before)
        if move != "away":
            _remove(context, away)
            _write(note, before, "away")
        _move(context, "", away)
        context.observer.note(f"{_describe(context, before, away)}; --replace removes it instead")
    back = _folder(asked)
    if (root / back).is_dir():
        _write(note, asked, "back")
        _move(context, back, "")
    _write(note, asked, "")


def describe_move(out: Path, targets: Collection[str]) -> str:
    """Describe where the answer in OUT would move; empty if it answers the same search, or there is none."""
    before, _ = _read_question(_note_path(out / ".fastface"))
    if not before.loses_to(_Question(frozenset(targets))):
        return ""
    return f"the previous answer ({_names(before.targets)}) would be moved to {str(out / _folder(before))!r}"


def _note_path(state: Path) -> Path:
    return state / "answer.json"


def _read_question(path: Path) -> tuple[_Question, _Move]:
    """Read the search whose answer is in OUT, and the direction of an unfinished move."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["schema_version"] != _SCHEMA_VERSION or found["move"] not in ("", "away", "back"):
            raise ValueError(f"version {found['schema_version']}")
        return _Question(frozenset(map(str, found["targets"]))), found["move"]
    except FileNotFoundError:
        return _Question(frozenset()), ""
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FaceIndexError(
            f"cannot read {str(path)!r}: {error}; remove it: then the next answer replaces the one that is there"
        ) from error


def _write(path: Path, asked: _Question, move: _Move) -> None:
    content = {"schema_version": _SCHEMA_VERSION, "targets": sorted(asked.targets), "move": move}
    write_atomic(path, json.dumps(content) + "\n", private=True)


def _folder(asked: _Question) -> str:
    """Return the folder below OUT for the answer to a search; different for different searches."""
    names = sorted(asked.targets)
    if len(names) <= _MOST_NAMED and not any("+" in name for name in names):
        return f"{EARLIER}/{safe_name('+'.join(names))}"
    digest = hashlib.sha256(json.dumps(names).encode("utf-8", "surrogatepass")).hexdigest()[:8]
    first = safe_name(names[0], 60) if names else "nobody"
    return f"{EARLIER}/{first}+{len(names) - 1} more {digest}"


def _names(targets: Collection[str]) -> str:
    names = [valid_text(name) for name in sorted(targets)]
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _describe(context: RunContext, before: _Question, folder: str) -> str:
    exports = [path.removeprefix(f"{folder}/") for path in context.ledger.exports() if path.startswith(f"{folder}/")]
    counts = {noun: sum(path.startswith(f"{noun}s/") for path in exports) for noun in ("clip", "crop", "snapshot")}
    files = ", ".join(pluralize(count, noun) for noun, count in counts.items() if count)
    where = shlex.quote(str(context.out.root / folder))
    return f"previous answer on {_names(before.targets)} ({files or 'tables'}) moved to {where}"


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
    for name in _TABLES:
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
    for name in _TABLES:
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
