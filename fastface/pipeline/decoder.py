"""Decode units of videos in a child process: select frames and write them into slots of the ring.

`serve` is the entry point of the process. Only `coordinator` starts it.
"""

import ctypes
import gc
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from multiprocessing.connection import Connection
from time import perf_counter

import av.logging
import cv2
import numpy as np

from fastface.errors import InputError, VideoError
from fastface.failpoints import fail_point
from fastface.pipeline.messages import (
    CancelUnit,
    DecoderSettings,
    DecodeUnit,
    Grant,
    ProbeVideo,
    Ready,
    SlotFilled,
    Stop,
    UnitDecoded,
    UnitRefused,
    VideoProbed,
    VideoRefused,
)
from fastface.pipeline.portrait_taker import BODY_GAP, FACE_GAP, PortraitClock
from fastface.pipeline.process import HeartbeatTimer
from fastface.pipeline.ring import Ring, capacity
from fastface.types import Geometry, VideoInfo
from fastface.video.decode import open_source
from fastface.video.frames.canvas import choose_geometry
from fastface.video.frames.frame import SampledFrame
from fastface.video.frames.planes import PlaneWriter
from fastface.video.frames.shots import is_cut
from fastface.video.frames.signature import compute_signature
from fastface.video.identity.fingerprint import fingerprint, read_stamp
from fastface.video.plan import plan_units
from fastface.video.probe import probe

_TRIM = getattr(ctypes.CDLL(None), "malloc_trim", None)
"""The C library's function that returns free memory to the system; some C libraries have none."""


def serve(connection: Connection, descriptor: int, settings: DecoderSettings) -> None:
    """Run a decoder process; entry point for `process.child_main` in the child."""
    av.logging.set_level(None)
    cv2.setNumThreads(1)
    decoder = _Decoder(connection, Ring(descriptor, settings.ring), settings)
    gc.freeze()  # objects of the start stay alive, so no collection after a probe needs to visit them
    connection.send(Ready())
    decoder.loop()


def _release_memory() -> None:
    """Return the memory of a probe to the system. This takes 0.25 ms and saves megabytes after a hundred videos.

    A frame whose side data was read is in a reference cycle, which keeps its decoder and all pictures alive. Also, the
    allocator keeps freed memory between used blocks, more with each video.
    """
    gc.collect()
    if _TRIM is not None:
        _TRIM(0)


class _Cancelled(Exception):  # noqa: N818 - an answer, not an error
    """The coordinator no longer needs the unit, or the process."""


class _Batch:
    """The slot being filled: its views of the ring and the times of its frames."""

    def __init__(self, grant: Grant, ring: Ring, geometry: Geometry, writer: PlaneWriter) -> None:
        self.grant = grant
        self.geometry = geometry
        self._writer = writer
        self._canvases, self._planes = ring.batch(grant.slot, geometry)
        self.pts: list[int] = []
        self.times: list[float] = []
        self.signatures: list[bytes] = []
        self.damaged: set[int] = set()
        self.cuts: list[int] = []
        self.faces_due: list[int] = []
        self.bodies_due: list[int] = []

    def add(self, frame: SampledFrame, before: bytes, *, faces_due: bool, bodies_due: bool) -> bytes:
        """Copy one frame into the slot, and return its signature.

        Args:
            frame: The frame.
            before: Signature of the previous frame of the unit; empty for the first.
            faces_due: True if the best faces of the frame get a picture.
            bodies_due: True if the best bodies of the frame get a picture.
        """
        place = len(self.pts)
        if faces_due:
            self.faces_due.append(place)
        if bodies_due:
            self.bodies_due.append(place)
        if frame.flagged:
            self.damaged.add(place)
        self._writer.write(frame, self._planes[place], self._canvases[place])
        width, height = self.geometry.content
        signature = compute_signature(self._canvases[place][:height, :width]).tobytes()
        if before and is_cut(before, signature):
            self.cuts.append(place)
        self.signatures.append(signature)
        self.pts.append(frame.pts)
        self.times.append(float(frame.time))
        return signature

    @property
    def full(self) -> bool:
        return len(self.pts) == len(self._canvases)


class _Decoder:
    def __init__(self, connection: Connection, ring: Ring, settings: DecoderSettings) -> None:
        self._connection = connection
        self._ring = ring
        self._settings = settings
        self._grants: deque[Grant] = deque()
        self._stopped = False
        self.is_alive = HeartbeatTimer(connection)

    def loop(self) -> None:
        """Do work until the stop message."""
        while not self._stopped:
            match self._connection.recv():
                case ProbeVideo() as task:
                    self._probe(task)
                case DecodeUnit() as task:
                    self._decode(task)
                case Grant() as grant:
                    self._grants.append(grant)
                case Stop():
                    return
                case CancelUnit():
                    pass  # the message crossed with the unit's last message

    def _probe(self, task: ProbeVideo) -> None:
        settings = self._settings
        try:
            # A file that changes during the probe must not get the fingerprint of its new content.
            stamp = read_stamp(task.file.path)
            before = fingerprint(task.file.path)
            found = probe(task.file, settings.max_pixels, self.is_alive)
        except VideoError as error:
            self._connection.send(VideoRefused(task.file, error.state, error.reason))
            return
        except InputError as error:
            self._connection.send(VideoRefused(task.file, "failed", error.reason))
            return
        finally:
            _release_memory()
        units = plan_units(found, settings.sampling, settings.unit_seconds)
        self._connection.send(VideoProbed(task.file, found.info, units, before, stamp))

    def _decode(self, task: DecodeUnit) -> None:
        try:
            decoded = _UnitJob(self, task).run()
            fail_point("decoder.decoded")
            self._connection.send(decoded)
        except VideoError as error:
            self._connection.send(UnitRefused(task.work, error.state, error.reason))
        except _Cancelled:
            return

    def next_grant(self, work: int) -> Grant:
        """Return the next slot to fill; wait until the coordinator grants one.

        Raises:
            _Cancelled: The unit is no longer needed.
        """
        while not self._grants:
            self.obey(self._connection.recv(), work)
        return self._grants.popleft()

    def keep(self, grant: Grant) -> None:
        """Put back a granted slot that was not used."""
        self._grants.appendleft(grant)

    def obey(self, message: object, work: int) -> None:
        """Handle a message that can arrive while a unit is being decoded."""
        match message:
            case Grant():
                self._grants.append(message)
            case CancelUnit(work=cancelled) if cancelled == work:
                raise _Cancelled
            case Stop():
                self._stopped = True
                raise _Cancelled


class _UnitJob:
    """One unit being decoded."""

    def __init__(self, decoder: _Decoder, task: DecodeUnit) -> None:
        self._decoder = decoder
        self._task = task
        self._sequence = 0
        self._signature = b""  # of the previous frame
        self._seconds = {"decode": 0.0, "wait_slot": 0.0, "copy": 0.0, "canvas": 0.0}
        self._batch: _Batch | None = None
        self._lay_out(task.info)
        wanted = decoder._settings.portraits
        self._face_clock = PortraitClock(task.info, task.unit, wanted=wanted, gap=FACE_GAP)
        self._body_clock = PortraitClock(task.info, task.unit, wanted=wanted, gap=BODY_GAP)

    def _lay_out(self, info: VideoInfo) -> None:
        """Set the layout of all further frames."""
        settings = self._decoder._settings
        self._shown = info
        self._geometry = choose_geometry(info, settings.det_size)
        self._writer = PlaneWriter(info, self._geometry, self._seconds)
        assert capacity(settings.ring, self._geometry) > 0, self._geometry  # the slot size follows from the canvas

    def run(self) -> UnitDecoded:
        """Decode the unit to its end.

        Raises:
            VideoError: The unit cannot be decoded at all.
            _Cancelled: The coordinator cancelled it.
        """
        settings = self._decoder._settings
        source = open_source(self._task.info, settings.threads, self._decoder.is_alive, settings.card)
        try:
            with closing(source.frames(self._task.unit)) as frames:
                while (frame := self._timed_next(frames)) is not None:
                    self._take(frame)
        except (VideoError, _Cancelled):
            if self._batch is not None:
                self._decoder.keep(self._batch.grant)  # the frames in the slot are no longer needed
            raise
        if self._batch is not None:
            self._send_batch(self._batch)
        self._seconds["read"] = source.report.read_seconds
        self._seconds["decode"] -= source.report.read_seconds
        return UnitDecoded(self._task.work, self._sequence, source.report, self._seconds)

    def _timed_next(self, frames: Iterator[SampledFrame]) -> SampledFrame | None:
        started = perf_counter()
        frame = next(frames, None)
        self._seconds["decode"] += perf_counter() - started
        return frame

    def _take(self, frame: SampledFrame) -> None:
        decoder, work = self._decoder, self._task.work
        while decoder._connection.poll():
            decoder.obey(decoder._connection.recv(), work)
        if (shown := self._get_info(frame)) != self._shown:
            # The pictures of a sequence differ in size, and some films change their size; a batch has one size.
            if self._batch is not None:
                self._send_batch(self._batch)
            self._lay_out(shown)
        if self._batch is None:
            started = perf_counter()
            self._batch = _Batch(decoder.next_grant(work), decoder._ring, self._geometry, self._writer)
            self._seconds["wait_slot"] += perf_counter() - started
        due = {"faces_due": self._face_clock.is_due(frame), "bodies_due": self._body_clock.is_due(frame)}
        self._signature = self._batch.add(frame, self._signature, **due)
        if self._batch.full:
            self._send_batch(self._batch)

    def _get_info(self, frame: SampledFrame) -> VideoInfo:
        """Return the video's facts with the size and colours of a frame."""
        if not isinstance(frame.content, np.ndarray):
            return frame.info or self._task.info
        size = frame.content.shape[1], frame.content.shape[0]
        if size == self._shown.size:
            return self._shown
        return replace(self._task.info, size=size, coded_size=size)

    def _send_batch(self, batch: _Batch) -> None:
        grant = batch.grant
        message = SlotFilled(
            work=self._task.work,
            sequence=self._sequence,
            slot=grant.slot,
            generation=grant.generation,
            geometry=batch.geometry,
            pts=tuple(batch.pts),
            times=tuple(batch.times),
            signatures=b"".join(batch.signatures),
            damaged=frozenset(batch.damaged),
            cuts=tuple(batch.cuts),
            faces_due=tuple(batch.faces_due),
            bodies_due=tuple(batch.bodies_due),
        )
        fail_point("decoder.filled")
        self._decoder._connection.send(message)
        fail_point("decoder.told")
        self._batch = None
        self._sequence += 1
