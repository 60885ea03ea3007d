"""Compute fingerprints of files: `fingerprint` detects a change, `content_digest` detects a copy.

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


def fingerprint(path: Path) -> str:
    """Digest size, time of change, and the first, middle and last 64 KiB; for a sequence, its names and sizes.

    Raises:
        InputError: The file cannot be read.
    """
    try:
        if is_sequence(path):
            parts = [(file.name, file.stat()) for file in sequence_files(path)]
            text = "\n".join(f"{name}:{status.st_size}:{status.st_mtime_ns}" for name, status in parts)
            return f"sequence-{len(parts)}-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"
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
