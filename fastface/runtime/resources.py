"""Choose the numbers of processes, batch size and shared memory for the machine, and measure memory in use.

The user's settings override each number.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from fastface.backends import DeviceInfo
from fastface.config import ScanConfig
from fastface.errors import ConfigError
from fastface.pipeline.process_pool import PoolSizes
from fastface.pipeline.ring import RingShape

_BATCH_CPU = 4
_BATCH_GPU = 32
_WORKER_THREADS = 2
_WORKERS_A_CARD = 2


@dataclass(frozen=True, slots=True)
class Layout:
    """Processes and memory of a scan.

    Attributes:
        ring: Slots and batch.
        sizes: Numbers of decoders and workers.
        decoder_threads: Threads of a decoder.
        worker_threads: CPU threads of a worker's networks.
    """

    ring: RingShape
    sizes: PoolSizes
    decoder_threads: int
    worker_threads: int


def num_cores() -> int:
    """Return the number of CPU cores for this process, after affinity and a container's quota."""
    cores = len(os.sched_getaffinity(0))
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, int(quota) // int(period)))


def choose_layout(scan: ScanConfig, device: DeviceInfo, num_cards: int = 1, cores: int | None = None) -> Layout:
    """Choose the layout of a scan on this machine.

    On a CPU a worker has two threads: two workers of one thread each were no faster and needed 170 MB more. Decoders
    and workers together may have more threads than there are cores: the slower role gets them. Each card has two
    workers: one copies and aligns while the other computes.

    Args:
        scan: The settings; `workers` is the total, which the cards share in turn.
        device: Device of the networks.
        num_cards: Number of such devices.
        cores: CPU cores to use; None for all of this process.

    Raises:
        ConfigError: The ring is too small for the processes, or a card would get no worker.
    """
    cores = cores or num_cores()
    batch = scan.batch or (_BATCH_GPU if device.is_gpu else _BATCH_CPU)
    decoders = scan.decoders or (max(1, cores - 1) if device.is_gpu else max(2, cores // 2))
    if 0 < scan.workers < num_cards:
        raise ConfigError(f"--workers: {scan.workers} is too few for {num_cards} cards: each needs one")
    workers = scan.workers or (_WORKERS_A_CARD * num_cards if device.is_gpu else max(1, cores // _WORKER_THREADS))
    num_slots = 2 * (decoders + workers)
    det_size = None if scan.det_size == "auto" else scan.det_size
    if scan.ring_mb:
        num_slots = (scan.ring_mb << 20) // RingShape.for_batch(1, batch, det_size).slot_bytes
    least = decoders + workers
    ring = RingShape.for_batch(num_slots, batch, det_size)
    if num_slots < least:
        needed = -(-least * ring.slot_bytes >> 20)
        raise ConfigError(
            f"--ring-mb: {scan.ring_mb} MiB is too small for {decoders} decoders and {workers} workers with batches "
            f"of {batch}; give at least {needed}"
        )
    threads = max(1, min(_WORKER_THREADS, cores // workers))
    return Layout(ring, PoolSizes(decoders, workers), decoder_threads=1, worker_threads=threads)


def tree_memory(pid: int) -> int:
    """Return the bytes of a process and its children. Shared memory is counted once (PSS).

    A process that ends meanwhile counts as 0; without `/proc` every process does.
    """
    return sum(_memory(Path(f"/proc/{member}")) for member in [pid, *_children(pid)])


def _children(pid: int) -> list[int]:
    children = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children += [int(text) for text in tasks.read_text().split()]
        except OSError:
            continue
    return children


def _memory(process: Path) -> int:
    try:
        lines = (process / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
