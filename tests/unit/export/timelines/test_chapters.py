"""Chapters: FFmpeg's metadata format to the letter. `tests/contract` reads them back with ffprobe."""

from timeline_tools import span, timeline

from fastface.export.timelines.timed_texts import render_chapters


def _chapters(text: str) -> list[tuple[int, int, str]]:
    head, *blocks = text.split("[CHAPTER]\n")
    assert head == ";FFMETADATA1\n"
    found = []
    for block in blocks:
        base, start, end, title, _ = block.split("\n")
        assert base == "TIMEBASE=1/1000"
        found.append((int(start.removeprefix("START=")), int(end.removeprefix("END=")), title.removeprefix("title=")))
    return found


def test_a_chapter_begins_where_the_persons_change() -> None:
    spans = (span("Alice", "1", "5"), span("Bob", "3", "8"), span("Alice", "5", "6"), span("Bob", "9", "10"))
    (text,) = render_chapters(timeline(*spans, end="12")).values()
    assert _chapters(text) == [
        (0, 1000, "–"),
        (1000, 3000, "Alice"),
        (3000, 6000, "Alice, Bob"),
        (6000, 8000, "Bob"),
        (8000, 9000, "–"),
        (9000, 10_000, "Bob"),
        (10_000, 12_000, "–"),
    ]


def test_chapters_have_the_time_of_a_player_and_reach_the_last_span() -> None:
    (text,) = render_chapters(timeline(span("Alice", "0", "1.5", "0.25"), end="1.5")).values()
    assert _chapters(text) == [(0, 250, "–"), (250, 1750, "Alice")]


def test_syntax_in_a_name_is_escaped() -> None:
    (text,) = render_chapters(timeline(span("; a = #b \\", "0", "1"), end="1")).values()
    assert _chapters(text) == [(0, 1000, "\\; a \\= \\#b \\\\ ")]
