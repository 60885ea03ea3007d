"""Split packets of H.264 and HEVC into NAL units, and read their bits. Pure.

`smart` and `h264_slices` use it. Sources: ITU-T H.264 and H.265, 7.3.1 and annex B, and ISO/IEC 14496-15 for the
records `avcC` and `hvcC`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

NalCodec = Literal["h264", "hevc"]

START_CODE = b"\x00\x00\x00\x01"
_SETS = {"h264": frozenset({7, 8}), "hevc": frozenset({32, 33, 34})}
"""Types of units that are parameter sets: SPS and PPS; VPS, SPS and PPS."""

_DELIMITER = {"h264": 9, "hevc": 35}
_EMULATION = re.compile(rb"\x00\x00(?=[\x00-\x03])")


@dataclass(frozen=True, slots=True)
class StreamHeader:
    """Parameter sets of a stream, and how its packets store their units."""

    codec: NalCodec
    length_size: int  # bytes of the length in front of each unit; 0 for start codes
    sets: tuple[bytes, ...]  # units of the parameter sets

    def split(self, packet: bytes) -> list[bytes]:
        """Split a packet into its units.

        Raises:
            ValueError: A length is wrong.
        """
        if not self.length_size:
            return _split_start_codes(packet)
        units, place = [], 0
        while place < len(packet):
            begin = place + self.length_size
            place = begin + int.from_bytes(packet[place:begin], "big")
            if place > len(packet) or place == begin:
                raise ValueError("a NAL unit is longer than its packet, or empty")
            units.append(packet[begin:place])
        return units

    def find_type(self, unit: bytes) -> int:
        """Return the type of a unit."""
        return unit[0] & 31 if self.codec == "h264" else unit[0] >> 1 & 63

    def is_set(self, unit: bytes) -> bool:
        """Return whether a unit is a parameter set."""
        return self.find_type(unit) in _SETS[self.codec]

    def add_sets(self, units: list[bytes], sets: Iterable[bytes]) -> list[bytes]:
        """Put parameter sets in front of the units of a picture, behind its delimiter."""
        has_delimiter = bool(units) and self.find_type(units[0]) == _DELIMITER[self.codec]
        return [*units[:has_delimiter], *sets, *units[has_delimiter:]]


def read_header(codec: NalCodec, extradata: bytes) -> StreamHeader:
    """Read the parameter sets that a container stores beside the packets.

    Raises:
        ValueError: There are none.
    """
    if extradata[:1] != b"\x01":
        length_size, units = 0, _split_start_codes(extradata)
    elif codec == "h264":
        length_size, units = (extradata[4] & 3) + 1, _read_avcc(extradata)
    else:
        length_size, units = (extradata[21] & 3) + 1, _read_hvcc(extradata)
    header = StreamHeader(codec, length_size, ())
    sets = tuple(dict.fromkeys(unit for unit in units if unit and header.is_set(unit)))
    if {header.find_type(unit) for unit in sets} != _SETS[codec]:
        raise ValueError("the container has no parameter sets")
    return StreamHeader(codec, length_size, sets)


def join_units(units: Iterable[bytes]) -> bytes:
    """Join units with start codes."""
    return b"".join(START_CODE + unit for unit in units)


def unescape(unit: bytes) -> bytes:
    """Return a unit without the bytes that prevent start codes in it."""
    return unit.replace(b"\x00\x00\x03", b"\x00\x00")


def escape(unit: bytes) -> bytes:
    """Reverse `unescape`."""
    escaped = _EMULATION.sub(b"\x00\x00\x03", unit)
    return escaped + b"\x03" if escaped.endswith(b"\x00") else escaped


class BitReader:
    """Read the bits of an unescaped unit, the highest bit of a byte first.

    Attributes:
        place: Number of the next bit.
    """

    def __init__(self, content: bytes, place: int = 0) -> None:
        self._bits = int.from_bytes(content, "big")
        self._length = 8 * len(content)
        self.place = place

    def read(self, count: int) -> int:
        """Return the next bits as a number.

        Raises:
            ValueError: There are too few.
        """
        after = self._length - self.place - count
        if after < 0:
            raise ValueError("a NAL unit is too short")
        self.place += count
        return self._bits >> after & (1 << count) - 1

    def read_unsigned(self) -> int:
        """Return the next number of the code `ue(v)`."""
        zeros = 0
        while not self.read(1):
            zeros += 1
        return (1 << zeros) - 1 + self.read(zeros)

    def read_signed(self) -> int:
        """Return the next number of the code `se(v)`."""
        number = self.read_unsigned()
        return (number + 1) // 2 if number % 2 else -(number // 2)


def replace_bits(content: bytes, place: int, count: int, bits: int, length: int) -> bytes:
    """Replace `count` bits from bit `place` on by the `length` bits of a number.

    Raises:
        ValueError: The result is no whole number of bytes.
    """
    if (length - count) % 8:
        raise ValueError("the change leaves no whole number of bytes")
    after = 8 * len(content) - place - count
    whole = int.from_bytes(content, "big")
    kept = whole >> (after + count) << length | bits
    return (kept << after | whole & (1 << after) - 1).to_bytes(len(content) + (length - count) // 8, "big")


def _split_start_codes(content: bytes) -> list[bytes]:
    parts = content.split(b"\x00\x00\x01")[1:]
    return [unit for unit in (part.rstrip(b"\x00") for part in parts) if unit]


def _read_avcc(record: bytes) -> list[bytes]:
    units, place = [], 5
    for mask in (31, 255):
        count, place = record[place] & mask, place + 1
        for _ in range(count):
            length = int.from_bytes(record[place : place + 2], "big")
            units.append(record[place + 2 : place + 2 + length])
            place += 2 + length
    return units


def _read_hvcc(record: bytes) -> list[bytes]:
    units, place = [], 23
    for _ in range(record[22]):
        count, place = int.from_bytes(record[place + 1 : place + 3], "big"), place + 3
        for _ in range(count):
            length = int.from_bytes(record[place : place + 2], "big")
            units.append(record[place + 2 : place + 2 + length])
            place += 2 + length
    return units
