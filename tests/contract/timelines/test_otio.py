"""OpenTimelineIO's JSON, read back by OpenTimelineIO itself; frames by hand arithmetic."""

import json
from fractions import Fraction

from otio_tools import ReadClip, read_clips
from timeline_tools import HOSTILE, hostile_timeline, span, timeline

from fastface.export.timelines.sequences import render_otio

NTSC = Fraction(30_000, 1001)
HOUR = 3600 * 25
"""Frames."""


def _clips(text: str) -> list[ReadClip]:
    return read_clips(text, "otio_json")


def test_another_program_reads_the_frames_of_each_span() -> None:
    (text,) = render_otio(timeline(span("Alice", "1.000", "3.480"), span("Bob", "2.040", "2.080"))).values()
    clips = _clips(text)
    assert [clip.name for clip in clips] == ["Alice", "Bob"]
    assert [(clip.start, clip.length) for clip in clips] == [(25, 62), (51, 1)]  # 1.000 × 25; 2.480 × 25
    assert json.loads(text)["global_start_time"]["value"] == HOUR
    assert {clip.url for clip in clips} == {"file:///films/film.mp4"}
    assert {(clip.source_start, clip.source_length) for clip in clips} == {(0, 1500)}  # a minute


def test_source_times_are_the_timecode_of_the_file() -> None:
    one = timeline(span("Alice", "2", "4", offset="0.48"), timecode="10:00:00:00", offset="0.48")
    (text,) = render_otio(one).values()
    (clip,) = _clips(text)
    assert (clip.start, clip.length) == (10 * HOUR + 50, 50)
    # Without what a player shows before the first frame.
    assert (clip.source_start, clip.source_length) == (10 * HOUR, 1500)


def test_without_timecode_the_source_begins_with_its_first_stream() -> None:
    (text,) = render_otio(timeline(span("Alice", "2", "4", offset="0.48"), offset="0.48")).values()
    (clip,) = _clips(text)
    assert (clip.start, clip.length) == (62, 50)  # 2.48 × 25
    assert (clip.source_start, clip.source_length) == (0, 1512)


def test_drop_frame_timecode_is_a_number_of_frames() -> None:
    one = timeline(span("Alice", "60.060", "61.061"), rate=NTSC, timecode="01:00:00;00")
    (text,) = render_otio(one).values()
    (clip,) = _clips(text)
    assert (clip.start, clip.length) == (107_892 + 1800, 30)  # an hour of drop-frame timecode, then frame 1800
    assert clip.rate == float(NTSC)


def test_hostile_names_are_names() -> None:
    (text,) = render_otio(hostile_timeline()).values()
    names = [clip.name for clip in _clips(text)]
    assert len(names) == len(HOSTILE)
    assert {"quote \" and ' and `", "a --> b", "; comment # = \\", "👩‍👩‍👧 Zoë"} <= set(names)


def test_a_rate_that_timecode_cannot_count_gives_no_timeline() -> None:
    assert render_otio(timeline(span("Alice", "1", "2"), rate=None)) == {}
