"""Define places at which tests make a process fail, to test every order of events at a crash.

`FASTFACE_FAILPOINT=name:action:nth` makes a process run the action at its nth visit of the place, from 1. The number
`every` means every visit. Children inherit the variable; each counts by itself. `FASTFACE_FAILPOINT_LOG=FILE` logs
every visited place, a line of process and name each, so that a test can list all places. Without the variables a place
costs nothing.
"""

import errno
import os
import signal
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple


def _error(number: int) -> Callable[[], None]:
    def fail() -> None:
        raise OSError(number, os.strerror(number))

    return fail


def _signal(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


ACTIONS: dict[str, Callable[[], None]] = {
    "kill": _signal(signal.SIGKILL),
    "segv": _signal(signal.SIGSEGV),
    "stop": _signal(signal.SIGSTOP),
    "enospc": _error(errno.ENOSPC),
    "eio": _error(errno.EIO),
}
"""Actions of a process at a place."""


_EVERY = "every"


class _Plan(NamedTuple):
    name: str
    action: str
    visit: int  # 0: every visit


def _read_plan(plan: str) -> _Plan:
    """Read a plan; validate it here, since a misspelt plan would never fail."""
    name, _, how = plan.partition(":")
    action, _, nth = how.partition(":")
    if nth == _EVERY:
        nth = "0"
    if action not in ACTIONS or not (nth or "1").isdecimal():
        raise ValueError(f"FASTFACE_FAILPOINT={plan!r} is not name:action:nth, the action one of {', '.join(ACTIONS)}")
    return _Plan(name, action, int(nth or 1))


_PLAN = _read_plan(os.environ["FASTFACE_FAILPOINT"]) if os.environ.get("FASTFACE_FAILPOINT") else None
_LOG = os.environ.get("FASTFACE_FAILPOINT_LOG", "")
_visits: Counter[str] = Counter()


def fail_point(name: str) -> None:
    """Mark a place at which tests can make this process fail."""
    if _PLAN or _LOG:
        _visit(name)


def _visit(name: str) -> None:
    _visits[name] += 1
    if _LOG:
        descriptor = os.open(_LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(descriptor, f"{os.getpid()} {name}\n".encode())
        os.close(descriptor)
    if _PLAN is not None and name == _PLAN.name and _PLAN.visit in (0, _visits[name]):
        ACTIONS[_PLAN.action]()
