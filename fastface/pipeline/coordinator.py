"""Run a scan: one event loop in the main process that owns all state of the scan.

    probes, units ──► decoders ──slots──► batches ──► workers ──► faces ──► events

The scanner calls it. It leases work, owns the slot table, and treats the death of a child as an ordinary event. It
reads no pixels and writes no files: its results are the stream of `events()`.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from multiprocessing.connection import wait
from time import monotonic
from typing import Self

from fastface.faces.succession import max_gap_seconds
from fastface.pipeline.attempts import QUARANTINE_BLAME, Batch, ProbeWork, UnitWork, may_lease, rate_blame
from fastface.pipeline.engine import NodeReport
from fastface.pipeline.events import Event, ProcessExited, Progress, UnitLost
from fastface.pipeline.messages import (
    CancelUnit,
    DecoderSettings,
    DecodeUnit,
    Failed,
    Grant,
    InferFrames,
    Inferred,
    ProbeVideo,
    Ready,
    SlotFilled,
    UnitDecoded,
    UnitRefused,
    VideoProbed,
    VideoRefused,
    WorkerSettings,
)
from fastface.pipeline.process_pool import PooledProcess, PoolSizes, ProcessPool, stop_all
from fastface.pipeline.ring import Ring
from fastface.pipeline.slots import SlotState, SlotTable
from fastface.types import Unit, VideoInfo
from fastface.video.discover import VideoFile

_GRANTS_AHEAD = 2
_LEASES_AHEAD = 2
"""One batch is in work and one waits in the pipe: a child never waits for the coordinator's reply."""

_STALL_SECONDS = 120.0
_STOP_SECONDS = 3.0
_DRAIN_SECONDS = 8.0
_TICK_SECONDS = 0.5


class Coordinator:
    """Run decoders and workers over videos. Main process, one thread. Use as a context manager.

    Args:
        decoder: Settings of every decoder.
        worker: Settings of every worker.
        sizes: Number of processes of each role.
        interrupted: Called in every turn of the loop; once it returns true, no more work starts.
    """

    def __init__(
        self,
        decoder: DecoderSettings,
        worker: WorkerSettings,
        sizes: PoolSizes,
        interrupted: Callable[[], object] = lambda: False,
    ) -> None:
        self._ring: Ring | None = None
        self._ring_shape = decoder.ring
        self._slots = SlotTable(decoder.ring.num_slots)
        self._dimension = worker.dimension
        self._has_portraits = decoder.portraits
        self._period = float(decoder.sampling.period or 0)
        self._interrupted = interrupted
        self.decoders = ProcessPool("decoder", "fastface.pipeline.decoder:serve", sizes.decoders, decoder)
        self.workers = ProcessPool("worker", "fastface.pipeline.inference.worker:serve", sizes.workers, worker)
        self._probes: deque[ProbeWork] = deque()
        self._units: deque[UnitWork] = deque()
        self._active: dict[int, UnitWork] = {}
        self._batches: dict[int, Batch] = {}
        self._ready: deque[Batch] = deque()
        self._events: deque[Event] = deque()
        self._numbers = count()
        self._drain_until: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        stop_all(self.decoders.members + self.workers.members, _STOP_SECONDS)
        if self._ring is not None:
            self._ring.close()

    @property
    def nodes(self) -> tuple[NodeReport, ...]:
        """No nodes: all processes run on this machine."""
        return ()

    def probe(self, file: VideoFile) -> None:
        """Queue a video for probing; the resulting event is `VideoProbed` or `VideoRefused`."""
        self._probes.append(ProbeWork(file))

    def schedule(self, info: VideoInfo, unit: Unit) -> None:
        """Queue a unit for scanning; the resulting event is `UnitScanned` or `UnitLost`."""
        self._units.append(UnitWork(next(self._numbers), info, unit))

    def events(self) -> Iterator[Event]:
        """Yield all events until no work is left. The caller may add work meanwhile.

        Children start with the first work.

        Raises:
            BackendError, ModelError, WorkerError: The children cannot work on this machine.
            SpaceError: There is no memory for the ring.
        """
        while self.is_busy:
            yield from self.turn()

    def turn(self) -> list[Event]:
        """Give out work, wait a moment for results, and return the events since the last turn.

        A caller that gets work from elsewhere calls it instead of `events()`, while `is_busy`.

        Raises:
            BackendError, ModelError, WorkerError, SpaceError: See `events`.
        """
        if self._interrupted() and self._drain_until is None:
            self._interrupt()
        self.start()
        self._hand_out()
        self.listen()
        self._end_stalled()
        events = list(self._events)
        self._events.clear()
        return events

    def start(self) -> None:
        """Start all children that do not run yet. `events()` also starts them; an early call lets them load meanwhile.

        Each decoder gets a video to probe, which it does when it has loaded.

        Raises:
            SpaceError: There is no memory for the ring.
        """
        if self._ring is None:
            self._ring = Ring.create(self._ring_shape)
        self.decoders.start(self._ring.descriptor)
        self.workers.start(self._ring.descriptor)
        for decoder in self.decoders.members:
            if not decoder.ready and not decoder.tasks and self._probes:
                self._assign_probe(decoder)

    @property
    def is_busy(self) -> bool:
        """True if work is left."""
        if self._drain_until is not None:
            return bool(self._active) and monotonic() < self._drain_until
        probing = any(decoder.tasks for decoder in self.decoders.members)
        return bool(self._probes or self._units or self._active or probing)

    def _interrupt(self) -> None:
        """Start no more work; `events()` ends when the decoded frames are searched, or after a few seconds."""
        self._drain_until = monotonic() + _DRAIN_SECONDS
        self._probes.clear()
        self._units.clear()
        for decoder in self.decoders.members:
            for work in [task for task in decoder.tasks if isinstance(task, UnitWork)]:
                decoder.child.send(CancelUnit(work.number))
                decoder.tasks.remove(work)
                self._retract(work)

    # ── leasing work ────────────────────────────────────────────────────────────────────────────────────────────────

    def _hand_out(self) -> None:
        for decoder in self.decoders.members:
            if decoder.ready and not decoder.tasks:
                self._employ(decoder)
        for ahead in range(1, _GRANTS_AHEAD + 1):
            for decoder in self.decoders.members:
                self._grant(decoder, ahead)
        for ahead in range(1, _LEASES_AHEAD + 1):
            for worker in self.workers.members:
                if worker.ready and self._ready and may_lease(worker.tasks, self._ready[0], ahead):
                    self._lease(worker, self._ready.popleft())

    def _employ(self, decoder: PooledProcess) -> None:
        """Give the decoder its next work. Units come before probes: results come early, and few videos are open."""
        if self._drain_until is not None:
            return
        if self._units:
            work = self._units.popleft()
            self._active[work.number] = work
            self._assign(decoder, work, DecodeUnit(work.number, work.info, work.unit))
        elif self._probes:
            self._assign_probe(decoder)

    def _assign_probe(self, decoder: PooledProcess) -> None:
        probe = self._probes.popleft()
        self._assign(decoder, probe, ProbeVideo(probe.file))

    def _grant(self, decoder: PooledProcess, ahead: int) -> None:
        decoding = decoder.tasks and isinstance(decoder.tasks[0], UnitWork)
        if not decoding or self._slots.granted_to(decoder.name) >= ahead:
            return
        granted = self._slots.grant(decoder.name)
        if granted is not None:
            decoder.child.send(Grant(*granted))

    def _lease(self, worker: PooledProcess, batch: Batch) -> None:
        filled = batch.filled
        self._slots.lease(filled.slot, worker.name)
        first, frames = batch.todo[0]
        span = (first, frames, filled.pts, filled.times, filled.faces_due, filled.bodies_due)
        work = self._active[filled.work]
        is_sparse = not work.unit.dense  # the sparse unit has found the bodies and taken the pictures
        task = InferFrames(
            batch.number,
            filled.slot,
            filled.geometry,
            *span,
            bodies=is_sparse,
            portraits=is_sparse and self._has_portraits,
            damaged=filled.damaged,
            cuts=filled.cuts,
            is_film=work.info.is_film,
            max_gap=max_gap_seconds(self._period, is_film=work.info.is_film),
            work=filled.work,
            sequence=filled.sequence,
        )
        self._assign(worker, batch, task)

    def _assign(self, member: PooledProcess, task: object, message: object) -> None:
        if not member.tasks:
            member.heard = monotonic()
        member.tasks.append(task)
        member.child.send(message)

    # ── messages of children ────────────────────────────────────────────────────────────────────────────────────────

    def listen(self) -> None:
        """Wait a moment for messages of the children and handle them; `events` yields the resulting events."""
        speakers = {m.child.connection: (pool, m) for pool in (self.decoders, self.workers) for m in pool.members}
        for connection in wait(list(speakers), _TICK_SECONDS):
            pool, member = speakers[connection]  # type: ignore[index]
            message = member.heard_message()
            if message is None:
                self._bury(pool, member)
            else:
                self._hear(pool, member, message)

    def _hear(self, pool: ProcessPool, member: PooledProcess, message: object) -> None:
        match message:
            case Ready():
                self._events.extend(pool.is_ready(member, message.notes))
            case Failed():
                member.last_words = message
            case VideoProbed() | VideoRefused():
                member.tasks.popleft()
                self._events.append(message)
            case SlotFilled():
                self._handle_filled(member, message)
            case UnitDecoded() if message.work in self._active:
                member.tasks.popleft()
                work = self._active[message.work]
                work.record_decoded(message)
                self._complete(work)
            case UnitRefused() if message.work in self._active:
                member.tasks.popleft()
                self._lose(self._active[message.work], message.state, message.reason)
            case Inferred():
                self._handle_inferred(member, message)

    def _handle_filled(self, decoder: PooledProcess, message: SlotFilled) -> None:
        self._slots.fill(message.slot, message.generation, decoder.name)
        if message.work not in self._active:
            self._slots.free(message.slot)  # the message crossed with the cancellation
            return
        batch = Batch(next(self._numbers), message, deque([(0, len(message.pts))]))
        self._batches[batch.number] = batch
        self._ready.append(batch)

    def _handle_inferred(self, worker: PooledProcess, message: Inferred) -> None:
        batch = worker.tasks.popleft()
        assert isinstance(batch, Batch)
        assert batch.number == message.batch
        self._slots.return_lease(batch.filled.slot)
        if batch.abandoned:
            self._drop(batch)
            return
        batch.take(message.first, message.faces, message.portraits, message.bodies)
        work = self._active[batch.filled.work]
        work.heard(message)
        self._events.append(Progress(work.unit, work.advance(batch.filled.times[-1]), len(message.faces)))
        self._continue(batch)

    def _continue(self, batch: Batch) -> None:
        if not batch.finished:
            self._ready.appendleft(batch)
            return
        work = self._active[batch.filled.work]
        work.add(batch)
        self._drop(batch)
        self._complete(work)

    def _drop(self, batch: Batch) -> None:
        self._slots.free(batch.filled.slot)
        del self._batches[batch.number]

    def _complete(self, work: UnitWork) -> None:
        if not work.complete:
            return
        del self._active[work.number]
        self._events.append(work.result(self._dimension))

    # ── deaths of children ──────────────────────────────────────────────────────────────────────────────────────────

    def _end_stalled(self) -> None:
        for member in self.decoders.members + self.workers.members:
            waits_for_slot = bool(member.tasks) and isinstance(member.tasks[0], UnitWork)
            if not (waits_for_slot and self._slots.granted_to(member.name) == 0):
                member.end_if_stalled(_STALL_SECONDS)

    def _bury(self, pool: ProcessPool, member: PooledProcess) -> None:
        status = pool.replace(member)
        self._slots.reclaim(member.name)
        reason = member.last_words.reason if member.last_words else f"it was ended (status {status})"
        self._events.append(ProcessExited(member.name, status, reason))
        # Before it is ready, a child has not read its work.
        blame = rate_blame(status, member.ended_for_stalling) if member.ready else 0
        if pool is self.workers:
            self._mourn_worker(member, blame)
        for task in member.tasks:
            if isinstance(task, UnitWork):
                self._retry_unit(task, blame, reason)
            elif isinstance(task, ProbeWork):
                self._retry_probe(task, blame, reason)

    def _mourn_worker(self, worker: PooledProcess, blame: int) -> None:
        """Lease the batches of a dead worker again. Any may be to blame: see `may_lease`."""
        for batch in [task for task in reversed(worker.tasks) if isinstance(task, Batch)]:
            batch.worker_died(blame, self._dimension)
            self._slots.return_lease(batch.filled.slot)
            if batch.abandoned:
                self._drop(batch)
            else:
                self._continue(batch)

    def _retry_unit(self, work: UnitWork, blame: int, reason: str) -> None:
        if work.blame + blame >= QUARANTINE_BLAME:
            self._lose(work, "quarantined", f"decoding it crashed several processes: {reason}")
            return
        self._retract(work)
        unit = replace(work.unit, decoder="pyav")  # a card's library may have ended the process
        self._units.appendleft(UnitWork(next(self._numbers), work.info, unit, blame=work.blame + blame))

    def _retry_probe(self, probe: ProbeWork, blame: int, reason: str) -> None:
        probe.blame += blame
        if probe.blame < QUARANTINE_BLAME:
            self._probes.appendleft(probe)
        else:
            told = f"opening it crashed several processes: {reason}"
            self._events.append(VideoRefused(probe.file, "quarantined", told))

    def _lose(self, work: UnitWork, state: str, reason: str) -> None:
        self._retract(work)
        self._events.append(UnitLost(work.unit, state, reason))

    def _retract(self, work: UnitWork) -> None:
        """Discard an attempt. Slots that a worker is reading are freed when the worker returns them."""
        del self._active[work.number]
        for batch in [b for b in self._batches.values() if b.filled.work == work.number]:
            batch.abandoned = True
            if self._slots.state(batch.filled.slot) is SlotState.READY:
                self._ready.remove(batch)
                self._drop(batch)
