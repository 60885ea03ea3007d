"""The output folder: where each file goes, and the lock that keeps two runs apart."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fastface.errors import ConfigError, LockedError
from fastface.files import private_folder, remove_parts, space_checked
from fastface.video.discover import Discovery, discover

__all__ = ["OutputFolder", "inputs_of", "no_index", "require_index"]


_EXPORT_FOLDERS = ("clips", "crops", "snapshots")
_MAX_REASONS = 10


class OutputFolder:
    """OUT and the places in it.

    Raises:
        ConfigError: The folder cannot be made or written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            root.mkdir(parents=True, exist_ok=True)
            self.state = private_folder(root / ".fastface")
            self.index = private_folder(self.state / "index")
        except OSError as error:
            raise ConfigError(f"-o {str(root)!r}: cannot write there: {error.strerror}") from error
        self.ledger = self.state / "state.sqlite"
        self.photos = self.state / "photos"
        self.log = self.state / "log.jsonl"

    def relative(self, path: Path) -> str:
        """A path below OUT as the tables show it."""
        return path.relative_to(self.root).as_posix()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds OUT for this process, and removes what a killed run left half-written.

        The lock is the kernel's: it goes with the process, however that ends.

        Raises:
            LockedError: Another run holds it.
        """
        descriptor = os.open(self.state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise LockedError(f"{str(self.root)!r} is in use by another run (process {holder})") from error
        try:
            with space_checked(self.state):
                os.ftruncate(descriptor, 0)
                os.write(descriptor, str(os.getpid()).encode())
            # Below OUT may lie folders of the user's, and other output folders with runs of their own.
            remove_parts(self.root, deep=False)
            for folder in (self.state, *(self.root / name for name in _EXPORT_FOLDERS)):
                remove_parts(folder)
            yield
        finally:
            os.close(descriptor)


def inputs_of(inputs: Sequence[str], out: Path) -> Discovery:
    """The videos that the inputs name; what fastface wrote into `out` is left out.

    Raises:
        ConfigError: An input is not there, or there is no video in any.
    """
    found = discover(inputs, exclude=out)
    if not found.videos:
        reasons = [f"skipped {str(item.path)!r}: {item.reason}" for item in found.skipped[:_MAX_REASONS]]
        raise ConfigError([f"no video found in: {', '.join(map(str, inputs))}", *reasons])
    return found


def no_index(out: Path) -> ConfigError:
    """What is said of a folder that nothing was scanned into."""
    return ConfigError(f"{str(out)!r} holds no index; make one with: fastface scan INPUT -o {out}")


def require_index(out: Path) -> None:
    """Makes sure that something was scanned into `out`.

    Raises:
        ConfigError: Nothing was.
    """
    if not (out / ".fastface" / "state.sqlite").exists():
        raise no_index(out)
