"""The ring's memory: layout, sharing by descriptor, and what happens where there is not enough."""

import os
from pathlib import Path

import numpy as np
import pytest

from fastface.errors import SpaceError
from fastface.pipeline.ring import Ring, RingShape, available_bytes, capacity
from fastface.types import Geometry

HD = Geometry(display=(1920, 1080), planes=(1920, 1080), canvas=(640, 384), content=(640, 360))
SMALL = Geometry(display=(64, 32), planes=(64, 32), canvas=(64, 64), content=(64, 32))


def test_a_slot_holds_a_batch_of_1080p() -> None:
    shape = RingShape.for_batch(2, 8)
    assert capacity(shape, HD) == 8
    assert shape.slot_bytes >= 8 * (640 * 384 * 3 + 1920 * 1080 * 3 // 2)
    assert shape.slot_bytes % 4096 == 0


def test_a_slot_of_the_smallest_batch_holds_the_largest_stored_frame() -> None:
    largest = Geometry(display=(8192, 4608), planes=(4096, 2304), canvas=(640, 384), content=(640, 360))
    assert capacity(RingShape.for_batch(1, 1), largest) == 1


@pytest.mark.parametrize("det_size", [(1920, 1920), (4096, 4096), (64, 64)])
def test_a_slot_is_made_for_the_canvas_that_is_asked_for(det_size: tuple[int, int]) -> None:
    largest = Geometry(display=(8192, 4608), planes=(4096, 2304), canvas=det_size, content=det_size)
    assert capacity(RingShape.for_batch(1, 1, det_size), largest) == 1
    usual = Geometry(display=(1920, 1080), planes=(1920, 1080), canvas=det_size, content=det_size)
    assert capacity(RingShape.for_batch(1, 4, det_size), usual) == 4


def test_files_that_were_read_do_not_count_as_used_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {
        "/proc/meminfo": f"MemTotal: {1 << 24} kB\nMemAvailable: {1 << 23} kB\n",
        "/sys/fs/cgroup/memory.max": f"{1 << 30}\n",
        "/sys/fs/cgroup/memory.current": f"{1 << 30}\n",
        "/sys/fs/cgroup/memory.stat": f"anon {1 << 28}\ninactive_file {1 << 29}\nactive_file {1 << 28}\n",
    }
    monkeypatch.setattr(Path, "read_text", lambda path: facts[str(path)])
    assert available_bytes() == (1 << 29) + (1 << 28)
    facts["/sys/fs/cgroup/memory.max"] = "max\n"
    assert available_bytes() == 1 << 33


def test_a_canvas_that_does_not_fit_has_no_capacity() -> None:
    huge = Geometry(display=(4096, 2304), planes=(4096, 2304), canvas=(4096, 4096), content=(4096, 2304))
    assert capacity(RingShape.for_batch(1, 1), huge) == 0


def test_views_are_apart_contiguous_and_shared() -> None:
    shape = RingShape(num_slots=3, slot_bytes=4096 * 20, batch=4)
    ring = Ring.create(shape)
    other = Ring(os.dup(ring.descriptor), shape)
    try:
        for slot in range(3):
            canvases, planes = ring.batch(slot, SMALL)
            assert canvases.shape == (4, 64, 64, 3)
            assert planes.shape == (4, 64 * 32 * 3 // 2)
            assert canvases.flags.c_contiguous
            canvases[:] = 10 * slot + 1
            planes[:] = 10 * slot + 2
        for slot in range(3):
            canvases, planes = other.batch(slot, SMALL)
            assert np.unique(canvases).tolist() == [10 * slot + 1]
            assert np.unique(planes).tolist() == [10 * slot + 2]
        del canvases, planes
    finally:
        other.close()
        ring.close()


def test_nothing_is_left_open() -> None:
    before = sorted(path.name for path in Path("/proc/self/fd").iterdir())
    ring = Ring.create(RingShape(1, 4096, 1))
    ring.close()
    assert sorted(path.name for path in Path("/proc/self/fd").iterdir()) == before


def test_a_ring_larger_than_the_free_memory_is_refused() -> None:
    """Reserving it would not fail: the kernel would end processes."""
    total = int(next(x.split()[1] for x in Path("/proc/meminfo").read_text().splitlines() if "MemTotal" in x)) * 1024
    with pytest.raises(SpaceError, match="--ring-mb"):
        Ring.create(RingShape(num_slots=2, slot_bytes=total // 4096 * 4096, batch=1))
