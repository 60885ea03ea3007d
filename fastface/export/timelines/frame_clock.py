"""Count a video's times in whole frames, and label frames with timecode, for edit decision lists."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from fastface.export.timelines.timeline import Timeline, TimelineSpan
from fastface.video.timecode import advance_timecode, count_timecode

_HALF_STEP = Fraction(1, 2000)
"""Greatest error of a time that is rounded to a thousandth of a second."""

_DROP_FRAME_RATES = (Fraction(30_000, 1001), Fraction(60_000, 1001))
_RATE_TOLERANCE = Fraction(1, 100)
"""A header's average rate may miss the nominal one by a few frames an hour; 30 is 0.03 from 29.97."""

_NTSC = Fraction(1000, 1001)

_RECORD_START = "01:00:00"
"""Where editing programs begin a timeline unless told otherwise."""


@dataclass(frozen=True, slots=True)
class FrameRange:
    """Frames `first` to `end`, without `end`."""

    first: int
    end: int

    @property
    def length(self) -> int:
        """Number of frames."""
        return self.end - self.first


@dataclass(frozen=True, slots=True)
class FrameClock:
    """Frame numbers and timecodes of one video."""

    rate: Fraction
    source_start: str  # timecode of frame 0 of the source
    record_start: str  # timecode of frame 0 of the edited timeline
    is_player_time: bool  # whether frame 0 is the start of the file's first stream, not the first frame

    @property
    def is_ntsc(self) -> bool:
        """Return whether the rate is a whole number × 1000 / 1001, as 29.97."""
        nominal = round(self.rate)
        return abs(self.rate - nominal * _NTSC) < abs(self.rate - nominal)

    @property
    def frame_seconds(self) -> Fraction:
        """Seconds of a frame at the rate that editing programs know; a header's average rate may miss it."""
        return 1 / (round(self.rate) * (_NTSC if self.is_ntsc else Fraction(1)))

    @property
    def source_offset(self) -> int:
        """Number of frames from 00:00:00:00 to frame 0 of the source."""
        return count_timecode(self.source_start, self.rate) or 0

    @property
    def record_offset(self) -> int:
        """Number of frames from 00:00:00:00 to frame 0 of the edited timeline."""
        return count_timecode(self.record_start, self.rate) or 0

    @property
    def is_drop_frame(self) -> bool:
        """Return whether timecodes leave out labels to keep pace with a clock (drop-frame)."""
        return ";" in self.source_start

    def count_frames(self, span: TimelineSpan) -> FrameRange:
        """Return the fewest frames that show a whole span; at least one."""
        start, end = (span.player_start, span.player_end) if self.is_player_time else (span.start, span.end)
        first = floor((start + _HALF_STEP) * self.rate)
        return FrameRange(first, max(first + 1, ceil((end - _HALF_STEP) * self.rate)))

    def count_source(self, timeline: Timeline) -> int:
        """Return the number of frames of the whole video, which is long enough for each span."""
        end = timeline.player_end if self.is_player_time else timeline.end
        whole = ceil((end or 0) * self.rate)
        return max(whole, *(self.count_frames(span).end for span in timeline.spans))

    def source_label(self, frame: int) -> str:
        """Return the timecode of a frame of the source."""
        return advance_timecode(self.source_start, self.rate, frame)

    def record_label(self, frame: int) -> str:
        """Return the timecode of a frame of the edited timeline."""
        return advance_timecode(self.record_start, self.rate, frame)


def open_clock(timeline: Timeline) -> FrameClock | None:
    """Return the clock of a video; None if timecode cannot count its frame rate.

    The file's own timecode belongs to its first frame. Without one, an editing program counts from the start of the
    file, as a player does. Drop-frame labels are the file's choice, and the rule at 29.97 and 59.94 frames a second.
    """
    rate = timeline.rate
    if rate is None or not advance_timecode("00:00:00:00", rate, 0):
        return None
    known = advance_timecode(timeline.timecode, rate, 0).replace(".", ";")
    is_drop_frame = ";" in known if known else any(abs(rate - one) < _RATE_TOLERANCE for one in _DROP_FRAME_RATES)
    mark = ";" if is_drop_frame else ":"
    return FrameClock(
        rate=rate,
        source_start=known or f"00:00:00{mark}00",
        record_start=f"{_RECORD_START}{mark}00",
        is_player_time=not known,
    )
