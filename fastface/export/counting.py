"""Where a video is cut whose timestamps do not say when a frame is shown: it has none, or its clock is set back.

The scan gave such frames their times by counting on as it decoded. They are decoded the same way again, so that a span
is the same frames; ffmpeg is then told their numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from fastface.errors import ExportError
from fastface.export.cutting import Stretch, open_video, ticks_of
from fastface.types import Sampling, Unit, VideoInfo
from fastface.video.clock import UNKNOWN_RATE
from fastface.video.decode import open_source

__all__ = ["CountedCut", "count_cut"]


@dataclass(frozen=True, slots=True)
class CountedCut:
    """A cut before it is made.

    Attributes:
        video_index: The video stream's number in the file.
        first: Number of the first frame that is shown, from 0 for the first frame that can be decoded.
        shown: The frames, in ticks of the scan's clock.
        period: Seconds from one of them to the next, on average.
    """

    video_index: int
    first: int
    shown: Stretch
    period: Fraction


def count_cut(info: VideoInfo, start: float, end: float, check_stop: Callable[[], None]) -> CountedCut:
    """Finds the frames of a span: decodes from the beginning to the span's end.

    Args:
        info: A video of estimated times.
        start: Seconds from the first frame.
        end: The same, exclusive.
        check_stop: Called with each packet; what it raises ends the work and goes on to the caller.

    Raises:
        ExportError: The file cannot be read, or no frame lies in the span.
        VideoError: It cannot be read any more.
    """
    if info.codec == "images":
        # A picture's tick is its number, and none need be opened for that.
        first, last = ticks_of(info, start), ticks_of(info, end)
        return CountedCut(0, first, Stretch(first, last, last - first), info.time_base)
    with open_video(info.path) as (_, video):
        video_index = video.index
    before, shown = _counted(info, (ticks_of(info, start), ticks_of(info, end)), check_stop)
    if not shown.num_frames:
        raise ExportError(f"no frame of {str(info.path)!r} lies between {start:.3f} s and {end:.3f} s")
    return CountedCut(video_index, before, shown, (shown.end_pts - shown.first_pts) * info.time_base / shown.num_frames)


def _counted(info: VideoInfo, bounds: tuple[int, int], check_stop: Callable[[], None]) -> tuple[int, Stretch]:
    """How many frames come before the bounds, and those inside."""
    before, inside, following = 0, list[int](), None
    whole = Unit(info.video_id, 0, Fraction(0), None, Sampling(None))
    for frame in open_source(info, alive=check_stop).frames(whole):
        if frame.pts >= bounds[1]:
            following = frame.pts
            break
        if frame.pts < bounds[0]:
            before += 1
        else:
            inside.append(frame.pts)
    if not inside:
        return before, Stretch(bounds[0], bounds[0], 0)
    # The last frame is not shown through a gap that follows.
    end = inside[-1] + max(1, round(1 / (info.rate or UNKNOWN_RATE) / info.time_base))
    return before, Stretch(inside[0], end if following is None else min(end, following), len(inside))
