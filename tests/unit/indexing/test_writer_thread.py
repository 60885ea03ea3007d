"""Work beside the event loop: in order, bounded, its failures told, nothing begun after the end."""

import threading
from functools import partial

import pytest

from fastface.indexing.index_writer import Commit, WriterThread


def _commit(number: int, threads: set[int]) -> Commit:
    threads.add(threading.get_ident())
    return Commit(str(number))


def test_results_come_in_order_from_one_other_thread() -> None:
    threads = set[int]()
    with WriterThread() as thread:
        for number in range(5):
            thread.do(partial(_commit, number, threads))
        commits = thread.collect(0)
    assert [commit.video_id for commit in commits] == ["0", "1", "2", "3", "4"]
    assert len(threads - {threading.get_ident()}) == 1


def test_few_jobs_are_given_and_what_is_not_done_is_not_waited_for() -> None:
    gate = threading.Event()

    def wait() -> Commit:
        gate.wait()
        return Commit("0")

    with WriterThread() as thread:
        thread.do(wait)
        thread.do(lambda: Commit("1"))
        assert thread.collect(2) == []
        thread.do(lambda: Commit("2"))
        gate.set()
        first = thread.collect(2)  # one too many: the first is waited for
        assert first[:1] == [Commit("0")]
        assert first + thread.collect(0) == [Commit("0"), Commit("1"), Commit("2")]


def test_a_failure_is_the_callers() -> None:
    def fail() -> Commit:
        raise OSError(28, "no space")

    with WriterThread() as thread:
        thread.do(fail)
        with pytest.raises(OSError, match="no space"):
            thread.collect(0)


def test_after_an_error_the_running_job_ends_and_none_begins() -> None:
    done: list[str] = []
    began, gate = threading.Event(), threading.Event()

    def work() -> Commit:
        began.set()
        gate.wait()
        done.append("in work")
        return Commit("")

    def never() -> Commit:
        done.append("never")
        return Commit("")

    with pytest.raises(KeyboardInterrupt), WriterThread() as thread:
        thread.do(work)
        thread.do(never)
        began.wait()
        threading.Timer(0.1, gate.set).start()  # after the error; before it, "never" could begin
        raise KeyboardInterrupt
    assert done == ["in work"]
