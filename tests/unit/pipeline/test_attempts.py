"""Who is blamed for a death, and when work is given up."""

import signal
from collections import deque

import numpy as np
import pytest

from fastface.pipeline.attempts import QUARANTINE_BLAME, Batch, may_lease, rate_blame
from fastface.pipeline.messages import SlotFilled
from fastface.types import SIGNATURE_SIZE, Faces, Geometry

GEOMETRY = Geometry((64, 64), (64, 64), (64, 64), (64, 64))
CRASH = rate_blame(-signal.SIGSEGV, stalled=False)


def batch_of(count: int) -> Batch:
    filled = SlotFilled(
        1, 0, 0, 0, GEOMETRY, tuple(range(count)), tuple(float(n) for n in range(count)), bytes(count * SIGNATURE_SIZE)
    )
    return Batch(7, filled, deque([(0, count)]))


@pytest.mark.parametrize(
    ("status", "stalled", "deaths"),
    [(-signal.SIGSEGV, False, 3), (1, False, 3), (-signal.SIGKILL, True, 3), (-signal.SIGKILL, False, 12)],
)
def test_three_crashes_or_twelve_kills_give_work_up(status: int, stalled: bool, deaths: int) -> None:
    assert QUARANTINE_BLAME / rate_blame(status, stalled) == deaths


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


def test_workers_hold_two_batches_but_one_that_killed_is_alone() -> None:
    """A worker on a card looks at both of its batches at once, so its death says nothing of which one did it."""
    plain, other, suspect = batch_of(2), batch_of(2), batch_of(2)
    suspect.worker_died(CRASH, dimension=8)
    assert may_lease((), plain, 1)
    assert not may_lease((plain,), other, 1)
    assert may_lease((plain,), other, 2)
    assert not may_lease((plain, other), batch_of(2), 2)
    assert may_lease((), suspect, 1)
    assert not may_lease((plain,), suspect, 2)
    assert not may_lease((suspect,), plain, 2)


def test_the_innocent_neighbour_of_a_batch_that_kills_loses_no_frame() -> None:
    """Two batches are handed out together, and frame 1 of the second crashes whoever looks at it."""
    ready, deaths = deque([batch_of(2), batch_of(2)]), 0
    innocent, guilty = ready
    while ready:
        tasks: list[Batch] = []
        while ready and may_lease(tasks, ready[0], 2):
            tasks.append(ready.popleft())
        spans = [(batch, *batch.todo[0]) for batch in tasks]
        if any(batch is guilty and first <= 1 < first + count for batch, first, count in spans):
            deaths += 1
            for batch in tasks:
                batch.worker_died(CRASH, dimension=8)
        else:
            for batch, first, _ in spans:
                batch.take(first, Faces.empty(8))
        ready.extendleft(batch for batch in reversed(tasks) if not batch.finished)
    assert deaths == 3
    assert (innocent.quarantined, guilty.quarantined) == (0, 1)
