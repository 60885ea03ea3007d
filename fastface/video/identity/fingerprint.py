"""Compute fingerprints of videos: the content is the identity of a video; its name and its times are not.

`fingerprint` reads parts of the content; `read_stamp` reads nothing and only shows that a file may have changed. The
scan, the search and the export compare them. If the fingerprint changes, everything made of the video must be made
again.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fastface.errors import InputError
from fastface.video.discover import is_sequence, sequence_files
from fastface.video.identity.stamps import format_stamp, read_size

_BLOCK_BYTES = 65536
_END_BYTES = 1 << 20
"""Bytes read at the start and at the end. An MP4 has its table of frame sizes at one of them."""

_MIN_BLOCKS = 32
_BYTES_PER_BLOCK = 16 << 20
"""A large file has a block in each 16 MiB, so that files of one size differ in a block if a part differs."""

_START_DIGITS, _CONTENT_DIGITS = 16, 32
"""Hex digits of the digests."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A file of a video: the video itself, or a picture of a sequence."""

    path: Path
    name: str  # name within a sequence; empty for a single file
    status: os.stat_result


def fingerprint(path: Path) -> str:
    """Return `size-start-content`: the bytes, and digests of the start and of the content.

    The content is the first and last MiB and blocks of 64 KiB between them, one in each 16 MiB and at least 32. A file
    up to 4 MiB is read whole. A sequence counts the names of its pictures, and three blocks of each.

    Raises:
        InputError: The file cannot be read.
    """
    parts = _list_parts(path)
    start, digest = hashlib.sha256(), hashlib.sha256()
    start.update(_describe_sizes(parts))
    digest.update(_describe_sizes(parts))
    try:
        for part in parts:
            with part.path.open("rb") as file:
                blocks = _read_blocks(file, part)
                first = next(blocks)
                start.update(b"" if part.name else first)
                digest.update(first)
                for block in blocks:
                    digest.update(block)
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}") from error
    return f"{_num_bytes(parts)}-{start.hexdigest()[:_START_DIGITS]}-{digest.hexdigest()[:_CONTENT_DIGITS]}"


def fingerprint_start(path: Path) -> str:
    """Return `size-start`, the begin of the fingerprint, from one block. Videos with different starts differ.

    Raises:
        InputError: The file cannot be read.
    """
    parts = _list_parts(path)
    start = hashlib.sha256(_describe_sizes(parts))
    try:
        for part in parts:
            if not part.name:
                with part.path.open("rb") as file:
                    start.update(file.read(_BLOCK_BYTES))
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}") from error
    return f"{_num_bytes(parts)}-{start.hexdigest()[:_START_DIGITS]}"


def read_stamp(path: Path) -> str:
    """Return the size and the times of a file or sequence. An equal stamp means that nothing has changed.

    A renamed, copied or touched file has another stamp, but the same fingerprint.

    Raises:
        InputError: The file cannot be read.
    """
    parts = _list_parts(path)
    if not any(part.name for part in parts):
        return format_stamp(parts[0].status)
    times = [f"{part.status.st_mtime_ns}-{part.status.st_ctime_ns}" for part in parts]
    listed = _describe_sizes(parts) + "\n".join(times).encode()
    return f"{_num_bytes(parts)}-sequence-{hashlib.sha256(listed).hexdigest()[:_START_DIGITS]}"


def is_unchanged(path: Path, content: str, stamp: str) -> bool:
    """Return whether a video has this fingerprint. The content is read only if the stamp differs.

    Raises:
        InputError: The file cannot be read.
    """
    now = read_stamp(path)
    return now == stamp or (read_size(now) == read_size(content) and fingerprint(path) == content)


def _list_parts(path: Path) -> list[_Part]:
    try:
        if is_sequence(path):
            return [_Part(file, file.name, file.stat()) for file in sequence_files(path)]
        status = path.stat()
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):  # reading a pipe would hang
        raise InputError(path, "is not a regular file")
    return [_Part(path, "", status)]


def _describe_sizes(parts: list[_Part]) -> bytes:
    return "".join(f"{part.name}:{part.status.st_size}\n" for part in parts).encode("utf-8", "surrogatepass")


def _read_blocks(file: BinaryIO, part: _Part) -> Iterator[bytes]:
    """Yield the blocks to digest: first the first one, then the others."""
    size = part.status.st_size
    yield file.read(_BLOCK_BYTES)
    if part.name:
        places = [size // 2, size - _BLOCK_BYTES] if size > 3 * _BLOCK_BYTES else [_BLOCK_BYTES, 2 * _BLOCK_BYTES]
    elif size <= 2 * _END_BYTES + _MIN_BLOCKS * _BLOCK_BYTES:
        places = list(range(_BLOCK_BYTES, size, _BLOCK_BYTES))
    else:
        num_blocks = max(_MIN_BLOCKS, size // _BYTES_PER_BLOCK)
        middle = size - 2 * _END_BYTES - _BLOCK_BYTES
        places = list(range(_BLOCK_BYTES, _END_BYTES, _BLOCK_BYTES))
        places += [_END_BYTES + middle * number // (num_blocks - 1) for number in range(num_blocks)]
        places += range(size - _END_BYTES, size, _BLOCK_BYTES)
    for place in places:
        file.seek(place)
        yield file.read(_BLOCK_BYTES)


def _num_bytes(parts: list[_Part]) -> int:
    return sum(part.status.st_size for part in parts)
