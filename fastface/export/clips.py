"""Cutting clips out of videos.

Two ways:

* `copy` moves packets, so nothing is lost and it is quick. A clip can then begin only where decoding can: it shows the
  frames from the keyframe at or before the start until the last frame of the span, sometimes with a few later ones that
  those refer to.
* `precise` encodes again (H.264, 4:2:0, upright): the frames from the first one at or after the start to the last one
  before the end, no other.

A clip is an MP4. Where a copy cannot be made (MP4 holds not the codec, no keyframe is shown before the start, the
container has no pts) the clip is cut precisely; `Clip.mode` says what was done. All sound is kept, as it is where MP4
holds its codec and as AAC elsewhere, but that of a video of estimated times, which has no place; a copy also keeps
subtitles that are text. Each clip is read again before it gets its name, since ffmpeg counts an empty clip as a
success.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from fastface.errors import ExportError
from fastface.export.clip_arguments import copy_arguments, counted_arguments, precise_arguments
from fastface.export.clip_canvas import find_canvas
from fastface.export.counting import count_cut
from fastface.export.cutting import CutPlan, Stretch, plan_cut, stretch_of
from fastface.export.ffmpeg import StallError, require_reader, run_ffmpeg
from fastface.export.plans import ClipMode
from fastface.files import atomic_path
from fastface.types import VideoInfo

__all__ = ["Clip", "cut_clip"]

_DURATION_TOLERANCE = 0.1
"""Share of the planned duration by which a clip may miss it: broken frames of the source do not come through."""

_LEAST_TOLERANCE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip that was cut.

    Attributes:
        path: The file.
        mode: How it was cut, which can differ from what was asked.
        start: When its first frame is shown in the video, in seconds from the video's first frame.
        end: When its last frame ends, the same.
        num_frames: How many frames it shows.
        has_audio: Whether it has sound.
    """

    path: Path
    mode: ClipMode
    start: float
    end: float
    num_frames: int
    has_audio: bool


@dataclass(frozen=True, slots=True)
class _Attempt:
    mode: ClipMode
    seek: bool
    audio: bool


def cut_clip(
    info: VideoInfo,
    start: float,
    end: float,
    destination: Path,
    mode: ClipMode,
    *,
    check_stop: Callable[[], None] = lambda: None,
) -> Clip:
    """Cuts one span of a video into a file of its own.

    Args:
        info: The video.
        start: Seconds from the video's first frame.
        end: The same, exclusive.
        destination: The clip, `*.mp4`; replaced if it is there. Nothing is left of a clip that failed.
        mode: How to cut.
        check_stop: Called a few times a second; what it raises ends the work and goes on to the caller.

    Raises:
        ExportError: No frame lies in the span, the video cannot be read, or ffmpeg failed in every way that it can be
            asked.
        VideoError: A video of estimated times cannot be read any more.
        SpaceError: No space is left.
    """
    if info.estimated_times:
        return _cut_by_counting(info, (start, end), destination, check_stop)
    plan = plan_cut(info, start, end)
    require_reader(plan.format_name, info.codec)
    failure: ExportError | None = None
    for attempt in _attempts(plan, mode, info):
        try:
            return _cut(info, plan, attempt, destination, check_stop)
        except StallError:
            raise
        except ExportError as error:
            failure = failure or error
    assert failure is not None
    raise failure


def _attempts(plan: CutPlan, mode: ClipMode, info: VideoInfo) -> Iterator[_Attempt]:
    """From the best to the last resort.

    A seek can land behind the keyframe where a container has no index: then ffmpeg reads from the beginning. Sound that
    no decoder understands is left out.
    """
    audio = bool(plan.audio)
    seeks = [True, False] if plan.decode_pts > info.start_pts else [False]
    if mode == "copy" and plan.can_copy:
        yield from (_Attempt("copy", seek, audio) for seek in seeks)
    yield from (_Attempt("precise", seek, audio) for seek in seeks)
    if audio:
        yield _Attempt("precise", seeks[0], False)


def _cut(info: VideoInfo, plan: CutPlan, attempt: _Attempt, destination: Path, check_stop: Callable[[], None]) -> Clip:
    planned = plan.copied if attempt.mode == "copy" else plan.inside
    written: list[Stretch] = []

    def check(part: Path) -> None:
        written.append(_checked(part, planned, plan.time_base))

    with atomic_path(destination, check=check) as part:
        if attempt.mode == "copy":
            arguments = copy_arguments(info, plan, part, seek=attempt.seek, audio=attempt.audio)
        else:
            first, end = info.time_of(planned.first_pts), info.time_of(planned.end_pts)
            canvas = find_canvas(info, float(first), float(end), check_stop)
            arguments = precise_arguments(info, plan, part, seek=attempt.seek, audio=attempt.audio, canvas=canvas)
        run_ffmpeg(arguments, check_stop=check_stop)
    start = info.time_of(planned.first_pts)
    end = start + Fraction(written[0].end_pts - written[0].first_pts, 1_000_000)
    return Clip(destination, attempt.mode, float(start), float(end), written[0].num_frames, attempt.audio)


def _cut_by_counting(
    info: VideoInfo, span: tuple[float, float], destination: Path, check_stop: Callable[[], None]
) -> Clip:
    """For videos of estimated times: the frames that the scan has placed there, by their numbers."""
    cut = count_cut(info, *span, check_stop)
    written: list[Stretch] = []

    def check(part: Path) -> None:
        written.append(_checked(part, cut.shown, info.time_base))

    with atomic_path(destination, check=check) as part:
        canvas = find_canvas(info, *span, check_stop)
        run_ffmpeg(counted_arguments(info, cut, part, canvas), check_stop=check_stop)
    start, end = info.time_of(cut.shown.first_pts), info.time_of(cut.shown.end_pts)
    return Clip(destination, "precise", float(start), float(end), written[0].num_frames, False)


def _checked(part: Path, planned: Stretch, time_base: Fraction) -> Stretch:
    """What the clip shows.

    Raises:
        ExportError: That is nothing, or not as long as planned.
    """
    written = stretch_of(part)
    wanted = float((planned.end_pts - planned.first_pts) * time_base)
    found = (written.end_pts - written.first_pts) / 1_000_000
    if abs(found - wanted) > max(_LEAST_TOLERANCE_SECONDS, wanted * _DURATION_TOLERANCE):
        raise ExportError(f"ffmpeg wrote a clip of {found:.3f} s instead of {wanted:.3f} s")
    return written
