"""Track the work of the coordinator: probes, units, batches, and the blame of each for processes that died with it.

`coordinator` owns all objects. Blame adds up with each death; work with too much blame is quarantined and not retried.
"""

import signal
from collections import Counter, deque
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from fastface.pipeline.events import UnitScanned
from fastface.pipeline.messages import Inferred, SlotFilled, UnitDecoded
from fastface.types import SIGNATURE_SIZE, Bodies, Faces, FrameCounts, SampledFrames, Thumbnails, Unit, VideoInfo
from fastface.video.discover import VideoFile

_FAULT_BLAME = 4
KILL_BLAME = 1
QUARANTINE_BLAME = 3 * _FAULT_BLAME
"""Blame from which work is not retried: three processes crashed with it, or twelve were killed."""

_KILLS = (-signal.SIGKILL, -signal.SIGTERM)


def rate_blame(status: int, stalled: bool) -> int:
    """Rate how likely the work of a dead process caused its death.

    Args:
        status: Exit status, negative for a signal. A crash is strong evidence. A kill is weak evidence: it comes from
            outside, such as from the user or from a system short of memory.
        stalled: True if the coordinator killed the process because it made no progress.
    """
    return KILL_BLAME if status in _KILLS and not stalled else _FAULT_BLAME


def may_lease(tasks: Collection[object], batch: "Batch", ahead: int) -> bool:
    """Return whether a worker that holds these batches may lease another batch.

    A worker may process all its batches at once, so its death does not show which batch caused it. So a batch with
    blame is leased alone: that batch surely caused a second death.

    Args:
        tasks: The worker's batches.
        batch: The next batch.
        ahead: Maximum number of batches that the worker may hold.
    """
    suspects = [task for task in (*tasks, batch) if isinstance(task, Batch) and task.blame]
    return not tasks if suspects else len(tasks) < ahead


@dataclass(slots=True)
class ProbeWork:
    """A video to probe."""

    file: VideoFile
    blame: int = 0


@dataclass(slots=True)
class UnitWork:
    """One attempt at a unit. The number of the attempt identifies late messages of earlier attempts, which are ignored.

    Attributes:
        number: Number of the attempt in messages.
        info: The unit's video.
        unit: The unit.
        blame: Blame from decoders that died during earlier attempts.
        decoded: The decoder's last message; None while it is decoding.
        faces: Faces of each finished batch, by sequence number.
        portraits: Pictures of the faces, by batch.
        due: Timestamps of the frames whose best faces get a picture.
        cuts: Timestamps of the first frames after a cut.
        bodies: Bodies, by batch.
        frames: Sampled frames, by batch.
        counts: Counts of the frames so far.
        seconds: Time of each stage so far.
        position: End of the searched batches in the video, in seconds.
    """

    number: int
    info: VideoInfo
    unit: Unit
    blame: int = 0
    decoded: UnitDecoded | None = None
    faces: dict[int, Faces] = field(default_factory=dict)
    portraits: dict[int, Thumbnails] = field(default_factory=dict)
    due: list[int] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    bodies: dict[int, Bodies] = field(default_factory=dict)
    frames: dict[int, SampledFrames] = field(default_factory=dict)
    counts: FrameCounts = field(default_factory=FrameCounts)
    seconds: Counter[str] = field(default_factory=Counter)

    position: float = 0.0

    def __post_init__(self) -> None:
        self.position = float(self.unit.start)

    def record_decoded(self, message: UnitDecoded) -> None:
        """Record that the decoder has finished."""
        self.decoded = message
        self.seconds.update(message.seconds)

    def advance(self, time: float) -> float:
        """Move the position to a searched batch; return the seconds by which it advanced."""
        before, self.position = self.position, max(self.position, time)
        return self.position - before

    @property
    def complete(self) -> bool:
        """True if every batch was returned."""
        return self.decoded is not None and len(self.faces) == self.decoded.batches

    def add(self, batch: "Batch") -> None:
        """Add a finished batch."""
        sequence = batch.filled.sequence
        self.frames[sequence] = _join_frames(batch.filled)
        self.faces[sequence] = Faces.concatenate([batch.parts[first] for first in sorted(batch.parts)])
        if batch.portraits:
            self.portraits[sequence] = _join(batch.portraits, Thumbnails.empty())
        self.due += [batch.filled.pts[frame] for frame in batch.filled.faces_due]
        self.cuts += [batch.filled.pts[frame] for frame in batch.filled.cuts]
        if batch.bodies:
            self.bodies[sequence] = _join(batch.bodies, Bodies.empty())
        num_frames = len(batch.filled.pts)
        self.counts += FrameCounts(
            sampled=num_frames,
            inferred=num_frames - batch.quarantined,
            quarantined=batch.quarantined,
            faces=len(self.faces[sequence]),
        )

    def heard(self, message: Inferred) -> None:
        """Record a worker's report on frames of this attempt."""
        self.seconds.update(message.seconds)
        self.counts += message.counts

    def result(self, dimension: int) -> UnitScanned:
        """Build the result of the `complete` unit, for embeddings with `dimension` components."""
        assert self.decoded is not None, self.unit
        report = self.decoded.report
        assert report.sampled == self.counts.inferred + self.counts.quarantined, (self.unit, report, self.counts)
        return UnitScanned(
            unit=self.unit,
            faces=_join(self.faces, Faces.empty(dimension)),
            report=report,
            counts=self.counts,
            seconds=dict(self.seconds),
            portraits=_join(self.portraits, Thumbnails.empty()),
            due=np.array(sorted(self.due), np.int64),
            cuts=np.array(sorted(self.cuts), np.int64),
            bodies=_join(self.bodies, Bodies.empty()),
            frames=_join(self.frames, SampledFrames.empty()),
        )


_Kind = TypeVar("_Kind", Faces, Thumbnails, Bodies, SampledFrames)


def _join(parts: dict[int, _Kind], nothing: _Kind) -> _Kind:
    """Join all parts in order of their numbers."""
    in_order = [nothing]
    in_order.extend(parts[number] for number in sorted(parts))
    return type(nothing).concatenate(in_order)


def _join_frames(filled: SlotFilled) -> SampledFrames:
    """Join the frames of a batch, searched or quarantined."""
    return SampledFrames(
        time=np.array(filled.times, np.float64),
        pts=np.array(filled.pts, np.int64),
        shot=np.full(len(filled.pts), -1, np.int32),
        signature=np.frombuffer(filled.signatures, np.uint8).reshape(-1, SIGNATURE_SIZE),
    )


@dataclass(slots=True)
class Batch:
    """A filled slot that waits for a worker or is leased to a worker.

    A batch that crashed two workers is leased frame by frame, so that only the fatal frame is quarantined.

    Attributes:
        number: Number of the batch in messages.
        filled: The decoder's message about it.
        todo: (first, count) of the frames still to search; the first entry is leased next.
        blame: Blame from workers that died with `todo[0]`, or with the batch that it belongs to.
        parts: Faces found, by first frame.
        portraits: Pictures of the faces, by first frame, if any.
        bodies: Bodies found.
        quarantined: Number of frames quarantined.
        abandoned: True if the result is no longer needed: the slot is freed when no worker holds it.
    """

    number: int
    filled: SlotFilled
    todo: deque[tuple[int, int]]
    blame: int = 0
    parts: dict[int, Faces] = field(default_factory=dict)
    portraits: dict[int, Thumbnails] = field(default_factory=dict)
    bodies: dict[int, Bodies] = field(default_factory=dict)
    quarantined: int = 0
    abandoned: bool = False

    @property
    def finished(self) -> bool:
        """True if no frame is left to search."""
        return not self.todo

    def worker_died(self, blame: int, dimension: int) -> None:
        """Record that a worker died with the batch: retry it whole, then frame by frame, then quarantine the frame."""
        self.blame += blame
        first, count = self.todo[0]
        if count > 1 and self.blame >= QUARANTINE_BLAME - _FAULT_BLAME:
            self.todo.popleft()
            self.todo.extendleft((frame, 1) for frame in reversed(range(first, first + count)))
        elif count == 1 and self.blame >= QUARANTINE_BLAME:
            self.todo.popleft()
            self.quarantined += 1
            self.parts[first] = Faces.empty(dimension)
            self.blame = QUARANTINE_BLAME - _FAULT_BLAME

    def take(self, first: int, faces: Faces, portraits: Thumbnails | None = None, bodies: Bodies | None = None) -> None:
        """Store the result of a worker for `todo[0]`."""
        assert self.todo[0][0] == first, (self.todo, first)
        _, count = self.todo.popleft()
        damaged = [self.filled.pts[frame] for frame in self.filled.damaged if first <= frame < first + count]
        self.parts[first] = replace(faces, damaged=np.isin(faces.pts, damaged)) if damaged else faces
        if portraits:
            self.portraits[first] = portraits
        if bodies:
            self.bodies[first] = bodies
