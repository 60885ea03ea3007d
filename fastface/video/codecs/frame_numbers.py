"""Detect missing reference frames of H.264 by the numbers of its pictures.

`missing_references` calls it for each slice and parameter set. Each picture carries the number of reference frames
before it since the last IDR picture (`frame_num`, ITU-T H.264, 7.4.3). Streams whose parameters allow gaps in the
numbers are not checked.
"""

from dataclasses import dataclass

from fastface.video.codecs.bits import Bits, unescape

_SLICES, _IDR, _SEQUENCE, _PICTURE = frozenset({1, 2, 5}), 5, 7, 8
_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})


@dataclass(frozen=True, slots=True)
class _Sequence:
    """Sequence parameter set."""

    number_bits: int
    has_gaps: bool
    has_colour_planes: bool


class FrameNumbers:
    """Check the picture numbers of one pass over a stream."""

    def __init__(self) -> None:
        self._sequences: dict[int, _Sequence] = {}
        self._of_picture: dict[int, int] = {}
        self._last: int | None = None

    def is_slice(self, unit: bytes) -> bool:
        """Return whether a unit is a slice of the picture."""
        return unit[0] & 31 in _SLICES

    def is_parameters(self, unit: bytes) -> bool:
        """Return whether a unit is a parameter set."""
        return unit[0] & 31 in (_SEQUENCE, _PICTURE)

    def take_parameters(self, unit: bytes) -> None:
        """Read a complete parameter set."""
        bits = Bits(unescape(unit)[1:])
        if unit[0] & 31 == _PICTURE:
            number = bits.number()
            self._of_picture[number] = bits.number()
            return
        number, sequence = _read_sequence(bits)
        if not bits.is_over:
            self._sequences[number] = sequence

    def follow(self, unit: bytes, *, is_keyframe: bool) -> bool:
        """Read the first slice of the next picture; return whether it needs missing references. Keyframes need none."""
        bits = Bits(unescape(unit)[1:])
        bits.number()  # the first macroblock
        bits.number()  # the slice's type
        sequence = self._sequences.get(self._of_picture.get(bits.number(), -1))
        if sequence is None or sequence.has_gaps or bits.is_over:
            self._last = None
            return False
        if sequence.has_colour_planes:
            bits.take(2)
        number, size = bits.take(sequence.number_bits), 1 << sequence.number_bits
        follows = self._last is None or (number - self._last) % size <= 1
        if unit[0] >> 5:  # a reference itself
            self._last = number
        elif not follows:
            self._last = (number - 1) % size
        return not follows and not is_keyframe and unit[0] & 31 != _IDR


def _read_sequence(bits: Bits) -> tuple[int, _Sequence]:
    """Read a sequence parameter set: (number, parameters) (7.3.2.1.1)."""
    profile = bits.take(8)
    bits.take(16)
    number, has_planes = bits.number(), False
    if profile in _HIGH_PROFILES:
        chroma = bits.number()
        has_planes = chroma == 3 and bits.flag()
        bits.number()
        bits.number()
        bits.take(1)
        if bits.flag():
            for index in range(8 if chroma != 3 else 12):
                if bits.flag():
                    _skip_scaling(bits, 16 if index < 6 else 64)
    number_bits = bits.number() + 4
    order = bits.number()
    if order == 0:
        bits.number()
    elif order == 1:
        bits.take(1)
        for _ in range(2):
            bits.number()
        for _ in range(min(bits.number(), 255)):
            bits.number()
    bits.number()  # reference frames
    return number, _Sequence(number_bits, bits.flag(), has_planes)


def _skip_scaling(bits: Bits, count: int) -> None:
    last = following = 8
    for _ in range(count):
        if following:
            following = (last + bits.read_signed()) % 256
        last = following or last
