"""Cut clips out of videos. The export process calls `cut_clip`.

There are three modes:

* `copy` copies packets, so it is lossless and quick. Such a clip starts at the keyframe at or before the span and ends
  with the last frame of the span. It may have a few later frames to which these refer.
* `precise` encodes again (H.264, 4:2:0, upright). It shows the frames from the first one at or after the start to the
  last one before the end. They are the frames that the scan placed there, decoded in the same way.
* `smart` shows the frames of `precise` and copies the packets of most of them. Only the ends are encoded again. If a
  video or a span does not allow that, the clip is `precise`, and `Clip.reason` says why.

A clip is an MP4. `precise` replaces `copy` if MP4 does not support the codec, or if the container has no pts. It also
does if no keyframe is shown before the start; `Clip.mode` records the mode. All sound is kept: copied if MP4 supports
its codec, else as AAC. `copy` and `smart` also keep text subtitles. Before a clip gets its name, it is read again, and
its beginning and end are decoded.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from fastface.errors import ExportError, SpaceError
from fastface.export.clips.canvas import find_canvas
from fastface.export.clips.copy import add_subtitles, add_video, list_lost_subtitles, video_packets
from fastface.export.clips.cutting import ClipContent, CopyPlan, check_shown, plan_copy, to_ticks
from fastface.export.clips.joins import check_joins
from fastface.export.clips.muxing import TimedPacket, copy_metadata, find_timecode, open_clip, write_packets
from fastface.export.clips.precise import EncodedVideo, frames_from
from fastface.export.clips.reading import open_video
from fastface.export.clips.smart import NoSmart, SmartVideo, plan_smart
from fastface.export.clips.sound import add_tracks, list_tracks
from fastface.export.clips.sound_clock import find_sound_clock
from fastface.export.plan import ClipMode
from fastface.files import atomic_path
from fastface.types import VideoInfo
from fastface.video.clock import UNKNOWN_RATE

_FRAME_TOLERANCE = Fraction(3, 2)
"""Number of frames by which a clip's bounds may miss the plan: times are rounded twice."""

_LEAST_TOLERANCE = Fraction(1, 50)


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip that was cut.

    Attributes:
        path: The file.
        mode: Mode of cutting, which can differ from the requested one.
        start: Start of its first frame, in seconds from the video's first frame.
        end: End of its last frame, in seconds from the video's first frame.
        num_frames: Number of frames that it shows.
        has_audio: True if it has sound.
        left_out: Streams of the video that are not in it, with the reasons.
        reason: Why it is not `smart`, if that was requested.
    """

    path: Path
    mode: ClipMode
    start: float
    end: float
    num_frames: int
    has_audio: bool
    left_out: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Job:
    """Data that all ways of cutting need."""

    info: VideoInfo
    first: int
    end: int
    destination: Path
    check_stop: Callable[[], object]


@dataclass(frozen=True, slots=True)
class _Written:
    """Content of a clip's file; times in seconds from the video's first frame."""

    start: Fraction
    last: Fraction  # start of the last frame
    end: Fraction
    num_frames: int
    has_audio: bool
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Pictures:
    """Frames of a clip whose packets are copied, in ticks of the video."""

    first: int
    last: int
    end: int
    num_frames: int


def cut_clip(
    info: VideoInfo,
    start: float,
    end: float,
    destination: Path,
    mode: ClipMode,
    *,
    check_stop: Callable[[], object] = lambda: None,
    is_damaged: bool = False,
) -> Clip:
    """Cut one span of a video into a separate file.

    Args:
        info: The video.
        start: Seconds from the video's first frame, inclusive.
        end: Seconds from the video's first frame, exclusive.
        destination: The clip, `*.mp4`; an existing file is replaced. A failed clip leaves no file.
        mode: Requested mode of cutting.
        check_stop: Called with each packet; its exceptions pass through.
        is_damaged: True if packets of the video are damaged or missing: then a smart clip could show that damage.

    Raises:
        ExportError: No frame lies in the span, the video cannot be read, or the clip cannot be written.
        VideoError: A video cannot be read any more.
        SpaceError: No space is left.
    """
    job = _Job(info, to_ticks(info, start), to_ticks(info, end), destination, check_stop)
    if mode == "copy":
        plan = plan_copy(info, job.first, job.end, check_stop)
        if plan is not None:
            try:
                return _copy(job, plan)
            except SpaceError:
                raise
            except ExportError:
                pass  # the copy differs from its plan: the precise mode is always right
    reason = ""
    if mode == "smart":
        try:
            if is_damaged:
                raise NoSmart("some of its packets are damaged or missing")
            return _cut_smart(job)
        except SpaceError:
            raise
        except (NoSmart, ExportError) as error:
            reason = str(error)
    try:
        return replace(_encode(job), reason=reason)
    except ExportError as error:
        raise ExportError(f"{str(info.path)!r}, {start:.3f} s to {end:.3f} s: {error}") from error


def _copy(job: _Job, plan: CopyPlan) -> Clip:
    content = _Pictures(plan.first, max(plan.pts), plan.end, len(plan.pts))

    def add_pictures(clip: Any, source: Any, video: Any) -> tuple[Any, Iterator[TimedPacket]]:
        stream = add_video(clip, video, job.info)
        return stream, video_packets(source, video, plan, stream, job.check_stop)

    def check(part: Path, written: _Written) -> None:
        if len(_verify(part, written, job).sizes) > 1:
            raise ExportError("the picture size changes, so players may not show a copy correctly")

    return _clip(job, "copy", _write_copied(job, content, add_pictures, check))


def _cut_smart(job: _Job) -> Clip:
    """Cut a smart clip.

    Raises:
        NoSmart, ExportError: It cannot be cut so, or differs from the film.
    """
    plan = plan_smart(job.info, job.first, job.end, job.check_stop)
    content = _Pictures(plan.first, plan.last, plan.end, plan.num_frames)

    def add_pictures(clip: Any, source: Any, video: Any) -> tuple[Any, Iterator[TimedPacket]]:
        made = SmartVideo(clip, video, job.info, plan)
        return made.stream, made.packets(source, video, job.check_stop)

    def check(part: Path, written: _Written) -> None:
        _verify(part, written, job)
        check_joins(part, job.info, plan, job.check_stop)

    return _clip(job, "smart", _write_copied(job, content, add_pictures, check))


def _write_copied(
    job: _Job,
    content: _Pictures,
    add_pictures: Callable[[Any, Any, Any], tuple[Any, Iterator[TimedPacket]]],
    check: Callable[[Path, _Written], None],
) -> _Written:
    """Write a clip of copied packets: pictures, all sound and text subtitles.

    Args:
        job: The job.
        content: The frames.
        add_pictures: Adds the stream of pictures to (clip, source, stream of the source); returns it and its packets.
        check: Checks the finished file.
    """
    info, check_stop = job.info, job.check_stop
    start, last, end = map(info.frame_time, (content.first, content.last, content.end))
    written: list[_Written] = []
    with atomic_path(job.destination, check=lambda part: check(part, written[0])) as part:
        with open_video(info.path) as (source, video), open_clip(part) as clip:
            tracks, left_out = list_tracks(source)
            left_out += list_lost_subtitles(source)
            stream, pictures = add_pictures(clip, source, video)
            _describe(clip, stream, source, video, start)
            clock = find_sound_clock(info, job.end, check_stop)
            assert clock is not None
            span = start, lambda: end
            sound, unread = add_tracks(clip, info, tracks, clock, span, keep_packets=True, check_stop=check_stop)
            texts = add_subtitles(clip, info, (start, end), check_stop)
            write_packets(clip, (pictures, *sound, *texts))
        written.append(_Written(start, last, end, content.num_frames, bool(sound), (*left_out, *unread)))
    return written[0]


def _encode(job: _Job) -> Clip:
    info = job.info
    written: list[_Written] = []
    canvas = find_canvas(info, info.frame_time(job.first), info.frame_time(job.end), job.check_stop)
    with (
        atomic_path(job.destination, check=lambda part: _check(part, written[0], job)) as part,
        closing(frames_from(info, job.first, job.end, job.check_stop)) as frames,
    ):
        with open_clip(part) as clip:
            video = EncodedVideo(clip, info, frames, canvas)
            sound, left_out = _add_sound(clip, job, video)
            write_packets(clip, (video.packets(), *sound))
        start, last, end = map(info.frame_time, (video.first, video.last, video.end))
        written.append(_Written(start, last, end, video.num_frames, bool(sound), tuple(left_out)))
    return _clip(job, "precise", written[0])


def _add_sound(clip: Any, job: _Job, video: EncodedVideo) -> tuple[list[Iterator[TimedPacket]], list[str]]:
    """Add all sound of the video to a precise clip; return its packets, and omitted tracks with the reasons."""
    info = job.info
    if info.codec == "images":
        return [], []
    start = info.frame_time(video.first)
    with open_video(info.path) as (source, stream):
        tracks, left_out = list_tracks(source)
        _describe(clip, video.stream, source, None if info.estimated_times else stream, start)
    clock = find_sound_clock(info, job.end, job.check_stop) if tracks else None
    if clock is None:
        return [], [*left_out, *(f"{track.name}: no timestamps to align it with the picture" for track in tracks)]

    def get_end() -> Fraction:
        # A clip ends with its last frame, which is known before sound can reach it.
        return info.frame_time(video.end if video.is_complete else max(video.end, job.end))

    span = start, get_end
    sound, unread = add_tracks(clip, info, tracks, clock, span, keep_packets=False, check_stop=job.check_stop)
    return sound, [*left_out, *unread]


def _describe(clip: Any, stream: Any, source: Any, video: Any, start: Fraction) -> None:
    """Copy the film's tags, and its timecode at the clip's first frame if the frames are counted."""
    copy_metadata(source, clip)
    timecode = find_timecode(source, video, start) if video is not None else ""
    if timecode:
        stream.metadata["timecode"] = timecode


def _check(part: Path, written: _Written, job: _Job) -> None:
    _verify(part, written, job)


def _verify(part: Path, written: _Written, job: _Job) -> ClipContent:
    """Check the clip by decoding it.

    Raises:
        ExportError: The clip differs from what was written.
    """
    shown = check_shown(part, job.check_stop)
    frame = 1 / (job.info.rate or UNKNOWN_RATE)
    tolerance = max(_LEAST_TOLERANCE, frame * _FRAME_TOLERANCE)
    last = written.last - written.start
    if shown.first != 0 or abs(shown.last - last) > tolerance or shown.num_frames != written.num_frames:
        seconds = f"{float(shown.first):.3f} s to {float(shown.last):.3f} s"
        wanted = f"{written.num_frames} frames to {float(last):.3f} s"
        raise ExportError(f"the clip has {shown.num_frames} frames from {seconds} instead of {wanted}")
    return shown


def _clip(job: _Job, mode: ClipMode, written: _Written) -> Clip:
    return Clip(
        job.destination,
        mode,
        float(written.start),
        float(written.end),
        written.num_frames,
        written.has_audio,
        written.left_out,
    )
