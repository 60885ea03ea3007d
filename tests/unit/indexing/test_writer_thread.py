"""Work beside the event loop: in order, bounded, its failures told, nothing begun after the end."""

import threading
from functools import partial

import pytest

from fastface.indexing.index_writer import WriterThread


def test_what_follows_is_done_in_order_by_the_caller() -> None:
    done: list[tuple[int, bool, bool]] = []
    here = threading.get_ident()

    def follow(number: int, thread: int) -> None:
        done.append((number, thread != here, threading.get_ident() == here))

    with WriterThread() as background:
        for number in range(5):
            background.do(threading.get_ident, partial(follow, number))
        assert done == []
        background.settle(0)
    assert done == [(number, True, True) for number in range(5)]


def test_few_pieces_are_given_and_what_is_not_done_is_not_waited_for() -> None:
    gate, done = threading.Event(), list[int]()
    with WriterThread() as background:
        background.do(gate.wait, lambda _: done.append(0))
        background.do(lambda: None, lambda _: done.append(1))
        background.settle(2)
        assert done == []
        background.do(lambda: None, lambda _: done.append(2))
        gate.set()
        background.settle(2)  # one too many: the first is waited for
        assert done[:1] == [0]
        background.settle(0)
    assert done == [0, 1, 2]


def test_what_follows_may_ask_for_more() -> None:
    done: list[str] = []
    with WriterThread() as background:

        def again(result: str) -> None:
            done.append(result)
            if len(done) < 3:
                background.do(lambda: f"{result}!", again)

        background.do(lambda: "a", again)
        background.settle(0)
    assert done == ["a", "a!", "a!!"]


def test_a_failure_is_the_callers() -> None:
    def fail() -> None:
        raise OSError(28, "no space")

    done: list[str] = []
    with pytest.raises(OSError, match="no space"), WriterThread() as background:
        background.do(fail, lambda _: done.append("after the failure"))
        background.settle(0)
    assert done == []


def test_after_an_error_what_is_done_counts_and_nothing_is_begun() -> None:
    done: list[str] = []
    began, gate = threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        gate.wait()

    def follow(_: object) -> None:
        done.append("in work")
        background.do(lambda: done.append("more"), lambda _: None)

    with pytest.raises(KeyboardInterrupt), WriterThread() as background:
        background.do(work, follow)
        background.do(lambda: done.append("never"), lambda _: None)
        began.wait()
        threading.Timer(0.1, gate.set).start()  # after the error; before it, "never" could begin
        raise KeyboardInterrupt
    assert done == ["in work"]
