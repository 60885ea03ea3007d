"""The text of a night: the most urgent first, one line a fact, and never too long for a mail."""

import time
from collections.abc import Iterator

import pytest
from night_tools import night, record, span

from fastface.review.nights.night_record import NightRecord
from fastface.review.nights.night_text import format_night, summarize_night

NEXT = "2026-03-02T22:00:00+00:00"


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_night_reads_from_failures_to_known_failures() -> None:
    old = record("old.mp4", "failed", "o1", "no frames")
    first = night(NightRecord(), [record("a.mp4"), old], [span("a.mp4", "Ada", 1, 3)])
    videos = [
        *(record("a.mp4"), record("c.mp4"), record("bad.mp4", "failed", "b1", "not a video"), old),
        record("d.mp4", "scanning"),
    ]
    spans = [span("a.mp4", "Ada", 1, 3), span("c.mp4", "Ada", 65, 70), span("c.mp4", "Ada", 3700, 3702.5)]
    killed = first.record.begin("2026-03-02T20:00:00+00:00")
    assert format_night(night(killed, videos, spans, started=NEXT).report) == [
        "fastface: 1 new failure, 2 new spans of 1 person, 1 new video; 1 video left; 1 known failure",
        "run, 2026-03-02 22:00 to 2026-03-02 06:00: /out",
        "Since the run of 2026-03-01 22:00; 5 videos in the inputs.",
        "Runs since then that did not finish; their news is in this report: 2026-03-02 20:00",
        "",
        "New failures: 1",
        "  bad.mp4: failed: not a video",
        "",
        "New sightings: 2",
        "  Ada: 2 spans, 7.5 s, 1 video",
        "    c.mp4: 1:05-1:10, 1:01:40-1:01:42",
        "",
        "New videos: 1",
        "  c.mp4",
        "",
        "Left for the next run: 1",
        "  d.mp4: not reached",
        "",
        "Known failures, unchanged: 1",
        "  old.mp4: failed: no frames",
    ]


def test_a_night_without_news_is_short() -> None:
    first = night(NightRecord(), [record("a.mp4")])
    report = night(first.record, [record("a.mp4")], started=NEXT).report
    assert format_night(report) == [
        "fastface: nothing new",
        "run, 2026-03-02 22:00 to 2026-03-02 06:00: /out",
        "Since the run of 2026-03-01 22:00; 1 video in the inputs.",
    ]


def test_an_early_end_is_named() -> None:
    lines = format_night(night(NightRecord(), [record("a.mp4")], ended="stopped by SIGTERM").report)
    assert lines[2:4] == [
        "This run ended early: stopped by SIGTERM. The next report repeats its news.",
        "First report of this folder; 1 video in the inputs.",
    ]


def test_the_text_of_a_full_night_has_at_most_sixty_short_lines() -> None:
    """Everything is there a hundred times, under long names with line breaks."""
    ending = " long\nname" * 30 + ".mp4"
    names = [f"{place:03}{ending}" for place in range(100)]
    old = [record(f"old {name}", "failed", "o1", "no frames") for name in names]
    new = [record(f"new {name}", "failed", "n1", "no frames") for name in names]
    films, left = [record(name) for name in names], [record(f"left {name}", "scanning") for name in names]
    persons = tuple(f"person {place}" for place in range(50))
    spans = [span(name, person, 10 * n, 10 * n + 5) for name in names for person in persons[:3] for n in range(9)]
    spans += [span(names[0], person, 0, 1) for person in persons[3:]]
    before = night(NightRecord(), old).record
    for place in range(9):
        before = before.begin(f"2026-03-02T1{place}:00:00+00:00")
    videos = [*old, *new, *films, *left]
    report = night(before, videos, spans, persons=persons, started=NEXT).report
    lines = format_night(report)
    assert 50 <= len(lines) <= 60
    assert max(map(len, lines)) <= 200 + len("    ")
    assert all(line.isprintable() for line in lines)
    assert sum(line.strip().startswith("and ") and line.endswith(" more") for line in lines) == 5
    assert lines[6].startswith("  new 000 long_name") and lines[6].endswith(".mp4: failed: no frames")
    assert lines[3].endswith("2026-03-02 10:00, 2026-03-02 11:00, 2026-03-02 12:00, and 6 more")
    assert summarize_night(report) == (
        "100 new failures, 2747 new spans of 50 persons, 100 new videos; 100 videos left; 100 known failures"
    )


def test_each_person_has_a_line_before_any_has_many_videos() -> None:
    films = [record(f"{place:02}.mp4") for place in range(20)]
    spans = [span(film.video_id, person, 1, 3) for person in ("Ada", "Bo", "Cy") for film in films]
    spans += [span("00.mp4", "Ada", 5, 9)]
    lines = format_night(night(NightRecord(), films, spans, persons=("Ada", "Bo", "Cy")).report)
    start = lines.index("New sightings: 61")
    assert lines[start + 1 : start + 6] == [
        "  Ada: 21 spans, 44.0 s, 20 videos, searched for the first time",
        "    00.mp4: 0:01-0:03, 0:05-0:09",
        "    01.mp4: 0:01-0:03",
        "    02.mp4: 0:01-0:03",
        "    and 17 more",
    ]
    assert [line.split(":")[0] for line in lines if line.startswith("  ") and "spans, " in line] == [
        "  Ada",
        "  Bo",
        "  Cy",
    ]
