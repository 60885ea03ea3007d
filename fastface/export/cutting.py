"""Where a video can be cut: found in its packets, without decoding.

A span counts from the first frame; a file counts from wherever it likes (a broadcast from its hour, an edited one from
below zero). So cuts are made by the stream's own pts, and what a clip must hold is known before ffmpeg runs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from fastface.errors import ExportError, VideoError
from fastface.types import VideoInfo
from fastface.video import container as video_container

__all__ = ["CutPlan", "Stretch", "open_video", "plan_cut", "stretch_of", "ticks_of"]

_STEPS_BACK_SECONDS = (0, 2, 10, 60)
"""How far before the start a keyframe is looked for; then from the beginning of the file. Containers without an index
(MPEG-TS) are entered in the middle of a group of pictures, so the first try often meets its keyframe too late."""

_SNAP_TICKS = Fraction(1, 1000)
"""A time that came through floating point this near to a tick is that tick."""

_AUDIO_OF_MP4 = frozenset({"aac", "ac3", "alac", "eac3", "flac", "mp2", "mp3", "opus"})
_TEXT_SUBTITLES = frozenset({"ass", "mov_text", "ssa", "subrip", "text", "webvtt"})
_VIDEO_OF_MP4 = frozenset({"av1", "h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4", "vp9"})


@dataclass(frozen=True, slots=True)
class _Mark:
    """One packet. `pts` is in ticks, and the dts where the container has no pts.

    `dts` is None for the first packets of a Matroska file with reordered frames. `is_hidden` is one that must be
    decoded but is not shown, since an edit list begins later.
    """

    pts: int
    dts: int | None
    duration: int
    is_keyframe: bool
    is_hidden: bool


@dataclass(frozen=True, slots=True)
class Stretch:
    """Frames of a stream in order of display.

    Attributes:
        first_pts: pts of the first frame.
        end_pts: Where the last frame ends.
        num_frames: How many packets show them.
    """

    first_pts: int
    end_pts: int
    num_frames: int


@dataclass(frozen=True, slots=True)
class CutPlan:
    """A cut before it is made. All pts are ticks of `time_base`.

    Attributes:
        format_name: The demuxer's name.
        video_index: The video stream's number in the file.
        audio: {number: whether MP4 holds its codec} of the audio streams.
        text_subtitles: Numbers of the streams of subtitles that are text.
        time_base: Seconds of a tick.
        inside: The frames in [start, end): what a precise clip shows.
        decode_pts: Where decoding must begin: the keyframe at or before the start, if there is one.
        copied: The frames of a copied clip: from that keyframe on, until all of `inside` are there.
        copied_dts: dts of the first and of the last packet of a copied clip, None where unknown.
        can_copy: Whether MP4 holds the codec, every packet has a pts, and there is a keyframe that is shown.
    """

    format_name: str
    video_index: int
    audio: dict[int, bool]
    text_subtitles: tuple[int, ...]
    time_base: Fraction
    inside: Stretch
    decode_pts: int
    copied: Stretch
    copied_dts: tuple[int | None, int | None]
    can_copy: bool


@contextmanager
def open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Opens a file for reading packets: the container and the stream that a scan looks at.

    Raises:
        ExportError: It is no video, or not any more.
    """
    try:
        with video_container.open_video(path) as opened:
            yield opened
    except VideoError as error:
        raise ExportError(f"cannot read {str(path)!r}: {error.reason}") from error
    except (av.error.FFmpegError, OSError) as error:
        raise ExportError(f"cannot read {str(path)!r}: {error}") from error


def plan_cut(info: VideoInfo, start: float, end: float) -> CutPlan:
    """Finds the packets of a span.

    Args:
        info: The video.
        start: Seconds from the first frame.
        end: The same, exclusive.

    Raises:
        ExportError: The file cannot be read, or no frame lies in the span.
    """
    for step_back in (*_STEPS_BACK_SECONDS, None):
        with open_video(info.path) as (container, video):
            first, last = ticks_of(info, start), ticks_of(info, end)
            if step_back is not None:
                target = first - int(step_back / info.time_base)
                if target <= info.start_pts:
                    continue
                container.seek(target, stream=video)
            marks, has_all_pts = _marks_until(container, video, last)
            begin = _keyframe_at(marks, first)
            if begin is None and step_back is not None:
                continue
            if any(first <= mark.pts < last and not mark.is_hidden for mark in marks):
                return _planned(container, video, marks[begin or 0 :], (first, last), begin is not None and has_all_pts)
    raise ExportError(f"no frame of {str(info.path)!r} lies between {start:.3f} s and {end:.3f} s")


def stretch_of(path: Path) -> Stretch:
    """What a finished clip shows, in ticks of a microsecond; its first frame is decoded to see that it can be.

    Raises:
        ExportError: It has no frame, or its first frame cannot be decoded.
    """
    with open_video(path) as (container, video):
        if next(container.decode(video), None) is None:
            raise ExportError(f"{str(path)!r} shows nothing")
    with open_video(path) as (container, video):
        marks, _ = _marks_until(container, video, None)
        micro = _time_base(video) * 1_000_000
        whole = _stretch([mark for mark in marks if not mark.is_hidden])
        return Stretch(round(whole.first_pts * micro), round(whole.end_pts * micro), whole.num_frames)


def ticks_of(info: VideoInfo, time: float) -> int:
    """The first pts at or after a time in seconds from the first frame."""
    ticks = Fraction(time) / info.time_base
    nearest = round(ticks)
    return info.start_pts + (nearest if abs(ticks - nearest) <= _SNAP_TICKS else -(-ticks // 1))


def _time_base(video: VideoStream) -> Fraction:
    if not video.time_base:
        raise ExportError("its video has no time base")
    return video.time_base


def _marks_until(container: InputContainer, video: VideoStream, end_pts: int | None) -> tuple[list[_Mark], bool]:
    """The packets from here on, until none that follows can be shown before `end_pts`; whether all had a pts."""
    marks: list[_Mark] = []
    has_all_pts = True
    for packet in video_container.demux(container, video):
        pts = packet.dts if packet.pts is None else packet.pts
        if pts is None or packet.size == 0:  # the last one, which flushes the decoder, is empty
            continue
        # A packet is decoded before it is shown.
        if end_pts is not None and packet.dts is not None and packet.dts >= end_pts:
            break
        has_all_pts &= packet.pts is not None
        marks.append(_Mark(pts, packet.dts, packet.duration or 0, packet.is_keyframe, packet.is_discard))
    return marks, has_all_pts


def _keyframe_at(marks: list[_Mark], first: int) -> int | None:
    """The place of the last keyframe at or before a pts."""
    keys = [i for i, mark in enumerate(marks) if mark.is_keyframe and mark.pts <= first]
    return max(keys, key=lambda i: marks[i].pts, default=None)


def _planned(
    container: InputContainer, video: VideoStream, marks: list[_Mark], bounds: tuple[int, int], can_begin: bool
) -> CutPlan:
    """The plan over marks that begin where decoding must begin."""
    shown = [i for i, mark in enumerate(marks) if bounds[0] <= mark.pts < bounds[1] and not mark.is_hidden]
    copied = marks[: shown[-1] + 1]
    audio = {stream.index: _canonical(stream) in _AUDIO_OF_MP4 for stream in container.streams.audio if stream.rate}
    subtitles = (stream.index for stream in container.streams.subtitles if _canonical(stream) in _TEXT_SUBTITLES)
    can_copy = can_begin and _canonical(video) in _VIDEO_OF_MP4 and not any(mark.is_hidden for mark in copied)
    return CutPlan(
        format_name=container.format.name.split(",")[0],
        video_index=video.index,
        audio=audio,
        text_subtitles=tuple(subtitles),
        time_base=_time_base(video),
        inside=_stretch([marks[i] for i in shown]),
        decode_pts=marks[0].pts,
        copied=_stretch(copied),
        copied_dts=(copied[0].dts, copied[-1].dts),
        can_copy=can_copy,
    )


def _canonical(stream: av.stream.Stream) -> str:
    return stream.codec_context.codec.canonical_name if stream.codec_context is not None else ""


def _stretch(marks: list[_Mark]) -> Stretch:
    if not marks:
        raise ExportError("it has no frames")
    pts = sorted(mark.pts for mark in marks)
    last = max(marks, key=lambda mark: mark.pts)
    # MPEG-TS knows no durations: then a frame lasts as long as the one before it.
    duration = last.duration or (pts[-1] - pts[-2] if len(pts) > 1 else 0)
    return Stretch(pts[0], last.pts + duration, len(marks))
