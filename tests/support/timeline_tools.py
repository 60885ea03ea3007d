"""Timelines of made-up videos, for tests of their formats."""

from fractions import Fraction

from fastface.export.timelines.timeline import Timeline, TimelineSpan

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
        has_one_size=True,
        has_sound=True,
        spans=spans,
    )


def hostile_timeline() -> Timeline:
    """One span a hostile name, each three seconds, two seconds after the one before."""
    spans = (span(name, str(2 * place), str(2 * place + 3)) for place, name in enumerate(HOSTILE))
    return timeline(*spans)
