"""Manage the processes of one role: start all together, replace dead ones, stop all under one deadline.

`coordinator` and `task_pool` use it in the main process. A member's place, and so its settings, survives its death.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol, Self, runtime_checkable

from fastface.errors import BackendError, ModelError, SpaceError, WorkerError
from fastface.pipeline.events import ProcessNote
from fastface.pipeline.messages import Failed, Stop
from fastface.pipeline.process import Child

_STARTS_TO_GIVE_UP = 3
"""Failed starts in a row after which the role gives up: it cannot work on this machine."""

_KILLS_TO_GIVE_UP = 12
"""Kills in a row during starts after which the role gives up. The cause may be a temporary lack of memory."""

_START_SECONDS = 900.0
"""Seconds; a runtime that compiles a network for a card takes minutes and sends no message meanwhile."""

_TRANSLATED = {error.__name__: error for error in (BackendError, ModelError, SpaceError)}


@dataclass(frozen=True, slots=True)
class PoolSizes:
    """Number of processes of each role."""

    decoders: int
    workers: int


@runtime_checkable
class DeviceSettings(Protocol):
    """Settings that differ between members."""

    def at(self, place: int) -> Self:
        """Return the settings of the member at a place, counted from 0. A replacement gets the same place."""
        ...


@dataclass(slots=True, eq=False)
class PooledProcess:
    """A living child, its place in the pool, and its work in the order of processing."""

    child: Child
    place: int = 0
    ready: bool = False
    tasks: deque[object] = field(default_factory=deque)
    heard: float = field(default_factory=monotonic)
    ended_for_stalling: bool = False
    last_words: Failed | None = None

    @property
    def name(self) -> str:
        """The child's name."""
        return self.child.name

    def heard_message(self) -> object:
        """Return the child's next message; None once it is dead. Each message resets the stall time."""
        self.heard = monotonic()
        return self.child.receive()

    def end_if_stalled(self, stall_seconds: float) -> None:
        """Kill the member if it has work, or is starting, and has sent no message for `stall_seconds`.

        Its death is then handled like any other death.
        """
        limit = stall_seconds if self.ready else _START_SECONDS
        if (self.tasks or not self.ready) and monotonic() - self.heard > limit:
            self.ended_for_stalling = True
            self.child.kill()


class ProcessPool:
    """All members of a role.

    Args:
        role: Role for messages and logs, such as `decoder`.
        serve: `package.module:function` of the child.
        size: Number of members.
        settings: First message to the members; each gets its own if they are `DeviceSettings`.
    """

    def __init__(self, role: str, serve: str, size: int, settings: object) -> None:
        self.role = role
        self.members: list[PooledProcess] = []
        self._serve = serve
        self._size = size
        self._settings = settings
        self._descriptor: int | None = None
        self._started = 0
        self._failed_starts = 0

    def start(self, descriptor: int | None = None) -> None:
        """Start all missing members at once, without waiting for any.

        Args:
            descriptor: File descriptor that they inherit.
        """
        self._descriptor = descriptor
        taken = {member.place for member in self.members}
        for place in range(self._size):
            if place not in taken:
                self._start_one(place)

    def is_ready(self, member: PooledProcess, notes: Iterable[str] = ()) -> list[ProcessNote]:
        """Record that a member takes work, and return its notes as events."""
        member.ready = True
        self._failed_starts = 0
        return [ProcessNote(member.name, note) for note in notes]

    def replace(self, member: PooledProcess) -> int:
        """Reap a dead member, start another one in its place, and return the exit status of the dead one.

        Raises:
            BackendError, ModelError, SpaceError: The member's reason, if a replacement would fail too.
            WorkerError: Several in a row died before they were ready.
        """
        status = member.child.reap()
        self.members.remove(member)
        if not member.ready:
            self._failed_starts += 1
            words = member.last_words
            if words is not None and words.kind in _TRANSLATED:
                raise _TRANSLATED[words.kind](words.reason)
            if self._failed_starts >= (_STARTS_TO_GIVE_UP if status > 0 else _KILLS_TO_GIVE_UP):
                raise WorkerError(member.name, status, words.details if words else "it died while starting")
        self._start_one(member.place)
        return status

    def _start_one(self, place: int) -> None:
        self._started += 1
        name = f"{self.role} {self._started}"
        settings = self._settings.at(place) if isinstance(self._settings, DeviceSettings) else self._settings
        self.members.append(PooledProcess(Child(name, self._serve, settings, self._descriptor), place))


def stop_all(members: list[PooledProcess], timeout_seconds: float) -> None:
    """Stop all members: those in work under one deadline for all, the others at once.

    A member without work holds nothing that must be closed. Killing it spares the half second in which a runtime takes
    its networks apart.
    """
    deadline = monotonic() + timeout_seconds
    for member in members:
        if member.ready and member.tasks:
            member.child.send(Stop())
        else:
            member.child.kill()
    for member in members:
        member.child.reap(max(0.0, deadline - monotonic()))
