"""Cut a clip to the frame and encode only its ends; all packets between them are copied.

`clips` calls `plan_smart`. The head and the tail are encoded with the codec of the film. The head goes from the span's
start to the first keyframe at which a decoder can start. The tail holds the last frames that need a later frame.

* H.264: the sets of the encoder have numbers that the film does not use. All sets are stored once, in the header.
* HEVC: libx265 cannot number its sets, so all sets stand in front of each keyframe (`hev1`).
* A keyframe of an open group of pictures becomes an IDR picture (H.264) or a BLA picture (HEVC).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, cast

import av
import av.codec
import av.error

from fastface.errors import ExportError
from fastface.export.clips.copy import add_video
from fastface.export.clips.cutting import CopyPlan, SpanPackets, is_decodable, planned_packets, read_span
from fastface.export.clips.h264_slices import IdrStart, allow_gaps, find_numbers
from fastface.export.clips.muxing import TimedPacket
from fastface.export.clips.nal_units import NalCodec, StreamHeader, join_units, read_header
from fastface.export.clips.precise import PlacedFrame, frames_from
from fastface.export.clips.reading import open_video
from fastface.types import VideoInfo
from fastface.video.clock import UNKNOWN_RATE

_ENCODERS = {"h264": "libx264", "hevc": "libx265"}
_OPTIONS = {"preset": "veryfast", "crf": "18"}
_PIXELS = "yuv420p"
_FULL_RANGE = 2
_PROFILES = {66: "baseline", 77: "main", 100: "high"}
_MOST_NUMBERS = 32
_MOST_END_SECONDS = 60
"""Maximum seconds of a head or tail: its packets are held in memory."""

_SPS_OF_H264 = 7
_RESETS = {"h264": frozenset({5}), "hevc": frozenset({16, 17, 18, 19, 20})}
"""Types of pictures that forget all pictures before: IDR, and BLA of HEVC."""
_CRA, _BLA_WITHOUT_LEADING = 21, 18


class NoSmart(Exception):  # noqa: N818 - a result, not an error
    """The video, or this span of it, cannot be cut in this way; the text is the reason."""


@dataclass(frozen=True, slots=True)
class _Encoded:
    """One encoded packet; times in ticks of the film."""

    pts: int
    units: list[bytes]
    is_keyframe: bool


@dataclass(frozen=True, slots=True)
class SmartPlan:
    """Plan of a smart clip, with its encoded ends. All times are ticks of the stream's time base.

    Attributes:
        first: Time of the first frame.
        end: End of the last frame.
        middle: The packets to copy.
        head: Packets in front of them.
        tail: Packets behind them.
        header: Header of the film's stream.
        encoder_sets: Parameter sets of the encoder; none if nothing was encoded.
        keys: Times of the copied keyframes.
        is_open: True if the first one is no IDR picture.
        has_gap: True if packets behind it are left out, because they are shown before it.
    """

    first: int
    end: int
    middle: CopyPlan
    head: tuple[_Encoded, ...]
    tail: tuple[_Encoded, ...]
    header: StreamHeader
    encoder_sets: tuple[bytes, ...]
    keys: tuple[int, ...]
    is_open: bool
    has_gap: bool

    @property
    def last(self) -> int:
        """Return the time of the last frame."""
        return max((*self.middle.pts, *(packet.pts for packet in self.tail)))

    @property
    def num_frames(self) -> int:
        """Return the number of frames of the clip."""
        return len(self.head) + len(self.middle.pts) + len(self.tail)


def plan_smart(info: VideoInfo, first: int, end: int, check_stop: Callable[[], object]) -> SmartPlan:
    """Find the packets to copy, and encode the frames around them.

    Args:
        info: The video.
        first: pts of the span's start.
        end: pts of its end, exclusive.
        check_stop: Called with each packet; its exceptions pass through.

    Raises:
        NoSmart: The span must be encoded as a whole.
        ExportError, VideoError: The file cannot be read.
    """
    _check_kind(info)
    with open_video(info.path) as (_, video):
        extradata = video.codec_context.extradata or b""
    try:
        header = read_header(cast("NalCodec", info.codec), extradata)
        numbers = find_numbers(header) if info.codec == "h264" else frozenset[int]()
    except (ValueError, LookupError) as error:
        raise NoSmart(f"its parameter sets cannot be read: {error}") from error
    span = read_span(info, first, end, check_stop)
    if span is None:
        raise NoSmart("its packets have no usable times")
    middle = _find_middle(info, span, (first, end), check_stop)
    shown = sorted(mark.pts for mark in span.marks if first <= mark.pts < end)
    encoder = _Encoder(info, header, numbers)
    head = _encode(encoder, (shown[0], middle.first), [pts for pts in shown if pts < middle.first], check_stop)
    rest = [pts for pts in shown if pts > max(middle.pts)]
    if rest and (end - rest[0]) * info.time_base > _MOST_END_SECONDS:
        raise NoSmart("its frames are not stored in groups that follow each other")
    tail = _encode(encoder, (rest[0] if rest else end, end), rest, check_stop)
    copied = set(middle.places)
    begin = next(number for number, mark in enumerate(span.marks) if mark.place == middle.places[0])
    return SmartPlan(
        first=shown[0],
        end=_find_end(info, span, shown[-1]),
        middle=middle,
        head=head,
        tail=tail,
        header=header,
        encoder_sets=encoder.sets,
        keys=tuple(mark.pts for mark in span.marks if mark.is_keyframe and mark.place in copied),
        is_open=not _begins_anew(info, header, middle),
        has_gap=any(mark.pts < middle.first for mark in span.marks[begin:]),
    )


def _check_kind(info: VideoInfo) -> None:
    """Refuse videos whose parts cannot be joined.

    Raises:
        NoSmart: The reason.
    """
    reasons = {
        f"its codec is {info.codec}, not H.264 or HEVC": info.codec not in _ENCODERS,
        "its frames have no times": info.estimated_times or info.uses_dts,
        "its picture changes its size": bool(info.other_sizes),
        "its picture is turned for display": bool(info.rotation or info.mirrored),
        "its picture is interlaced": info.interlaced,
        f"its pixels are {info.pixel_format}, not {_PIXELS}": info.pixel_format != _PIXELS,
    }
    for reason, is_true in reasons.items():
        if is_true:
            raise NoSmart(reason)
    try:
        av.codec.Codec(_ENCODERS[info.codec], "w")
    except (av.error.FFmpegError, ValueError) as error:
        raise NoSmart(f"FFmpeg has no encoder {_ENCODERS[info.codec]}") from error


def _find_middle(
    info: VideoInfo, span: SpanPackets, bounds: tuple[int, int], check_stop: Callable[[], object]
) -> CopyPlan:
    """Return the longest run of packets from a keyframe of the span on that a decoder shows alone and without gaps.

    Raises:
        NoSmart: There is none.
    """
    for number, mark in enumerate(span.marks):
        if not mark.is_keyframe or not bounds[0] <= mark.pts < bounds[1]:
            continue
        if (mark.pts - bounds[0]) * info.time_base > _MOST_END_SECONDS:
            break
        plan = span.plan_run(number, bounds[1])
        if plan is not None and is_decodable(info, plan, check_stop):
            return plan
    raise NoSmart("no keyframe in the span at which a decoder can start")


def _begins_anew(info: VideoInfo, header: StreamHeader, middle: CopyPlan) -> bool:
    """Return whether the first copied picture forgets all pictures before it, as an IDR picture does.

    Raises:
        NoSmart: It is no keyframe of the standard.
    """
    with open_video(info.path) as (container, video):
        packet = bytes(next(planned_packets(container, video, middle)))
    try:
        kinds = {header.find_type(unit) for unit in header.split(packet)}
    except ValueError as error:
        raise NoSmart(f"a packet cannot be read: {error}") from error
    if info.codec == "hevc" and not kinds & {*_RESETS["hevc"], _CRA}:
        raise NoSmart("its keyframes are no random access points")
    return bool(kinds & _RESETS[info.codec])


def _find_end(info: VideoInfo, span: SpanPackets, last: int) -> int:
    """Return the end of the last frame; it is not shown through a gap that follows."""
    usual = max(1, round(1 / (info.rate or UNKNOWN_RATE) / info.time_base))
    own = next(mark.duration for mark in span.marks if mark.pts == last) or usual
    following = min((mark.pts for mark in span.marks if mark.pts > last), default=last + own)
    return last + min(following - last, max(own, usual))


class _Encoder:
    """Encode the ends of a clip so that they can be joined with the film.

    Attributes:
        info: The video.
        sets: Parameter sets of the encoder; empty before the first use.
    """

    def __init__(self, info: VideoInfo, header: StreamHeader, numbers: frozenset[int]) -> None:
        self.sets: tuple[bytes, ...] = ()
        self.info = info
        self._header = header
        free = max(set(range(_MOST_NUMBERS)) - numbers, default=None)
        if free is None:
            raise NoSmart("its parameter sets leave no number free")
        self._options = dict(_OPTIONS)
        if info.codec == "h264":
            self._options["x264-params"] = f"sps-id={free}"
            profile = next(unit[1] for unit in header.sets if header.find_type(unit) == _SPS_OF_H264)
            self._options["profile"] = _PROFILES.get(profile, "high")
        else:
            self._options["x265-params"] = "log-level=none:open-gop=0:repeat-headers=1"

    def encode(self, frames: Iterator[PlacedFrame]) -> Iterator[_Encoded]:
        """Encode frames as a stream of its own.

        Raises:
            NoSmart: A frame has other pixels than the film, or the encoder other sets than before.
        """
        context: Any = None
        for placed in frames:
            frame = placed.content
            if not isinstance(frame, av.VideoFrame) or not self._is_usual(frame):
                raise NoSmart("its frames differ in their pixels")
            context = context or self._open(frame)
            frame.pict_type = 0
            frame.pts, frame.time_base = placed.pts, self.info.time_base
            for packet in context.encode(frame):
                yield self._take(packet)
        if context is not None:
            for packet in context.encode(None):
                yield self._take(packet)

    def _is_usual(self, frame: av.VideoFrame) -> bool:
        size = frame.width, frame.height
        is_limited = int(frame.color_range) != _FULL_RANGE
        return size == self.info.coded_size and frame.format.name == _PIXELS and is_limited

    def _open(self, frame: Any) -> Any:
        info = self.info
        context: Any = av.CodecContext.create(_ENCODERS[info.codec], "w")
        context.width, context.height = frame.width, frame.height
        context.pix_fmt, context.time_base = _PIXELS, info.time_base
        context.framerate = info.rate or UNKNOWN_RATE
        context.sample_aspect_ratio = info.pixel_aspect
        context.colorspace, context.color_primaries = int(frame.colorspace), int(frame.color_primaries)
        context.color_trc, context.color_range = int(frame.color_trc), int(frame.color_range)
        context.options = dict(self._options)
        return context

    def _take(self, packet: Any) -> _Encoded:
        """Separate the parameter sets from a packet."""
        plain = StreamHeader(self._header.codec, 0, ())
        units = plain.split(bytes(packet))
        sets = tuple(unit for unit in units if plain.is_set(unit))
        if sets and self.sets and sets != self.sets:
            raise NoSmart("the encoder changed its parameter sets")
        self.sets = self.sets or sets
        return _Encoded(packet.pts, [unit for unit in units if not plain.is_set(unit)], packet.is_keyframe)


def _encode(
    encoder: _Encoder, bounds: tuple[int, int], wanted: Sequence[int], check_stop: Callable[[], object]
) -> tuple[_Encoded, ...]:
    """Encode the frames of one end.

    Raises:
        NoSmart: The decoder does not show exactly the wanted frames.
    """
    if not wanted:
        return ()
    with closing(frames_from(encoder.info, *bounds, check_stop)) as frames:
        made = tuple(encoder.encode(frames))
    if sorted(packet.pts for packet in made) != list(wanted):
        raise NoSmart("frames at an end cannot be decoded")
    return made


class SmartVideo:
    """The stream of pictures of a smart clip.

    Args:
        clip: The output container.
        source: The film's stream.
        info: The video.
        plan: Result of `plan_smart`.
    """

    def __init__(self, clip: Any, source: Any, info: VideoInfo, plan: SmartPlan) -> None:
        self._info, self._plan = info, plan
        self._renumbers = plan.is_open and bool(plan.head)
        self.stream = add_video(clip, source, info)
        sets = plan.header.sets
        if info.codec == "h264":
            if self._renumbers and plan.has_gap:
                sets = allow_gaps(plan.header)
            # The container's header names the profile and level of its first set: the highest.
            sets = tuple(sorted((*sets, *plan.encoder_sets), key=lambda unit: (unit[0] & 31, -unit[1], -unit[3])))
        elif plan.encoder_sets:
            self.stream.codec_context.codec_tag = "hev1"
        self.stream.codec_context.extradata = join_units(sets)

    def packets(self, container: Any, video: Any, check_stop: Callable[[], object]) -> Iterator[TimedPacket]:
        """Yield all packets in the order of decoding; the first frame is shown at 0.

        Raises:
            ExportError: A packet to copy is not there any more, or cannot be joined.
        """
        plan, base = self._plan, self._info.time_base
        order = [*(packet.pts for packet in plan.head), *plan.middle.pts, *(packet.pts for packet in plan.tail)]
        ordered = sorted(order)
        delay = max(place - pts for place, pts in zip(ordered, order, strict=True))
        durations = {pts: after - pts for pts, after in pairwise((*ordered, plan.end))}
        for place, made in zip(ordered, self._join_parts(container, video), strict=True):
            check_stop()
            packet = av.Packet(join_units(made.units))
            packet.time_base, packet.duration = base, durations[made.pts]
            packet.pts, packet.dts = made.pts - plan.first, place - delay - plan.first
            packet.is_keyframe = made.is_keyframe
            packet.stream = self.stream
            yield packet.dts * base, self.stream.index, packet

    def _join_parts(self, container: Any, video: Any) -> Iterator[_Encoded]:
        plan = self._plan
        for packet in plan.head:
            yield self._with_sets(packet, plan.encoder_sets)
        try:
            for packet in self._copy_packets(container, video):
                yield self._with_sets(packet, plan.header.sets)
        except (ValueError, LookupError) as error:
            raise ExportError(str(error)) from error
        for packet in plan.tail:
            yield self._with_sets(packet, plan.encoder_sets)

    def _with_sets(self, packet: _Encoded, sets: tuple[bytes, ...]) -> _Encoded:
        """Put the parameter sets of HEVC in front of a keyframe, at which a player may start."""
        if self._info.codec == "h264" or not packet.is_keyframe or not self._plan.encoder_sets:
            return packet
        return replace(packet, units=self._plan.header.add_sets(packet.units, sets))

    def _copy_packets(self, container: Any, video: Any) -> Iterator[_Encoded]:
        """Yield the copied packets without parameter sets; the first one is a start of its own.

        Raises:
            ValueError, LookupError: A packet cannot be read.
        """
        plan, header = self._plan, self._plan.header
        start = IdrStart(header) if self._renumbers and self._info.codec == "h264" else None
        for number, packet in enumerate(planned_packets(container, video, plan.middle)):
            units = []
            for unit in header.split(bytes(packet)):
                if not header.is_set(unit):
                    units.append(unit)
                elif unit not in header.sets:
                    raise ValueError("its parameter sets change")
            if start is not None:
                units = start.rewrite(units)
            elif number == 0 and self._renumbers:
                units = [_break_link(header, unit) for unit in units]
            yield _Encoded(packet.pts, units, packet.is_keyframe)


def _break_link(header: StreamHeader, unit: bytes) -> bytes:
    """Turn a CRA picture of HEVC into a BLA picture: nothing before it is a reference, and all of that is shown."""
    if header.find_type(unit) != _CRA:
        return unit
    return bytes([unit[0] & 0x81 | _BLA_WITHOUT_LEADING << 1]) + unit[1:]
