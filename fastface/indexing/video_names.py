"""Name the videos in OUT. A name stays the same from run to run and is never reused for another file.

The scan calls it before it admits videos. Copies of a searched video get no second name.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fastface.errors import InputError
from fastface.index.records import VideoRecord
from fastface.video.discover import Skipped, VideoFile, casefold_name, with_path_digest
from fastface.video.fingerprint import content_digest, fingerprint


def settle_names(videos: Sequence[VideoFile], known: Iterable[VideoRecord]) -> tuple[VideoFile, ...]:
    """Return the same videos, with names that agree with OUT's ledger.

    A path keeps its name. A new path gets a known name only if the known path is gone and the file is the same: then it
    was moved, or renamed.

    Args:
        videos: The discovered videos, with distinct names.
        known: The ledger's videos.
    """
    by_path = {record.path: record for record in known}
    by_name = {casefold_name(record.video_id): record for record in by_path.values()}
    taken = set(by_name)
    there = {file.path for file in videos}
    gone = {record.file_print: record for record in by_path.values() if record.path not in there and _is_gone(record)}
    settled = []
    for file in videos:
        name = by_path[file.path].video_id if file.path in by_path else _old_name(file, gone)
        name = name or _new_name(file, by_name, taken)
        taken.add(casefold_name(name))
        settled.append(file if name == file.video_id else replace(file, video_id=name))
    return tuple(settled)


def drop_copies(
    videos: Sequence[VideoFile], known: Iterable[VideoRecord]
) -> tuple[tuple[VideoFile, ...], tuple[Skipped, ...]]:
    """Return the videos without copies of each other or of searched videos, and the reason for each that is left out.

    Of copies, the one in the ledger stays, else the first. A copy of a video in another place represents that video.

    Args:
        videos: The discovered videos.
        known: The ledger's videos.
    """
    records = {record.path: record for record in known}
    own = {file.path for file in videos}
    elsewhere = [VideoFile(path, record.video_id) for path, record in records.items() if path not in own]
    by_size: dict[int, list[VideoFile]] = {}
    # Files in the ledger come first, so that they are the originals.
    for file in sorted([*videos, *elsewhere], key=lambda file: file.path not in records):
        if not file.sequence and (size := _size(file.path)):
            by_size.setdefault(size, []).append(file)
    originals: dict[Path, VideoFile] = {}
    for files in by_size.values():
        if len(files) > 1 and any(file.path in own for file in files):
            for alike in _sampled_alike(files, records):
                originals |= _list_copies(alike)
    skipped = [
        Skipped(
            file.path,
            f"the same film as {str(originals[file.path].path)!r}, which is searched once",
            original=originals[file.path].path,
        )
        for file in videos
        if file.path in originals
    ]
    kept = dict.fromkeys(originals.get(file.path, file) for file in videos)
    return tuple(kept), tuple(skipped)


def list_waiting(
    known: Iterable[VideoRecord], named: Iterable[VideoFile], settled: Iterable[VideoFile]
) -> tuple[VideoFile, ...]:
    """Return the videos that earlier scans did not reach and that still exist.

    A video gets another name if a video of this scan has taken its name, unless it seems to be a copy of that video.

    Args:
        known: The ledger's videos.
        named: The videos that the inputs of this scan name.
        settled: The videos of this scan, with their names.
    """
    paths = {file.path for file in named}
    taken = {casefold_name(file.video_id): file for file in settled}
    waiting = []
    for record in known:
        if record.scan_key or record.path in paths or not os.path.lexists(record.path):
            continue
        name = record.video_id
        if holder := taken.get(casefold_name(name)):
            if _size(holder.path) == _size(record.path):
                continue
            name = with_path_digest(name, str(record.path))
        waiting.append(VideoFile(record.path, name))
    return tuple(waiting)


def _sampled_alike(files: Sequence[VideoFile], records: Mapping[Path, VideoRecord]) -> Iterator[list[VideoFile]]:
    """Group files of one size by three samples of their content; the ledger has the samples of known files."""
    groups: dict[str, list[VideoFile]] = {}
    for file in files:
        try:
            status = file.path.stat()
            record = records.get(file.path)
            is_known = record is not None and record.file_print.startswith(f"{status.st_size}-{status.st_mtime_ns}-")
            found = record.file_print if record is not None and is_known else fingerprint(file.path)
        except (OSError, InputError):
            continue  # the scan reports the reason
        groups.setdefault(found.rpartition("-")[2], []).append(file)
    return (group for group in groups.values() if len(group) > 1)


def _list_copies(files: Sequence[VideoFile]) -> dict[Path, VideoFile]:
    """Return {path of a copy: the first file with the same content} among files of one size."""
    first: dict[str, VideoFile] = {}
    copies = {}
    for file in files:
        try:
            original = first.setdefault(content_digest(file.path), file)
        except InputError:
            continue  # the scan reports the reason
        if original is not file:
            copies[file.path] = original
    return copies


def _size(path: Path) -> int:
    """Return the bytes of a regular file; 0 of anything else."""
    try:
        status = path.stat()
    except OSError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def _new_name(file: VideoFile, by_name: dict[str, VideoRecord], taken: set[str]) -> str:
    name = file.video_id
    while casefold_name(name) in taken:
        holder = by_name.get(casefold_name(name))
        if holder is not None and _was_moved(holder, file):
            return holder.video_id
        name = with_path_digest(name, str(file.path))
    return name


def _old_name(file: VideoFile, gone: dict[str, VideoRecord]) -> str:
    """Return the name of the same file in the records of gone videos; empty if there is none."""
    try:
        found = gone.pop(fingerprint(file.path), None) if gone else None
    except InputError:
        return ""
    return found.video_id if found is not None else ""


def _is_gone(record: VideoRecord) -> bool:
    return bool(record.fingerprint) and not os.path.lexists(record.path)


def _was_moved(record: VideoRecord, file: VideoFile) -> bool:
    if os.path.lexists(record.path):
        return False
    try:
        return fingerprint(file.path) == record.file_print
    except InputError:
        return False
