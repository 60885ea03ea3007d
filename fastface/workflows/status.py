"""What an output folder holds, asked while a run may be going on."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from fastface.errors import ConfigError
from fastface.index.ledger import Ledger
from fastface.names import valid_text
from fastface.workflows.output import holder_of

__all__ = ["Status", "read_status"]


@dataclass(frozen=True, slots=True)
class Status:
    """The state of an output folder.

    Attributes:
        process: The process that holds it; None if none does.
        states: How many videos are in each state; `scanning` ones have units left, and no run has come to `waiting`
            ones, which the last scan was asked for.
        not_done: A line for each video that a run has come to and that is not done.
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
        holder = holder_of(out)
        with Ledger(path, read_only=True) as ledger:
            records = ledger.videos()
    except OSError as error:
        raise ConfigError(f"{str(out)!r} cannot be read: {error.strerror}") from error
    under_way = "being scanned" if holder else "stopped; the same command goes on with it"
    begun = [record for record in records if record.scan_key]
    not_done = [f"{r.video_id}: {r.state}: {valid_text(r.reason) or under_way}" for r in begun if r.state != "done"]
    states = Counter(record.state for record in begun) + Counter(waiting=len(records) - len(begun))
    return Status(holder, dict(states), tuple(not_done))
