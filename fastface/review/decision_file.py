"""Read the file of decisions that report.html saves, and keep its decisions in the output folder.

`commands.correction.correct_file` and the searches with `--decisions` call it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fastface.census.clusters.correction_log import LoggedCorrection, append_correction, log_path
from fastface.census.clusters.corrections import Corrections
from fastface.census.page_files import read_page_file
from fastface.errors import ConfigError
from fastface.gallery.photo_set.sources import make_label
from fastface.index.ledger import Ledger
from fastface.names import valid_text
from fastface.review.decided_moments import find_tracks
from fastface.runtime.output_folder import OutputFolder
from fastface.search.decision_store import (
    AppliedFile,
    Decision,
    DecisionStore,
    StoredDecision,
    StrictModel,
)

_MOST_FAULTS = 10


class _DecisionFile(StrictModel):
    """The file that the page saves."""

    schema_version: Literal[1]
    kind: Literal["decisions"]
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class TakenDecisions:
    """Result of a file of decisions.

    Attributes:
        confirmed: Number of moments that are the target.
        rejected: Number of moments that are not the target.
        given: Number of moments that are another person.
        tracks: Number of tracks that these decisions decide.
        left_out: One line for each decision whose moment was not found.
    """

    confirmed: int
    rejected: int
    given: int
    tracks: int
    left_out: tuple[str, ...]


def read_decisions(path: Path) -> tuple[Decision, ...]:
    """Read a file of decisions.

    Raises:
        ConfigError: The file cannot be read, was not saved by the page, or decides a moment twice.
    """
    found = read_page_file(path, _DecisionFile, "report.html", most_faults=_MOST_FAULTS)
    decisions = tuple(map(_normalize, found.decisions))
    places: dict[object, int] = {}
    for number, one in enumerate(decisions):
        if one.person == one.target:
            raise ConfigError(
                f"{str(path)!r}: decisions.{number}: person is {one.person!r}, the name of target: confirm the moment, "
                "or give it to another person"
            )
        before = places.setdefault(one.moment, number)
        if one != decisions[before]:
            raise ConfigError(
                f"{str(path)!r}: decisions.{number}: decisions.{before} has another verdict on the same moment; "
                "keep one of them"
            )
    return tuple(dict.fromkeys(decisions))


def keep_decisions(
    folder: OutputFolder, ledger: Ledger, decisions: Sequence[Decision], *, pretend: bool = False
) -> TakenDecisions:
    """Find the tracks of decisions, and keep them in the output folder. The caller holds its lock.

    The last file changes nothing if it is applied again, and neither does a decision that is in force.

    Args:
        folder: The output folder.
        ledger: Its open ledger.
        decisions: Decisions of one file.
        pretend: True to report the result without changing anything.

    Raises:
        ConfigError: None of the moments was found.
        FaceIndexError: The index or the file of earlier decisions is damaged.
        SpaceError: No space is left.
    """
    store, digest = DecisionStore.load(folder.state), _digest(decisions)
    if not decisions or (store.files and store.files[-1].digest == digest):
        return TakenDecisions(0, 0, 0, 0, ())
    found = find_tracks(folder, ledger, decisions, store.decisions)
    if not found.decisions and len(found.left_out) == len(decisions):
        raise ConfigError(["no moment of these decisions was found", *found.left_out[:_MOST_FAULTS]])
    kept = found.decisions
    if not kept:
        return TakenDecisions(0, 0, 0, 0, found.left_out)
    if not pretend:
        entry = LoggedCorrection("decisions", (), "", Corrections(), file=digest)
        append_correction(log_path(folder.state), entry)  # first: after a kill the log may have it, but not lack it
        store.with_file(AppliedFile(digest=digest, decisions=kept)).save(folder.state)
    return TakenDecisions(
        confirmed=_count(kept, "confirmed"),
        rejected=_count(kept, "rejected"),
        given=_count(kept, "given"),
        tracks=sum(len(one.tracks) for one in kept),
        left_out=found.left_out,
    )


def _count(decisions: Sequence[StoredDecision], verdict: str) -> int:
    return sum(one.verdict == verdict for one in decisions)


def _normalize(decision: Decision) -> Decision:
    """Return the decision with the person's name as a label of photos has it."""
    if decision.person is None:
        return decision
    return decision.model_copy(update={"person": valid_text(make_label(decision.person.strip()))})


def _digest(decisions: Sequence[Decision]) -> str:
    """Return a digest of decisions, which their order does not change."""
    lines = sorted(one.model_dump_json() for one in decisions)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]
