"""Any file that FFmpeg opens: units → sampled frames, in order of time, with an account of what was not decoded.

Reading, seeking, sampling and the account are the same whatever decodes the packets: `nvdec` gives another decoder.
"""

from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from math import ceil
from typing import Any

import av.error

from fastface.types import Unit, VideoInfo
from fastface.video.account import Account
from fastface.video.clock import Clock
from fastface.video.container import open_video
from fastface.video.ebml import is_whole
from fastface.video.frame import SampledFrame, SignOfLife, UnitReport, no_sign
from fastface.video.lookahead import can_skip, keyframes, marked

__all__ = ["PyavSource"]

_MAX_READ_FAILURES = 100
"""A file that cannot be read on so often in a row has ended, whatever it declares."""

_STEPS_BACK = (0, 1, 4, 16)
"""Seconds before the wanted time at which a keyframe is looked for, before all is decoded from the beginning."""

_EXACT_INDEX = ("mov", "matroska")
"""Containers that seek by an index: where it leads behind the end of the file, the rest of the file is missing."""

_INDEX_IN_HEADER = ("mov", "avi")


class PyavSource:
    """Any file that FFmpeg decodes.

    Attributes:
        name: What decodes, for the report.
    """

    name = "pyav"

    def __init__(self, info: VideoInfo, threads: int = 1, alive: SignOfLife = no_sign) -> None:
        self.report = UnitReport()
        self._info = info
        self._threads = threads
        self._alive = alive

    def frames(self, unit: Unit) -> Generator[SampledFrame]:
        """The samples of a unit in order of time."""
        info, period = self._info, unit.sampling.period
        account = Account(info, unit)
        start = info.start_pts + ceil(unit.start / info.time_base)
        end = None if unit.end is None else info.start_pts + ceil(unit.end / info.time_base)
        wanted = start
        sampled = 0
        keyframes: list[Fraction] = []
        for frame, pts in self._from(unit, account):
            if pts < start:
                continue
            if end is not None and pts >= end:
                account.reached_end()
                break
            flagged = account.take(frame, pts)
            if pts < wanted or (unit.sampling.keyframes and not frame.key_frame):
                continue
            time = info.time_of(pts)
            if period is not None:
                wanted = info.start_pts + ceil((time // period + 1) * period / info.time_base)
            sampled += 1
            if unit.sampling.keyframes:
                keyframes.append(time)
            yield SampledFrame(pts, time, self._content(frame), flagged)
        if end is None and not is_whole(info.path, self._alive):
            account.failed()
        self.report = replace(account.report(sampled, keyframes), decoder=self.name)

    def _from(self, unit: Unit, account: Account) -> Iterator[tuple[Any, int]]:
        """Decoded frames and their pts, from a keyframe that is shown at its start or before, or from the beginning."""
        start = self._info.start_pts + ceil(unit.start / self._info.time_base)
        for place in self._places(start):
            account.errors = 0
            with open_video(self._info.path) as (container, stream):
                packets = self._packets(container, stream, account)
                if place is not None:
                    if not _seek(container, stream, place):
                        continue
                    first_packet = next((packet for packet in packets if packet.is_keyframe), None)
                    if first_packet is None and container.format.name.startswith(_EXACT_INDEX):
                        return
                    if first_packet is None or first_packet.pts is None or first_packet.pts > start:
                        continue
                    packets = chain((first_packet,), packets)
                clock = Clock(self._info)
                decoded = self._decoded(packets, stream, unit, account)
                stamped = ((frame, clock.stamp(frame.pts)) for frame in decoded)
                first = next(stamped, None)
                # With a gradual refresh instead of keyframes, the first good frame is long after the packet.
                if place is not None and first is not None and first[1] > start:
                    continue
                if first is not None:
                    yield first
                    yield from stamped
                return

    def _decoded(self, packets: Iterator[Any], stream: Any, unit: Unit, account: Account) -> Iterator[Any]:
        """The frames of packets, in the order in which they are shown; those that no sample needs may be left out."""
        stream.codec_context.thread_count = self._threads
        stream.thread_type = "AUTO" if self._threads > 1 else "NONE"
        if unit.sampling.keyframes and can_skip(self._info, unit):
            wanted = keyframes(packets, self._info, unit, account, _indexed_keyframes(stream))
            return _decoded_alone(wanted, stream.codec_context, account)
        needed = _needed(packets, self._info, unit)
        return _decoded(needed, stream.codec_context, account)

    def _content(self, frame: Any) -> Any:
        """The `av.VideoFrame` of a decoded frame that is a sample."""
        return frame

    def _places(self, start: int) -> Iterator[int | None]:
        """Timestamps to seek to, one after the other until one serves; None: no seek."""
        info = self._info
        # Counted times are right only when all frames before were counted.
        if start > info.start_pts and not info.estimated_times:
            for step in _STEPS_BACK:
                place = start - int(step / info.time_base)
                if place > info.start_pts:
                    yield place
        yield None

    def _packets(self, container: Any, stream: Any, account: Account) -> Iterator[Any]:
        """All packets from here; what cannot be read is counted, and reading goes on after it."""
        failures = 0
        while failures < _MAX_READ_FAILURES:
            try:
                for packet in container.demux(stream):
                    failures = 0
                    self._alive()
                    yield packet
            except av.error.EOFError:
                return
            except av.error.FFmpegError:
                failures += 1
                account.failed()
            else:
                return


def _seek(container: Any, stream: Any, pts: int) -> bool:
    try:
        container.seek(pts, stream=stream, backward=True)
    except av.error.FFmpegError:
        return False
    return True


def _indexed_keyframes(stream: Any) -> frozenset[int]:
    """Decoding times of the keyframes in an index that is there before anything is read; else none."""
    if not stream.container.format.name.startswith(_INDEX_IN_HEADER):
        return frozenset()
    return frozenset(entry.timestamp for entry in stream.index_entries if entry.is_keyframe)


def _needed(packets: Iterator[Any], info: VideoInfo, unit: Unit) -> Iterator[tuple[Any, bool]]:
    """All packets, each with whether its frame is needed even if no other refers to it."""
    if not can_skip(info, unit):
        return ((packet, True) for packet in packets)
    return marked(packets, info, unit)


def _decoded(packets: Iterator[tuple[Any, bool]], codec: Any, account: Account) -> Iterator[Any]:
    """Frames that are needed, or that others refer to.

    A packet that cannot be decoded is counted, and decoding goes on after it.
    """
    needed_before = True
    for packet, shows_sample in packets:
        needed = shows_sample or packet.is_corrupt  # left out, nothing would tell that it was damaged
        if needed != needed_before:
            codec.skip_frame = "DEFAULT" if needed else "NONREF"
            needed_before = needed
        try:
            yield from packet.decode()
        except av.error.EOFError:
            return
        except av.error.FFmpegError:
            account.failed()


def _decoded_alone(packets: Iterator[Any], codec: Any, account: Account) -> Iterator[Any]:
    """The frames of keyframes, each decoded as if the stream began with it.

    Given one after the other to one decoder, keyframes that are no IDR pictures (open GOPs) change places, and half of
    them never come out: H.264 and HEVC count a picture's place on from those before it, which were left out here.
    A packet that gives no keyframe, as with a gradual refresh, is counted as one that failed.
    """
    for packet in packets:
        if packet.size == 0:
            return
        frames: list[Any] = []
        with suppress(av.error.FFmpegError):
            frames += packet.decode()
            frames += codec.decode(None)
        codec.flush_buffers()
        whole = [frame for frame in frames if frame.key_frame]
        if not whole:
            account.failed()
        yield from whole
