"""The XML of Final Cut Pro 7, read back by OpenTimelineIO's adapter; frames by hand arithmetic."""

from fractions import Fraction
from xml.etree import ElementTree

import pytest
from otio_tools import ReadClip, read_clips
from timeline_tools import HOSTILE, hostile_timeline, span, timeline

from fastface.export.timelines.sequences import render_fcp7


def _clips(text: str) -> list[ReadClip]:
    return read_clips(text, "fcp_xml")


def test_another_program_reads_the_frames_of_each_span() -> None:
    spans = (span("Alice", "1.000", "3.480"), span("Bob", "2.040", "2.080"))
    (text,) = render_fcp7(timeline(*spans)).values()
    clips = _clips(text)
    assert [clip.name for clip in clips] == ["Alice", "Bob"]
    assert [(clip.start, clip.length) for clip in clips] == [(25, 62), (51, 1)]  # 1.000 × 25; 2.480 × 25
    starts = [one.findtext("start") for one in ElementTree.fromstring(text).iter("clipitem")]
    assert starts == ["0", "62"]
    assert {clip.rate for clip in clips} == {25}
    assert {clip.url for clip in clips} == {"file:///films/film.mp4"}


def test_source_frames_count_from_the_timecode_of_the_file() -> None:
    one = timeline(span("Alice", "2", "4", offset="0.5"), timecode="10:00:00:00")
    (text,) = render_fcp7(one).values()
    (clip,) = _clips(text)
    root = ElementTree.fromstring(text)
    assert [root.findtext(f".//clipitem/{tag}") for tag in ("start", "end", "in", "out")] == ["0", "50", "50", "100"]
    assert root.findtext(".//file/timecode/string") == "10:00:00:00"
    assert root.findtext("sequence/timecode/string") == "01:00:00:00"
    assert clip.source_start == 10 * 3600 * 25


@pytest.mark.parametrize(
    ("rate", "timebase", "ntsc", "shown"),
    [
        (Fraction(24_000, 1001), "24", "TRUE", "NDF"),
        (Fraction(30_000, 1001), "30", "TRUE", "DF"),
        (Fraction(60_000, 1001), "60", "TRUE", "DF"),
        (Fraction(24), "24", "FALSE", "NDF"),
        (Fraction(50), "50", "FALSE", "NDF"),
    ],
)
def test_a_rate_is_a_whole_number_and_a_sign_for_ntsc(rate: Fraction, timebase: str, ntsc: str, shown: str) -> None:
    (text,) = render_fcp7(timeline(span("Alice", "1", "2"), rate=rate)).values()
    root = ElementTree.fromstring(text)
    rates = [(one.findtext("timebase"), one.findtext("ntsc")) for one in root.iter("rate")]
    assert len(rates) == 5
    assert set(rates) == {(timebase, ntsc)}
    assert [one.text for one in root.iter("displayformat")] == [shown, shown]


def test_hostile_names_are_text_of_valid_xml() -> None:
    (text,) = render_fcp7(hostile_timeline()).values()
    names = [clip.name for clip in _clips(text)]
    assert len(names) == len(HOSTILE)
    assert {"a --> b", "<b>&amp;</b>{\\an8}", "[CHAPTER]", "👩‍👩‍👧 Zoë", "line_break__here"} <= set(names)


def test_a_rate_that_timecode_cannot_count_gives_no_sequence() -> None:
    assert render_fcp7(timeline(span("Alice", "1", "2"), rate=None)) == {}
