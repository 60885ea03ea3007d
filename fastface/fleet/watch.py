"""Choose the files of a growing folder that are complete, and see whether any of them is new.

`commands.nights.watch` calls it at each look. A look lists folders and decodes nothing.
"""

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from fastface.fleet.shards import Shard, find_own
from fastface.video.discover import Discovery, Skipped, VideoFile, sequence_files
from fastface.video.suffixes import UNFINISHED_SUFFIXES

STILL_WRITTEN = "still being written"
"""Reason why a look leaves a file out."""

_PROCESSES = Path("/proc")

_Content = tuple[tuple[str, int, int], ...]  # (name, bytes, time of change in ns) of each file of a video


@dataclass(frozen=True, slots=True)
class _Video:
    """Facts about a video that are visible without opening it."""

    content: _Content
    files: frozenset[tuple[int, int]]  # (device, inode) of each file
    changed: float  # newest time of change that no program can set, in seconds since 1970


@dataclass(frozen=True, slots=True)
class Look:
    """Result of one look at the inputs.

    Attributes:
        found: The complete videos. Incomplete ones are among the skipped inputs.
        new: The complete videos of the shard that no pass has searched in their present content.
        waiting: The incomplete videos of the shard.
    """

    found: Discovery
    new: tuple[Path, ...]
    waiting: tuple[Path, ...]
    contents: dict[Path, _Content]  # of the complete videos


def skip_written(path: Path) -> Skipped:
    """Return the entry of an incomplete video among the skipped inputs: the next run searches it."""
    return Skipped(path, STILL_WRITTEN, is_fault=True, left_state="unstable")


class FolderWatch:
    """Remember what earlier looks saw and what was searched.

    A file is complete if its size and its time of change stayed the same for `interval`, and no process that this user
    may inspect has it open for writing. Writers on other machines are not visible.

    Args:
        interval: Seconds.
        shard: The part of the videos that the passes search.
    """

    def __init__(self, interval: float, shard: Shard) -> None:
        self._interval = interval
        self._shard = shard
        self._seen: dict[Path, tuple[_Content, float]] = {}  # content of each video, and when a look first saw it
        self._searched: dict[Path, _Content] = {}

    def look(self, found: Discovery, elapsed: float, clock: float) -> Look:
        """Divide the discovered videos into complete and incomplete ones.

        Args:
            found: All videos of the inputs now.
            elapsed: Seconds of a monotonic clock.
            clock: Seconds since 1970.
        """
        there = {file: video for file in found.videos if (video := _read_facts(file)) is not None}
        self._seen = {file.path: self._first_seen(file.path, video, elapsed) for file, video in there.items()}
        contents = {file.path: video.content for file, video in there.items()}
        steady = [file for file, video in there.items() if self._is_steady(file.path, video, elapsed, clock)]
        new = {file.path for file in steady if self._searched.get(file.path) != contents[file.path]}
        if new:  # looking through all processes is worth it only now
            written = list_written_files()
            steady = [file for file in steady if file.path not in new or not there[file].files & written]
        complete = {file.path for file in steady}
        waiting = [file for file in there if file.path not in complete]
        fresh = [file for file in steady if file.path in new]
        own = self._find_own([*fresh, *waiting])
        # A new video of another shard needs no pass, and no second read at the next look.
        self._searched |= {file.path: contents[file.path] for file in fresh if file.path not in own}
        unready = tuple(file.path for file in waiting if file.path in own)
        # The pass reads the stamps again: a file may have changed since they were read.
        videos = tuple(replace(file, stamp="") for file in steady)
        return Look(
            replace(found, videos=videos, skipped=(*found.skipped, *map(skip_written, unready))),
            tuple(file.path for file in fresh if file.path in own),
            unready,
            {path: contents[path] for path in complete},
        )

    def _find_own(self, files: Sequence[VideoFile]) -> set[Path]:
        """Return the paths of the files that belong to the shard."""
        is_own = find_own(files, self._shard)
        return {file.path for file, belongs in zip(files, is_own, strict=True) if belongs}

    def mark_searched(self, look: Look) -> None:
        """Record that a pass has searched the complete videos of a look."""
        self._searched |= look.contents

    def _first_seen(self, path: Path, video: _Video, elapsed: float) -> tuple[_Content, float]:
        before = self._seen.get(path)
        return before if before is not None and before[0] == video.content else (video.content, elapsed)

    def _is_steady(self, path: Path, video: _Video, elapsed: float, clock: float) -> bool:
        """Return whether a video has not changed for the interval.

        The clock of a file server may differ from ours. Then a later look decides, or the pass finds that the file
        changes while it is read.
        """
        if path.suffix.lower() in UNFINISHED_SUFFIXES:  # its program gives it another name at the end
            return False
        first_seen = self._seen[path][1]
        return elapsed - first_seen >= self._interval or clock - video.changed >= self._interval


def _read_facts(file: VideoFile) -> _Video | None:
    """Read the facts about a video; None if it is gone."""
    try:
        paths = sequence_files(file.path) if file.sequence else [file.path]
        facts = [(path.name, path.stat()) for path in paths]
    except OSError:
        return None
    return _Video(
        tuple((name, status.st_size, status.st_mtime_ns) for name, status in facts),
        frozenset((status.st_dev, status.st_ino) for _, status in facts),
        max((status.st_ctime for _, status in facts), default=0.0),
    )


def list_written_files() -> set[tuple[int, int]]:
    """Return (device, inode) of the regular files that processes of this machine have open for writing.

    Without root, only this user's own processes are visible; in a container, only the container's.
    """
    found = set()
    for process in _PROCESSES.iterdir():
        if not process.name.isdecimal():
            continue
        with suppress(OSError):  # the process has ended, or belongs to another user
            for name in os.listdir(process / "fd"):  # noqa: PTH208 - a path object a descriptor takes twice as long
                found |= _written_file(process, name)
    return found


def _written_file(process: Path, name: str) -> set[tuple[int, int]]:
    """Return (device, inode) of a descriptor's file if it is a regular file that can be written; else nothing."""
    with suppress(OSError):  # the descriptor was closed
        lines = (process / "fdinfo" / name).read_text().splitlines()
        (flags,) = (int(line.split()[1], 8) for line in lines if line.startswith("flags:"))
        if flags & os.O_ACCMODE != os.O_RDONLY:
            status = os.stat(process / "fd" / name)  # noqa: PTH116
            return {(status.st_dev, status.st_ino)} if stat.S_ISREG(status.st_mode) else set()
    return set()
