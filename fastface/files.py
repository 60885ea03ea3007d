"""Write files atomically: beside their place, checked, synced, then renamed.

All code that writes results to disk uses this module.
"""

import errno
import os
import secrets
import shutil
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
"""System errors whose cause is the place and not the device."""

_NO_LINKS = frozenset({errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS})
"""System errors of a link between two file systems, or on a file system or share without links."""


@contextmanager
def atomic_path(
    path: Path, *, check: Callable[[Path], None] | None = None, private: bool = False, with_next: bool = False
) -> Iterator[Path]:
    """Yield a path beside `path` to write to; rename it to `path` durably on a clean exit.

    The temporary name keeps the suffix, since encoders choose the format by it. Several writers of one path, such as
    two runs that fill the user's cache, do not collide: each has its own temporary name, and the last to finish wins.

    Args:
        path: Path of the finished file; its folder is created.
        check: Called with the written file before the rename; an exception discards the file.
        private: True if only the owner may read the file (0600): embeddings, banks and pictures of persons.
        with_next: True to make the name durable only with the next file in the folder, which this one depends on. This
            saves a sync.

    Raises:
        SpaceError: No space is left; no part of the file is left behind.
        ConfigError: The folder or the file cannot be written; the message has the path and the reason.
        FastfaceError: The device failed.
    """
    # Without the file's name, which may already have the maximum length.
    part = path.with_name(f"{PART_PREFIX}{secrets.token_hex(8)}{path.suffix}")
    try:
        with _writing(path, part):
            path.parent.mkdir(parents=True, exist_ok=True)
            fail_point("file.make")
            if private:
                os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))  # before data is in it
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
        with suppress(OSError):  # the part does not exist any more, or the raised error is more useful
            part.unlink()


def link_or_copy(source: Path, path: Path, *, link: bool = True) -> None:
    """Give a file that is never changed in place a second name; copy it where the file system has no such links.

    Args:
        source: The file.
        path: The new name; there is no such file, and its folder exists.
        link: False to copy the file in any case.

    Raises:
        OSError: The source cannot be read, or the new name cannot be made.
        SpaceError, ConfigError, FastfaceError: See `atomic_path`.
    """
    if link:
        try:
            with space_checked(path):
                os.link(source, path)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
        else:
            return
    with atomic_path(path, private=True) as part:
        shutil.copyfile(source, part)
        shutil.copystat(source, part)  # the time of change shows which of two scans is newer


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    _sync(path)


def write_atomic(path: Path, content: bytes | str, *, private: bool = False) -> None:
    """Write a small file atomically.

    Raises:
        SpaceError, ConfigError, FastfaceError: See `atomic_path`.
    """
    with atomic_path(path, private=private) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def space_checked(path: Path) -> Iterator[None]:
    """Convert "no space left" and "quota exceeded" of all writes in the context.

    Raises:
        SpaceError: The message has the path that could not be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise SpaceError(f"no space left to write {str(path)!r}; free some and run the same command again") from error


@contextmanager
def _writing(path: Path, part: Path | None = None) -> Iterator[None]:
    """Convert the system's errors for a path, the folders above it and its part.

    Errors of other files, such as an input, and errors of connections pass unchanged.
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
    """Create a folder that only its owner may enter (0700) and return it.

    Raises:
        SpaceError, ConfigError, FastfaceError: See `atomic_path`.
    """
    with _writing(path):
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.chmod(0o700)
    return path


def remove_empty(folder: Path, root: Path) -> None:
    """Remove a folder and its parents up to `root`, which stays, if they are empty."""
    while folder != root:
        try:
            folder.rmdir()
        except OSError:  # the folder is not empty, or does not exist
            return
        folder = folder.parent


def remove_parts(folder: Path, *, deep: bool = True) -> None:
    """Remove the unfinished files of a killed run in a folder, and in its subfolders if `deep`."""
    pattern = f"{PART_PREFIX}*"
    for part in folder.rglob(pattern) if deep else folder.glob(pattern):
        if not part.is_dir():
            part.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
