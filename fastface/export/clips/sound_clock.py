"""Place sound on the clock of the scan, which counts from the first frame.

`clips` calls it once a clip. If the clock is reset, it decodes the video up to the clip's end.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from fastface.export.clips.reading import demux, open_video
from fastface.types import Sampling, Unit, VideoInfo
from fastface.video.clock import find_reset
from fastface.video.decode import open_source

_THREADS = 2


@dataclass(frozen=True, slots=True)
class SoundClock:
    """Clock that places sound on the clock of the scan.

    Attributes:
        shifts: Seconds to add to the container's times, for each part between resets of its clock.
        seeks: True if the container's times are valid after a seek.
    """

    shifts: tuple[Fraction, ...]
    seeks: bool


def find_sound_clock(info: VideoInfo, until: int, check_stop: Callable[[], object]) -> SoundClock | None:
    """Return the clock of a video's sound; None if its pictures have no times to compare with.

    Args:
        info: The video.
        until: Last pts that is needed: if the clock is reset, all is decoded up to there.
        check_stop: Called with each packet; its exceptions pass through.

    Raises:
        ExportError, VideoError: The file cannot be read.
    """
    if info.codec == "images":
        return None
    if info.uses_dts or _lacks_times(info):
        start = _start_of_decoding(info, check_stop)
        return None if start is None else SoundClock((-start,), seeks=not info.estimated_times)
    if not info.estimated_times:
        return SoundClock((-info.start_pts * info.time_base,), seeks=True)
    shifts: list[Fraction] = []
    whole = Unit(info.video_id, 0, Fraction(0), None, Sampling(None))
    with closing(open_source(info, _THREADS, check_stop).frames(whole)) as frames:
        for frame in frames:
            content: Any = frame.content
            if content.pts is None:
                return None
            shift = frame.time - content.pts * info.time_base
            if not shifts or abs(shift - shifts[-1]) >= find_reset(info) / 2:
                shifts.append(shift)
            if frame.pts >= until:
                break
    return SoundClock(tuple(shifts), seeks=False) if shifts else None


def _lacks_times(info: VideoInfo) -> bool:
    """Return whether the container has no presentation times: FFmpeg's computed times may begin late."""
    with open_video(info.path) as (container, _):
        return container.format.name == "avi"


def _start_of_decoding(info: VideoInfo, check_stop: Callable[[], object]) -> Fraction | None:
    """Return the decoding time of the first frame, at which players show it without presentation times."""
    decoding_times: dict[int, int] = {}
    with open_video(info.path) as (container, video):
        for packet in demux(container, video):
            check_stop()
            if packet.pts is not None and packet.dts is not None:
                decoding_times[packet.pts] = packet.dts
            for frame in packet.decode():
                dts = decoding_times.get(frame.pts)
                return None if dts is None else dts * info.time_base
    return None
