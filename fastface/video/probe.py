"""What a video is, before it is decoded: headers, the first frame, and where decoding may begin."""

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import av.error

from fastface.errors import VideoError
from fastface.types import Size, VideoInfo
from fastface.video.container import demux, open_video
from fastface.video.cuts import keyframe_stamps
from fastface.video.discover import VideoFile
from fastface.video.frame import SignOfLife, no_sign
from fastface.video.sequence import probe_sequence
from fastface.video.sizes import check_size, limit_size, size_of

__all__ = ["Probe", "probe"]

_MAX_PACKETS_TO_FIRST_FRAME = 2000
_DEFAULT_RATE = Fraction(25)


@dataclass(frozen=True, slots=True)
class Probe:
    """A video's facts.

    Attributes:
        info: Size, times, codec.
        cuts: Times of keyframes from which decoding may begin, ascending; empty: only from the beginning.
    """

    info: VideoInfo
    cuts: tuple[Fraction, ...]


def probe(file: VideoFile, max_pixels: int, alive: SignOfLife = no_sign) -> Probe:
    """Reads the headers and decodes the first frame. Decoder process.

    Args:
        file: The video.
        max_pixels: Larger frames are refused before any is decoded.
        alive: Called with each packet, where a file must be read through.

    Raises:
        VideoError: It cannot be decoded; tells the state that it ends in.
    """
    if file.sequence:
        return Probe(probe_sequence(file, max_pixels), ())
    with open_video(file.path) as (container, stream):
        codec = stream.codec_context
        check_size(file.path, (codec.width, codec.height), max_pixels)
        limit_size(codec, max_pixels)
        frame = _first_frame(file, container, stream, max_pixels)
        info = replace(_info(file, container, stream, frame), max_pixels=max_pixels)
        stamps = None if info.estimated_times else keyframe_stamps(file.path, container, stream, alive)
    if stamps is None:
        return Probe(replace(info, estimated_times=True), ())
    return Probe(info, tuple(time for time in map(info.time_of, stamps) if time > 0))


def _first_frame(file: VideoFile, container: Any, stream: Any, max_pixels: int) -> Any:
    failed = read = 0
    try:
        for packet in demux(container, stream):
            read += packet.size > 0
            try:
                for frame in packet.decode():
                    return frame
            except av.error.FFmpegError:
                check_size(file.path, size_of(packet, stream.codec_context), max_pixels)
                failed += 1
            if read > _MAX_PACKETS_TO_FIRST_FRAME:
                break
    except av.error.FFmpegError as error:
        raise VideoError(file.path, f"no frames: {error.strerror or error}") from error
    why = f"none of its first {read} packets gave one, {failed} failed" if read else "it contains no video data"
    raise VideoError(file.path, f"no frames: {why}")


def _info(file: VideoFile, container: Any, stream: Any, frame: Any) -> VideoInfo:
    rotation, mirrored = _orientation(frame)
    aspect = stream.sample_aspect_ratio or Fraction(1)
    aspect = aspect if Fraction(1, 10) <= aspect <= 10 else Fraction(1)
    width = max(1, round(frame.width * aspect))
    size: Size = (width, frame.height) if rotation % 180 == 0 else (frame.height, width)
    estimated = frame.pts is None
    rate = stream.average_rate or stream.guessed_rate or None
    if estimated and rate is None:
        rate = _DEFAULT_RATE
    return VideoInfo(
        path=file.path,
        video_id=file.video_id,
        size=size,
        coded_size=(frame.width, frame.height),
        rotation=rotation,
        mirrored=mirrored,
        pixel_aspect=aspect,
        interlaced=bool(frame.interlaced_frame),
        time_base=stream.time_base,
        rate=rate,
        start_pts=0 if estimated else frame.pts,
        duration=_duration(container, stream, frame),
        codec=stream.codec_context.name,
        pixel_format=frame.format.name,
        estimated_times=estimated,
    )


def _orientation(frame: Any) -> tuple[int, bool]:
    """(degrees clockwise, mirrored first) of the display matrix: rows a b u, c d v; angles in quarter turns."""
    for data in frame.side_data:
        if data.type.name != "DISPLAYMATRIX":
            continue
        a, b, _, c, d, *_ = memoryview(bytes(data)).cast("i")
        mirrored = a * d - b * c < 0
        if mirrored:
            a, b = -a, -b
        if abs(a) >= abs(b):
            return (0 if a >= 0 else 180), mirrored
        return (90 if b > 0 else 270), mirrored
    return 0, False


def _duration(container: Any, stream: Any, frame: Any) -> Fraction | None:
    """Declared seconds of video: the stream's own word before the container's.

    What comes before the first frame that can be decoded is declared too, and counts as lost.
    """
    if stream.duration and stream.duration > 0:
        return Fraction(stream.duration * stream.time_base)
    start = Fraction(0)
    if frame.pts is not None:
        start = frame.pts * stream.time_base - Fraction(container.start_time or 0, 1_000_000)
    tagged = _tagged_duration(stream.metadata.get("DURATION", ""))
    if tagged is not None:
        # Matroska's tag is the end of the stream's last frame, counted from the container's zero.
        return max(Fraction(0), tagged - (frame.pts or 0) * stream.time_base) or None
    if container.duration and container.duration > 0:
        return max(Fraction(0), Fraction(container.duration, 1_000_000) - max(Fraction(0), start)) or None
    return None


def _tagged_duration(text: str) -> Fraction | None:
    match = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", text.strip())
    if match is None:
        return None
    return int(match[1]) * 3600 + int(match[2]) * 60 + Fraction(match[3])
