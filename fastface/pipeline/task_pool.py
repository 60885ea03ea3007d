"""Run independent tasks, one call each, in child processes, so that hostile input cannot end the run.

All code that reads foreign files outside the scan uses it: reading photos, cutting clips, writing crops. A child that
dies loses only its current task: the child is replaced, and the task is reported as lost.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, count
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


def run_tasks(
    pool: ProcessPool,
    tasks: Iterable[Any],
    interrupted: Callable[[], int | None],
    stall_seconds: float = _STALL_SECONDS,
) -> Generator[tuple[Any, Any], None, None]:
    """Do all tasks, `pool`-size at a time, and yield (task, result or `TaskFailed`) in order of completion.

    A caller that may stop before the end must close the generator, so that the children are stopped.

    Args:
        pool: The children, not started yet.
        tasks: Each goes to one child. They are consumed one by one, when a child is free.
        interrupted: Called twice a second; returns the number of a received signal, or None.
        stall_seconds: Maximum time without a message about a task before the child is killed.

    Raises:
        InterruptError: `interrupted()` returned a signal number.
        BackendError, ModelError, WorkerError: The children cannot start on this machine.
    """
    errands = map(Task, count(), tasks)
    if (first := next(errands, None)) is None:
        return
    waiting = chain((first,), errands)
    try:
        pool.start()
        is_all_given = False
        while not is_all_given or any(member.tasks for member in pool.members):
            if signal_number := interrupted():
                raise InterruptError(signal_number)
            is_all_given = is_all_given or _hand_out(pool, waiting)
            yield from _listen(pool, stall_seconds)
    finally:
        stop_all(pool.members, _STOP_SECONDS)
        pool.members.clear()


def _hand_out(pool: ProcessPool, waiting: Iterator[Task]) -> bool:
    """Give each free child a task; return whether no task is left."""
    for member in pool.members:
        if member.ready and not member.tasks:
            errand = next(waiting, None)
            if errand is None:
                return True
            member.tasks.append(errand)
            member.child.send(errand)
    return False


def _listen(pool: ProcessPool, stall_seconds: float) -> Iterator[tuple[Any, Any]]:
    speakers = {member.child.connection: member for member in pool.members}
    for connection in wait(list(speakers), _TICK_SECONDS):
        member = speakers[connection]  # type: ignore[index]
        message = member.heard_message()
        match message:
            case None:
                yield from _lost(pool, member)
            case Ready():
                pool.is_ready(member)
            case Failed():
                member.last_words = message
            case Task():
                yield member.tasks.popleft().content, message.content  # type: ignore[attr-defined]
    for member in pool.members:
        member.end_if_stalled(stall_seconds)


def _lost(pool: ProcessPool, member: PooledProcess) -> Iterator[tuple[Any, Any]]:
    status = pool.replace(member)
    reason = member.last_words.reason if member.last_words else f"its process was ended (status {status})"
    for errand in member.tasks:
        yield errand.content, TaskFailed(reason)  # type: ignore[attr-defined]
