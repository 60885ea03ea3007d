"""Files that are whole or not there: written beside their place, checked, synced, then renamed.

This is the only door through which results reach the disk.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fastface.errors import SpaceError

__all__ = ["PART_PREFIX", "atomic_path", "private_folder", "remove_parts", "write_atomic"]

PART_PREFIX = ".part-"


@contextmanager
def atomic_path(path: Path, *, check: Callable[[Path], None] | None = None, private: bool = False) -> Iterator[Path]:
    """Yields a path beside `path` to write to; on a clean exit it takes the name `path`, durably.

    The name keeps its suffix, since encoders choose the format by it. One writer per path at a time.

    Args:
        path: Where the finished file goes; its folder is made.
        check: Called with the written file before the rename; what it raises discards the file.
        private: Whether only the owner may read the file (0600): embeddings, banks and pictures of persons.

    Raises:
        SpaceError: No space is left; nothing was left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{PART_PREFIX}{path.name}")
    try:
        with space_checked(path):
            if private:
                _make_private(part)
            yield part
            if check is not None:
                check(part)
            _sync(part)
            part.replace(path)
            _sync(path.parent)
    except BaseException:
        with suppress(FileNotFoundError):
            part.unlink()
        raise


def write_atomic(path: Path, content: bytes | str, *, private: bool = False) -> None:
    """Writes a small file whole or not at all.

    Raises:
        SpaceError: No space is left.
    """
    with atomic_path(path, private=private) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def space_checked(path: Path) -> Iterator[None]:
    """Translates "no space left" and "quota exceeded" of whatever is written under it.

    Raises:
        SpaceError: Names the path that could not be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise SpaceError(f"no space left to write {str(path)!r}; free some and run the same command again") from error


def private_folder(path: Path) -> Path:
    """Makes a folder that only its owner may enter (0700) and returns it."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.chmod(0o700)
    return path


def remove_parts(folder: Path) -> None:
    """Removes what a killed run left half-written under a folder."""
    for part in folder.rglob(f"{PART_PREFIX}*"):
        part.unlink(missing_ok=True)


def _make_private(path: Path) -> None:
    """Makes an empty file that is its owner's alone before anything is in it."""
    path.unlink(missing_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
