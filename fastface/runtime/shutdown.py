"""End a run early: at its time limit, or at a signal.

The first Ctrl-C finishes the work in flight, the second stops at once. A wait has no work: the first Ctrl-C ends it.
Commands use it in the main thread.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from types import FrameType

from fastface.errors import InterruptError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """A request to end the run. Call it for the signal's number, or None.

    Args:
        seconds: Maximum duration of the run; None for no limit.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._number: int | None = None
        self._deadline = None if seconds is None else monotonic() + seconds
        self._is_waiting = False

    def __call__(self) -> int | None:
        """Return the number of the received signal, or None."""
        return self._number

    @property
    def is_over(self) -> bool:
        """True if the time limit has passed."""
        return self._deadline is not None and monotonic() >= self._deadline

    def wants_end(self) -> bool:
        """Return whether no more work should start, because of a signal or the time limit."""
        return self._number is not None or self.is_over

    def check(self) -> None:
        """Raise InterruptError if a signal came."""
        if self._number is not None:
            raise InterruptError(self._number)

    def wait(self, seconds: float) -> None:
        """Sleep.

        Raises:
            InterruptError: A signal came; it ends the sleep at once.
        """
        self._is_waiting = True
        try:
            self.check()
            sleep(seconds)
        finally:
            self._is_waiting = False

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        if self._number is not None or self._is_waiting:
            raise InterruptError(number)
        self._number = number


@contextmanager
def interruptible(seconds: float | None = None) -> Iterator[StopRequest]:
    """Install the signal handlers while the context lasts. Main thread only; in other threads signals stay unchanged.

    Args:
        seconds: See `StopRequest`.
    """
    interruption = StopRequest(seconds)
    try:
        previous = {number: signal.signal(number, interruption.handle) for number in _SIGNALS}
    except ValueError:  # not the main thread
        yield interruption
        return
    try:
        yield interruption
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
