"""Read the headers of H.264 and HEVC bit by bit: fixed-length and Exp-Golomb fields, and parameter sets.

`frame_numbers`, `reference_sets` and `missing_references` use it. A read after the end returns 0 and sets `is_over`; it
raises nothing.
"""

from collections.abc import Iterator

_MOST_ZEROS = 32


class Bits:
    """Reader of the bits of a unit; after its end it returns zeros."""

    def __init__(self, content: bytes) -> None:
        self._value = int.from_bytes(content)
        self._left = len(content) * 8

    @property
    def is_over(self) -> bool:
        """Return whether more bits were read than the unit has."""
        return self._left < 0

    def take(self, count: int) -> int:
        """Read the next `count` bits as an unsigned number."""
        self._left -= count
        if self._left < 0:
            return 0
        return self._value >> self._left & ((1 << count) - 1)

    def flag(self) -> bool:
        """Read one bit."""
        return self.take(1) == 1

    def number(self) -> int:
        """Read an unsigned Exp-Golomb code (ITU-T H.264, 9.1): n zeros, a one, then n bits."""
        if self._left <= 0:
            self._left = -1
            return 0
        rest = self._value & ((1 << self._left) - 1)
        zeros = self._left - rest.bit_length()
        if zeros > _MOST_ZEROS:
            self._left = -1
            return 0
        self._left -= zeros
        return self.take(zeros + 1) - 1

    def read_signed(self) -> int:
        """Read a signed Exp-Golomb code."""
        code = self.number()
        return (code + 1) // 2 if code % 2 else -(code // 2)


def unescape(unit: bytes) -> bytes:
    """Remove the bytes that prevent start codes inside a unit (ITU-T H.264, 7.4.1)."""
    return unit.replace(b"\0\0\3", b"\0\0") if b"\0\0\3" in unit else unit


def parameter_sets(header: bytes, codec: str, *, has_lengths: bool) -> Iterator[bytes]:
    """Yield the parameter sets in a stream's header: after start codes, or as in ISO 14496-15 (5.3.3.1, 8.3.3.1)."""
    if not has_lengths:
        yield from (part for part in header.split(b"\0\0\1")[1:] if part)
        return
    place = 5 if codec == "h264" else 23
    num_groups = 2 if codec == "h264" else int.from_bytes(header[22:23])
    for group in range(num_groups):
        if codec == "h264":
            count = int.from_bytes(header[place : place + 1]) & (31 if group == 0 else 255)
            place += 1
        else:
            count = int.from_bytes(header[place + 1 : place + 3])
            place += 3
        for _ in range(count):
            size = int.from_bytes(header[place : place + 2])
            if not size or place + 2 + size > len(header):
                return
            yield header[place + 2 : place + 2 + size]
            place += 2 + size
