"""Of which frames faces are pictured: a rule of time alone, so that batches, workers and decoders do not matter."""

from fractions import Fraction

from fastface.types import Unit, VideoInfo
from fastface.video.frame import SampledFrame

__all__ = ["PortraitClock"]

_GAP = Fraction(1, 2)
_LONG_AFTER = Fraction(600)
_LONG_GAP = Fraction(2)
"""A film that cannot be entered in its middle is one unit of hours, and a unit's pictures are in memory at once."""


class PortraitClock:
    """Picks the first whole frame of each half second of a unit, of a folder of pictures every one.

    After ten minutes of a unit it is the first of every two seconds. Stretches that are looked at again are not
    pictured: they were the first time.

    Args:
        info: The video.
        unit: The unit.
        wanted: Whether there are to be any pictures.
    """

    def __init__(self, info: VideoInfo, unit: Unit, *, wanted: bool) -> None:
        self._start = unit.start
        self._is_on = wanted and not unit.dense
        self._is_folder = not info.is_film
        self._done: tuple[Fraction, int] | None = None

    def is_due(self, frame: SampledFrame) -> bool:
        """Whether the faces of this sample are pictured; asked of each sample in order."""
        if not self._is_on or frame.flagged:
            return False
        gap = _GAP if frame.time < self._start + _LONG_AFTER else _LONG_GAP
        stretch = (gap, frame.time // gap)
        if stretch == self._done and not self._is_folder:
            return False
        self._done = stretch
        return True
