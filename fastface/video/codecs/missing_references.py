"""Reference frames that are missing: a recorder lost their packets, or a hole is in a bare stream.

What follows builds on frames that are not there: it is smeared, and no decoder says so. The headers of H.264's and
HEVC's pictures do.
"""

from typing import Any

from fastface.video.codecs.access_units import read_length_bytes, split_units
from fastface.video.codecs.bits import parameter_sets
from fastface.video.codecs.frame_numbers import FrameNumbers
from fastface.video.codecs.reference_sets import ReferenceSets

_HEAD_BYTES = 64
_MOST_PARAMETER_BYTES = 4096
_MOST_GAPS = 3
"""Gaps in a row, with no picture between them that follows on the one before it: then the encoder counts otherwise."""


class MissingReferences:
    """Follows the pictures of one pass over a stream.

    Args:
        codec: The stream's codec context. Other codecs than H.264 and HEVC show no gaps.
    """

    def __init__(self, codec: Any) -> None:
        self._headers: FrameNumbers | ReferenceSets | None = None
        if codec.name == "h264":
            self._headers = FrameNumbers()
        elif codec.name == "hevc":
            self._headers = ReferenceSets()
        self._num_gaps = 0
        self._length_bytes = 0
        if self._headers is not None:
            self._length_bytes = read_length_bytes(codec)
            has_lengths = self._length_bytes > 0
            for unit in parameter_sets(bytes(codec.extradata or b""), codec.name, has_lengths=has_lengths):
                if self._headers.is_parameters(unit):
                    self._headers.take_parameters(unit)

    def are_before(self, packet: Any) -> bool:
        """Return whether reference frames are missing between the packet before and this one, which is no keyframe."""
        headers = self._headers
        if headers is None:
            return False
        for number, unit in enumerate(split_units(packet, self._length_bytes, _HEAD_BYTES)):
            if headers.is_parameters(unit):
                whole = list(split_units(packet, self._length_bytes, _MOST_PARAMETER_BYTES))[number]
                headers.take_parameters(whole)
            elif headers.is_slice(unit):
                is_gap = headers.follow(unit, is_keyframe=packet.is_keyframe)
                self._num_gaps = self._num_gaps + 1 if is_gap else 0
                if self._num_gaps > _MOST_GAPS:
                    self._headers = None
                return is_gap
        return False
