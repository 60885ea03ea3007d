"""Timelines and boxes of made-up videos, for tests of their formats."""

import csv
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

from fastface.export.timelines.boxes.hit_boxes import BoxTimeline, read_boxes
from fastface.export.timelines.timeline import Timeline, TimelineSpan
from fastface.names import text_cell

HOSTILE = (
    "line\nbreak\r\nhere",
    "quote \" and ' and `",
    "a --> b",
    "<b>&amp;</b>{\\an8}",
    "bell\x07 null\x00 escape\x1b[31m",
    "a|b |D:9",
    "=1+1",
    "; comment # = \\",
    "[CHAPTER]",
    "* FROM CLIP NAME: other.mov",
    "👩‍👩‍👧 Zoë",
    "\u202eevil",
    "\udce9 byte",
    ", comma",
    "NOTE",
    "42",
)
"""Names that mean something to one format or another."""


def span(person: str, start: str, end: str, offset: str = "0") -> TimelineSpan:
    first, last, shift = Fraction(start), Fraction(end), Fraction(offset)
    return TimelineSpan(person, first, last, first + shift, last + shift)


def timeline(
    *spans: TimelineSpan,
    rate: Fraction | None = Fraction(25),
    timecode: str = "",
    end: str = "60",
    offset: str = "0",
    file_name: str = "film.mp4",
) -> Timeline:
    return Timeline(
        video_id="film.mp4",
        file_name=file_name,
        address="file:///films/film.mp4",
        rate=rate,
        timecode=timecode,
        end=Fraction(end),
        player_end=Fraction(end) + Fraction(offset),
        size=(640, 360),
        stored_size=(640, 360),
        has_one_size=True,
        has_sound=True,
        spans=spans,
    )


def hostile_timeline() -> Timeline:
    """One span a hostile name, each three seconds, two seconds after the one before."""
    spans = (span(name, str(2 * place), str(2 * place + 3)) for place, name in enumerate(HOSTILE))
    return timeline(*spans)


HIT_COLUMNS = (
    "video", "target", "time", "pts", "similarity", "margin", "det_score", "quality", "x1", "y1", "x2", "y2", "track",
    "by", "time_hms", "picture", "player_time",
)  # fmt: skip
"""As in docs/outputs.md."""

Box = tuple[float, float, float, float]


def hit(
    person: str, time: str, box: Box | None, *, track: int = 1, offset: str = "0", video: str = "film.mp4"
) -> dict[str, str]:
    """A row of hits.csv; no box: a hit by the body alone."""
    sides = ("x1", "y1", "x2", "y2")
    shown = {} if box is None else {**dict(zip(sides, (f"{side:.1f}" for side in box), strict=True)), "track": track}
    player_time = f"{float(Fraction(time) + Fraction(offset)):.3f}"
    row = {"video": video, "target": person, "time": time, "similarity": "0.6200", "player_time": player_time, **shown}
    return {name: str(row.get(name, "")) for name in HIT_COLUMNS}


def write_hits(path: Path, rows: Iterable[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, HIT_COLUMNS, lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(rows)


def boxes(folder: Path, shown: Timeline, *rows: dict[str, str]) -> BoxTimeline:
    """The boxes of one video with these hits."""
    write_hits(folder / "hits.csv", rows)
    (found,) = read_boxes(folder / "hits.csv", {"film.mp4": shown})
    return found


def hostile_boxes(folder: Path) -> BoxTimeline:
    """A hit of each hostile name at the start of its span."""
    rows = [
        hit(text_cell(name), f"{2 * place}.000", (10, 20, 110, 220), track=place) for place, name in enumerate(HOSTILE)
    ]
    return boxes(folder, hostile_timeline(), *rows)
