"""The last corrections of who is who, so that each can be taken back.

OUT/.fastface/corrections.undo.jsonl: one JSON object a line, the last correction last.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fastface.census.clusters.corrections import Corrections
from fastface.census.store.base import Membership
from fastface.errors import FaceIndexError
from fastface.files import write_atomic

_MOST_KEPT = 20


@dataclass(frozen=True, slots=True)
class LoggedCorrection:
    """One correction, with what it changed.

    Attributes:
        what: merge, split, reject, restore or name.
        numbers: Of the persons that it speaks of, in the census of that name.
        census: Names the census that the numbers are of.
        before: All that was said before it.
        store: The identity store that was changed.
        groups: What the store held of these persons before it.
    """

    what: str
    numbers: tuple[int, ...]
    census: str
    before: Corrections
    store: str = ""
    groups: tuple[Membership, ...] = ()


def read_corrections(path: Path) -> list[LoggedCorrection]:
    """All that can be taken back, the last one last.

    Raises:
        FaceIndexError: The file is damaged.
    """
    try:
        return [_parse_correction(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FaceIndexError(f"cannot read {str(path)!r}: {error}; remove it: then nothing can be undone") from error


def append_correction(path: Path, correction: LoggedCorrection) -> None:
    """Logs a correction that is about to be made.

    The same correction again, upon the same state, is one that was interrupted: the first entry stays.
    """
    known = read_corrections(path)
    if known and _is_repeated(known[-1], correction):
        return
    write_corrections(path, [*known, correction][-_MOST_KEPT:])


def write_corrections(path: Path, corrections: Sequence[LoggedCorrection]) -> None:
    """Writes the file, for its owner alone.

    Raises:
        SpaceError: No space is left.
    """
    lines = (
        json.dumps({**asdict(one), "before": one.before.to_object(), "groups": [asdict(group) for group in one.groups]})
        for one in corrections
    )
    write_atomic(path, "".join(f"{line}\n" for line in lines), private=True)


def _is_repeated(last: LoggedCorrection, new: LoggedCorrection) -> bool:
    if last.what == "name" and last.groups != new.groups:  # another name: the corrections are the same
        return False
    return (last.what, last.numbers, last.census, last.before) == (new.what, new.numbers, new.census, new.before)


def _parse_correction(line: str) -> LoggedCorrection:
    found = json.loads(line)
    return LoggedCorrection(
        what=str(found["what"]),
        numbers=tuple(map(int, found["numbers"])),
        census=str(found["census"]),
        before=Corrections.from_object(found["before"]),
        store=str(found["store"]),
        groups=tuple(Membership(**group) for group in found["groups"]),
    )
