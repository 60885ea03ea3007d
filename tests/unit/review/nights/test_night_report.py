"""Nights of a growing folder: every fact is news once, whatever ends a run, and a known failure stays known."""

import json
from pathlib import Path

import pytest
from night_tools import EVENING, night, record, span

from fastface.review.nights.night_record import NightRecord
from fastface.review.nights.night_report import NightReport
from fastface.video.discover import Skipped

NEXT = "2026-03-02T22:00:00+00:00"


def _failures(report: NightReport) -> tuple[list[str], list[str]]:
    """(new failures, known failures), by name."""
    new, known = report.new_failures, report.known_failures
    return [one.what or one.reason for one in new], [one.what or one.reason for one in known]


def _sightings(report: NightReport) -> dict[str, list[tuple[str, float, float]]]:
    return {one.person: [(new.video, new.start, new.end) for new in one.spans] for one in report.sightings}


@pytest.fixture
def first() -> NightRecord:
    """The record after a night with one film and one broken file."""
    videos = [record("a.mp4"), record("bad.mp4", "failed", "b1", "no frames")]
    found = night(NightRecord(), videos, [span("a.mp4", "Ada", 1, 3)])
    assert (found.report.since, found.report.unreported) == ("", ())
    assert [video.video for video in found.report.new_videos] == ["a.mp4"]
    assert _sightings(found.report) == {"Ada": [("a.mp4", 1, 3)]}
    assert _failures(found.report) == (["bad.mp4"], [])
    assert not found.known.videos
    assert found.record.reported == EVENING
    assert found.record.begun == ()
    return found.record


def test_the_same_night_again_has_no_news(first: NightRecord) -> None:
    videos = [record("a.mp4"), record("bad.mp4", "failed", "b1", "no frames")]
    found = night(first, videos, [span("a.mp4", "Ada", 1, 3)], started=NEXT)
    assert found.report.since == EVENING
    assert (found.report.new_videos, found.report.sightings) == ((), ())
    assert _failures(found.report) == ([], ["bad.mp4"])
    assert found.known.videos == {"bad.mp4"}


def test_new_and_repaired_films_and_another_film_of_the_same_name_are_news(first: NightRecord) -> None:
    videos = [record("a.mp4", print_="a2"), record("bad.mp4", "done", "b2"), record("c.mp4", print_="c1")]
    spans = [span("a.mp4", "Ada", 1, 3), span("c.mp4", "Bo", 0, 2), span("c.mp4", "Bo", 5, 9.5)]
    report = night(first, videos, spans, started=NEXT).report
    assert [(video.video, video.before) for video in report.new_videos] == [
        ("a.mp4", "done"),
        ("bad.mp4", "failed"),
        ("c.mp4", ""),
    ]
    assert [(one.person, one.seconds, one.is_first) for one in report.sightings] == [
        ("Bo", 6.5, False),
        ("Ada", 2, False),
    ]
    assert _failures(report) == ([], [])


def test_a_longer_span_in_a_known_film_is_no_news_and_a_further_one_is(first: NightRecord) -> None:
    spans = [span("a.mp4", "Ada", 0.5, 4), span("a.mp4", "Ada", 6, 7)]
    report = night(first, [record("a.mp4")], spans, started=NEXT).report
    assert _sightings(report) == {"Ada": [("a.mp4", 6, 7)]}
    assert report.new_videos == ()


def test_a_person_who_was_not_searched_before_is_marked(first: NightRecord) -> None:
    spans = [span("a.mp4", "Ada", 1, 3), span("a.mp4", "Cy", 1, 3)]
    found = night(first, [record("a.mp4")], spans, persons=("Ada", "Cy"), started=NEXT)
    assert [(one.person, one.is_first) for one in found.report.sightings] == [("Cy", True)]
    assert found.record.sightings.keys() == {"Ada", "Bo", "Cy"}  # Bo was not searched, and is not forgotten


def test_a_killed_run_loses_no_news_and_is_named(first: NightRecord) -> None:
    """The killed run has committed a film and met a failure; only its start is in the record."""
    killed = first.begin(NEXT)
    later = "2026-03-03T01:00:00+00:00"
    videos = [record("a.mp4"), record("c.mp4"), record("new.mp4", "failed", "n1", "no frames")]
    found = night(killed, videos, [span("a.mp4", "Ada", 1, 3), span("c.mp4", "Ada", 0, 1)], started=later)
    assert (found.report.since, found.report.unreported) == (EVENING, (NEXT,))
    assert [video.video for video in found.report.new_videos] == ["c.mp4"]
    assert _failures(found.report) == (["new.mp4"], [])
    assert not found.known.videos
    assert _sightings(found.report) == {"Ada": [("c.mp4", 0, 1)]}
    assert (found.record.reported, found.record.begun) == (later, ())


def test_an_interrupted_run_has_a_report_without_sightings(first: NightRecord) -> None:
    videos = [record("a.mp4"), record("c.mp4"), record("d.mp4", "scanning")]
    report = night(first, videos, ended="stopped by SIGTERM", started=NEXT).report
    assert (report.is_searched, report.sightings) == (False, ())
    assert [video.video for video in report.new_videos] == ["c.mp4"]
    assert [(video.video, video.state) for video in report.left] == [("d.mp4", "cancelled")]


def test_a_scan_leaves_the_sightings_for_the_next_run(first: NightRecord) -> None:
    videos = [record("a.mp4"), record("c.mp4")]
    scanned = night(first, videos, command="scan", persons=(), started=NEXT)
    assert [video.video for video in scanned.report.new_videos] == ["c.mp4"]
    spans = [span("a.mp4", "Ada", 1, 3), span("c.mp4", "Ada", 0, 1)]
    report = night(scanned.record, videos, spans, started=NEXT).report
    assert report.new_videos == ()
    assert _sightings(report) == {"Ada": [("c.mp4", 0, 1)]}


def test_a_known_failure_that_was_not_reached_stays_known(first: NightRecord) -> None:
    short = night(first, [record("a.mp4"), record("bad.mp4", "scanning", "b1")], started=NEXT)
    assert _failures(short.report) == ([], [])
    assert [video.video for video in short.report.left] == ["bad.mp4"]
    bad = record("bad.mp4", "failed", "b1", "no frames")
    assert _failures(night(short.record, [record("a.mp4"), bad], started=NEXT).report) == ([], ["bad.mp4"])


def test_a_file_that_is_still_written_is_left_and_no_failure(first: NightRecord) -> None:
    growing = record("c.mp4", "unstable", "", "still being written; run again later")
    found = night(first, [record("a.mp4"), growing], [span("c.mp4", "Ada", 0, 1)], started=NEXT)
    assert _failures(found.report) == ([], [])
    assert [(video.video, video.state) for video in found.report.left] == [("c.mp4", "unstable")]
    whole = [record("a.mp4"), record("c.mp4", print_="c9")]
    report = night(found.record, whole, [span("c.mp4", "Ada", 0, 2), span("c.mp4", "Ada", 7, 8)], started=NEXT).report
    assert [(video.video, video.before) for video in report.new_videos] == [("c.mp4", "unstable")]
    assert _sightings(report) == {"Ada": [("c.mp4", 7, 8)]}


def test_inputs_and_exports_that_failed_are_known_the_second_time() -> None:
    closed = Skipped(Path("/closed"), "Permission denied", is_fault=True)
    twice = Skipped(Path("/films/copy.mp4"), "the same film as 'a.mp4'")
    broken = "clips/a.mp4/Ada.mp4: no frames"
    facts = {"skipped": (closed, twice), "not_exported": (broken,)}
    once = night(NightRecord(), [record("a.mp4")], **facts)
    assert _failures(once.report) == (["/closed", broken], [])
    again = night(once.record, [record("a.mp4")], **facts, started=NEXT)
    assert _failures(again.report) == ([], ["/closed", broken])
    assert (again.known.inputs, again.known.exports) == ({"/closed"}, {broken})


def test_a_report_comes_back_as_it_was_saved_and_forgets_videos(first: NightRecord, tmp_path: Path) -> None:
    assert NightReport.load(tmp_path) is None
    videos = [
        record("c.mp4"),
        record("caf\udce9.mp4", "failed", "n1", "no frames"),
        record("d.mp4", "scanning"),
        record("e.mp4"),
    ]
    spans = [span("c.mp4", "Ada", 0, 1), span("e.mp4", "Ada", 0, 2.5), span("c.mp4", "Bo", 0, 1)]
    report = night(first, videos, spans, not_exported=("clips/c.mp4/Ada.mp4: no frames",), started=NEXT).report
    report.save(tmp_path)
    assert NightReport.load(tmp_path) == report
    rest = report.without_videos({"c.mp4", "caf\udce9.mp4", "d.mp4"})
    assert [video.video for video in rest.new_videos] == ["e.mp4"]
    assert _sightings(rest) == {"Ada": [("e.mp4", 0, 2.5)]}
    assert rest.sightings[0].seconds == 2.5
    assert (rest.new_failures, rest.left) == ((), ())


def test_the_file_is_indented_json_however_many_videos_are_new(tmp_path: Path) -> None:
    """New videos are converted one by one: `json.dumps` with an indent takes seconds for 100,000."""
    for names in ([], ["a.mp4"], ["a.mp4", 'b "new_videos": [].mp4']):
        night(NightRecord(), [record(name) for name in names]).report.save(tmp_path)
        text = (tmp_path / "night.json").read_text(encoding="utf-8")
        assert [video["video"] for video in json.loads(text)["new_videos"]] == names
        assert text == json.dumps(json.loads(text), indent=2) + "\n"
