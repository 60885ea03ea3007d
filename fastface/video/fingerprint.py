"""Compute fingerprints of files: `fingerprint` identifies, `is_unchanged` compares, `content_digest` detects a copy.

The scan, the search and the export compare them. If the fingerprint changes, everything made of the file must be made
again.
"""

import hashlib
import stat
from pathlib import Path

from fastface.errors import InputError
from fastface.video.discover import is_sequence, sequence_files

_SAMPLE_BYTES = 65536
_NUM_SAMPLES = 32
_SEQUENCE = "sequence-"


def fingerprint(path: Path) -> str:
    """Digest size, time of change, and the first, middle and last 64 KiB; for a sequence, its names and sizes.

    Raises:
        InputError: The file cannot be read.
    """
    try:
        if is_sequence(path):
            parts = [(file.name, file.stat()) for file in sequence_files(path)]
            text = "\n".join(f"{name}:{status.st_size}:{status.st_mtime_ns}" for name, status in parts)
            return f"{_SEQUENCE}{len(parts)}-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # reading a pipe would hang
            raise InputError(path, "is not a regular file")
        digest = hashlib.sha256()
        with path.open("rb") as file:
            for place in (0, status.st_size // 2, max(0, status.st_size - _SAMPLE_BYTES)):
                file.seek(place)
                digest.update(file.read(_SAMPLE_BYTES))
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}") from error
    return f"{status.st_size}-{status.st_mtime_ns}-{digest.hexdigest()[:32]}"


def is_unchanged(path: Path, known: str) -> bool:
    """Return whether a file still has a known fingerprint, by its size and time of change; its content is not read.

    A program that writes into a file changes one of the two. So a library of 100,000 videos costs a system call each,
    and no seek on its disks. The content enters the fingerprint for the opposite case: a copy or a moved file.

    Raises:
        InputError: The file cannot be found.
    """
    if known.startswith(_SEQUENCE):
        return fingerprint(path) == known
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}") from error
    return stat.S_ISREG(status.st_mode) and known.startswith(f"{status.st_size}-{status.st_mtime_ns}-")


def content_digest(path: Path) -> str:
    """Digest the size and 32 blocks of 64 KiB across the file. A copy has the same digest, whatever its age.

    Raises:
        InputError: The file cannot be read.
    """
    try:
        size = path.stat().st_size
        digest = hashlib.sha256(str(size).encode())
        with path.open("rb") as file:
            for number in range(_NUM_SAMPLES):
                file.seek(max(0, size - _SAMPLE_BYTES) * number // (_NUM_SAMPLES - 1))
                digest.update(file.read(_SAMPLE_BYTES))
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}") from error
    return digest.hexdigest()
