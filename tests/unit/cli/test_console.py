"""What commands print at their end: short tables, the worst first, numbers that add up, and why it is not 0."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer

from fastface.cli.console import finish
from fastface.cli.options import Invocation
from fastface.config import Config
from fastface.gallery.thresholds import MatchThresholds, TrackRule
from fastface.runtime.run_report import Counts, RunResult, VideoOutcome
from fastface.types import Span, SpanRow
from fastface.video.discover import Skipped

UNREAD = ("failed", "no_video", "quarantined")
LONG = f"{'a very long name of a film ' * 6}Иван 👨\u200d👩\u200d👧.mp4"


def video(name: str, state: str = "done", reason: str = "", **more: Any) -> VideoOutcome:
    return VideoOutcome(
        path=Path("/films") / name, id=name, state=state, reason=reason, coverage=1.0, duration=10.0, sampled=50,
        inferred=50, repeated=0, quarantined=0, faces=4, damaged=0, seconds={"wait_slot": 1.0, "decode": 2.0}, **more,
    )  # fmt: skip


def span(name: str, label: str, similarity: float = 0.6) -> SpanRow:
    return SpanRow(Span(name, label, 1.0, 3.5, 1.5, 3.0, 4, similarity, similarity))


def printed(result: RunResult, capsys: pytest.CaptureFixture[str], **how: bool) -> tuple[int, list[str], list[str]]:
    """(exit code, lines of standard output, lines of standard error)."""
    usual = {"json": False, "quiet": False, "verbose": False, "dry_run": False}
    with pytest.raises(typer.Exit) as ended:
        finish(result, Invocation(Config, **{**usual, **how}))
    out, err = capsys.readouterr()
    return ended.value.exit_code, out.splitlines(), err.splitlines()


def rows(lines: list[str], column: str) -> list[list[str]]:
    """The cells of the table whose heading has a column, without the heading."""
    starts = [number for number, line in enumerate(lines) if line.startswith("┃") and column in line]
    (start,) = starts
    found = []
    for line in lines[start + 2 :]:
        if line.startswith("└"):
            break
        if line.startswith("│"):
            found.append([cell.strip() for cell in re.split("│", line)[1:-1]])
    return found


def test_videos_are_at_most_twenty_rows_the_worst_first(capsys: pytest.CaptureFixture[str]) -> None:
    videos = (
        *(video(f"film{number:02}.mp4") for number in range(30)),
        video("sound.m4a", "no_video", "it has no video stream"),
        video("broken.mp4", "failed", "no frames"),
        video("new.mp4", "unstable", "still being written; run again later"),
    )
    result = RunResult("scan", Path("out"), videos, counts=Counts(videos=33))
    code, out, err = printed(result, capsys)
    table = rows(out, "state")
    assert [row[:2] for row in table[:4]] == [
        ["broken.mp4", "failed"],
        ["new.mp4", "still being written"],
        ["sound.m4a", "audio only"],
        ["film00.mp4", "done"],
    ]
    assert len(table) == 20
    assert "and 13 more videos: 13 done; all are in run.json" in out
    assert (code, err) == (
        3,
        ["fastface: exit code 3: 3 of 33 videos not done (1 audio only, 1 still being written, 1 failed)"],
    )


def test_failures_are_reported_when_all_else_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    videos = (
        video("film.mp4"),
        video("broken.mp4", "failed", "no frames"),
        video("new.mp4", "unstable", "still being written; run again later"),
    )
    closed = Skipped(Path("/closed"), "cannot be read: Permission denied", is_fault=True)
    twice = Skipped(Path("/films/b.mp4"), "the same file as another one")
    result = RunResult("run", Path("out"), videos, skipped=(closed, twice), export_failures=("clips/a.mp4: no space",))
    code, out, err = printed(result, capsys, quiet=True)
    assert (code, out) == (3, [])
    assert err == [
        "fastface: broken.mp4: failed: no frames",
        "fastface: new.mp4: still being written; run again later",
        "fastface: skipped '/closed': cannot be read: Permission denied",
        "fastface: not exported: clips/a.mp4: no space",
        "fastface: exit code 3: 2 of 3 videos not done (1 still being written, 1 failed), 1 input not searched, "
        "1 export not made",
    ]


def test_a_clean_end_is_silent_when_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(RunResult("run", Path("out"), (video("a.mp4"),)), capsys, quiet=True) == (0, [], [])


def test_hits_of_persons_add_up_to_all(capsys: pytest.CaptureFixture[str]) -> None:
    """A hit whose span is dropped as too short is a hit all the same, and so it is counted."""
    hits = {("a.mp4", "Ann"): 7, ("b.mp4", "Ann"): 2, ("b.mp4", "Иван Петров 👨\u200d👩\u200d👧"): 5}
    spans = (span("a.mp4", "Ann"), span("b.mp4", "Иван Петров 👨\u200d👩\u200d👧"))
    targets = ("Ann", "Bob", "Иван Петров 👨\u200d👩\u200d👧")
    counts = Counts(videos=2, inferred=100, faces=8, hits=14, spans=2, clips=2, crops=3)
    videos = (video("a.mp4"), video("b.mp4"))
    result = RunResult("run", Path("out"), videos, spans, targets, counts=counts, hits=hits, num_near_misses=1)
    _, out, _ = printed(result, capsys)
    table = rows(out, "hits")
    assert table == [
        ["Ann", "a.mp4", "1", "7", "2.5", "0.60"],
        ["Ann", "b.mp4", "0", "2", "0.0", "–"],
        ["Иван Петров 👨\u200d👩\u200d👧", "b.mp4", "1", "5", "2.5", "0.60"],
        ["Bob", "–", "0", "0", "0.0", "–"],
        ["all", "2 videos", "2", "14", "5.0", "0.60"],
    ]
    assert (
        "written to out: spans.csv, spans.json, hits.csv, clips/ (2 clips), crops/ (3 crops), "
        "review.csv (1 near miss), run.json" in out
    )


def test_the_table_of_expressions_has_no_rows_of_persons_without_spans(capsys: pytest.CaptureFixture[str]) -> None:
    hits = {("a.mp4", "Ann"): 7, ("a.mp4", "Bob"): 9}
    both = "Ann and Bob"
    targets, where = ("Ann", "Bob"), (both, "not Ann")
    result = RunResult("find", Path("out"), (video("a.mp4"),), (span("a.mp4", both),), targets, where, hits=hits)
    _, out, _ = printed(result, capsys)
    assert rows(out, "hits") == [
        [both, "a.mp4", "1", "4", "2.5", "0.60"],
        ["not Ann", "–", "0", "0", "0.0", "–"],
        ["all", "1 video", "1", "4", "2.5", "0.60"],
    ]


def test_the_table_has_persons_and_expressions_if_both_have_spans(capsys: pytest.CaptureFixture[str]) -> None:
    spans = (span("a.mp4", "Ann"), span("a.mp4", "Ann and Bob"))
    hits = {("a.mp4", "Ann"): 7, ("a.mp4", "Bob"): 9}
    result = RunResult("find", Path("out"), (video("a.mp4"),), spans, ("Ann", "Bob", "Cy"), ("Ann and Bob",), hits=hits)
    _, out, _ = printed(result, capsys)
    assert [row[0] for row in rows(out, "hits")] == ["Ann", "Ann and Bob", "Bob", "Cy", "all"]


def test_many_persons_are_twenty_rows_and_their_sum(capsys: pytest.CaptureFixture[str]) -> None:
    hits = {(f"{film}.mp4", f"person {number:02}"): 2 for film in "ab" for number in range(30)}
    result = RunResult("find", Path("out"), (video("a.mp4"), video("b.mp4")), (), ("person 00",), hits=hits)
    _, out, _ = printed(result, capsys)
    table = rows(out, "hits")
    assert len(table) == 22
    assert table[0] == ["person 00", "2 videos", "0", "4", "0.0", "–"]
    assert table[20] == ["and 10 more persons", "2 videos", "0", "40", "0.0", "–"]
    assert table[21] == ["all", "2 videos", "0", "120", "0.0", "–"]


def test_a_similarity_below_the_threshold_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    limits = MatchThresholds(0.4, 0.35, 0.05, TrackRule(0.42, 0.35, 0.3, 0.01))
    spans = (span("a.mp4", "Ann", 0.41), span("a.mp4", "Bob", 0.43))
    hits = {("a.mp4", "Ann"): 3, ("a.mp4", "Bob"): 3}
    result = RunResult("find", Path("out"), (video("a.mp4"),), spans, ("Ann", "Bob"), limits=limits, hits=hits)
    _, out, _ = printed(result, capsys)
    (line,) = (line for line in out if "below the threshold" in line)
    assert line.startswith("best similarity below the threshold of 0.42 (Ann): ")


def test_names_are_not_cut_where_the_output_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    result = RunResult("run", Path("out"), (video(LONG),), (span(LONG, "Ann"),), ("Ann",), hits={(LONG, "Ann"): 1})
    _, out, _ = printed(result, capsys)
    assert sum(LONG in line for line in out) == 2  # in both tables


def test_a_name_between_colons_is_no_picture(capsys: pytest.CaptureFixture[str]) -> None:
    result = RunResult("scan", Path("out"), (video("12:dog:30.mp4"),))
    _, out, _ = printed(result, capsys)
    assert [row[0] for row in rows(out, "video")] == ["12:dog:30.mp4"]


@pytest.mark.parametrize(
    ("scanned", "words"),
    [
        ({"a.mp4", "b.mp4"}, "2 videos searched (all now): 100 frames searched, 8 faces; took 1:05"),
        ({"b.mp4"}, "2 videos searched (1 now, 1 before): 100 frames searched, 8 faces (4 new); took 1:05"),
        (set(), "2 videos searched (all before): 100 frames searched, 8 faces; took 1:05"),
    ],
)
def test_the_summary_of_a_scan_says_what_is_new_and_what_comes_next(
    scanned: set[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = Counts(videos=2, sampled=100, inferred=100, faces=8)
    videos = (video("a.mp4"), video("b.mp4"))
    result = RunResult("scan", Path("my out"), videos, counts=counts, scanned=frozenset(scanned), seconds=65.0)
    _, out, _ = printed(result, capsys)
    assert words in out
    assert out[-1] == "next: fastface people -o 'my out', or: fastface find -t PHOTOS -o 'my out'"


def test_frames_that_were_not_searched_are_counted_only_if_there_are_any(capsys: pytest.CaptureFixture[str]) -> None:
    counts = Counts(videos=1, sampled=53, inferred=50, quarantined=3, blurred=4, faces=4)
    _, out, _ = printed(RunResult("scan", Path("out"), (video("a.mp4"),), counts=counts), capsys)
    (line,) = (line for line in out if "frames searched" in line)
    assert "50 frames searched, 4 of them too blurred, 3 skipped after crashes, 4 faces" in line


def test_a_video_that_failed_is_not_counted_as_searched(capsys: pytest.CaptureFixture[str]) -> None:
    unread = [replace(video(f"{state}.mp4", state, "why"), inferred=0, sampled=0, faces=0) for state in UNREAD]
    late = video("late.mp4", "cancelled", "not reached")  # some of it was searched, and no answer holds that
    videos = (video("a.mp4"), video("cut.mp4", "partial", "why"), late, *unread)
    assert [one.is_searched for one in videos] == [True, True, False, False, False, False]
    counts = Counts(videos=6, searched=2, sampled=150, inferred=150, faces=12)
    scanned = frozenset({"a.mp4", "cut.mp4", *(one.id for one in unread)})
    _, out, _ = printed(RunResult("scan", Path("out"), videos, counts=counts, scanned=scanned), capsys)
    (line,) = (line for line in out if "frames searched" in line)
    assert line.startswith("2 videos searched (all now), 4 not searched: 150 frames searched")
    _, out, _ = printed(RunResult("find", Path("out"), videos, counts=counts), capsys)
    (line,) = (line for line in out if "frames searched" in line)
    assert line.startswith("2 videos searched, 4 not searched: ")
    _, out, _ = printed(RunResult("scan", Path("out"), tuple(unread), counts=Counts(videos=3)), capsys)
    assert any(line.startswith("0 videos searched, 3 not searched: ") for line in out)


def test_columns_are_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = printed(RunResult("scan", Path("out"), (video("a.mp4"),)), capsys, verbose=True)
    steps = dict(rows(out, "step of the scan"))
    assert steps == {"decoding": "2.00", "decoders waiting for the networks": "1.00"}
