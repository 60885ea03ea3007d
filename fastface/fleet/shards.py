"""Split videos between machines that do not know each other.

`commands.run` calls `take_shard` with every machine's list of the same videos; `fleet.watch` asks for new files. The
first 64 KiB of a video decide. So a machine may mount the folder elsewhere, a renamed video stays in its shard, and
other videos may come and go. Copies of a video are in one shard, which searches it once. The size does not count: it
differs while a video is still written.

The price is one short read of each video. A path would need none, but it differs between machines and changes with each
rename.
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Self

from fastface.video.discover import Discovery, VideoFile, sequence_files

ALL_VIDEOS = "1/1"
"""The setting of a machine that works alone."""

_BLOCK_BYTES = 65536
_READERS = 16
"""Number of videos that are read at once: a network share takes milliseconds for each."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of the videos: number 1 to `count` of `count` parts."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a checked setting, as `2/5`."""
        number, count = map(int, text.split("/"))
        return cls(number, count)

    def has(self, key: bytes) -> bool:
        """Return whether this shard has the video with a key."""
        return int.from_bytes(hashlib.sha256(key).digest()[:8], "big") % self.count == self.number - 1


def take_shard(found: Discovery, shard: Shard) -> Discovery:
    """Return the videos of a shard; the others are listed as those of other shards.

    A video that cannot be read is in every shard, so that each machine reports it.
    """
    if shard.count == 1:
        return found
    pairs = list(zip(found.videos, find_own(found.videos, shard), strict=True))
    return replace(
        found,
        videos=tuple(file for file, is_own in pairs if is_own),
        elsewhere=tuple(file for file, is_own in pairs if not is_own),
    )


def find_own(files: Sequence[VideoFile], shard: Shard) -> list[bool]:
    """Return whether each video belongs to a shard. Reads a block of each, unless there is one shard alone."""
    if shard.count == 1:
        return [True] * len(files)

    def is_own(file: VideoFile) -> bool:
        key = _read_key(file)
        return key is None or shard.has(key)

    with ThreadPoolExecutor(_READERS, "shards") as readers:
        return list(readers.map(is_own, files))


def _read_key(file: VideoFile) -> bytes | None:
    """Return the first block of a video; None if it cannot be read.

    An album goes where its first picture goes: pictures are usually added at its end.
    """
    try:
        path = sequence_files(file.path)[0] if file.sequence else file.path
        with path.open("rb") as content:
            return content.read(_BLOCK_BYTES)
    except (OSError, IndexError):
        return None
