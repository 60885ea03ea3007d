"""Work beside the event loop: one thread writes files, and what follows of it is done by the thread of the loop.

While an index is written, no message would be heard, and a fast card would wait. The two threads share nothing: a piece
of work is given all that it needs, and its result is taken once it is done.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self, TypeVar

__all__ = ["Background"]

_MOST_WAITING = 2
"""Pieces that may wait: each holds what a stretch of video has shown."""

_Result = TypeVar("_Result")


class Background:
    """Does one piece of work after the other. A context manager: at its end what has not begun is not done."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "background")
        self._given: deque[tuple[Future[Any], Callable[[Any], None]]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(cancel_futures=True)

    def do(self, work: Callable[[], _Result], then: Callable[[_Result], None]) -> None:
        """Has a piece of work done; `then` is called with its result by `settle`."""
        self._given.append((self._thread.submit(work), then))

    def settle(self, most_waiting: int = _MOST_WAITING) -> None:
        """Does what follows of all that is done, in the order in which it was given.

        Args:
            most_waiting: Waits until no more than so many pieces are left; 0 waits for all.

        Raises:
            Exception: Whatever a piece of work ended with.
        """
        while self._given and (len(self._given) > most_waiting or self._given[0][0].done()):
            work, then = self._given.popleft()
            then(work.result())
