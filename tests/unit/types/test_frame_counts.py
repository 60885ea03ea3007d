"""Counts of frames: sums by hand."""

from fractions import Fraction

from fastface.index.records import UnitRecord
from fastface.types import FrameCounts


def test_counts_of_units_add_up_to_those_of_their_video() -> None:
    units = [
        UnitRecord("000000", Fraction(0), Fraction(4), dense=False, decoded=9, sampled=20, inferred=19, quarantined=1),
        UnitRecord("000001", Fraction(4), None, dense=False, sampled=10, inferred=10, repeated=3, blurred=2, faces=7),
    ]
    total = sum(units, FrameCounts(unsharp=5))
    expected = FrameCounts(sampled=30, inferred=29, repeated=3, blurred=2, unsharp=5, quarantined=1, faces=7)
    assert total == expected


def test_only_counts_of_frames_are_selected() -> None:
    unit = UnitRecord("000000", Fraction(0), None, dense=False, decoded=100, sampled=20, inferred=20, faces=4)
    counts = {"sampled": 20, "inferred": 20, "repeated": 0, "blurred": 0, "unsharp": 0, "quarantined": 0, "faces": 4}
    assert unit.select_counts() == counts
