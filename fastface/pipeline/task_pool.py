"""Run independent tasks, one call each, in child processes, so that hostile input cannot end the run.

All code that reads foreign files outside the scan uses it: reading photos, cutting clips, writing crops. A child that
dies loses only its current task: the child is replaced, and the task is reported as lost.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from multiprocessing.connection import Connection, wait
from typing import Any

from fastface.errors import DeviceLostError, FastfaceError, InterruptError
from fastface.pipeline.messages import Failed, Ready, Stop
from fastface.pipeline.process_pool import PooledProcess, ProcessPool, stop_all

_STALL_SECONDS = 300.0
_STOP_SECONDS = 3.0
_TICK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Task:
    """A numbered task on its way to a child, or its result on the way back."""

    number: int
    content: Any


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """A task without a result: the child reported an error, or died."""

    reason: str
    kind: str = "WorkerError"


def serve_tasks(connection: Connection, do: Callable[[Any], Any]) -> None:
    """Run a child that does tasks: `do(task)` returns the result, or raises a FastfaceError."""
    connection.send(Ready())
    while not isinstance(message := connection.recv(), Stop):
        try:
            result = do(message.content)
        except DeviceLostError:
            raise  # a new process is needed
        except FastfaceError as error:
            result = TaskFailed(str(error), type(error).__name__)
        connection.send(Task(message.number, result))


class TaskRun:
    """Tasks on their way through child processes. Close it if its results may not be taken to the end.

    Args:
        pool: The children, not started yet.
        tasks: Each goes to one child. They are consumed one by one, when a child is free.
        interrupted: Called twice a second; returns the number of a received signal, or None.
        stall_seconds: Maximum time without a message about a task before the child is killed.
    """

    def __init__(
        self,
        pool: ProcessPool,
        tasks: Iterable[Any],
        interrupted: Callable[[], int | None],
        stall_seconds: float = _STALL_SECONDS,
    ) -> None:
        self._pool = pool
        self._errands = map(Task, count(), tasks)
        self._next: deque[Task] = deque()  # taken from the errands, but in no child
        self._interrupted = interrupted
        self._stall_seconds = stall_seconds

    @property
    def role(self) -> str:
        """Role of the children, for messages."""
        return self._pool.role

    def begin(self) -> None:
        """Start the children, each with its first task, without waiting for any; without a task, start none.

        A task waits in the pipe until its child has started. So tasks must be small, as paths are.
        """
        if self._has_task():
            self._pool.start()
            self._hand_out(self._pool.members)

    def results(self) -> Generator[tuple[Any, Any], None, None]:
        """Do all tasks, `pool`-size at a time, and yield (task, result or `TaskFailed`) in order of completion.

        Raises:
            InterruptError: `interrupted()` returned a signal number.
            BackendError, ModelError, WorkerError: The children cannot start on this machine.
        """
        try:
            if self._has_task():
                self._pool.start()
            while any(member.tasks for member in self._pool.members) or self._has_task():
                if signal_number := self._interrupted():
                    raise InterruptError(signal_number)
                self._hand_out([member for member in self._pool.members if member.ready])
                yield from self._listen()
        finally:
            self.close()

    def close(self) -> None:
        """Stop the children."""
        stop_all(self._pool.members, _STOP_SECONDS)
        self._pool.members.clear()

    def _has_task(self) -> bool:
        if not self._next:
            self._next.extend(islice(self._errands, 1))
        return bool(self._next)

    def _hand_out(self, members: Iterable[PooledProcess]) -> None:
        """Give each of these children that has no task one."""
        for member in members:
            if not member.tasks and self._has_task():
                errand = self._next.popleft()
                member.tasks.append(errand)
                member.child.send(errand)

    def _listen(self) -> Iterator[tuple[Any, Any]]:
        speakers = {member.child.connection: member for member in self._pool.members}
        for connection in wait(list(speakers), _TICK_SECONDS):
            member = speakers[connection]  # type: ignore[index]
            message = member.heard_message()
            match message:
                case None:
                    yield from self._bury(member)
                case Ready():
                    self._pool.is_ready(member)
                case Failed():
                    member.last_words = message
                case Task():
                    yield member.tasks.popleft().content, message.content  # type: ignore[attr-defined]
        for member in self._pool.members:
            member.end_if_stalled(self._stall_seconds)

    def _bury(self, member: PooledProcess) -> Iterator[tuple[Any, Any]]:
        """Replace a dead child, and yield its task as lost. One that never was ready has not read its task."""
        status = self._pool.replace(member)
        reason = member.last_words.reason if member.last_words else f"its process was ended (status {status})"
        for errand in member.tasks:
            assert isinstance(errand, Task)
            if member.ready:
                yield errand.content, TaskFailed(reason)
            else:
                self._next.appendleft(errand)
