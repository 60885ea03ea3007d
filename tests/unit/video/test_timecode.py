"""Timecodes of later frames: values from SMPTE ST 12-1's rule of drop-frame counting, by hand."""

from fractions import Fraction

import pytest

from fastface.video.timecode import advance_timecode, count_timecode

NTSC = Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("text", "rate", "num_frames", "later"),
    [
        ("10:00:00:00", Fraction(25), 55, "10:00:02:05"),
        ("23:59:59:24", Fraction(25), 1, "00:00:00:00"),
        ("01:00:00:00", Fraction(24000, 1001), 24 * 60, "01:01:00:00"),
        ("00:00:59;29", NTSC, 1, "00:01:00;02"),  # two labels are left out each minute …
        ("00:09:59;29", NTSC, 1, "00:10:00;00"),  # … but the tenth
        ("01:00:00;00", NTSC, 17982, "01:10:00;00"),
        ("23:59:59;29", NTSC, 1, "00:00:00;00"),
        ("00:00:59;59", Fraction(60000, 1001), 1, "00:01:00;04"),
        ("00:00:00:00", NTSC, 1800, "00:01:00:00"),  # no drop-frame timecode
    ],
)
def test_a_later_frame(text: str, rate: Fraction, num_frames: int, later: str) -> None:
    assert advance_timecode(text, rate, num_frames) == later


@pytest.mark.parametrize("text", ["", "noon", "10:00:00", "10:00:00:25", "10:00:00:00 "[:7]])
def test_what_is_no_timecode_gives_none(text: str) -> None:
    assert advance_timecode(text, Fraction(25), 5) == ""
    assert count_timecode(text, Fraction(25)) is None


@pytest.mark.parametrize(
    ("text", "rate", "count"),
    [
        ("00:00:00:00", Fraction(25), 0),
        ("10:00:00:05", Fraction(25), 900_005),
        ("00:01:00;02", NTSC, 1800),
        ("00:10:00;00", NTSC, 17_982),
        ("01:00:00.00", NTSC, 107_892),
        ("01:00:00:00", NTSC, 108_000),
    ],
)
def test_frames_up_to_a_timecode(text: str, rate: Fraction, count: int) -> None:
    assert count_timecode(text, rate) == count
