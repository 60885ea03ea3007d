"""Work beside the event loop: one thread writes files, and what follows of it is done by the thread of the loop.

While an index is written, no message would be heard, and a fast card would wait. The two threads share nothing that
changes: a piece of work is given all that it needs, and its result is taken once it is done.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self, TypeVar

__all__ = ["WriterThread"]

_MOST_GIVEN = 2
"""Pieces that may be given and not settled: each holds what a stretch of video has shown."""

_Result = TypeVar("_Result")


class WriterThread:
    """Does one piece of work after the other. A context manager.

    Where it is left with an error, what has not begun is not done, and the piece in work is waited for.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "background")
        self._given: deque[tuple[Future[Any], Callable[[Any], None]]] = deque()
        self._is_closing = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closing = True
        self._thread.shutdown(cancel_futures=True)
        while self._given:
            work, then = self._given.popleft()
            if not work.cancelled() and work.exception() is None:
                then(work.result())  # what is done should not have to be done again

    def do(self, work: Callable[[], _Result], then: Callable[[_Result], None]) -> None:
        """Has a piece of work done; `then` is called with its result by `settle`. At the end nothing more is begun."""
        if not self._is_closing:
            self._given.append((self._thread.submit(work), then))

    def settle(self, most_given: int = _MOST_GIVEN) -> None:
        """Does what follows of all that is done, in the order in which it was given.

        Args:
            most_given: Waits until no more than so many pieces are left; 0 waits for all.

        Raises:
            Exception: Whatever a piece of work ended with.
        """
        while self._given and (len(self._given) > most_given or self._given[0][0].done()):
            work, then = self._given.popleft()
            then(work.result())
