"""FCPXML, checked against Apple's document type, read back by OpenTimelineIO's adapter; frames by hand arithmetic."""

import io
from dataclasses import replace
from fractions import Fraction

import pytest
from lxml import etree
from otio_tools import ReadClip, read_clips
from timeline_tools import HOSTILE, hostile_timeline, span, timeline

from fastface.export.timelines.sequences import render_fcpxml
from fastface.export.timelines.timeline import Timeline

NTSC = Fraction(30_000, 1001)

RULES = """
<!ENTITY % event_item "clip | audition | mc-clip | ref-clip | sync-clip | asset-clip | collection-folder
    | keyword-collection | smart-collection | project">
<!ENTITY % marker_item "marker | chapter-marker | rating | keyword | analysis-marker">
<!ENTITY % anchor_item "audio | video | clip | title | caption | mc-clip | ref-clip | sync-clip | asset-clip | audition
    | spine">
<!ELEMENT fcpxml (import-options?, resources?, (library | event* | (%event_item;)*))>
<!ATTLIST fcpxml version CDATA #FIXED "1.9">
<!ELEMENT resources (asset | effect | format | media)*>
<!ELEMENT format EMPTY>
<!ATTLIST format id ID #REQUIRED name CDATA #IMPLIED frameDuration CDATA #IMPLIED width CDATA #IMPLIED
    height CDATA #IMPLIED>
<!ELEMENT asset (media-rep+, metadata?)>
<!ATTLIST asset id ID #REQUIRED name CDATA #IMPLIED start CDATA #IMPLIED duration CDATA #IMPLIED
    hasVideo CDATA #IMPLIED format IDREF #IMPLIED hasAudio CDATA #IMPLIED>
<!ELEMENT media-rep (bookmark?)>
<!ATTLIST media-rep kind (original-media | proxy-media) "original-media" src CDATA #REQUIRED>
<!ELEMENT library (event | smart-collection)*>
<!ELEMENT event (%event_item;)*>
<!ATTLIST event name CDATA #IMPLIED>
<!ELEMENT project (sequence)>
<!ATTLIST project name CDATA #IMPLIED>
<!ELEMENT sequence (note?, spine, metadata?)>
<!ATTLIST sequence format IDREF #REQUIRED duration CDATA #IMPLIED tcStart CDATA #IMPLIED tcFormat (DF | NDF) #IMPLIED>
<!ELEMENT spine (audio | video | clip | title | mc-clip | ref-clip | sync-clip | asset-clip | audition | gap
    | transition)*>
<!ELEMENT asset-clip (note?, (%anchor_item;)*, (%marker_item;)*, metadata?)>
<!ATTLIST asset-clip ref IDREF #REQUIRED lane CDATA #IMPLIED offset CDATA #IMPLIED name CDATA #IMPLIED
    start CDATA #IMPLIED duration CDATA #IMPLIED format IDREF #IMPLIED tcFormat (DF | NDF) #IMPLIED>
<!ELEMENT keyword EMPTY>
<!ATTLIST keyword start CDATA #REQUIRED duration CDATA #IMPLIED value CDATA #REQUIRED note CDATA #IMPLIED>
"""
"""The elements that the file uses, with the content and the attributes of Apple's "FCPXML Reference". Final Cut Pro
refuses a file that breaks them."""


def _text(shown: Timeline) -> str:
    (text,) = render_fcpxml(shown).values()
    assert isinstance(text, str)
    return text


def _checked(shown: Timeline) -> etree._Element:
    """The root of the file, which obeys the document type."""
    root = etree.fromstring(_text(shown).encode())
    rules = etree.DTD(io.StringIO(RULES))
    assert rules.validate(root), rules.error_log
    return root


def _clips(shown: Timeline) -> list[ReadClip]:
    return read_clips(_text(shown), "fcpx_xml")


def _seconds(text: str) -> Fraction:
    assert text.endswith("s")
    return Fraction(text[:-1])


def test_the_rules_find_what_final_cut_pro_refuses() -> None:
    rules = etree.DTD(io.StringIO(RULES))
    for wrong in ('<asset id="r1" src="file:///a"/>', '<asset id="r1"/>', '<keyword value="Alice"/>'):
        assert not rules.validate(etree.fromstring(f'<fcpxml version="1.9"><resources>{wrong}</resources></fcpxml>'))


def test_another_program_reads_the_frames_of_each_span() -> None:
    shown = timeline(span("Alice", "1.000", "3.480"), span("Bob", "2.040", "2.080"))
    clips = _clips(shown)
    assert [(clip.name, clip.rate) for clip in clips] == [("Alice", 25), ("Bob", 25)]
    assert [(clip.start, clip.length) for clip in clips] == [(25, 62), (51, 1)]  # 1.000 × 25; 2.480 × 25
    root = _checked(shown)
    assert [_seconds(clip.get("offset")) * 25 for clip in root.iterfind(".//spine/asset-clip")] == [0, 62]
    assert _seconds(root.find(".//sequence").get("duration")) * 25 == 63
    assert root.find(".//media-rep").get("src") == "file:///films/film.mp4"
    assert (root.find(".//asset").get("duration"), root.find(".//asset").get("hasAudio")) == ("60s", "1")


def test_a_film_without_sound_has_a_picture_alone() -> None:
    (asset,) = _checked(replace(timeline(span("Alice", "1", "2")), has_sound=False)).iterfind(".//asset")
    assert (asset.get("hasVideo"), asset.get("hasAudio")) == ("1", None)


def test_each_span_is_a_keyword_of_the_whole_video() -> None:
    root = _checked(timeline(span("Alice", "1", "3"), span("Bob", "2", "4"), span("Alice", "10", "11")))
    (clip,) = root.iterfind(".//event/asset-clip")
    found = [(one.get("value"), one.get("start"), one.get("duration")) for one in clip.iterfind("keyword")]
    assert found == [("Alice", "1s", "2s"), ("Bob", "2s", "2s"), ("Alice", "10s", "1s")]
    assert (clip.get("start"), clip.get("duration")) == ("0s", "60s")


def test_source_times_are_the_timecode_of_the_file() -> None:
    shown = timeline(span("Alice", "2", "4", offset="0.48"), timecode="10:00:00:00", offset="0.48")
    assert [(clip.start, clip.length) for clip in _clips(shown)] == [((10 * 3600 + 2) * 25, 50)]
    assert _checked(shown).find(".//asset").get("start") == "36000s"


def test_without_timecode_the_source_begins_with_its_first_stream() -> None:
    (clip,) = _clips(timeline(span("Alice", "2", "4", offset="0.48"), offset="0.48"))
    assert (clip.start, clip.length) == (62, 50)  # 2.48 × 25


@pytest.mark.parametrize(
    ("rate", "frame_duration", "shown"),
    [
        (Fraction(24_000, 1001), "1001/24000s", "NDF"),
        (NTSC, "1001/30000s", "DF"),
        (Fraction(29_970, 1000), "1001/30000s", "DF"),
        (Fraction(60_000, 1001), "1001/60000s", "DF"),
        (Fraction(24), "1/24s", "NDF"),
        (Fraction(50), "1/50s", "NDF"),
    ],
)
def test_every_time_is_a_whole_number_of_frames(rate: Fraction, frame_duration: str, shown: str) -> None:
    root = _checked(timeline(span("Alice", "1.234", "2.345"), span("Bob", "7.7", "9"), rate=rate))
    assert root.find(".//format").get("frameDuration") == frame_duration
    times = [one.get(name) for one in root.iter() for name in ("offset", "start", "duration") if one.get(name)]
    assert len(times) == 15
    assert {(_seconds(time) / _seconds(frame_duration)).denominator for time in times} == {1}
    assert {one.get("tcFormat") for one in root.iter("asset-clip", "sequence")} == {shown}


def test_drop_frame_timecode_is_a_number_of_frames() -> None:
    """OpenTimelineIO's adapter takes 29.97 for 29, so the fractions themselves are checked."""
    root = _checked(timeline(span("Alice", "60.060", "61.061"), rate=NTSC, timecode="01:00:00;00"))
    (clip,) = root.iterfind(".//spine/asset-clip")
    # An hour of drop-frame timecode, then frame 1800.
    assert _seconds(clip.get("start")) == Fraction((107_892 + 1800) * 1001, 30_000)
    assert _seconds(clip.get("duration")) == Fraction(30 * 1001, 30_000)


def test_hostile_names_are_text_of_valid_xml() -> None:
    root = _checked(hostile_timeline())
    names = [clip.name for clip in _clips(hostile_timeline())]
    assert len(names) == len(HOSTILE)
    expected = {"a --> b", "<b>&amp;</b>{\\an8}", "[CHAPTER]", "👩‍👩‍👧 Zoë", "line_break__here"}
    assert expected <= set(names)
    assert expected <= {one.get("value") for one in root.iter("keyword")}


def test_a_rate_that_timecode_cannot_count_gives_no_project() -> None:
    assert render_fcpxml(timeline(span("Alice", "1", "2"), rate=None)) == {}
