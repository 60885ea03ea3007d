"""Who is blamed for a death, and when work is given up."""

import signal
from collections import deque

import numpy as np
import pytest

from fastface.pipeline.messages import Filled
from fastface.pipeline.work import QUARANTINE_BLAME, Batch, blame_of
from fastface.types import Faces, Geometry

GEOMETRY = Geometry((64, 64), (64, 64), (64, 64), (64, 64))
CRASH = blame_of(-signal.SIGSEGV, stalled=False)


def batch_of(count: int) -> Batch:
    filled = Filled(1, 0, 0, 0, GEOMETRY, tuple(range(count)), tuple(float(n) for n in range(count)))
    return Batch(7, filled, deque([(0, count)]))


@pytest.mark.parametrize(
    ("status", "stalled", "deaths"),
    [(-signal.SIGSEGV, False, 3), (1, False, 3), (-signal.SIGKILL, True, 3), (-signal.SIGKILL, False, 12)],
)
def test_three_crashes_or_twelve_kills_give_work_up(status: int, stalled: bool, deaths: int) -> None:
    assert QUARANTINE_BLAME / blame_of(status, stalled) == deaths


def test_a_frame_that_kills_is_given_up_alone() -> None:
    """Frame 2 of 4 crashes every worker that searches it."""
    batch, crashes = batch_of(4), 0
    while not batch.finished:
        first, count = batch.todo[0]
        if first <= 2 < first + count:
            crashes += 1
            batch.worker_died(CRASH, dimension=8)
        else:
            batch.take(first, Faces.empty(8))
    assert crashes == 3
    assert batch.quarantined == 1
    assert sorted(batch.parts) == [0, 1, 2, 3]


def test_two_frames_that_kill_cost_one_more_worker() -> None:
    batch, crashes = batch_of(3), 0
    while not batch.finished:
        first, count = batch.todo[0]
        if any(first <= bad < first + count for bad in (0, 2)):
            crashes += 1
            batch.worker_died(CRASH, dimension=8)
        else:
            batch.take(first, Faces.empty(8))
    assert (crashes, batch.quarantined) == (4, 2)


def test_a_batch_that_survives_a_death_is_searched_whole() -> None:
    batch = batch_of(3)
    batch.worker_died(CRASH, dimension=8)
    assert batch.todo[0] == (0, 3)
    batch.take(0, Faces.empty(8))
    assert batch.finished
    assert batch.quarantined == 0
    assert np.array_equal(sorted(batch.parts), [0])
