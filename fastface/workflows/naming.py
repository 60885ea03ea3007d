"""Names of videos in OUT that stay the same from run to run, and are never given to another file."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace

from fastface.errors import InputError
from fastface.index.records import VideoRecord
from fastface.video.discover import VideoFile, folded, marked
from fastface.video.fingerprint import fingerprint

__all__ = ["settle_names"]


def settle_names(videos: Sequence[VideoFile], known: Iterable[VideoRecord]) -> tuple[VideoFile, ...]:
    """The same videos, under names that agree with those that OUT knows.

    A path keeps its name. A new path does not get the name of another one, unless that one is gone and this is the
    same file: then it was moved.

    Args:
        videos: As they were discovered, with names that differ among each other.
        known: The ledger's videos.
    """
    by_path = {record.path: record for record in known}
    by_name = {folded(record.video_id): record for record in by_path.values()}
    taken = set(by_name)
    settled = []
    for file in videos:
        name = by_path[file.path].video_id if file.path in by_path else _new_name(file, by_name, taken)
        taken.add(folded(name))
        settled.append(replace(file, video_id=name))
    return tuple(settled)


def _new_name(file: VideoFile, by_name: dict[str, VideoRecord], taken: set[str]) -> str:
    name = file.video_id
    while folded(name) in taken:
        holder = by_name.get(folded(name))
        if holder is not None and _was_moved(holder, file):
            return holder.video_id
        name = marked(name, str(file.path))
    return name


def _was_moved(record: VideoRecord, file: VideoFile) -> bool:
    if os.path.lexists(record.path):
        return False
    try:
        return fingerprint(file.path) == record.fingerprint
    except InputError:
        return False
