"""Keep answers to earlier searches in OUT/earlier/<name> when another search begins.

`commands.run` and `pick` call it. The same search replaces its answer in place. So does a search with more targets, if
neither has a name or expressions. Files of a kind that is no longer exported are removed. Another search first moves
the previous answer (tables, clips, pictures, reels, timelines) to a folder of its own. An answer that was moved away
comes back when its search is repeated. So each search has one folder.

`answer_record` records which answer is in OUT, and whether it is being moved. A move only renames files, so a killed
command continues where it stopped.
"""

import os
import shlex
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from fastface.failpoints import fail_point
from fastface.files import private_folder, remove_empty
from fastface.names import pluralize
from fastface.runtime.context import RunContext
from fastface.runtime.output_folder import ANSWER_TABLES
from fastface.runtime.run_report import restore_answer_record
from fastface.search.answer_record import Answer, read_answers, read_record, record_path, write_record

_MOVED = (*ANSWER_TABLES, "report.html")
_FOLDERS = ("clips", "crops", "reels", "sheets", "snapshots", "timelines")
_PRIVATE = ("crops", "reels", "sheets", "snapshots")


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
    root, note = context.out.root, record_path(context.out.state)
    asked = Answer.to_search(targets, where, context.config.question.name)
    answers, move = read_record(note)
    before = answers.last
    if move == "back":  # the move was interrupted
        _move(context, before.folder, "")
    earlier = [one for one in answers.earlier if one.folder != before.folder and (root / one.folder).is_dir()]
    if before.loses_to(asked) and not context.config.export.replace:
        if move != "away":
            _remove(context, before.folder)
            write_record(note, before, "away", earlier)
        restore_answer_record(root)
        _move(context, "", before.folder)
        context.observer.note(f"{_describe_moved(context, before)}; --replace removes it instead")
        earlier = [before, *earlier]
    earlier = [one for one in earlier if one.folder != asked.folder]
    asked = replace(asked, asked=datetime.now(UTC).isoformat(timespec="seconds"))
    if (root / asked.folder).is_dir():
        write_record(note, asked, "back", earlier)
        _move(context, asked.folder, "")
    write_record(note, asked, "", earlier)
    return asked


def describe_move(out: Path, asked: Answer) -> str:
    """Describe where the answer in OUT would move; empty if it answers the same search, or there is none."""
    before = read_answers(out).last
    if not before.loses_to(asked):
        return ""
    return f"the previous answer ({before.title}) would be moved to {str(out / before.folder)!r}"


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
