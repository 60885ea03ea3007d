"""Replace a scanned video whose file is gone by a copy that was verified earlier.

Commands that read the videos again call it. A copy must have been compared by content.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fastface.errors import InputError
from fastface.index.ledger import Ledger
from fastface.index.records import CopyRecord, VideoRecord
from fastface.video.fingerprint import fingerprint


def remember_copies(ledger: Ledger, originals: Mapping[Path, Path], known: Iterable[VideoRecord]) -> None:
    """Record which files are copies of which videos.

    Args:
        ledger: The open ledger.
        originals: {copy: the file that is scanned instead}; their contents have just been compared.
        known: The ledger's videos.
    """
    records = {record.path: record for record in known}
    copies = []
    for path, original in originals.items():
        try:
            own, scanned = fingerprint(path), fingerprint(original)
        except InputError:
            continue  # the file disappeared meanwhile
        record = records.get(original)
        identity = record.fingerprint if record is not None and record.file_print == scanned else scanned
        copies.append(CopyRecord(path, own, identity))
    ledger.put_copies(copies)


def find_stand_ins(videos: Sequence[VideoRecord], copies: Iterable[CopyRecord]) -> list[VideoRecord]:
    """Return the videos whose file is gone but has an unchanged copy, with the copy as their file.

    They keep their fingerprint: it names the content that the index was made from.
    """
    taken = {record.path for record in videos}
    by_original: dict[str, list[CopyRecord]] = {}
    for copy in copies:
        if copy.path not in taken:
            by_original.setdefault(copy.original, []).append(copy)
    found = []
    for record in videos:
        candidates = by_original.get(record.fingerprint, []) if record.fingerprint else []
        if not candidates or os.path.lexists(record.path):
            continue
        chosen = next(filter(_is_unchanged, candidates), None)
        if chosen is not None:
            info = record.info and replace(record.info, path=chosen.path)
            found.append(replace(record, path=chosen.path, info=info, copy_print=chosen.fingerprint))
    return found


def put_stand_ins(ledger: Ledger) -> list[tuple[Path, VideoRecord]]:
    """Replace videos whose file is gone by their copies; return each former path with the new record."""
    copies = ledger.copies()
    videos = ledger.videos() if copies else []
    before = {record.video_id: record.path for record in videos}
    found = find_stand_ins(videos, copies)
    for record in found:
        ledger.put_video(record)
    return [(before[record.video_id], record) for record in found]


def _is_unchanged(copy: CopyRecord) -> bool:
    try:
        return fingerprint(copy.path) == copy.fingerprint
    except InputError:
        return False
