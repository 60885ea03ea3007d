"""Work beside the event loop: in order, bounded, its failures told, nothing begun after the end."""

import threading
from functools import partial

import pytest

from fastface.workflows.background import Background


def test_what_follows_is_done_in_order_by_the_caller() -> None:
    done: list[tuple[int, bool, bool]] = []
    here = threading.get_ident()

    def follow(number: int, thread: int) -> None:
        done.append((number, thread != here, threading.get_ident() == here))

    with Background() as background:
        for number in range(5):
            background.do(threading.get_ident, partial(follow, number))
        assert done == []
        background.settle(0)
    assert done == [(number, True, True) for number in range(5)]


def test_few_pieces_wait_and_what_is_not_done_is_not_waited_for() -> None:
    gate, done = threading.Event(), list[int]()
    with Background() as background:
        for number in range(3):
            background.do(partial(gate.wait, 20), lambda _, number=number: done.append(number))
        background.settle(3)
        assert done == []
        threading.Timer(0.2, gate.set).start()
        background.settle(2)  # one too many: the first is waited for
        assert gate.is_set()
        background.settle(0)
    assert done == [0, 1, 2]


def test_what_follows_may_ask_for_more() -> None:
    done: list[str] = []
    with Background() as background:

        def again(result: str) -> None:
            done.append(result)
            if len(done) < 3:
                background.do(lambda: f"{result}!", again)

        background.do(lambda: "a", again)
        background.settle(0)
    assert done == ["a", "a!", "a!!"]


def test_a_failure_is_the_callers_and_what_has_not_begun_is_not_done() -> None:
    done: list[str] = []

    def fail() -> None:
        raise OSError(28, "no space")

    gate = threading.Event()
    with pytest.raises(OSError, match="no space"), Background() as background:
        background.do(fail, lambda _: done.append("after the failure"))
        background.do(partial(gate.wait, 0.3), lambda _: done.append("began"))
        background.do(lambda: done.append("never"), lambda _: None)
        background.settle(0)
    assert done == []
