"""NAL units and their bits; expected values are those of ITU-T H.264."""

import pytest

from fastface.export.clips.nal_units import (
    BitReader,
    StreamHeader,
    escape,
    join_units,
    read_header,
    replace_bits,
    unescape,
)

TABLE_9_2 = ["1", "010", "011", "00100", "00101", "00110", "00111", "0001000", "0001001", "0001010"]
"""Codes of 0 to 9 as `ue(v)`."""

TABLE_9_3 = [0, 1, -1, 2, -2, 3, -3, 4, -4, 5]
"""The same codes as `se(v)`."""


def packed(bits: str) -> bytes:
    padded = bits + "0" * (-len(bits) % 8)
    return int(padded, 2).to_bytes(len(padded) // 8, "big")


def test_numbers_have_the_codes_of_the_standard() -> None:
    reader = BitReader(packed("".join(TABLE_9_2)))
    assert [reader.read_unsigned() for _ in TABLE_9_2] == list(range(10))
    reader = BitReader(packed("".join(TABLE_9_2)))
    assert [reader.read_signed() for _ in TABLE_9_2] == TABLE_9_3


def test_reading_beyond_the_end_is_an_error() -> None:
    with pytest.raises(ValueError, match="too short"):
        BitReader(b"\x00").read_unsigned()


@pytest.mark.parametrize(
    ("plain", "escaped"),
    [
        (b"\x65\x80\x00\x00", b"\x65\x80\x00\x00\x03"),
        (b"\x65\x00\x00\x01\x80", b"\x65\x00\x00\x03\x01\x80"),
        (b"\x65\x00\x00\x02\x80", b"\x65\x00\x00\x03\x02\x80"),
        (b"\x65\x00\x00\x03\x80", b"\x65\x00\x00\x03\x03\x80"),
        (b"\x65\x00\x00\x04\x80", b"\x65\x00\x00\x04\x80"),
        (b"\x65\x00\x00\x00\x00\x00\x80", b"\x65\x00\x00\x03\x00\x00\x03\x00\x80"),
    ],
)
def test_start_codes_are_prevented_as_the_standard_says(plain: bytes, escaped: bytes) -> None:
    assert escape(plain) == escaped
    assert unescape(escaped) == plain


def test_units_are_split_at_start_codes_and_at_lengths() -> None:
    units = [b"\x67\x64\x00\x0d", b"\x68\xee\x38", b"\x65\x88\x84"]
    assert StreamHeader("h264", 0, ()).split(b"\x00\x00\x01".join([b"\x00", *units])) == units
    assert StreamHeader("h264", 0, ()).split(join_units(units)) == units
    lengths = b"".join(len(unit).to_bytes(2, "big") + unit for unit in units)
    assert StreamHeader("h264", 2, ()).split(lengths) == units
    with pytest.raises(ValueError, match="longer than its packet"):
        StreamHeader("h264", 2, ()).split(lengths[:-1])


def test_sets_are_read_from_the_records_of_mp4() -> None:
    sps, pps = b"\x67\x64\x00\x0d\xac", b"\x68\xee\x38"
    record = b"\x01\x64\x00\x0d\xff\xe1" + b"\x00\x05" + sps + b"\x01" + b"\x00\x03" + pps
    assert read_header("h264", record) == StreamHeader("h264", 4, (sps, pps))
    vps, sps, pps, sei = b"\x40\x01\x0c", b"\x42\x01\x01", b"\x44\x01\xc1", b"\x4e\x01\x05"
    arrays = b"".join(
        bytes([0x80 | unit[0] >> 1 & 63]) + b"\x00\x01" + b"\x00\x03" + unit for unit in (vps, sps, pps, sei)
    )
    record = b"\x01" + bytes(20) + b"\x03" + b"\x04" + arrays
    assert read_header("hevc", record) == StreamHeader("hevc", 4, (vps, sps, pps))


def test_a_container_without_sets_is_refused() -> None:
    with pytest.raises(ValueError, match="no parameter sets"):
        read_header("h264", b"")


def test_sets_stand_behind_the_delimiter() -> None:
    header = StreamHeader("hevc", 4, ())
    delimiter, picture = b"\x46\x01\x10", b"\x2a\x01\xac"
    assert header.add_sets([delimiter, picture], (b"\x40\x01",)) == [delimiter, b"\x40\x01", picture]
    assert header.add_sets([picture], (b"\x40\x01",)) == [b"\x40\x01", picture]


def test_bits_are_replaced_by_more_bits_of_whole_bytes() -> None:
    assert replace_bits(b"\xff\x00", 4, 4, 0, 4) == b"\xf0\x00"
    assert replace_bits(b"\xff\x0f", 4, 1, 0b010101010, 9) == b"\xf5\x57\x0f"
    with pytest.raises(ValueError, match="whole number of bytes"):
        replace_bits(b"\xff", 0, 1, 0, 2)
