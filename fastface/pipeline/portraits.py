"""Choose the frames that are due for pictures by time alone, independent of batches, workers and decoders."""

from fractions import Fraction

from fastface.types import Unit, VideoInfo
from fastface.video.frames.frame import SampledFrame

__all__ = ["BODY_GAP", "FACE_GAP", "PortraitClock"]

FACE_GAP = Fraction(1)
"""Seconds. Of a track pictures are kept that are a second apart; its first and its whole faces are pictured anyway."""
BODY_GAP = Fraction(1, 2)
"""Seconds. Bodies are pictured in frames that are due only."""

_LONG_AFTER = Fraction(600)
_LONG_GAP = Fraction(2)
"""A film that cannot be entered in its middle is one unit of hours, and a unit's pictures are in memory at once."""


class PortraitClock:
    """Picks the first whole frame of each stretch of a unit, of a folder of pictures every one.

    After ten minutes of a unit it is the first of every two seconds. Stretches that are looked at again are not
    pictured: they were the first time.

    Args:
        info: The video.
        unit: The unit.
        wanted: Whether there are to be any pictures.
        gap: Length of a stretch in seconds.
    """

    def __init__(self, info: VideoInfo, unit: Unit, *, wanted: bool, gap: Fraction) -> None:
        self._gap = gap
        self._start = unit.start
        self._is_on = wanted and not unit.dense
        self._is_folder = not info.is_film
        self._done: tuple[Fraction, int] | None = None

    def is_due(self, frame: SampledFrame) -> bool:
        """Return whether this sample is due; asked of each sample in order."""
        if not self._is_on or frame.flagged:
            return False
        gap = self._gap if frame.time < self._start + _LONG_AFTER else _LONG_GAP
        stretch = (gap, frame.time // gap)
        if stretch == self._done and not self._is_folder:
            return False
        self._done = stretch
        return True
