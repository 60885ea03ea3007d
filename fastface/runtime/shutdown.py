"""End a run early: at its time limit, or at a signal.

The first Ctrl-C finishes what is in flight, the second stops at once.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from types import FrameType

from fastface.errors import InterruptError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """End of a run on request. Call it for the signal's number, or None.

    Args:
        seconds: How long the run may last; None for as long as it takes.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._number: int | None = None
        self._deadline = None if seconds is None else monotonic() + seconds

    def __call__(self) -> int | None:
        """The number of the signal that came, if one did."""
        return self._number

    @property
    def is_over(self) -> bool:
        """True if the time that the run was given is up."""
        return self._deadline is not None and monotonic() >= self._deadline

    def wants_end(self) -> bool:
        """Return whether no more work should be begun, for either reason."""
        return self._number is not None or self.is_over

    def check(self) -> None:
        """Raises InterruptError if a signal came."""
        if self._number is not None:
            raise InterruptError(self._number)

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """The signal handler."""
        if self._number is not None:
            raise InterruptError(number)
        self._number = number


@contextmanager
def interruptible(seconds: float | None = None) -> Iterator[StopRequest]:
    """Installs the handlers for as long as the context lasts. Main thread only; elsewhere signals stay as they are.

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
