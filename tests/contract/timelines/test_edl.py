"""Edit decision lists, read back by OpenTimelineIO's CMX 3600 adapter; frames by hand arithmetic."""

import re
from fractions import Fraction

import pytest
from otio_tools import ReadClip, read_clips
from timeline_tools import hostile_timeline, span, timeline

from fastface.export.timelines.edit_lists import render_edl

NTSC = Fraction(30_000, 1001)


def _clips(text: str, rate: float) -> list[ReadClip]:
    return read_clips(text, "cmx_3600", rate)


def test_another_program_reads_the_frames_of_each_span() -> None:
    (text,) = render_edl(timeline(span("Alice", "1.000", "3.480"), span("Bob", "2.040", "2.080"))).values()
    clips = _clips(text, 25)
    assert [(clip.start, clip.length) for clip in clips] == [(25, 62), (51, 1)]  # 1.000 × 25; 2.480 × 25
    assert [clip.name for clip in clips] == ["film.mp4", "film.mp4"]
    assert [clip.comments for clip in clips] == [["COMMENT: Alice"], ["COMMENT: Bob"]]


def test_the_layout_is_that_of_cmx_3600() -> None:
    files = render_edl(timeline(span("Alice", "1", "3")))
    assert files == {
        "cuts.edl": "TITLE: film.mp4\nFCM: NON-DROP FRAME\n\n"
        "001  AX       V     C        00:00:01:00 00:00:03:00 01:00:00:00 01:00:02:00\n"
        "* FROM CLIP NAME: film.mp4\n* COMMENT: Alice\n"
    }


def test_cuts_follow_each_other_on_the_record_side() -> None:
    (text,) = render_edl(timeline(span("A", "0", "2"), span("B", "1", "2"), span("A", "10", "10.5"))).values()
    records = re.findall(r"C +\S+ \S+ (\S+) (\S+)$", text, re.MULTILINE)
    assert records == [
        ("01:00:00:00", "01:00:02:00"),
        ("01:00:02:00", "01:00:03:00"),
        ("01:00:03:00", "01:00:03:13"),  # 10.5 × 25 = 262.5: the last half frame counts whole
    ]


def test_the_timecode_of_the_source_is_that_of_the_file() -> None:
    """Timecode belongs to the first frame; so what a player counts before it does not."""
    one = timeline(span("Alice", "2", "4", offset="0.5"), timecode="10:00:00:00")
    (text,) = render_edl(one).values()
    assert "10:00:02:00 10:00:04:00 01:00:00:00 01:00:02:00" in text
    assert [(clip.start, clip.length) for clip in _clips(text, 25)] == [((10 * 3600 + 2) * 25, 50)]


def test_without_timecode_a_source_is_counted_from_its_start() -> None:
    (text,) = render_edl(timeline(span("Alice", "2", "4", offset="0.48"))).values()
    assert "00:00:02:12 00:00:04:12" in text


@pytest.mark.parametrize(
    ("rate", "timecode", "mode", "source"),
    [
        (NTSC, "", "DROP FRAME", "00:01:00;02 00:01:00;03"),
        (NTSC, "00:00:00:00", "NON-DROP FRAME", "00:01:00:00 00:01:00:01"),
        (NTSC, "01:00:00.00", "DROP FRAME", "01:01:00;02 01:01:00;03"),
        (Fraction(29_970, 1000), "", "DROP FRAME", "00:01:00;02 00:01:00;03"),
        (Fraction(60_000, 1001), "", "DROP FRAME", "00:00:30;00 00:00:30;01"),
        (Fraction(30), "", "NON-DROP FRAME", "00:01:00:00 00:01:00:01"),
        (Fraction(24_000, 1001), "", "NON-DROP FRAME", "00:01:15:00 00:01:15:01"),
        (NTSC, "no timecode", "DROP FRAME", "00:01:00;02 00:01:00;03"),
    ],
)
def test_frame_1800_has_the_label_of_drop_frame(rate: Fraction, timecode: str, mode: str, source: str) -> None:
    """SMPTE ST 12-1: 29.97 leaves out two labels each minute but the tenth. Times are rounded as in spans.json."""
    start, end = (f"{float(frame / rate):.3f}" for frame in (1800, 1801))
    (text,) = render_edl(timeline(span("Alice", start, end), rate=rate, timecode=timecode)).values()
    assert f"FCM: {mode}\n" in text
    assert f" {source} 01:00:00" in text


def test_drop_frame_timecode_is_read_back_to_the_frame() -> None:
    (text,) = render_edl(timeline(span("Alice", "3600.000", "3660.060"), rate=NTSC, end="4000")).values()
    (clip,) = _clips(text, float(NTSC))
    assert (clip.start, clip.length) == (107_892, 1801)  # 3600 × 29.97 = 107892.1


@pytest.mark.parametrize("frame", range(0, 100_000, 7919))
@pytest.mark.parametrize("rate", [NTSC, Fraction(24_000, 1001), Fraction(50), Fraction(60_000, 1001), Fraction(12)])
def test_a_time_rounded_to_a_thousandth_is_its_frame(rate: Fraction, frame: int) -> None:
    start, end = (f"{float(number / rate):.3f}" for number in (frame, frame + 5))
    (text,) = render_edl(timeline(span("Alice", start, end), rate=rate, timecode="00:00:00:00")).values()
    first, last = re.findall(r"(\d\d):(\d\d):(\d\d):(\d\d)", text)[:2]
    nominal = round(rate)
    counted = [(int(h) * 3600 + int(m) * 60 + int(s)) * nominal + int(f) for h, m, s, f in (first, last)]
    assert counted == [frame, frame + 5]


def test_a_list_has_at_most_999_events() -> None:
    spans = [span("Alice", str(place), f"{place}.5") for place in range(1000)]
    files = render_edl(timeline(*spans, end="1000"))
    assert list(files) == ["cuts.edl", "cuts-2.edl"]
    assert [len(_clips(text, 25)) for text in files.values()] == [999, 1]
    assert files["cuts-2.edl"].count("\n001  AX ") == 1


@pytest.mark.parametrize("rate", [None, Fraction(1, 10), Fraction(120)])
def test_a_rate_that_timecode_cannot_count_gives_no_list(rate: Fraction | None) -> None:
    assert render_edl(timeline(span("Alice", "1", "2"), rate=rate)) == {}


def test_hostile_names_make_no_event_and_no_note_of_their_own() -> None:
    hostile = hostile_timeline()
    (text,) = render_edl(hostile).values()
    clips = _clips(text, 25)
    assert len(clips) == len(hostile.spans) > 10
    assert {clip.name for clip in clips} == {"film.mp4"}
    assert [(clip.start, clip.length) for clip in clips] == [(50 * place, 75) for place in range(len(clips))]
    starts = ("TITLE: ", "FCM: ", "0", "* FROM CLIP NAME: film.mp4", "* COMMENT: ")
    assert [line for line in text.splitlines() if line and not line.startswith(starts)] == []
