"""Compute timestamps that always increase from the timestamps of a decoder.

`video.pyav` uses one `Clock` for each pass over a video. `find_reset` also serves other readers of packet times.
"""

from collections import deque
from fractions import Fraction

from fastface.types import VideoInfo

UNKNOWN_RATE = Fraction(25)
"""Frames a second if a file declares no rate."""

_RESET = Fraction(1)
"""Seconds backwards that mean a reset clock, not a frame out of order."""

_KNOWN_RESET_FRAMES = 3
"""Frames backwards that mean a reset clock if the packets' decoding times are known to step back."""


def find_reset(info: VideoInfo) -> Fraction:
    """Return the seconds backwards that mean a reset clock; fewer if the clock is known to be reset somewhere."""
    if not info.estimated_times or info.uses_dts:
        return _RESET
    return min(_RESET, _KNOWN_RESET_FRAMES / (info.rate or UNKNOWN_RATE))


class Clock:
    """Stamp the frames of one pass over a video.

    The container's timestamps are used while they increase. A frame without a timestamp is counted by the frame rate.
    If the clock is reset, as where two recordings were joined, time continues from the last frame.

    If decoding times are the clock, the last frames that a decoder holds back have none. Their steps repeat the steps
    before them, which are longer than the frame rate in a film that omits frames.
    """

    def __init__(self, info: VideoInfo) -> None:
        self._step = 1 / (info.rate or UNKNOWN_RATE) / info.time_base
        self._reset = find_reset(info) / info.time_base
        self._anchor = info.start_pts
        self._counted = -1
        self._shift = 0
        self._last: int | None = None
        self._repeats_steps = info.uses_dts
        self._steps: deque[int] = deque(maxlen=2)

    def stamp(self, raw: int | None) -> int:
        """Return the pts of the next frame, in ticks of the stream's time base; larger than the one before."""
        if raw is None:
            pts = self._count_frame()
        else:
            pts = self._grown(raw + self._shift)
            if self._last is not None:
                self._steps.append(pts - self._last)
            self._anchor, self._counted = pts, 0
        self._last = pts
        return pts

    def _count_frame(self) -> int:
        self._counted += 1
        # Use the smaller of two steps, because the last one may cross a gap.
        step = min(self._steps) if self._repeats_steps and self._steps else self._step
        pts = self._anchor + round(self._counted * step)
        return pts if self._last is None else max(pts, self._last + 1)

    def _grown(self, pts: int) -> int:
        last = self._last
        if last is None or pts > last:
            return pts
        if last - pts < self._reset:
            return last + 1
        set_back = last + max(1, round(self._step)) - pts
        self._shift += set_back
        return pts + set_back
