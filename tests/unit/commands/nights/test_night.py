"""The report of a watch: the news of all its passes, through kills, stops and other commands in between."""

import itertools
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from night_tools import record, result, span

from fastface.commands.nights.night import Night, forget_in_nights, list_night_files
from fastface.config import Config
from fastface.index.records import VideoSummary
from fastface.runtime.events.observer import Observer
from fastface.runtime.output_folder import OutputFolder
from fastface.runtime.run_report import RunResult
from fastface.types import Span
from fastface.video.discover import Skipped

BEFORE, FIRST, SECOND, THIRD, LATER = (f"2026-03-01T{hour}:00:00+00:00" for hour in (20, 22, 23, "02", "05"))
END = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
OLD, ONE, TWO = record("old.mp4"), record("one.mp4"), record("two.mp4")
WORSE = record("worse.mp4", "failed", reason="no index")
OLD_SPAN, SPAN_1, SPAN_2 = span("old.mp4", "Ada", 1, 2), span("one.mp4", "Ada", 3, 5), span("two.mp4", "Bo", 0, 4)


class Printed(Observer):
    def __init__(self) -> None:
        self.reports: list[Sequence[str]] = []

    def report_night(self, lines: Sequence[str], *, is_urgent: bool) -> None:
        self.reports.append(lines)


class Folder:
    """An output folder, and commands on drawn videos."""

    def __init__(self, root: Path) -> None:
        self.root, self.printed = root, Printed()

    def command(
        self, night: Night, videos: Sequence[VideoSummary], spans: Sequence[Span], at: str, **more: Any
    ) -> RunResult:
        """One pass, or one run; `ended` is why it ended early, and `is_killed` leaves its report out."""
        ended, is_killed = more.pop("ended", ""), more.pop("is_killed", False)
        context: Any = SimpleNamespace(out=OutputFolder(self.root), config=Config(), observer=self.printed)
        done = result(videos, spans, started=at, **more)
        night.begin(context, done)
        if not is_killed:
            night.write(context, done, videos, ended=ended)
        return done

    def run(self, videos: Sequence[VideoSummary], spans: Sequence[Span], at: str) -> dict[str, Any]:
        self.command(Night(is_watch=False), videos, spans, at)
        return self.report

    @property
    def report(self) -> dict[str, Any]:
        stored: dict[str, Any] = json.loads((self.root / "night.json").read_text())
        return stored


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder with one ordinary run, and so with a report."""
    folder = Folder(tmp_path / "out")
    folder.run([OLD], [OLD_SPAN], BEFORE)
    folder.printed.reports.clear()
    return folder


def _news(report: dict[str, Any]) -> tuple[list[str], list[str], list[str]]:
    """Names of the new videos, of the videos with new spans, and of the new failures."""
    spans = [one["video"] for sighting in report["sightings"] for one in sighting["spans"]]
    return (
        [one["video"] for one in report["new_videos"]],
        sorted(spans),
        [one["what"] for one in report["new_failures"]],
    )


def _two_passes(folder: Folder) -> tuple[Night, RunResult]:
    watch = Night(is_watch=True)
    folder.command(watch, [OLD, ONE], [OLD_SPAN, SPAN_1], FIRST)
    return watch, folder.command(watch, [OLD, ONE, TWO, WORSE], [OLD_SPAN, SPAN_1, SPAN_2], SECOND)


def test_the_passes_of_a_watch_add_up_and_each_prints_its_own_news(folder: Folder) -> None:
    _, last = _two_passes(folder)
    report = folder.report
    assert _news(report) == (["one.mp4", "two.mp4"], ["one.mp4", "two.mp4"], ["worse.mp4"])
    assert (report["since"], report["started"], report["unreported"]) == (BEFORE, FIRST, [])
    assert [lines[0] for lines in folder.printed.reports] == [
        "fastface: 1 new span of 1 person, 1 new video",
        "fastface: 1 new failure, 1 new span of 1 person, 1 new video",
    ]
    starts = [datetime.fromisoformat(at).astimezone().strftime("%Y-%m-%d %H:%M") for at in (BEFORE, FIRST, SECOND)]
    heads = [(lines[1].split(" to ")[0], lines[2].split(";")[0]) for lines in folder.printed.reports]
    assert heads == [(f"run, {start}", f"Since the run of {since}") for since, start in itertools.pairwise(starts)]
    assert last.exit_code == 3


def test_a_failure_of_an_earlier_pass_is_as_new_at_the_end(folder: Folder) -> None:
    watch = Night(is_watch=True)
    exit_codes = [folder.command(watch, [OLD, WORSE], [OLD_SPAN], at).exit_code for at in (FIRST, SECOND)]
    assert exit_codes == [3, 3]
    assert _news(folder.report)[2] == ["worse.mp4"]
    assert [lines[0] for lines in folder.printed.reports] == [
        "fastface: 1 new failure",
        "fastface: nothing new; 1 known failure",
    ]


def test_the_time_limit_completes_the_report_and_then_nothing_is_new(folder: Folder) -> None:
    watch, last = _two_passes(folder)
    folder.printed.reports.clear()
    last.skipped = (
        Skipped(Path("/films/late.mp4"), "still being written", is_fault=True, left_state="unstable"),
        Skipped(Path("/films/new.mp4"), "new", is_fault=True, left_state="cancelled"),
    )
    watch.finish_watch(folder.root, last, folder.printed, END)
    report = folder.report
    assert _news(report) == (["one.mp4", "two.mp4"], ["one.mp4", "two.mp4"], ["worse.mp4"])
    assert (report["started"], report["finished"]) == (FIRST, "2026-03-02T06:00:00+00:00")
    assert [(one["path"], one["state"]) for one in report["left"]] == [
        ("/films/late.mp4", "unstable"),
        ("/films/new.mp4", "cancelled"),
    ]
    (lines,) = folder.printed.reports
    assert lines == (folder.root / "night.txt").read_text().splitlines()
    assert lines[-2:] == ["  /films/late.mp4: still being written", "  /films/new.mp4: not reached"]
    assert not OutputFolder(folder.root).watch_nights.exists()
    after = folder.run([OLD, ONE, TWO, WORSE], [OLD_SPAN, SPAN_1, SPAN_2], LATER)
    assert _news(after) == ([], [], [])
    assert (after["since"], [one["what"] for one in after["known_failures"]]) == (FIRST, ["worse.mp4"])


def test_a_file_still_being_written_is_left_and_never_a_known_failure(folder: Folder) -> None:
    late = Skipped(Path("/films/late.mp4"), "still being written", is_fault=True, left_state="unstable")
    watch = Night(is_watch=True)
    exit_codes = [folder.command(watch, [OLD], [OLD_SPAN], at, skipped=[late]).exit_code for at in (FIRST, SECOND)]
    assert exit_codes == [3, 3]
    assert (folder.report["new_failures"], folder.report["known_failures"]) == ([], [])
    assert [one["video"] for one in folder.report["left"]] == ["/films/late.mp4"]


@pytest.mark.parametrize("end", [{"is_killed": True}, {"ended": "stopped by SIGTERM"}])
def test_a_watch_that_does_not_finish_leaves_its_news_to_the_next_report(folder: Folder, end: dict[str, Any]) -> None:
    watch, _ = _two_passes(folder)
    videos, spans = [OLD, ONE, TWO, WORSE], [OLD_SPAN, SPAN_1, SPAN_2]
    folder.command(watch, videos, (), THIRD, **end)
    assert _news(folder.report) == (["one.mp4", "two.mp4"], ["one.mp4", "two.mp4"], ["worse.mp4"])
    restarted = Night(is_watch=True)
    folder.printed.reports.clear()
    folder.command(restarted, videos, spans, LATER)
    report = folder.report
    assert _news(report) == (["one.mp4", "two.mp4"], ["one.mp4", "two.mp4"], ["worse.mp4"])
    assert (report["since"], report["started"], report["unreported"]) == (BEFORE, LATER, [FIRST])
    (lines,) = folder.printed.reports
    assert lines == (folder.root / "night.txt").read_text().splitlines()


def test_a_run_between_two_passes_reports_the_news_so_far(folder: Folder) -> None:
    watch, _ = _two_passes(folder)
    between = folder.run([OLD, ONE, TWO, WORSE], [OLD_SPAN, SPAN_1, SPAN_2], THIRD)
    assert _news(between) == (["one.mp4", "two.mp4"], ["one.mp4", "two.mp4"], ["worse.mp4"])
    three, span_3 = record("three.mp4"), span("three.mp4", "Ada", 0, 1)
    last = folder.command(watch, [OLD, ONE, TWO, WORSE, three], [OLD_SPAN, SPAN_1, SPAN_2, span_3], LATER)
    report = folder.report
    assert _news(report) == (["three.mp4"], ["three.mp4"], [])
    assert (report["since"], report["unreported"], last.exit_code) == (THIRD, [], 0)


def test_nothing_is_reported_at_the_end_if_another_command_holds_or_has_reported(folder: Folder) -> None:
    watch, last = _two_passes(folder)
    notes: list[str] = []
    folder.printed.note = notes.append  # type: ignore[method-assign]
    before = folder.report
    with OutputFolder(folder.root).hold_lock():
        watch.finish_watch(folder.root, last, folder.printed, END)
    assert folder.report == before
    (note,) = notes
    assert note.endswith("so the next report repeats the news of this watch")
    between = folder.run([OLD, ONE, TWO, WORSE], [OLD_SPAN, SPAN_1, SPAN_2], THIRD)
    watch.finish_watch(folder.root, last, folder.printed, END)
    assert folder.report == between


def test_forget_and_purge_reach_the_record_of_a_watch(folder: Folder) -> None:
    _two_passes(folder)
    out = OutputFolder(folder.root)
    assert [path.exists() for path in list_night_files(out)] == [True] * 4
    assert "one.mp4" in out.watch_nights.read_text()
    forget_in_nights(out, ["one.mp4"])
    texts = [path.read_text() for path in list_night_files(out)]
    assert all("one.mp4" not in text for text in texts)
    assert "two.mp4" in out.watch_nights.read_text()
