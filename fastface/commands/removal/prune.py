"""Run `fastface prune`: remove the videos whose files were deleted from an output folder.

A file on a disk that is not mounted was not deleted: its video stays.
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fastface.commands.removal.forget import ForgetResult, forget
from fastface.config import Config
from fastface.index.ledger import Ledger
from fastface.index.records import NameRecord, VideoRecord
from fastface.names import valid_text
from fastface.runtime.events.observer import Observer
from fastface.runtime.output_folder import require_ledger
from fastface.video.identity.disks import is_mounted


@dataclass(frozen=True, slots=True)
class PruneResult:
    """Videos that were removed, or would be, and those that stay although their file is not there.

    Attributes:
        forgotten: The removed videos and files.
        folders: {folder: number of removed videos that it held}.
        missing: Those of these folders that do not exist any more themselves.
        unmounted: {mount point of a disk that is not mounted: number of videos on it}; they stay.
    """

    forgotten: ForgetResult
    folders: Mapping[str, int]
    missing: tuple[str, ...]
    unmounted: Mapping[str, int]


def prune(config: Config, out: Path, observer: Observer, *, pretend: bool = False) -> PruneResult:
    """Remove each video of an output folder whose files were all deleted, with all that was made of it.

    Args:
        config: The settings; the networks are those of the index.
        out: The output folder.
        observer: Receives notes.
        pretend: True to report the result without removing anything.

    Raises:
        ConfigError: There is no run in `out`.
        LockedError: A run holds `out`.
        SpaceError: No space is left; the same call continues.
    """
    require_ledger(out)
    with Ledger(out / ".fastface" / "state.sqlite", read_only=True) as ledger:
        records, names = ledger.videos(), ledger.names()
    deleted, unmounted = _find_lost(records, names)
    folders = Counter(record.path.parent for record in deleted)
    result = PruneResult(
        ForgetResult((), (), 0),
        {valid_text(str(folder)): count for folder, count in sorted(folders.items())},
        tuple(valid_text(str(folder)) for folder in sorted(folders) if not os.path.lexists(folder)),
        {valid_text(disk): count for disk, count in sorted(unmounted.items())},
    )
    if not deleted:
        return result
    found = forget(config, out, [record.video_id for record in deleted], observer, by_id=True, pretend=pretend)
    return replace(result, forgotten=found)


def _find_lost(records: Sequence[VideoRecord], names: Sequence[NameRecord]) -> tuple[list[VideoRecord], Counter[str]]:
    """Return the videos whose files were all deleted or replaced, and the number of others on each unmounted disk."""
    by_content: dict[str, list[NameRecord]] = {}
    for name in names:
        by_content.setdefault(name.fingerprint, []).append(name)
    by_path = {name.path: name for name in names}
    deleted, unmounted = [], Counter[str]()
    for record in records:
        # A file that became a copy of another video is not this video any more.
        other = by_path.get(record.path)
        is_own = other is None or other.fingerprint == record.fingerprint or not other.has_unchanged_file()
        further = by_content.get(record.fingerprint, []) if record.fingerprint else []
        if (is_own and os.path.lexists(record.path)) or any(name.has_unchanged_file() for name in further):
            continue
        places = [(record.path, record.disk), *((name.path, name.disk) for name in further)]
        away = [disk for path, disk in places if not os.path.lexists(path) and not is_mounted(disk)]
        if away:
            unmounted[away[0]] += 1
        else:
            deleted.append(record)
    return deleted, unmounted
