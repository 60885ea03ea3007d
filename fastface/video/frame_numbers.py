"""Reference frames of H.264 that are missing: a recorder lost their packets, or a hole is in a bare stream.

Each picture carries the number of reference frames before it since the last IDR picture (`frame_num`, ITU-T H.264,
7.4.3). Where numbers are left out, what follows builds on frames that are not there: it is smeared, and no decoder
says so. Streams that may leave numbers out say that in their parameters, and are not followed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastface.video.access_units import length_bytes_of, units_of

__all__ = ["FrameNumbers"]

_SLICE, _PARTITION, _IDR, _SEQUENCE, _PICTURE = 1, 2, 5, 7, 8
_HEAD_BYTES = 24
"""Of a slice: three numbers of at most nine bytes before the one that is read."""

_MOST_HEADER_BYTES = 512
_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_MOST_GAPS = 3
"""Gaps in a row, with no picture between them that follows on the one before it: then the encoder counts otherwise."""


@dataclass(frozen=True, slots=True)
class _Sequence:
    """What a sequence's parameters say."""

    number_bits: int
    has_gaps: bool
    has_colour_planes: bool


class FrameNumbers:
    """Follows the numbers of one pass over a stream.

    Args:
        codec: The stream's codec context. Other codecs than H.264 show no gaps.
    """

    def __init__(self, codec: Any) -> None:
        self._is_followed = codec.name == "h264"
        self._length_bytes = length_bytes_of(codec) if self._is_followed else 0
        self._sequences: dict[int, _Sequence] = {}
        self._of_picture: dict[int, int] = {}
        self._last: int | None = None
        self._num_gaps = 0
        if self._is_followed:
            for unit in _units_of_header(bytes(codec.extradata or b""), self._length_bytes):
                self._take_parameters(unit)

    def is_after_gap(self, packet: Any) -> bool:
        """Whether reference frames are missing between the packet before and this one, which is no keyframe."""
        if not self._is_followed:
            return False
        for unit in units_of(packet, self._length_bytes, _HEAD_BYTES):
            kind = unit[0] & 31
            if kind in (_SEQUENCE, _PICTURE):
                whole = next(u for u in units_of(packet, self._length_bytes, _MOST_HEADER_BYTES) if u[0] == unit[0])
                self._take_parameters(whole)
            elif kind in (_SLICE, _PARTITION, _IDR):
                return self._follow(unit, is_keyframe=packet.is_keyframe or kind == _IDR)
        return False

    def _follow(self, unit: bytes, *, is_keyframe: bool) -> bool:
        bits = _Bits(_unescape(unit)[1:])
        bits.number()  # the first macroblock
        bits.number()  # the slice's type
        sequence = self._sequences.get(self._of_picture.get(bits.number(), -1))
        if sequence is None or sequence.has_gaps or bits.is_over:
            self._last = None
            return False
        if sequence.has_colour_planes:
            bits.take(2)
        number, last = bits.take(sequence.number_bits), self._last
        follows = last is None or (number - last) % (1 << sequence.number_bits) <= 1
        if unit[0] >> 5:  # a reference itself
            self._last = number
        elif not follows:
            self._last = (number - 1) % (1 << sequence.number_bits)
        self._num_gaps = 0 if follows or is_keyframe else self._num_gaps + 1
        self._is_followed = self._num_gaps <= _MOST_GAPS
        return not follows and not is_keyframe

    def _take_parameters(self, unit: bytes) -> None:
        kind, bits = unit[0] & 31, _Bits(_unescape(unit)[1:])
        if kind == _PICTURE:
            number = bits.number()
            self._of_picture[number] = bits.number()
        elif kind == _SEQUENCE:
            number, sequence = _read_sequence(bits)
            if not bits.is_over:
                self._sequences[number] = sequence


def _read_sequence(bits: "_Bits") -> tuple[int, _Sequence]:
    """(number, parameters) of a sequence parameter set (7.3.2.1.1)."""
    profile = bits.take(8)
    bits.take(16)
    number, has_planes = bits.number(), False
    if profile in _HIGH_PROFILES:
        chroma = bits.number()
        has_planes = chroma == 3 and bits.take(1) == 1
        bits.number()
        bits.number()
        bits.take(1)
        if bits.take(1):
            for index in range(8 if chroma != 3 else 12):
                if bits.take(1):
                    _skip_scaling(bits, 16 if index < 6 else 64)
    number_bits = bits.number() + 4
    order = bits.number()
    if order == 0:
        bits.number()
    elif order == 1:
        bits.take(1)
        bits.number()
        bits.number()
        for _ in range(min(bits.number(), 255)):
            bits.number()
    bits.number()  # reference frames
    return number, _Sequence(number_bits, bits.take(1) == 1, has_planes)


def _skip_scaling(bits: "_Bits", count: int) -> None:
    last = following = 8
    for _ in range(count):
        if following:
            code = bits.number()
            following = (last + ((code + 1) // 2 if code % 2 else -(code // 2))) % 256
        last = following or last


class _Bits:
    """Reads the bits of a unit from its first on; zeros after its end."""

    def __init__(self, content: bytes) -> None:
        self._value = int.from_bytes(content)
        self._left = len(content) * 8

    @property
    def is_over(self) -> bool:
        """Whether more was read than there was."""
        return self._left < 0

    def take(self, count: int) -> int:
        """The next bits as a number."""
        self._left -= count
        if self._left < 0:
            return 0
        return self._value >> self._left & ((1 << count) - 1)

    def number(self) -> int:
        """An Exp-Golomb code (9.1): as many zeros as bits follow the first one."""
        if self._left <= 0:
            self._left = -1
            return 0
        rest = self._value & ((1 << self._left) - 1)
        zeros = self._left - rest.bit_length()
        if zeros > 32:
            self._left = -1
            return 0
        self._left -= zeros
        return self.take(zeros + 1) - 1


def _unescape(unit: bytes) -> bytes:
    """Without the bytes that keep a unit free of start codes (7.4.1)."""
    return unit.replace(b"\0\0\3", b"\0\0") if b"\0\0\3" in unit else unit


def _units_of_header(header: bytes, length_bytes: int) -> Iterator[bytes]:
    """The sets of parameters in a header (ISO 14496-15, 5.2.4.1), or in one of start codes."""
    if not length_bytes:
        for part in header.split(b"\0\0\1")[1:]:
            if part:
                yield part
        return
    place = 6
    for count in (header[5] & 31 if len(header) > 5 else 0, None):
        if count is None:
            count = header[place] if len(header) > place else 0
            place += 1
        for _ in range(count):
            size = int.from_bytes(header[place : place + 2])
            if size and place + 2 < len(header):
                yield header[place + 2 : place + 2 + size]
            place += 2 + size
