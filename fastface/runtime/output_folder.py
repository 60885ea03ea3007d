"""Define the places in an output folder, and the lock that lets only one run write to it.

All commands use it through `runtime.context`, or read an OUT with `require_index` and `find_holder`. The lock is a
kernel lock on OUT/.fastface/lock: it ends with its process.
"""

import fcntl
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from fastface.errors import ConfigError, LockedError
from fastface.files import private_folder, remove_parts, space_checked
from fastface.index.ledger import Ledger
from fastface.video.discover import Discovery, casefold_name, discover

EARLIER = "earlier"
"""Folder below OUT for the answers to earlier searches."""

ANSWER_TABLES = (
    "spans.csv", "spans.json", "hits.csv", "review.csv", "bank_growth.csv", "crops/crops.csv", "run.json",
)  # fmt: skip
"""Tables and record of an answer, below its folder."""

_OF_PERSONS = ("audit", "banks", "people", "previews", "reels", "sheets", "targets")
_EXPORT_FOLDERS = (*_OF_PERSONS, "clips", "crops", "snapshots", "timelines")
_MAX_REASONS = 10


class OutputFolder:
    """Create OUT, and name the places in it.

    Raises:
        ConfigError: The folder cannot be made or written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        state = root / ".fastface"
        self._made = [path for path in (state, root, *root.parents) if not os.path.lexists(path)]
        try:
            root.mkdir(parents=True, exist_ok=True)
            self.state = private_folder(root / ".fastface")
            self.index = private_folder(self.state / "index")
        except OSError as error:
            raise ConfigError(f"-o {str(root)!r}: cannot write there: {error.strerror}") from error
        self.ledger = self.state / "state.sqlite"
        self.photos = self.state / "photos"
        self.log = self.state / "log.jsonl"
        self.nights = self.state / "nights.json"
        self.watch_nights = self.state / "watch_nights.json"  # the same, as the passes of a watch leave it

    def relative(self, path: Path) -> str:
        """Return a path relative to OUT, as the tables show it."""
        return path.relative_to(self.root).as_posix()

    @contextmanager
    def hold_lock(self) -> Iterator[None]:
        """Lock OUT for this process, and remove incomplete files of a killed run.

        The kernel releases the lock when the process ends, for whatever reason. A command that ends well empties the
        file of the lock. Only after another end can incomplete files lie among the 100,000 folders of an index.

        Raises:
            LockedError: Another run holds it.
        """
        descriptor = self._take_lock()
        try:
            has_ended_well = os.fstat(descriptor).st_size == 0
            with space_checked(self.state):
                os.ftruncate(descriptor, 0)
                os.write(descriptor, str(os.getpid()).encode())
            # Folders below OUT may belong to the user, or be output folders of other runs.
            remove_parts(self.root, deep=False)
            remove_parts(self.state, deep=False)
            for folder in (self.photos, *(self.root / name for name in _EXPORT_FOLDERS)):
                remove_parts(folder)
            remove_parts(self.index, deep=not has_ended_well)
            if not has_ended_well:
                self._remove_orphans()
            yield
            os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)

    def _remove_orphans(self) -> None:
        """Remove the indexes of videos that no scan of the ledger has.

        Their rows are deleted before their files, so a killed command may have left files of a forgotten video.
        """
        if not self.ledger.exists():
            return
        with Ledger(self.ledger, read_only=True) as ledger:
            known = {casefold_name(video.video_id) for video in ledger.videos(with_info=False) if video.scan_key}
        for folder in self.index.iterdir():
            if folder.is_dir() and casefold_name(folder.name) not in known:
                shutil.rmtree(folder, ignore_errors=True)

    def _take_lock(self) -> int:
        """Lock the file and return its descriptor."""
        path = self.state / "lock"
        while True:
            self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                os.close(descriptor)
                raise _in_use(self.root, _written_holder(path)) from error
            # After this command opened the file, another command may have removed the folder it had created.
            if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
            os.close(descriptor)

    def remove_if_made(self) -> None:
        """Remove the folders that this command created, if they hold only the log of its start.

        Call it for a command that could not start and scanned nothing. The caller holds the lock.
        """
        if self.state not in self._made:
            return
        for path in (self.ledger, self.log, self.nights, self.watch_nights, self.state / "lock"):
            for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
                path.with_name(name).unlink(missing_ok=True)
        shutil.rmtree(self.photos, ignore_errors=True)
        for folder in (self.index, *self._made):
            with suppress(OSError):  # other files are in it, or it no longer exists
                folder.rmdir()


def in_answer(path: str) -> str:
    """Return the path of an export relative to its answer, the last one or an earlier one."""
    return path.split("/", 2)[2] if path.startswith(f"{EARLIER}/") else path


def list_answers(out: Path) -> list[Path]:
    """List the folders of all answers in an output folder: the folder itself, and those of earlier searches."""
    earlier = out / EARLIER
    return [out, *(sorted(path for path in earlier.iterdir() if path.is_dir()) if earlier.is_dir() else ())]


def discover_inputs(inputs: Sequence[str], out: Path, *, may_be_empty: bool = False) -> Discovery:
    """Find the videos that the inputs name, without files that fastface wrote into `out`.

    Raises:
        ConfigError: An input does not exist, or no input has a video.
    """
    found = discover(inputs, exclude=out)
    if not found.videos and not may_be_empty:
        reasons = [f"skipped {str(item.path)!r}: {item.reason}" for item in found.skipped[:_MAX_REASONS]]
        reasons += [f"left out: {item.reason}: {item.count}" for item in found.left_out]
        raise ConfigError([f"no video found in: {', '.join(map(str, inputs))}", *reasons])
    return found


def require_index(out: Path) -> None:
    """Check that a scan into `out` has started on at least one video.

    Raises:
        ConfigError: No video was scanned.
        FaceIndexError: The ledger is damaged.
    """
    path = out / ".fastface" / "state.sqlite"
    if os.access(path, os.F_OK):
        with Ledger(path, read_only=True) as ledger:
            if ledger.has_scans():
                return
    raise ConfigError(
        f"{str(out)!r} holds no scanned videos; scan some first: fastface scan VIDEOS -o {shlex.quote(str(out))}"
    )


def require_ledger(out: Path) -> None:
    """Check that a folder is an output folder of fastface.

    Raises:
        ConfigError: It is not.
    """
    if not (out / ".fastface" / "state.sqlite").exists():
        raise ConfigError(f"{str(out)!r} is not an output folder of fastface")


def require_free(out: Path) -> None:
    """Check that no run holds `out` now. Writes and locks nothing.

    Raises:
        LockedError: A run holds it.
    """
    holder = find_holder(out)
    if holder is not None:
        raise _in_use(out, holder)


@contextmanager
def hold_to_read(out: Path) -> Iterator[None]:
    """Keep runs from starting in `out` while this process reads its index. Writes nothing; readers may share it.

    Raises:
        LockedError: A run holds it.
        ConfigError: This user may not read it.
    """
    lock = out / ".fastface" / "lock"
    if not lock.exists():  # a copy without the lock: no run has begun in it
        yield
        return
    try:
        file = lock.open()
    except OSError as error:
        raise ConfigError(f"{str(out)!r} cannot be read: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _in_use(out, _written_holder(lock)) from error
        yield


def find_holder(out: Path) -> int | None:
    """Return the process id of the run that holds `out`; 0 if the id is unknown, None if no run holds it.

    Raises:
        OSError: This user may not read the folder.
    """
    lock = out / ".fastface" / "lock"
    if not lock.exists():  # no file of fastface, or a copy without the lock
        return None
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _written_holder(lock)
    return None


def _written_holder(lock: Path) -> int:
    return int(lock.read_text().strip() or 0)


def _in_use(out: Path, holder: int) -> LockedError:
    return LockedError(
        f"{str(out)!r} is in use by another run (process {holder or 'unknown'}); "
        "wait for its end, or choose another folder with -o"
    )


def nearest(folder: Path) -> Path:
    """Return the folder, or its nearest parent that exists."""
    return next(place for place in (folder, *folder.parents) if os.access(place, os.F_OK))


def check_writable(folder: Path) -> None:
    """Check that files can be created in a folder or, if it does not exist, in its nearest parent.

    The check creates a file without a name. If the file system does not support that, it creates and removes a named
    one.

    Raises:
        ConfigError: Files cannot be created.
        SpaceError: No space is left.
    """
    try:
        with space_checked(folder), tempfile.TemporaryFile(dir=nearest(folder)):
            pass
    except OSError as error:
        raise ConfigError(f"cannot write in {str(folder)!r}: {error.strerror}") from error
