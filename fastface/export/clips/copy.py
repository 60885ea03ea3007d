"""Write the packets and text subtitles of a copied clip, with new times.

`clips` calls it. Packets are not changed except for their times.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import av
import av.error

from fastface.export.clips.cutting import CopyPlan, planned_packets
from fastface.export.clips.muxing import TimedPacket
from fastface.export.clips.reading import demux, open_video, seek_before
from fastface.names import valid_text
from fastface.types import VideoInfo

_TEXT_SUBTITLES = frozenset({"ass", "mov_text", "ssa", "subrip", "text", "webvtt"})
_STYLE_CODES = re.compile(r"\{\\[^}]*\}")
"""Style codes of Advanced SubStation Alpha, to which FFmpeg decodes all subtitles; MP4 stores styles separately."""

_MOST_BYTES = 0xFFFF
_LEAD = Fraction(10)
"""Maximum seconds before the clip at which a line of text may begin that is still shown in it."""


def add_video(clip: Any, source: Any, info: VideoInfo) -> Any:
    """Add the stream of pictures to a clip, with the film's rotation and colours."""
    stream = clip.add_stream_from_template(source, opaque=True)
    stream.time_base = info.time_base
    if info.rate:
        stream.codec_context.framerate = info.rate
    if info.codec == "hevc":
        stream.codec_context.codec_tag = "hvc1"  # the tag that Apple's players require
    return stream


def video_packets(
    container: Any, video: Any, plan: CopyPlan, stream: Any, check_stop: Callable[[], object]
) -> Iterator[TimedPacket]:
    """Yield the planned packets; the first frame is shown at 0.

    Decoding times are computed anew: packets may have none, and omitted pictures would leave gaps.
    """
    ordered = sorted(plan.pts)
    delay = max(place - pts for place, pts in zip(ordered, plan.pts, strict=True))
    durations = {pts: after - pts for pts, after in pairwise((*ordered, plan.end))}
    for place, packet in zip(ordered, planned_packets(container, video, plan), strict=True):
        check_stop()
        packet.duration = durations[packet.pts]
        packet.pts -= plan.first
        packet.dts = place - delay - plan.first
        packet.stream = stream
        yield packet.dts * packet.time_base, stream.index, packet


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of text: seconds from the clip's start, and the payload of MP4's timed text (ETSI TS 126 245)."""

    start: Fraction
    end: Fraction
    text: bytes


def add_subtitles(
    clip: Any, info: VideoInfo, span: tuple[Fraction, Fraction], check_stop: Callable[[], object]
) -> list[Iterator[TimedPacket]]:
    """Add the film's text subtitles that are shown in the span."""
    added = []
    with open_video(info.path) as (container, _):
        texts = [stream.index for stream in container.streams.subtitles if _get_codec(stream) in _TEXT_SUBTITLES]
    for index in texts:
        lines = list(_lines(info, index, span, check_stop))
        if lines:
            added.append(_add_lines(clip, lines))
    return added


def list_lost_subtitles(container: Any) -> list[str]:
    """Return the names of subtitle streams that MP4 does not support: pictures, and codecs unknown to FFmpeg."""
    lost = (stream for stream in container.streams if stream.type == "subtitle")
    return [
        f"subtitle stream {stream.index} ({_get_codec(stream) or 'unknown codec'})"
        for stream in lost
        if _get_codec(stream) not in _TEXT_SUBTITLES
    ]


def _get_codec(stream: Any) -> str:
    return stream.codec_context.codec.canonical_name if stream.codec_context is not None else ""


def _lines(
    info: VideoInfo, index: int, span: tuple[Fraction, Fraction], check_stop: Callable[[], object]
) -> Iterator[_Line]:
    zero = info.start_pts * info.time_base + span[0]
    with open_video(info.path) as (container, video):
        if not seek_before(container, video, info, span[0] - _LEAD):
            return
        stream = container.streams[index]
        for packet in demux(container, video, stream):
            check_stop()
            if packet.pts is None:
                continue
            start = packet.pts * packet.time_base - zero
            if start >= span[1] - span[0]:
                return
            if packet.stream is video:
                continue
            end = start + (packet.duration or 0) * packet.time_base
            text = _get_text(packet)
            if text and end > 0:
                yield _Line(max(Fraction(0), start), min(end, span[1] - span[0]), text)


def _get_text(packet: Any) -> bytes:
    try:
        parts = [getattr(part, "dialogue", b"") for part in packet.decode()]
    except (av.error.FFmpegError, ValueError):
        return b""
    text = _STYLE_CODES.sub("", valid_text(b"\n".join(filter(None, parts)).decode(errors="replace")))
    return text.replace("\\N", "\n").encode()[:_MOST_BYTES]


def _add_lines(clip: Any, lines: list[_Line]) -> Iterator[TimedPacket]:
    stream = clip.add_mux_stream("mov_text")
    stream.time_base = Fraction(1, 1000)

    def packets() -> Iterator[TimedPacket]:
        for line in lines:
            packet = av.Packet(2 + len(line.text))
            packet.update(len(line.text).to_bytes(2, "big") + line.text)
            packet.time_base = Fraction(1, 1000)
            packet.pts = packet.dts = round(line.start * 1000)
            packet.duration = max(1, round((line.end - line.start) * 1000))
            packet.stream = stream
            yield packet.dts * packet.time_base, stream.index, packet

    return packets()
