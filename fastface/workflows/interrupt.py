"""Ctrl-C and friends: the first finishes what is in flight, the second stops at once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from fastface.errors import InterruptError

__all__ = ["Interruption", "interruptible"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Whether the user wants the run to end. Call it: the signal's number, or None."""

    def __init__(self) -> None:
        self._number: int | None = None

    def __call__(self) -> int | None:
        """The number of the signal that came, if one did."""
        return self._number

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
def interruptible() -> Iterator[Interruption]:
    """Installs the handlers for as long as the context lasts. Main thread only; elsewhere signals stay as they are."""
    interruption = Interruption()
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
