"""Units of videos → sampled frames, in order of time, with an account of what could not be decoded."""

from collections.abc import Generator, Iterator
from fractions import Fraction
from math import ceil
from typing import Any

import av.error

from fastface.types import Unit, VideoInfo
from fastface.video.container import open_video
from fastface.video.frame import FrameSource, SampledFrame, UnitReport
from fastface.video.sequence import SequenceSource

__all__ = ["PyavSource", "open_source"]

_UNKNOWN_RATE = Fraction(25)
_MAX_READ_FAILURES = 100
"""A file that cannot be read on so often in a row has ended, whatever it declares."""
_STEP_BACK_SECONDS = Fraction(10)


def open_source(info: VideoInfo, threads: int = 1) -> FrameSource:
    """The source for a probed video.

    Args:
        info: From `probe`.
        threads: Threads that the decoder may use.
    """
    if info.codec == "images":
        return SequenceSource(info)
    return PyavSource(info, threads)


class PyavSource:
    """Any file that FFmpeg decodes."""

    def __init__(self, info: VideoInfo, threads: int = 1) -> None:
        self.report = UnitReport()
        self._info = info
        self._threads = threads

    def frames(self, unit: Unit) -> Generator[SampledFrame]:
        """The samples of a unit in order of time."""
        info, period = self._info, unit.sampling.period
        account = _Account(info, unit)
        start = info.start_pts + ceil(unit.start / info.time_base)
        end = None if unit.end is None else info.start_pts + ceil(unit.end / info.time_base)
        wanted = start
        sampled = 0
        for frame, pts in self._from(unit.start, account):
            if pts < start:
                continue
            if end is not None and pts >= end:
                account.reached_end()
                break
            account.take(frame, pts)
            if pts < wanted:
                continue
            time = info.time_of(pts)
            if period is not None:
                wanted = info.start_pts + ceil((time // period + 1) * period / info.time_base)
            sampled += 1
            yield SampledFrame(pts, time, frame, frame.is_corrupt)
        self.report = account.report(sampled)

    def _from(self, start: Fraction, account: "_Account") -> Iterator[tuple[Any, int]]:
        """Decoded frames and their pts, from the last keyframe at or before `start`, or earlier.

        Some containers seek to a later keyframe than asked for; then from further back, at last from the beginning.
        """
        places = [start, start - _STEP_BACK_SECONDS, Fraction(0)] if start > 0 else [Fraction(0)]
        for place in places:
            with open_video(self._info.path) as (container, stream):
                stream.codec_context.thread_count = self._threads
                stream.thread_type = "AUTO" if self._threads > 1 else "NONE"
                if place > 0 and not _seek(container, stream, self._info.pts_at(place)):
                    continue
                frames = _stamped(_decoded(container, stream, account), self._info)
                first = next(frames, None)
                if first is None or (place > 0 and self._info.time_of(first[1]) > start):
                    account.errors = 0
                    continue
                yield first
                yield from frames
                return


def _seek(container: Any, stream: Any, pts: int) -> bool:
    try:
        container.seek(pts, stream=stream, backward=True)
    except av.error.FFmpegError:
        return False
    return True


def _decoded(container: Any, stream: Any, account: "_Account") -> Iterator[Any]:
    """All frames from here; what cannot be read or decoded is counted, and decoding goes on after it."""
    failures = 0
    while failures < _MAX_READ_FAILURES:
        try:
            for packet in container.demux(stream):
                failures = 0
                yield from _frames_of(packet, account)
        except av.error.EOFError:
            return
        except av.error.FFmpegError:
            failures += 1
            account.failed()
        else:
            return


def _frames_of(packet: Any, account: "_Account") -> Iterator[Any]:
    try:
        yield from packet.decode()
    except av.error.EOFError:
        return
    except av.error.FFmpegError:
        account.failed()


def _stamped(frames: Iterator[Any], info: VideoInfo) -> Iterator[tuple[Any, int]]:
    """Frames with a pts that always grows: the container's where it has one, else counted on by the frame rate."""
    step = max(1, round(1 / (info.rate or _UNKNOWN_RATE) / info.time_base))
    last: int | None = None
    shift = 0
    for number, frame in enumerate(frames):
        if info.estimated_times:
            yield frame, round(number / (info.rate or _UNKNOWN_RATE) / info.time_base)
            continue
        pts = (last + step if last is not None else info.start_pts) if frame.pts is None else frame.pts + shift
        if last is not None and pts <= last:
            # The clock was set back, as where two recordings were joined: time goes on from the last frame.
            shift += last + step - pts
            pts = last + step
        last = pts
        yield frame, pts


class _Account:
    """Counts what a unit came to."""

    def __init__(self, info: VideoInfo, unit: Unit) -> None:
        self.errors = 0
        self._info = info
        self._unit = unit
        self._decoded = 0
        self._last: Fraction | None = None
        self._lost = Fraction(0)
        self._errors_at_last = 0
        self._complete = False
        self._frame_seconds = 1 / (info.rate or _UNKNOWN_RATE)

    def failed(self) -> None:
        """A packet could not be read or decoded."""
        self.errors += 1

    def take(self, frame: Any, pts: int) -> None:
        """A frame of the unit was decoded."""
        if frame.is_corrupt:
            self.errors += 1
        time = self._info.time_of(pts)
        self._close_gap(time)
        self._decoded += 1
        self._last = time
        self._errors_at_last = self.errors

    def reached_end(self) -> None:
        """A frame after the unit was decoded."""
        assert self._unit.end is not None
        self._close_gap(self._unit.end)
        self._complete = True

    def _close_gap(self, time: Fraction) -> None:
        """A gap with an error in it is lost; one without is the film's own."""
        before = self._unit.start if self._last is None else self._last + self._frame_seconds
        if self.errors > self._errors_at_last and time > before:
            self._lost += time - before

    def report(self, sampled: int) -> UnitReport:
        """The unit's account."""
        until = self._unit.start
        if self._complete and self._unit.end is not None:
            until = self._unit.end
        elif self._last is not None:
            until = self._last + self._frame_seconds
        covered = max(Fraction(0), until - self._unit.start - self._lost)
        return UnitReport(self._decoded, sampled, self.errors, covered)
