"""SubRip and WebVTT: their texts to the letter, and their rules: W3C, "WebVTT: The Web Video Text Tracks Format"."""

import html
import re

from timeline_tools import HOSTILE, hostile_timeline, span, timeline

from fastface.export.timelines.timed_texts import render_srt, render_vtt

_CUE = re.compile(r"\d{2,}:[0-5]\d:[0-5]\d([.,])\d{3} --> \d{2,}:[0-5]\d:[0-5]\d\1\d{3}")


def test_a_person_has_a_file_with_a_cue_a_span_in_the_time_of_a_player() -> None:
    spans = (span("Alice", "1", "3.5", "0.25"), span("Bob", "2", "2.04"), span("Alice", "3661.001", "36000"))
    assert render_srt(timeline(*spans)) == {
        "Alice.srt": "1\n00:00:01,250 --> 00:00:03,750\nAlice\n\n2\n01:01:01,001 --> 10:00:00,000\nAlice\n",
        "Bob.srt": "1\n00:00:02,000 --> 00:00:02,040\nBob\n",
    }
    assert render_vtt(timeline(*spans)) == {
        "Alice.vtt": "WEBVTT\n\n00:00:01.250 --> 00:00:03.750\nAlice\n\n01:01:01.001 --> 10:00:00.000\nAlice\n",
        "Bob.vtt": "WEBVTT\n\n00:00:02.000 --> 00:00:02.040\nBob\n",
    }


def test_a_hostile_name_is_the_one_line_of_its_cue() -> None:
    files = render_srt(hostile_timeline())
    assert len(files) == len(HOSTILE)
    for text in files.values():
        number, times, name, *rest = text.split("\n")
        assert (number, rest) == ("1", [""])
        assert _CUE.fullmatch(times)
        assert name
        assert not re.search(r"[<>{}]|-->", name)


def test_webvtt_escapes_what_it_reads_as_tags() -> None:
    files = render_vtt(hostile_timeline())
    assert len(files) == len(HOSTILE)
    names = set()
    for text in files.values():
        head, blank, times, name, end = text.split("\n")
        assert (head, blank, end) == ("WEBVTT", "", "")
        assert _CUE.fullmatch(times)
        assert "-->" not in name
        assert not re.search(r"<|&(?!(amp|lt|gt);)", name)
        names.add(html.unescape(name))
    assert {"a --> b", "<b>&amp;</b>{\\an8}", "👩‍👩‍👧 Zoë"} <= names


def test_persons_with_odd_names_have_files_that_stay_in_the_folder() -> None:
    files = render_srt(hostile_timeline()) | render_vtt(timeline(span("../../etc/x", "0", "1"), span("CON", "0", "1")))
    assert len(files) == len(HOSTILE) + 2
    for name in files:
        assert "/" not in name
        assert not name.startswith(".")
        assert name.isprintable() or "👩" in name
