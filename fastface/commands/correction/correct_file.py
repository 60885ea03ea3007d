"""Run `fastface correct`: apply a file of corrections that a page of fastface saved, or take back the last correction.

The "kind" of a file chooses the function that applies it: see `KINDS`. All corrections, those of `pick` too, are in one
log, so that `--undo` takes back the last one.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fastface.census.clusters.correction_log import log_path, read_corrections, write_corrections
from fastface.census.page_files import read_page_bytes
from fastface.census.people_file import read_people_file
from fastface.commands.correction.correct import correct_people, undo
from fastface.commands.people import PeopleResult
from fastface.config import Config
from fastface.errors import ConfigError
from fastface.index.ledger import Ledger
from fastface.names import pluralize, shorten_lines
from fastface.review.decision_file import TakenDecisions, keep_decisions, read_decisions
from fastface.runtime.context import RunContext
from fastface.runtime.events.observer import Observer
from fastface.runtime.output_folder import OutputFolder, require_index
from fastface.search.decision_store import DecisionStore

_MOST_LINES = 20


@dataclass(frozen=True, slots=True)
class CorrectedFile:
    """Result of a file of corrections.

    Attributes:
        kind: Kind of the file.
        counts: {noun: number} of what was applied.
        left_out: One line for each entry that could not be applied.
        summary: The result in words.
    """

    kind: str
    counts: dict[str, int] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    summary: str = ""

    @property
    def exit_code(self) -> int:
        """Return 3 if an entry was left out."""
        return 3 if self.left_out else 0


Correction = CorrectedFile | PeopleResult
"""Result of a correction of answers, or of the list of persons."""


def correct_by_file(config: Config, file: Path, out: Path, observer: Observer, *, pretend: bool = False) -> Correction:
    """Apply a file of corrections to an output folder.

    Args:
        config: The settings.
        file: The file that a page saved.
        out: The output folder.
        observer: Receives notes.
        pretend: True to check the file and report the result without changing anything.

    Raises:
        ConfigError: The file is damaged or of an unknown kind, or there is no index in `out`.
        LockedError: A run holds `out`.
        FastfaceError: The index is damaged, or no space is left.
    """
    kind = _read_kind(file)
    require_index(out)
    return KINDS[kind](config, file, out, observer, pretend)


def take_back(config: Config, out: Path, observer: Observer) -> Correction:
    """Undo the last correction: a file of decisions, or a correction of the list of persons.

    Raises:
        ConfigError: There is nothing to undo.
        FastfaceError: See `undo`.
    """
    require_index(out)
    folder = OutputFolder(out)
    with folder.hold_lock():
        known = read_corrections(log_path(folder.state))
        if known and known[-1].what == "decisions":
            store = DecisionStore.load(folder.state)
            rest = store.without_last(known[-1].file)
            count = len(store.decisions) - len(rest.decisions)
            rest.save(folder.state)
            write_corrections(log_path(folder.state), known[:-1])
            summary = f"took back a file with {pluralize(count, 'decision')}"
            return CorrectedFile("decisions", {"decisions": count}, summary=summary)
    return undo(config, out, observer)


def apply_asked_decisions(context: RunContext) -> None:
    """Apply the file of `--decisions` before a search, and note what was left out.

    Raises:
        ConfigError, FastfaceError: See `correct_by_file`.
    """
    file = context.config.match.decisions
    if file is None:
        return
    taken = keep_decisions(context.out, context.ledger, read_decisions(file))
    context.observer.note(_summarize(taken))
    for line in shorten_lines(taken.left_out, _MOST_LINES):
        context.observer.note(line)


def _apply_decisions(config: Config, file: Path, out: Path, observer: Observer, pretend: bool) -> CorrectedFile:  # noqa: ARG001 - the signature is the registry's
    decisions = read_decisions(file)
    folder = OutputFolder(out)
    with folder.hold_lock(), Ledger(folder.ledger) as ledger:
        taken = keep_decisions(folder, ledger, decisions, pretend=pretend)
    counts = {
        "confirmed": taken.confirmed,
        "rejected": taken.rejected,
        "given": taken.given,
        "tracks": taken.tracks,
    }
    return CorrectedFile("decisions", counts, taken.left_out, _summarize(taken))


def _summarize(taken: TakenDecisions) -> str:
    if not taken.tracks:
        return "no new decision: all are kept already"
    verdicts = {"confirmed": taken.confirmed, "rejected": taken.rejected, "given to another person": taken.given}
    parts = [f"{count} {words}" for words, count in verdicts.items() if count]
    total = taken.confirmed + taken.rejected + taken.given
    return f"{pluralize(total, 'decision')} on {pluralize(taken.tracks, 'track')}: {', '.join(parts)}"


def _apply_people(config: Config, file: Path, out: Path, observer: Observer, pretend: bool) -> Correction:
    if pretend:
        read_people_file(file)
        return CorrectedFile("people", summary="the corrections of this file")
    return correct_people(config, file, out, observer)


KINDS: dict[str, Callable[[Config, Path, Path, Observer, bool], Correction]] = {
    "decisions": _apply_decisions,
    "people": _apply_people,
}
"""{kind of a file: function that applies it}; the last argument is true to change nothing."""


def _read_kind(file: Path) -> str:
    """Read the kind of a file of corrections.

    Raises:
        ConfigError: The file cannot be read, or no page of fastface saved it.
    """
    try:
        found = json.loads(read_page_bytes(file))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{str(file)!r} is no file that a page of fastface saved: it is no JSON") from error
    kind = found.get("kind") if isinstance(found, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise ConfigError(
            f"{str(file)!r} is no file that a page of fastface saved: its kind must be one of {', '.join(KINDS)}"
        )
    return kind
