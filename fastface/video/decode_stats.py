"""Count the frames, errors and decoded seconds of one unit.

The decoders call it for each packet and frame. Without an error, a gap in time counts as decoded.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from fastface.types import Unit, VideoInfo
from fastface.video.clock import UNKNOWN_RATE
from fastface.video.frames.frame import UnitReport


class DecodeStats:
    """Statistics of one unit.

    Attributes:
        errors: Number of packets or frames that could not be decoded, or only with damage.
        encrypted: Number of these that are encrypted packets.
        unread: Read error of the disk or the share; empty without one.
    """

    def __init__(self, info: VideoInfo, unit: Unit) -> None:
        self.errors = 0
        self.encrypted = 0
        self.unread = ""
        self._info = info
        self._unit = unit
        self._decoded = 0
        self._last: int | None = None
        self._passed: int | None = None
        self._last_duration = 0
        self._lost = Fraction(0)
        self._errors_at_last = 0
        self._errors_at_keyframe = 0
        self._complete = False
        self._frame_seconds = 1 / (info.rate or UNKNOWN_RATE)

    def begin_again(self) -> None:
        """Reset the errors, because the unit is read again from another position in the file."""
        self.errors, self.encrypted, self.unread, self._passed = 0, 0, "", None

    def meet_encrypted(self) -> None:
        """Count a packet that cannot be decoded without its key."""
        self.encrypted += 1
        self.errors += 1

    def count_failure(self) -> None:
        """Count a packet that could not be read or decoded."""
        self.errors += 1

    def count_skipped(self, pts: int) -> None:
        """Record a packet that need not be decoded."""
        self._passed = pts if self._passed is None else max(self._passed, pts)

    def take(self, frame: Any, pts: int) -> bool:
        """Count a decoded frame of the unit.

        Returns:
            True if the frame may be damaged. Either the decoder reports damage, or a packet failed since the last
            keyframe, to which the frames after it refer.
        """
        if self.errors > self._errors_at_last:
            self._lose_gap(self._info.frame_time(pts))
        self._decoded += 1
        self._last = pts
        self._last_duration = frame.duration
        damaged = bool(frame.is_corrupt)
        if damaged:
            self.errors += 1
        elif frame.key_frame:
            self._errors_at_keyframe = self.errors
        self._errors_at_last = self.errors
        return damaged or self.errors > self._errors_at_keyframe

    def reached_end(self) -> None:
        """Record that a frame after the unit was decoded."""
        assert self._unit.end is not None
        if self.errors > self._errors_at_last:
            self._lose_gap(self._unit.end)
        self._complete = True

    def _lose_gap(self, time: Fraction) -> None:
        """Count a gap as lost. Call it only if the gap contains an error; otherwise the gap is the film's own."""
        before = self._unit.start
        if self._last is not None:
            before = self._info.frame_time(self._last) + self._frame_seconds
        self._lost += max(Fraction(0), time - before)

    def report(self) -> UnitReport:
        """Return the unit's report, without the sampled frames."""
        until = max(self._ends(), default=self._unit.start)
        if self._unit.end is not None:
            until = self._unit.end if self._complete else min(until, self._unit.end)
        covered = max(Fraction(0), until - self._unit.start - self._lost)
        return UnitReport(
            decoded=self._decoded,
            errors=self.errors,
            encrypted=self.encrypted,
            covered=covered,
            unread=self.unread,
        )

    def _ends(self) -> Iterator[Fraction]:
        """Yield the ends of the decoded frames and of the skipped packets, in seconds."""
        if self._last is not None:
            # The last picture of a slide show is shown longer than an average frame.
            stands = max(self._frame_seconds, self._last_duration * self._info.time_base)
            yield self._info.frame_time(self._last) + stands
        if self._passed is not None:
            yield self._info.frame_time(self._passed) + self._frame_seconds
