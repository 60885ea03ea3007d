"""Read and write the log of corrections, so that `pick --undo` can revert each of them.

OUT/.fastface/corrections.undo.jsonl: one JSON object a line, the latest correction last.
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
    """One correction, and the state before it.

    Attributes:
        what: merge, split, reject, restore or name; `names` or `file` for several at once.
        numbers: Numbers of the persons, in the census named by `census`.
        census: Name of the census, see `census_digest`.
        before: All corrections before this one.
        store: Address of the identity store that was changed.
        groups: Looks of these persons in the store before the correction.
        photo_names: Names by photos before the correction, if it changed them: {name: {source: tracks}}.
    """

    what: str
    numbers: tuple[int, ...]
    census: str
    before: Corrections
    store: str = ""
    groups: tuple[Membership, ...] = ()
    photo_names: dict[str, dict[str, list[int]]] | None = None


def read_corrections(path: Path) -> list[LoggedCorrection]:
    """Read all corrections that can be reverted, the latest last.

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
    """Append a correction to the log before it is made.

    If the last entry is the same correction of the same state, it was interrupted: that entry stays.
    """
    known = read_corrections(path)
    if known and _is_repeated(known[-1], correction):
        return
    write_corrections(path, [*known, correction][-_MOST_KEPT:])


def write_corrections(path: Path, corrections: Sequence[LoggedCorrection]) -> None:
    """Write the log, readable by its owner only.

    Raises:
        SpaceError: No space is left.
    """
    lines = (
        json.dumps({**asdict(one), "before": one.before.to_object(), "groups": [asdict(group) for group in one.groups]})
        for one in corrections
    )
    write_atomic(path, "".join(f"{line}\n" for line in lines), private=True)


def _is_repeated(last: LoggedCorrection, new: LoggedCorrection) -> bool:
    is_naming = last.what in ("name", "names", "file")
    if is_naming and last.groups != new.groups:  # another name leaves the corrections unchanged
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
        photo_names=found["photo_names"],
    )
