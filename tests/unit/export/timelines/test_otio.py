"""OpenTimelineIO's JSON, read back by OpenTimelineIO itself; frames by hand arithmetic."""

from fractions import Fraction

import opentimelineio as otio
from timeline_tools import HOSTILE, hostile_timeline, span, timeline

from fastface.export.timelines.otio import render_otio

NTSC = Fraction(30_000, 1001)


def _read(text: str) -> otio.schema.Timeline:
    return otio.adapters.read_from_string(text, "otio_json")


def test_another_program_reads_the_frames_of_each_span() -> None:
    (text,) = render_otio(timeline(span("Alice", "1.000", "3.480"), span("Bob", "2.040", "2.080"))).values()
    read = _read(text)
    clips = list(read.find_clips())
    assert [clip.name for clip in clips] == ["Alice", "Bob"]
    ranges = [(clip.source_range.start_time.value, clip.source_range.duration.value) for clip in clips]
    assert ranges == [(25, 62), (51, 1)]  # 1.000 × 25; 2.480 × 25
    assert [clip.range_in_parent().start_time.value for clip in clips] == [0, 62]
    assert read.duration() == otio.opentime.RationalTime(63, 25)
    assert read.global_start_time.to_timecode() == "01:00:00:00"
    assert {clip.media_reference.target_url for clip in clips} == {"file:///films/film.mp4"}
    assert {clip.available_range().duration.value for clip in clips} == {1500}  # a minute


def test_source_times_are_the_timecode_of_the_file() -> None:
    one = timeline(span("Alice", "2", "4", offset="0.48"), timecode="10:00:00:00", offset="0.48")
    (text,) = render_otio(one).values()
    (clip,) = _read(text).find_clips()
    assert clip.source_range.start_time.to_timecode() == "10:00:02:00"
    assert clip.available_range().start_time.to_timecode() == "10:00:00:00"
    assert clip.available_range().duration.value == 1500  # without what a player shows before the first frame


def test_without_timecode_the_source_begins_with_its_first_stream() -> None:
    (text,) = render_otio(timeline(span("Alice", "2", "4", offset="0.48"), offset="0.48")).values()
    (clip,) = _read(text).find_clips()
    assert clip.source_range.start_time.value == 62  # 2.48 × 25
    assert clip.available_range().duration.value == 1512


def test_drop_frame_timecode_is_counted_by_the_program_as_it_was_written() -> None:
    one = timeline(span("Alice", "60.060", "61.061"), rate=NTSC, timecode="01:00:00;00")
    (text,) = render_otio(one).values()
    read = _read(text)
    (clip,) = read.find_clips()
    start = clip.source_range.start_time
    assert start.value == 107_892 + 1800
    assert otio.opentime.to_timecode(start, float(NTSC), drop_frame=True) == "01:01:00;02"
    assert clip.source_range.duration.value == 30


def test_hostile_names_are_names() -> None:
    (text,) = render_otio(hostile_timeline()).values()
    names = [clip.name for clip in _read(text).find_clips()]
    assert len(names) == len(HOSTILE)
    assert {"quote \" and ' and `", "a --> b", "; comment # = \\", "👩‍👩‍👧 Zoë"} <= set(names)


def test_a_rate_that_timecode_cannot_count_gives_no_timeline() -> None:
    assert render_otio(timeline(span("Alice", "1", "2"), rate=None)) == {}
