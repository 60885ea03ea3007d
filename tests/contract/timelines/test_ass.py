"""Boxes as ASS, read back by pysubs2 and drawn by libass, FFmpeg's renderer; positions and times by hand."""

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pysubs2
import pytest
from media_tools import run_ffmpeg
from timeline_tools import HOSTILE, boxes, hit, hostile_boxes, span, timeline

from fastface.export.timelines.boxes.ass import render_ass
from fastface.export.timelines.boxes.hit_boxes import BoxTimeline

SIZE = (640, 360)
DRAWING = re.compile(r"\{\\an7\\pos\((\d+),(\d+)\)\\p1\}m 0 0 l (\d+) 0 (\d+) (\d+) 0 (\d+)\{\\p0\}")


def _events(video: BoxTimeline) -> list[pysubs2.SSAEvent]:
    return list(pysubs2.SSAFile.from_string("".join(render_ass(video)), format_="ass"))


def _frames(folder: Path, video: BoxTimeline, rate: Fraction, count: int) -> npt.NDArray[np.uint8]:
    """Black frames with the boxes drawn upon them, by FFmpeg: (count, height, width)."""
    (folder / "boxes.ass").write_text("".join(render_ass(video)), encoding="utf-8")
    source = f"color=black:size={SIZE[0]}x{SIZE[1]}:rate={rate}"
    options = ["-f", "lavfi", "-i", source, "-frames:v", str(count), "-vf", f"ass={folder / 'boxes.ass'}"]
    drawn = run_ffmpeg([*options, "-f", "rawvideo", "-pix_fmt", "gray", "-"])
    return np.frombuffer(drawn, np.uint8).reshape(count, SIZE[1], SIZE[0])


def test_another_program_reads_the_box_and_the_name_of_each_hit(tmp_path: Path) -> None:
    hits = [hit("Alice", f"{time:.3f}", (10 + place, 20, 110, 220)) for place, time in enumerate((1.0, 1.2, 1.4))]
    events = _events(boxes(tmp_path, timeline(span("Alice", "1", "1.6")), *hits))
    drawn = [event for event in events if event.style == "box1"]
    # From the middle between two hits to the middle between the next two.
    assert [(event.start, event.end) for event in drawn] == [(900, 1100), (1100, 1300), (1300, 1500)]
    found = [tuple(map(int, DRAWING.fullmatch(event.text).groups())) for event in drawn]  # type: ignore[union-attr]
    assert found == [(10, 20, 100, 100, 200, 200), (11, 20, 99, 99, 200, 200), (12, 20, 98, 98, 200, 200)]
    names = [event for event in events if event.style == "name1"]
    assert [(event.plaintext, event.start, event.end) for event in names] == [
        ("Alice", 900, 1100),
        ("Alice", 1100, 1300),
        ("Alice", 1300, 1500),
    ]


def test_times_are_those_of_a_player(tmp_path: Path) -> None:
    hits = [hit("Alice", f"{time}.000", (10, 20, 110, 220), offset="0.5") for time in (1, 2)]
    events = _events(boxes(tmp_path, timeline(span("Alice", "1", "3", "0.5")), *hits))
    assert [(event.start, event.end) for event in events if event.style == "box1"] == [(1000, 2000), (2000, 3000)]


def test_no_box_is_shown_where_the_person_is_away(tmp_path: Path) -> None:
    times = ("1.000", "1.200", "1.400", "5.000", "5.200")
    hits = [hit("Alice", time, (10, 20, 110, 220)) for time in times]
    events = _events(boxes(tmp_path, timeline(span("Alice", "1", "6")), *hits))
    drawn = [(event.start, event.end) for event in events if event.style == "box1"]
    assert drawn == [(900, 1100), (1100, 1300), (1300, 1500), (4900, 5100), (5100, 5300)]


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30_000, 1001), Fraction(60)])
def test_libass_draws_each_box_upon_its_frame(tmp_path: Path, rate: Fraction) -> None:
    """Each frame is a hit, and its box is at another place. A border is two pixels around the sides of the box."""
    lefts = [20 + 8 * frame for frame in range(30)]
    rows = [hit("Alice", f"{float(frame / rate):.3f}", (left, 100, left + 60, 180)) for frame, left in enumerate(lefts)]
    drawn = _frames(tmp_path, boxes(tmp_path, timeline(span("Alice", "0", "2"), rate=rate), *rows), rate, 30)
    for frame, left in enumerate(lefts):
        shown = np.flatnonzero(drawn[frame, 140] > 60)  # a row through the middle of the box, below the name
        assert (shown.min(), shown.max()) == (left - 1, left + 60), frame
        assert not (drawn[frame, 140, left + 2 : left + 58] > 60).any()
        column = np.flatnonzero(drawn[frame, 101:, left + 30] > 60) + 101
        assert column.max() == 180


def test_a_hostile_name_is_the_text_of_its_events(tmp_path: Path) -> None:
    events = _events(hostile_boxes(tmp_path))
    assert len(events) == 2 * len(HOSTILE)
    assert len([event for event in events if DRAWING.fullmatch(event.text)]) == len(HOSTILE)
    names = {event.plaintext for event in events if event.style.startswith("name")}
    assert len(names) == len(HOSTILE)
    assert {"a --> b", "<b>&amp;</b>(/an8)", "[CHAPTER]", ", comma", "; comment # = /", "👩‍👩‍👧 Zoë"} <= names
    # libass reads the file without a word.
    assert _frames(tmp_path, hostile_boxes(tmp_path), Fraction(1), 40).max() > 60
