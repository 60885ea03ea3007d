"""Probe a video before it is decoded: read its headers, decode the first frame, and list the keyframes.

Decoder processes call `probe` for each video. It raises `VideoError` with the final state of a video that cannot be
scanned.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import av.error

from fastface.errors import VideoError
from fastface.types import VideoInfo
from fastface.video.codecs.access_units import only_pictures
from fastface.video.codecs.ordering import has_wrong_times
from fastface.video.container import SEEKS_WRONGLY, count_films, demux, open_video
from fastface.video.discover import VideoFile
from fastface.video.frames.frame import SignOfLife, no_sign
from fastface.video.frames.shape import displayed_size, read_orientation, read_pixel_aspect
from fastface.video.frames.sizes import check_size, limit_size, packet_size
from fastface.video.integrity.duration import NO_TIMESTAMPS, check_length, declared_length
from fastface.video.integrity.encryption import ENCRYPTED, find_encryption, is_encrypted, is_scrambled
from fastface.video.keyframe_index import keyframe_stamps
from fastface.video.sequence import probe_sequence
from fastface.video.timecode import read_timecode

_MAX_PACKETS_TO_FIRST_FRAME = 2000
_DEFAULT_RATE = Fraction(25)
_SLOWEST, _FASTEST = Fraction(1, 10), Fraction(1000)
"""Plausible frame rates of a stream's header; cameras write other numbers if they do not know the rate."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Result of a probe.

    Attributes:
        info: Size, times and codec of the video.
        cuts: Ascending times of keyframes at which decoding may begin; empty: only at the beginning.
    """

    info: VideoInfo
    cuts: tuple[Fraction, ...]


def probe(file: VideoFile, max_pixels: int, alive: SignOfLife = no_sign) -> Probe:
    """Read the headers and decode the first frame. Only decoder processes call it.

    Args:
        file: The video.
        max_pixels: Larger frames are refused before any is decoded.
        alive: Called with each packet if the file must be read through.

    Raises:
        VideoError: It cannot be decoded; `state` is its final state.
    """
    if file.sequence:
        return Probe(probe_sequence(file, max_pixels), ())
    try:
        return _probe_file(file, max_pixels, alive)
    except VideoError as error:
        if error.state == "failed" and error.reason != ENCRYPTED and _is_stream_scrambled(file):
            raise VideoError(file.path, ENCRYPTED) from error
        raise


def _is_stream_scrambled(file: VideoFile) -> bool:
    try:
        return file.path.is_file() and is_scrambled(file.path)  # opening a pipe would hang
    except OSError:
        return False


def _probe_file(file: VideoFile, max_pixels: int, alive: SignOfLife) -> Probe:
    with open_video(file.path) as (container, stream):
        codec = stream.codec_context
        check_size(file.path, (codec.width, codec.height), max_pixels)
        limit_size(codec, max_pixels)
        frame = _first_frame(file, container, stream, max_pixels)
        length = declared_length(file.path, container, stream, frame)
        info = replace(_info(file, container, stream, frame), max_pixels=max_pixels)
        uses_dts = not info.estimated_times and has_wrong_times(file.path, container, stream)
        has_no_pts = info.estimated_times or uses_dts
        stamps = None if has_no_pts else keyframe_stamps(file.path, container, stream, alive)
        if stamps and container.format.name in SEEKS_WRONGLY:
            stamps = []
    if uses_dts:
        info = replace(info, uses_dts=True, start_pts=frame.pts if frame.dts is None else frame.dts)
    if stamps is None:
        # FFmpeg measures some lengths by the first and last times, which are wrong then.
        duration = None if length.is_measured else length.picture
        return Probe(replace(info, duration=duration, estimated_times=True), ())
    if length.picture is not None and length.is_of_all and not info.estimated_times:
        length = check_length(info, length.picture, alive)
    info = replace(info, duration=length.picture, sound_end=length.sound_end, declared=length.declared)
    return Probe(info, tuple(time for time in map(info.frame_time, stamps) if time > 0))


def _first_frame(file: VideoFile, container: Any, stream: Any, max_pixels: int) -> Any:
    failed = read = encrypted = 0
    try:
        for packet in only_pictures(demux(container, stream), stream):
            read += packet.size > 0
            if is_encrypted(packet):
                encrypted += 1
                continue
            try:
                for frame in packet.decode():
                    _refuse_encrypted(file, container, stream, looks_damaged=failed + encrypted > 0)
                    return frame
            except av.error.FFmpegError:
                check_size(file.path, packet_size(packet, stream.codec_context), max_pixels)
                failed += 1
            if read > _MAX_PACKETS_TO_FIRST_FRAME:
                break
    except av.error.FFmpegError as error:
        raise VideoError(file.path, f"no frames: {error.strerror or error}") from error
    if encrypted:
        raise VideoError(file.path, ENCRYPTED)
    _refuse_encrypted(file, container, stream, looks_damaged=True)
    why = f"none of its first {read} packets gave one, {failed} failed" if read else "it contains no video data"
    raise VideoError(file.path, f"no frames: {why}")


def _refuse_encrypted(file: VideoFile, container: Any, stream: Any, *, looks_damaged: bool) -> None:
    if find_encryption(file.path, container, stream, looks_damaged=looks_damaged):
        raise VideoError(file.path, ENCRYPTED)


def _info(file: VideoFile, container: Any, stream: Any, frame: Any) -> VideoInfo:
    rotation, mirrored = read_orientation(frame)
    aspect = read_pixel_aspect(stream.sample_aspect_ratio)
    rate = _Rate.of(container, stream, frame)
    return VideoInfo(
        path=file.path,
        video_id=file.video_id,
        size=displayed_size((frame.width, frame.height), rotation, aspect),
        coded_size=(frame.width, frame.height),
        rotation=rotation,
        mirrored=mirrored,
        pixel_aspect=aspect,
        interlaced=bool(frame.interlaced_frame),
        time_base=stream.time_base,
        rate=rate.value,
        start_pts=0 if rate.is_counted else frame.pts,
        duration=None,  # see `declared_length`
        codec=stream.codec_context.name,
        pixel_format=frame.format.name,
        estimated_times=rate.is_counted,
        player_offset=_player_offset(container, stream, frame),
        is_counted=rate.is_counted,
        is_rate_assumed=rate.is_assumed,
        num_other_films=count_films(container) - 1,
        timecode=read_timecode(container, stream),
        has_sound=bool(container.streams.audio),
    )


def _player_offset(container: Any, stream: Any, frame: Any) -> Fraction:
    """Return the seconds from the zero of a player's clock to the first frame."""
    if container.start_time is None or frame.pts is None:
        return Fraction(0)
    # AVI has no presentation times, and those that FFmpeg makes up may begin late.
    first = stream.start_time if container.format.name == "avi" else frame.pts
    if first is None:
        return Fraction(0)
    begin: Fraction = first * stream.time_base
    return max(Fraction(0), begin - Fraction(container.start_time, 1_000_000))


@dataclass(frozen=True, slots=True)
class _Rate:
    """Frame rate in frames a second, and how it is used."""

    value: Fraction | None  # None: the header has none
    is_counted: bool  # frames have no times and are counted at this rate
    is_assumed: bool = False  # they are counted, and the header has no rate

    @classmethod
    def of(cls, container: Any, stream: Any, frame: Any) -> "_Rate":
        """Read the rate of a stream from its container or, if that has no times, from the codec's own header.

        For a bare stream FFmpeg assumes 25 frames a second, or gives no times. For MPEG-1 and MPEG-2 it computes the
        times from fields with the duration of each picture.
        """
        name = container.format.name
        is_bare = bool(container.format.flags & NO_TIMESTAMPS) or name.endswith("_pipe")
        own = stream.codec_context.framerate
        is_own = bool(own) and _SLOWEST <= own <= _FASTEST
        if frame.pts is not None and (not is_bare or name == "mpegvideo"):
            rates = (stream.average_rate, stream.guessed_rate)
            average = next((rate for rate in rates if rate and _SLOWEST / 100 <= rate <= _FASTEST), None)
            return cls(own if is_bare and is_own else average, is_counted=False)
        if is_own:
            return cls(own, is_counted=True)
        average = None if is_bare else stream.average_rate or stream.guessed_rate
        return cls(average or _DEFAULT_RATE, is_counted=True, is_assumed=not average)
