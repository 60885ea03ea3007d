"""Replace a scanned video whose file is gone by another file with the same content.

Commands that read the videos again call it. The scan records the further names of a video in the ledger.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from fastface.index.ledger import Ledger
from fastface.index.records import NameRecord, VideoRecord
from fastface.video.identity.disks import is_deleted


def find_stand_ins(videos: Sequence[VideoRecord], names: Iterable[NameRecord]) -> list[VideoRecord]:
    """Return the videos whose file is gone but has an unchanged copy, with the copy as their file."""
    taken = {record.path for record in videos}
    by_content: dict[str, list[NameRecord]] = {}
    for name in names:
        if name.path not in taken:
            by_content.setdefault(name.fingerprint, []).append(name)
    found = []
    for record in videos:
        candidates = by_content.get(record.fingerprint, []) if record.fingerprint else []
        if not candidates or os.path.lexists(record.path):
            continue
        chosen = next(filter(NameRecord.has_unchanged_file, candidates), None)
        if chosen is not None:
            found.append(move_video(record, chosen.path, chosen.stamp, chosen.disk))
    return found


def put_stand_ins(ledger: Ledger) -> list[tuple[Path, VideoRecord]]:
    """Replace videos whose file is gone by their copies; return each former path with the new record."""
    names = ledger.names()
    videos = ledger.videos() if names else []
    before = {record.video_id: record for record in videos}
    found = find_stand_ins(videos, names)
    for record in found:
        put_moved(ledger, before[record.video_id], record)
    return [(before[record.video_id].path, record) for record in found]


def move_video(record: VideoRecord, path: Path, stamp: str, disk: str) -> VideoRecord:
    """Return the record of a video with another file of the same content."""
    info = record.info and replace(record.info, path=path)
    return replace(record, path=path, info=info, stamp=stamp, disk=disk)


def put_moved(ledger: Ledger, before: VideoRecord, now: VideoRecord) -> None:
    """Write the record of a video with another file. The former file stays a name unless it was deleted."""
    ledger.put_video(now)
    if before.path == now.path:
        return
    ledger.drop_names([now.path])
    if before.stamp and not is_deleted(before.path, before.disk) and not os.path.lexists(before.path):
        ledger.put_names([NameRecord(before.path, before.fingerprint, before.stamp, before.disk)])


def drop_lost_names(ledger: Ledger, inputs: Iterable[Path]) -> None:
    """Delete the names whose file was deleted, and those of a scan's inputs, which it records again.

    Names on a disk that is not mounted stay.
    """
    if names := ledger.names():
        paths = set(inputs)
        ledger.drop_names([name.path for name in names if name.path in paths or is_deleted(name.path, name.disk)])


def list_names(ledger: Ledger) -> dict[str, tuple[Path, ...]]:
    """Return {name of a video in OUT: its further files}; only videos that have several."""
    by_content: dict[str, list[Path]] = {}
    for name in ledger.names():
        by_content.setdefault(name.fingerprint, []).append(name.path)
    found = {}
    for record in ledger.videos(with_info=False) if by_content else ():
        paths = tuple(path for path in by_content.get(record.fingerprint, ()) if path != record.path)
        if paths and record.fingerprint:
            found[record.video_id] = paths
    return found
