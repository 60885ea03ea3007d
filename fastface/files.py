"""Files that are whole or not there: written beside their place, checked, synced, then renamed.

This is the only door through which results reach the disk.
"""

import errno
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fastface.errors import ConfigError, FastfaceError, SpaceError
from fastface.failpoints import fail_point

PART_PREFIX = ".part-"

_REFUSALS = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST}
    | {errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL}
)
"""What the system says where the place is at fault, and not the device."""


@contextmanager
def atomic_path(
    path: Path, *, check: Callable[[Path], None] | None = None, private: bool = False, with_next: bool = False
) -> Iterator[Path]:
    """Yields a path beside `path` to write to; on a clean exit it takes the name `path`, durably.

    The name keeps its suffix, since encoders choose the format by it. Several writers of one path, as two runs that
    fill the user's cache, do not meet: each has a name of its own, and the last to finish stays.

    Args:
        path: Where the finished file goes; its folder is made.
        check: Called with the written file before the rename; what it raises discards the file.
        private: Whether only the owner may read the file (0600): embeddings, banks and pictures of persons.
        with_next: Whether the name becomes durable only with that of the next file that is written into the folder,
            which this one depends on: a sync less.

    Raises:
        SpaceError: No space is left; nothing was left behind.
        ConfigError: The folder or the file cannot be written; names it and the reason.
        FastfaceError: The device failed.
    """
    # Without the file's name, which may be as long as names can be.
    part = path.with_name(f"{PART_PREFIX}{secrets.token_hex(8)}{path.suffix}")
    try:
        with _writing(path, part):
            path.parent.mkdir(parents=True, exist_ok=True)
            fail_point("file.make")
            if private:
                _make_private(part)
            yield part
            fail_point("file.written")
            if check is not None:
                check(part)
            _sync(part)
            fail_point("file.synced")
            part.replace(path)
            fail_point("file.renamed")
            if not with_next:
                _sync(path.parent)
            fail_point("file.done")
    finally:
        with suppress(OSError):  # there is none any more, or what was raised tells more
            part.unlink()


def write_atomic(path: Path, content: bytes | str, *, private: bool = False) -> None:
    """Writes a small file whole or not at all.

    Raises:
        SpaceError, ConfigError, FastfaceError: As `atomic_path`.
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


@contextmanager
def _writing(path: Path, part: Path | None = None) -> Iterator[None]:
    """Translates what the system says of a path, of the folders above it and of its part.

    Errors that name another file, as one that is read meanwhile, and those of a connection are left alone.
    """
    try:
        with space_checked(path):
            yield
    except ConnectionError:
        raise
    except OSError as error:
        if isinstance(error.filename, str | bytes):
            named = Path(os.fsdecode(error.filename))
            if named not in (path, part, *path.parents):
                raise
        reason = f"cannot write {str(path)!r}: {error.strerror or error}"
        if error.errno not in _REFUSALS:
            raise FastfaceError(reason) from error
        raise ConfigError(f"{reason}; make that place writable, or choose another") from error


def private_folder(path: Path) -> Path:
    """Makes a folder that only its owner may enter (0700) and returns it.

    Raises:
        SpaceError, ConfigError, FastfaceError: As `atomic_path`.
    """
    with _writing(path):
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.chmod(0o700)
    return path


def remove_empty(folder: Path, root: Path) -> None:
    """Removes a folder, and those above it as far as `root`, which stays, if there is nothing in them."""
    while folder != root:
        try:
            folder.rmdir()
        except OSError:  # it holds something, or is gone
            return
        folder = folder.parent


def remove_parts(folder: Path, *, deep: bool = True) -> None:
    """Removes what a killed run left half-written in a folder, and in those below it if `deep`."""
    pattern = f"{PART_PREFIX}*"
    for part in folder.rglob(pattern) if deep else folder.glob(pattern):
        if not part.is_dir():
            part.unlink(missing_ok=True)


def _make_private(path: Path) -> None:
    """Makes an empty file that is its owner's alone before anything is in it."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
