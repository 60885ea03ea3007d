"""Detect missing reference pictures of HEVC. `missing_references` calls it for each slice and parameter set.

Each picture lists all pictures that it or later ones refer to, by display order. A listed picture that was not decoded
is lost. The list is the reference picture set (ITU-T H.265, 7.3.7 and 8.3.2).
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from fastface.video.codecs.bits import Bits, unescape

_SEQUENCE, _PICTURE = 33, 34
_FIRST_IRAP, _LAST_IRAP = 16, 23
_IDR, _BLA = (19, 20), (16, 17, 18)
_RASL, _LEADING = (8, 9), (6, 7, 8, 9)
_MOST_SETS, _MOST_PICTURES = 64, 256


class _Reference(NamedTuple):
    """A picture of a set: its distance in display order, and whether the current picture refers to it."""

    delta: int
    is_used: bool


_Set = tuple[list[_Reference], list[_Reference]]
"""Pictures shown before the current one, nearest first, and pictures shown after it."""


@dataclass(slots=True)
class _Sequence:
    """Sequence parameter set."""

    order_bits: int = 0
    has_colour_planes: bool = False
    has_long_term: bool = False
    sets: list[_Set] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Picture:
    """Picture parameter set."""

    sequence: int
    has_output_flag: bool
    extra_bits: int


class ReferenceSets:
    """Check the references of one pass over a stream."""

    def __init__(self) -> None:
        self._sequences: dict[int, _Sequence] = {}
        self._pictures: dict[int, _Picture] = {}
        self._decoded: set[int] = set()
        self._last_order = 0
        self._is_fresh = True

    def is_slice(self, unit: bytes) -> bool:
        """Return whether a unit is a slice of the picture's base layer."""
        return unit[0] < 64 and not unit[0] & 1 and len(unit) > 2 and not unit[1] >> 3

    def is_parameters(self, unit: bytes) -> bool:
        """Return whether a unit is a parameter set."""
        return unit[0] >> 1 in (_SEQUENCE, _PICTURE) and not unit[0] & 1 and len(unit) > 2 and not unit[1] >> 3

    def take_parameters(self, unit: bytes) -> None:
        """Read a complete parameter set."""
        bits = Bits(unescape(unit)[2:])
        if unit[0] >> 1 == _PICTURE:
            number, sequence = bits.number(), bits.number()
            bits.take(1)
            self._pictures[number] = _Picture(sequence, bits.flag(), bits.take(3))
            return
        number, read = _read_sequence(bits)
        if not bits.is_over:
            self._sequences[number] = read

    def follow(self, unit: bytes, *, is_keyframe: bool) -> bool:
        """Read the first slice of the next picture; return whether it needs missing references. Keyframes need none."""
        kind, bits = unit[0] >> 1, Bits(unescape(unit)[2:])
        is_irap = _FIRST_IRAP <= kind <= _LAST_IRAP
        bits.take(2 if is_irap else 1)
        picture = self._pictures.get(bits.number())
        sequence = self._sequences.get(picture.sequence) if picture is not None else None
        if picture is None or sequence is None:
            return False
        if kind in _IDR:
            self._begin(0)
            self._is_fresh = False
            return False
        bits.take(picture.extra_bits)
        bits.number()  # the slice's type
        bits.take(picture.has_output_flag + 2 * sequence.has_colour_planes)
        order = self._read_order(bits.take(sequence.order_bits), sequence, is_first=is_irap and self._is_fresh)
        named = _read_slice_set(bits, sequence)
        if bits.is_over:
            return False
        if is_irap and (self._is_fresh or kind in _BLA):
            self._begin(order)
            self._is_fresh = False
            return False
        return self._compare(unit, order, named, sequence, is_keyframe=is_keyframe or is_irap)

    def _begin(self, order: int) -> None:
        self._decoded = {order}
        self._last_order = order

    def _compare(self, unit: bytes, order: int, named: _Set, sequence: _Sequence, *, is_keyframe: bool) -> bool:
        kind = unit[0] >> 1
        places = {order + reference.delta: reference.is_used for part in named for reference in part}
        missing = {place for place, is_used in places.items() if is_used and place not in self._decoded}
        # Pictures shown before the first decoded keyframe may refer to pictures before it, which were not decoded.
        is_lost = bool(missing) and not is_keyframe and kind not in _RASL
        if sequence.has_long_term:
            kept = self._decoded if len(self._decoded) < _MOST_PICTURES else set()
        else:
            kept = self._decoded & set(places)
        self._decoded = kept | missing | {order}
        is_sublayer = kind < 16 and kind % 2 == 0
        if unit[1] & 7 == 1 and kind not in _LEADING and not is_sublayer:
            self._last_order = order
        return is_lost

    def _read_order(self, low: int, sequence: _Sequence, *, is_first: bool) -> int:
        """Compute the display order of the picture (8.3.1)."""
        size = 1 << sequence.order_bits
        if is_first:
            return low
        last_low = self._last_order % size
        high = self._last_order - last_low
        if low < last_low and last_low - low >= size // 2:
            high += size
        elif low > last_low and low - last_low > size // 2:
            high -= size
        return high + low


def _read_slice_set(bits: Bits, sequence: _Sequence) -> _Set:
    count = len(sequence.sets)
    if not bits.flag():
        return _read_set(bits, sequence.sets, count)
    index = bits.take((count - 1).bit_length()) if count > 1 else 0
    return sequence.sets[index] if index < count else ([], [])


def _read_set(bits: Bits, sets: list[_Set], index: int) -> _Set:
    """Read a short-term reference picture set (7.3.7, 7.4.8)."""
    if index and bits.flag():
        back = bits.number() + 1 if index == len(sets) else 1
        return _predict_set(bits, sets[max(0, index - back)])
    counts = [min(bits.number(), _MOST_SETS) for _ in range(2)]
    found: _Set = ([], [])
    for part, (count, sign) in enumerate(zip(counts, (-1, 1), strict=True)):
        delta = 0
        for _ in range(count):
            delta += sign * (bits.number() + 1)
            found[part].append(_Reference(delta, bits.flag()))
    return found


def _predict_set(bits: Bits, before: _Set) -> _Set:
    """Read a set that is coded as a difference from another one (formulas 7-61 and 7-62)."""
    is_negative = bits.flag()
    shift = (bits.number() + 1) * (-1 if is_negative else 1)
    marks: list[tuple[bool, bool]] = []
    for _ in range(len(before[0]) + len(before[1]) + 1):
        is_used = bits.flag()
        marks.append((is_used, is_used or bits.flag()))
    earlier = list(zip(before[0], marks, strict=False))
    later = list(zip(before[1], marks[len(before[0]) :], strict=False))
    itself = (_Reference(0, True), marks[-1])
    moved = [
        [_Reference(reference.delta + shift, is_used) for reference, (is_used, is_kept) in part if is_kept]
        for part in ((*later[::-1], itself, *earlier), (*earlier[::-1], itself, *later))
    ]
    return [one for one in moved[0] if one.delta < 0], [one for one in moved[1] if one.delta > 0]


def _read_sequence(bits: Bits) -> tuple[int, _Sequence]:
    """Read a sequence parameter set: (number, parameters) (7.3.2.2.1)."""
    bits.take(4)
    num_layers = bits.take(3)
    bits.take(1)
    _skip_profile(bits, num_layers)
    number, read = bits.number(), _Sequence()
    read.has_colour_planes = bits.number() == 3 and bits.flag()
    for _ in range(2):
        bits.number()  # width, height
    for _ in range(4 if bits.flag() else 0):
        bits.number()  # the part that is shown
    for _ in range(2):
        bits.number()  # depths
    read.order_bits = bits.number() + 4
    for _ in range(3 * (num_layers + 1 if bits.flag() else 1)):
        bits.number()  # buffers
    for _ in range(6):
        bits.number()  # sizes of blocks
    if bits.flag() and bits.flag():
        _skip_scaling(bits)
    bits.take(2)
    if bits.flag():
        bits.take(8)
        for _ in range(2):
            bits.number()
        bits.take(1)
    count = min(bits.number(), _MOST_SETS)
    for index in range(count):
        read.sets.append(_read_set(bits, read.sets, index) if not bits.is_over else ([], []))
    read.has_long_term = bits.flag()
    return number, read


def _skip_profile(bits: Bits, num_layers: int) -> None:
    bits.take(96)
    present = [(bits.flag(), bits.flag()) for _ in range(num_layers)]
    if num_layers:
        bits.take(2 * (8 - num_layers))
    for has_profile, has_level in present:
        bits.take(88 * has_profile + 8 * has_level)


def _skip_scaling(bits: Bits) -> None:
    for size in range(4):
        for _ in range(0, 6, 3 if size == 3 else 1):
            if not bits.flag():
                bits.number()
                continue
            if size > 1:
                bits.read_signed()
            for _ in range(min(64, 1 << (4 + 2 * size))):
                bits.read_signed()
