"""Decode units of any file that FFmpeg opens: sampled frames in order of time, and a report of undecoded packets.

`video.decode` uses it, and `nvdec` derives from it with another decoder. Reading, seeking, sampling and the report
do not depend on the decoder.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from math import ceil
from time import perf_counter
from typing import Any

import av.error

from fastface.errors import CANNOT_READ
from fastface.types import Size, Unit, VideoInfo
from fastface.video.clock import Clock
from fastface.video.codecs.access_units import only_pictures
from fastface.video.codecs.missing_references import MissingReferences
from fastface.video.container import SEEKS_WRONGLY, demux, open_video
from fastface.video.containers.mp4_chains import is_whole
from fastface.video.containers.parts import keep_restarted
from fastface.video.decode_stats import DecodeStats
from fastface.video.frames.frame import SampledFrame, SignOfLife, UnitReport, no_sign
from fastface.video.frames.shape import FrameShapes
from fastface.video.frames.sizes import check_size, limit_size, packet_size
from fastface.video.integrity.encryption import is_encrypted
from fastface.video.integrity.gap_detection import OwedFrames, watch_steps
from fastface.video.packet_skipping import FullDecodeNeeded, can_skip, keyframes, mark_needed

_MAX_READ_FAILURES = 100
"""Number of failed reads in a row after which a file has ended, whatever length it declares."""

_STEPS_BACK = (0, 1, 4, 16)
"""Seconds before the wanted time at which a keyframe is searched. After the last one, decoding starts at the beginning.
"""

_EXACT_INDEX = ("mov", "matroska")
"""Containers that seek by an index. If it points behind the end of the file, the rest of the file is missing."""

_INDEX_IN_HEADER = ("mov", "avi")

_ALL = 1 << 62
"""A decoding time that is later than any other."""

_Decode = Callable[[Iterator[Any], Any, Unit, DecodeStats], Iterator[Any]]
"""(packets, stream, unit, account) → decoded frames."""


class PyavSource:
    """A source of frames for any file that FFmpeg decodes.

    Attributes:
        name: Name of the decoder, for the report.
    """

    name = "pyav"

    def __init__(self, info: VideoInfo, threads: int = 1, alive: SignOfLife = no_sign) -> None:
        self.report = UnitReport()
        self._info = info
        self._threads = threads
        self._alive = alive
        self._refreshed: set[int] = set()
        self._read_seconds = 0.0
        self._shapes: FrameShapes | None = None

    def frames(self, unit: Unit) -> Generator[SampledFrame]:
        """Yield the samples of a unit in order of time."""
        last: int | None = None
        sampled = 0
        keyframes: list[Fraction] = []
        sizes: dict[Size, None] = {}
        for frame in self._samples(unit):
            if last is not None and frame.pts <= last:
                continue  # from the first attempt
            last = frame.pts
            sampled += 1
            if unit.sampling.keyframes:
                keyframes.append(frame.time)
            if frame.info is not None and frame.info.size != self._info.size:
                sizes[frame.info.size] = None
            yield frame
        self.report = replace(self.report, sampled=sampled, keyframes=tuple(keyframes), sizes=tuple(sizes))

    def _samples(self, unit: Unit) -> Iterator[SampledFrame]:
        """Yield the samples of a unit. If keyframes alone do not suffice, repeat it with every frame decoded."""
        if unit.sampling.keyframes and can_skip(self._info, unit):
            with suppress(FullDecodeNeeded):
                yield from self._attempt(unit, self._keyframes_alone)
                return
        yield from self._attempt(unit, self._decode)

    def _attempt(self, unit: Unit, decode: _Decode) -> Iterator[SampledFrame]:
        info, period = self._info, unit.sampling.period
        account = DecodeStats(info, unit)
        start = info.start_pts + ceil(unit.start / info.time_base)
        end = None if unit.end is None else info.start_pts + ceil(unit.end / info.time_base)
        wanted = start
        self._refreshed.clear()
        for frame, pts in self._from(unit, account, decode):
            if pts < start:
                continue
            if end is not None and pts >= end:
                account.reached_end()
                break
            flagged = account.take(frame, pts)
            if pts < wanted or (unit.sampling.keyframes and not self._is_keyframe(frame)):
                continue
            time = info.frame_time(pts)
            if period is not None:
                wanted = info.start_pts + ceil((time // period + 1) * period / info.time_base)
            yield SampledFrame(pts, time, self._content(frame), flagged, self._get_info(frame))
        if end is None and not is_whole(info.path, self._alive):
            account.count_failure()
        self.report = replace(account.report(), decoder=self.name, read_seconds=self._read_seconds)

    def _from(self, unit: Unit, account: DecodeStats, decode: _Decode) -> Iterator[tuple[Any, int]]:
        """Yield decoded frames and their pts, from a keyframe at or before the unit's start, or from the beginning."""
        start = self._info.start_pts + ceil(unit.start / self._info.time_base)
        for place in self._places(start):
            account.begin_again()
            with open_video(self._info.path) as (container, stream):
                packets = only_pictures(self._packets(container, stream, account), stream, account.count_skipped)
                if place is not None:
                    if container.format.name in SEEKS_WRONGLY or not _seek(container, stream, place):
                        continue
                    first_packet = next((packet for packet in packets if packet.is_keyframe), None)
                    if first_packet is None and container.format.name.startswith(_EXACT_INDEX):
                        return
                    if first_packet is None or first_packet.pts is None or first_packet.pts > start:
                        continue
                    packets = chain((first_packet,), packets)
                clock = Clock(self._info)
                decoded = decode(packets, stream, unit, account)
                stamped = ((frame, clock.stamp(self._raw_time(frame))) for frame in decoded)
                first = next(stamped, None)
                # With a gradual refresh, the first good frame comes long after the packet, or never.
                is_late = not account.errors if first is None else first[1] > start
                if place is not None and is_late:
                    continue
                if first is not None:
                    yield first
                    yield from stamped
                return

    def _raw_time(self, frame: Any) -> int | None:
        """Return the container's time of a decoded frame, in ticks; None if frames are counted."""
        if self._info.is_counted:
            return None
        time: int | None = frame.dts if self._info.uses_dts else frame.pts
        return time

    def _decode(self, packets: Iterator[Any], stream: Any, unit: Unit, account: DecodeStats) -> Iterator[Any]:
        """Yield the frames of packets in display order; frames that no sample needs may be skipped."""
        self._prepare(stream)
        until = _declared_until(stream)
        if unit.sampling.keyframes:
            needed = _all_needed(self._note_error(packets))
        elif can_skip(self._info, unit):
            needed = mark_needed(packets, self._info, unit, until)
        else:
            needed = _all_needed(packets)
        return _decode(watch_steps(needed, self._info, until), stream.codec_context, self._info, account)

    def _keyframes_alone(self, packets: Iterator[Any], stream: Any, unit: Unit, account: DecodeStats) -> Iterator[Any]:
        """Yield the keyframes of a unit that `can_skip` accepts; packets between them are read and not decoded.

        Raises:
            FullDecodeNeeded: Keyframes alone do not suffice.
        """
        self._prepare(stream)
        if _counts_times(stream):
            raise FullDecodeNeeded
        index = _indexed_keyframes(stream), _declared_until(stream)
        alone = keyframes(packets, self._info, unit, account, index)
        return _decoded_alone(alone, stream.codec_context, self._info)

    def _prepare(self, stream: Any) -> None:
        limit_size(stream.codec_context, self._info.max_pixels)
        stream.codec_context.thread_count = self._threads
        stream.thread_type = "AUTO" if self._threads > 1 else "NONE"
        self._shapes = FrameShapes(self._info, stream)

    def _note_error(self, packets: Iterator[Any]) -> Iterator[Any]:
        for packet in packets:
            if packet.is_keyframe and packet.pts is not None:
                self._refreshed.add(packet.pts)
            yield packet

    def _is_keyframe(self, frame: Any) -> bool:
        """Return whether decoding may start at a frame: with a gradual refresh, only its packet shows that."""
        return frame.key_frame or frame.pts in self._refreshed

    def _content(self, frame: Any) -> Any:
        """Return the `av.VideoFrame` of a sampled frame."""
        return frame

    def _get_info(self, frame: Any) -> VideoInfo:
        """Return the video with the size and rotation of a decoded frame."""
        assert self._shapes is not None
        return self._shapes.frame_info(frame)

    def _places(self, start: int) -> Iterator[int | None]:
        """Yield timestamps to seek to, until one works; None means no seek."""
        info = self._info
        # Counted times are right only if all frames before were counted.
        if start > info.start_pts and not info.estimated_times:
            for step in _STEPS_BACK:
                place = start - int(step / info.time_base)
                if place > info.start_pts:
                    yield place
        yield None

    def _packets(self, container: Any, stream: Any, account: DecodeStats) -> Iterator[Any]:
        """Yield all packets from here; count read errors and continue after them.

        If the disk or the share fails, the unit ends, and the packets read so far count. FFmpeg raises other errors for
        a file that is only cut or damaged.
        """
        failures = 0
        while failures < _MAX_READ_FAILURES:
            try:
                packets = self._time(demux(container, stream))
                for packet in keep_restarted(packets) if self._info.estimated_times else packets:
                    failures = 0
                    self._alive()
                    if is_encrypted(packet):
                        account.meet_encrypted()
                    else:
                        yield packet
            except av.error.EOFError:
                return
            except OSError as error:
                account.count_failure()
                account.unread = f"{CANNOT_READ}: {error.strerror}"
                return
            except av.error.FFmpegError:
                failures += 1
                account.count_failure()
            else:
                return

    def _time(self, packets: Iterator[Any]) -> Iterator[Any]:
        """Yield the packets, and add the time for reading them."""
        while True:
            started = perf_counter()
            try:
                packet = next(packets, None)
            finally:
                self._read_seconds += perf_counter() - started
            if packet is None:
                return
            yield packet


def _seek(container: Any, stream: Any, pts: int) -> bool:
    try:
        container.seek(pts, stream=stream, backward=True)
    except av.error.FFmpegError:
        return False
    return True


def _indexed_keyframes(stream: Any) -> frozenset[int]:
    """Return decoding times of the keyframes in an index that is available before packets are read."""
    if not stream.container.format.name.startswith(_INDEX_IN_HEADER):
        return frozenset()
    return frozenset(entry.timestamp for entry in stream.index_entries if entry.is_keyframe)


def _declared_until(stream: Any) -> int | None:
    """Return the decoding time up to which the container declares gaps; a long step before it is the film's own."""
    container = stream.container.format.name
    if container.startswith("matroska"):
        return _ALL  # its chain of elements shows holes
    entries = stream.index_entries
    return entries[-1].timestamp if container.startswith(_INDEX_IN_HEADER) and len(entries) else None


def _counts_times(stream: Any) -> bool:
    """Return whether a hole makes no gap, because times are counted by packets: MXF, and AVI without a whole index."""
    container = stream.container.format.name
    has_index = container != "avi" or len(stream.index_entries) >= stream.frames
    return container == "mxf" or not has_index


def _all_needed(packets: Iterator[Any]) -> Iterator[tuple[Any, bool]]:
    return ((packet, True) for packet in packets)


def _decode(
    packets: Iterator[tuple[Any, bool, bool, bool]], codec: Any, info: VideoInfo, account: DecodeStats
) -> Iterator[Any]:
    """Yield the frames of `watch_steps` packets that are needed, or that other frames refer to.

    A packet that cannot be decoded is counted, and decoding continues after it.

    Raises:
        VideoError: A frame is larger than `max_pixels`.
    """
    needed_before = True
    debts = OwedFrames(info)
    missing = MissingReferences(codec)
    keyframe = None
    for packet, shows_sample, is_late, is_marked in packets:
        debts.follow(packet, is_late=is_late)
        # A skipped packet would not show that it is damaged, or that it refers to a missing one.
        needed = shows_sample or packet.is_corrupt or debts.is_open
        if needed != needed_before:
            codec.skip_frame = "DEFAULT" if needed else "NONREF"
            needed_before = needed
        if packet.is_keyframe:
            keyframe = packet
        is_damaged = is_marked or (packet.size > 0 and missing.are_before(packet))
        if is_damaged:
            account.count_failure()  # decoders may make a frame of the rest, or none, without an error
        try:
            for frame in packet.decode():
                check_size(info.path, (frame.width, frame.height), info.max_pixels)
                if debts.is_broken(frame.pts):
                    account.count_failure()
                yield frame
        except av.error.EOFError:
            return
        except av.error.FFmpegError:
            check_size(info.path, packet_size(keyframe or packet, codec), info.max_pixels)
            if not is_damaged:
                account.count_failure()


def _decoded_alone(packets: Iterator[Any], codec: Any, info: VideoInfo) -> Iterator[Any]:
    """Yield the frames of keyframes, each decoded as if the stream started with it.

    One decoder cannot take them in a row. Keyframes that are no IDR pictures (open GOPs) change places, and half of
    them are lost. H.264 and HEVC compute a picture's display order from the pictures before it, which are skipped here.

    Raises:
        FullDecodeNeeded: A packet gives no keyframe: it is damaged, or starts a gradual refresh.
        VideoError: A frame is larger than `max_pixels`.
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
            raise FullDecodeNeeded
        for frame in whole:
            check_size(info.path, (frame.width, frame.height), info.max_pixels)
            yield frame
