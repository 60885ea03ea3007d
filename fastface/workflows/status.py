"""What an output folder holds, asked while a run may be going on."""

import fcntl
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from fastface.errors import ConfigError
from fastface.index.ledger import Ledger
from fastface.names import valid_text

__all__ = ["Status", "read_status"]


@dataclass(frozen=True, slots=True)
class Status:
    """The state of an output folder.

    Attributes:
        process: The process that holds it; None if none does.
        states: How many videos are in each state; `scanning` ones have units left.
        not_done: A line for each video that is not done.
    """

    process: int | None
    states: dict[str, int]
    not_done: tuple[str, ...]


def read_status(out: Path) -> Status:
    """Reads the ledger; waits for nobody and writes nothing.

    Raises:
        ConfigError: There is nothing of fastface in `out`, or it is closed to this user.
        FaceIndexError: The ledger is damaged.
    """
    path = out / ".fastface" / "state.sqlite"
    try:
        if not path.exists():
            raise ConfigError(f"{str(out)!r} holds no run of fastface")
        holder = _holder(out / ".fastface" / "lock")
        with Ledger(path, read_only=True) as ledger:
            records = ledger.videos()
    except OSError as error:
        raise ConfigError(f"{str(out)!r} cannot be read: {error.strerror}") from error
    under_way = "being scanned" if holder else "stopped; the same command goes on with it"
    not_done = [f"{r.video_id}: {r.state}: {valid_text(r.reason) or under_way}" for r in records if r.state != "done"]
    return Status(holder, dict(Counter(r.state for r in records)), tuple(not_done))


def _holder(lock: Path) -> int | None:
    if not lock.exists():  # a copy without it
        return None
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(file.read().strip() or 0)
    return None
