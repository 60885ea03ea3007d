"""Detect missing reference frames: a recorder lost their packets, or a bare stream has a hole.

`video.pyav` calls it before each packet. Frames that refer to a missing frame are smeared, and no decoder reports it.
The headers of H.264 and HEVC pictures show it.
"""

from typing import Any

from fastface.video.codecs.access_units import read_length_bytes, split_units
from fastface.video.codecs.bits import parameter_sets
from fastface.video.codecs.frame_numbers import FrameNumbers
from fastface.video.codecs.reference_sets import ReferenceSets

_HEAD_BYTES = 64
_MOST_PARAMETER_BYTES = 4096
_MOST_GAPS = 3
"""Maximum number of gaps in a row. More mean that the encoder counts in another way, and detection stops."""


class MissingReferences:
    """Check the pictures of one pass over a stream.

    Args:
        codec: The stream's codec context. Codecs other than H.264 and HEVC show no gaps.
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
        """Return whether reference frames are missing between the previous packet and this one."""
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
