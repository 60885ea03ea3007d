"""Decide the final state of a video from the records of its units. Pure.

The scan, `status` and the reports call it. Every state needs an entry in `STATE_WORDS`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction

from fastface.errors import CANNOT_READ
from fastface.index.records import UnitRecord
from fastface.names import pluralize
from fastface.video.integrity.encryption import ENCRYPTED

STATE_WORDS = {
    "done": "done",
    "waiting": "waiting",
    "scanning": "in progress",
    "no_video": "audio only",
    "partial": "partly read",
    "cancelled": "not reached",
    "unstable": "still being written",
    "quarantined": "skipped after crashes",
    "failed": "failed",
}
"""{state of a video: word for people}, from the best to the worst."""

SEARCHED_STATES = frozenset({"done", "partial", "unstable"})
"""States of finished videos that are searched."""

MIN_COVERAGE = 0.98
"""Minimum decoded share of the declared duration, 0–1, for the state `done`."""


@dataclass(frozen=True, slots=True)
class FinalState:
    """Final state of a video.

    Attributes:
        state: Key of `STATE_WORDS`.
        reason: Reason why the state is not `done`; empty if it is.
        coverage: Decoded share of the declared duration, 0–1; None if no duration is declared.
    """

    state: str
    reason: str
    coverage: float | None


def describe_state(state: str, reason: str) -> str:
    """Return a state with its reason, in words: `failed: no frames`."""
    words = STATE_WORDS[state]
    return reason if reason.startswith(words) else f"{words}: {reason}" if reason else words


def judge(units: Collection[UnitRecord], duration: Fraction | None) -> FinalState:
    """Return the final state of a video whose units are all committed or lost.

    Args:
        units: The video's units, without dense ones.
        duration: Declared duration in seconds; None if there is none.
    """
    lost = [unit.lost for unit in units if unit.lost]
    decoded = sum(unit.decoded for unit in units)
    errors = sum(unit.errors for unit in units)
    encrypted = sum(unit.encrypted for unit in units)
    quarantined = sum(unit.quarantined for unit in units)
    covered = sum((unit.covered for unit in units), Fraction(0))
    coverage = None if not duration else min(1.0, float(covered / duration))
    if lost and len(lost) == len(units):
        state, _, reason = lost[0].partition(": ")
        return FinalState(state, reason, 0.0 if duration else None)
    unread = next((unit.unread for unit in units if unit.unread), "")
    if decoded == 0:
        return FinalState("failed", unread or (ENCRYPTED if encrypted else "no frames"), 0.0 if duration else None)
    reasons = [f"{len(lost)} of {len(units)} parts could not be scanned ({lost[0]})"] if lost else []
    if unread:
        reasons.append(unread)
    elif errors > encrypted:
        reasons.append(f"{pluralize(errors - encrypted, 'packet')} could not be decoded")
    if encrypted:
        reasons.append(f"{pluralize(encrypted, 'encrypted packet')} could not be decoded")
    if quarantined:
        reasons.append(f"every process that searched {pluralize(quarantined, 'frame')} crashed")
    if coverage is not None and coverage < MIN_COVERAGE:
        reasons.append(f"only {coverage:.0%} of the declared {float(duration or 0):.1f} s could be decoded")
    return FinalState("partial" if reasons else "done", "; ".join(reasons), coverage)


def was_unread(unit: UnitRecord) -> bool:
    """Return whether the disk or the share failed to read all of a unit, so that another run may succeed."""
    return bool(unit.unread) or unit.lost.partition(": ")[2].startswith(CANNOT_READ)
