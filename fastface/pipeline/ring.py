"""Define the ring: shared memory for frames. Only the coordinator knows which process may use which slot.

A slot holds one batch of frames of one unit. Its layout follows from the video's geometry and the slot's capacity C:

    offset 0                    C × canvas_bytes            C × (canvas_bytes + plane_bytes)
    ├── C canvases ────────────┼── C × planes ─────────────┼── unused ──┤
        (C, H, W, 3) uint8 BGR      (C, plane_bytes) uint8, I420 as the decoder made them

So the canvases of a batch are one contiguous array, which the detector takes without a copy.

The memory is an anonymous file (`memfd_create`): it needs no /dev/shm, cannot leak when processes are killed, and
`posix_fallocate` reserves it at once. The kernel accepts even a reservation that exceeds the memory, and later kills
processes. So the ring's size is compared with the free memory before it is reserved.
"""

import errno
import mmap
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from fastface.errors import SpaceError
from fastface.types import Geometry, Size

_PAGE = mmap.PAGESIZE
_FULL_HD, _USUAL_CANVAS = (1920, 1080), (640, 384)
_LARGEST_STORED, _LARGEST_CANVAS = (4096, 2304), (640, 640)
_LARGEST_SHARE = 0.8
"""Share of the free memory, 0–1; the rest is for the processes."""


@dataclass(frozen=True, slots=True)
class RingShape:
    """Number and size of the slots.

    Attributes:
        num_slots: Number of slots.
        slot_bytes: Bytes of one slot, a multiple of the page size.
        batch: Maximum number of frames in a slot.
    """

    num_slots: int
    slot_bytes: int
    batch: int

    @classmethod
    def for_batch(cls, num_slots: int, batch: int, det_size: Size | None = None) -> Self:
        """Return the shape whose slots hold `batch` frames of 1080p, or one frame of the largest size (4096 × 2304).

        Args:
            num_slots: Number of slots.
            batch: Maximum number of frames in a slot.
            det_size: Canvas of every video; None if it follows the video's aspect.
        """
        usual = _frame_bytes(_FULL_HD, det_size or _USUAL_CANVAS)
        largest = _frame_bytes(_LARGEST_STORED, det_size or _LARGEST_CANVAS)
        return cls(num_slots, -(-max(batch * usual, largest) // _PAGE) * _PAGE, batch)

    @property
    def total_bytes(self) -> int:
        """Bytes of the whole ring."""
        return self.num_slots * self.slot_bytes


def _frame_bytes(planes: Size, canvas: Size) -> int:
    geometry = Geometry(display=planes, planes=planes, canvas=canvas, content=canvas)
    return geometry.canvas_bytes + geometry.plane_bytes


def capacity(shape: RingShape, geometry: Geometry) -> int:
    """Return the number of frames of this geometry per slot: the batch, or fewer if large; 0 if none fits."""
    return min(shape.batch, shape.slot_bytes // (geometry.canvas_bytes + geometry.plane_bytes))


def available_bytes() -> int:
    """Return the bytes of memory that this machine, or this container, can still give."""
    facts = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    free = int(facts["MemAvailable"].split()[0]) * 1024
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
        parts = dict(line.split() for line in Path("/sys/fs/cgroup/memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no control group, or no limit ("max")
        return free
    # The page cache counts as used memory, but the kernel frees it at once on demand.
    cached = int(parts.get("inactive_file", 0)) + int(parts.get("active_file", 0))
    return max(0, min(free, limit - used + cached))


class Ring:
    """The mapped memory. The coordinator creates it; children attach by the inherited file descriptor.

    Raises:
        SpaceError: The machine cannot give that much shared memory.
    """

    def __init__(self, descriptor: int, shape: RingShape) -> None:
        self.descriptor = descriptor
        self.shape = shape
        self._memory = mmap.mmap(descriptor, shape.total_bytes)
        self._bytes: npt.NDArray[np.uint8] = np.frombuffer(self._memory, np.uint8)

    @classmethod
    def create(cls, shape: RingShape) -> Self:
        """Reserve the memory. Coordinator only."""
        size, free = shape.total_bytes, available_bytes()
        if size > free * _LARGEST_SHARE:
            raise SpaceError(
                f"a ring of {size >> 20} MiB does not fit the {free >> 20} MiB of free memory; "
                "give a smaller one with --ring-mb, or a smaller --batch"
            )
        descriptor = os.memfd_create("fastface-ring", os.MFD_CLOEXEC)
        try:
            os.posix_fallocate(descriptor, 0, shape.total_bytes)
        except OSError as error:
            os.close(descriptor)
            if error.errno not in (errno.ENOSPC, errno.ENOMEM):
                raise
            raise SpaceError(f"no memory for a ring of {size >> 20} MiB; give a smaller --ring-mb") from error
        return cls(descriptor, shape)

    @property
    def address(self) -> int:
        """Address of the memory in this process."""
        return int(self._bytes.ctypes.data)

    def batch(self, slot: int, geometry: Geometry) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """Return views of the canvases (C, H, W, 3) and planes (C, plane_bytes) of a slot."""
        frames = capacity(self.shape, geometry)
        base = slot * self.shape.slot_bytes
        middle = base + frames * geometry.canvas_bytes
        end = middle + frames * geometry.plane_bytes
        width, height = geometry.canvas
        canvases = self._bytes[base:middle].reshape(frames, height, width, 3)
        return canvases, self._bytes[middle:end].reshape(frames, geometry.plane_bytes)

    def close(self) -> None:
        """Release the memory once no view of it is left. Children need not call it: their end releases it."""
        del self._bytes
        self._memory.close()
        os.close(self.descriptor)
