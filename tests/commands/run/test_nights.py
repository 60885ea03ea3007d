"""Three nights over a folder that grows: each report has what is new and no more, through kills; `--on-finish`."""

import json
import shutil
import signal
import struct
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import run_tools
from cartoon_tools import Cartoon
from cli_tools import (
    BROKEN,
    Ran,
    copy_of_out,
    drawn_hits,
    environment,
    errors,
    fastface,
    found_hits,
    spans_without_clips,
)

NO_EXPORTS = ("--clips", "none", "--crops", "none")
PRINT_INPUT = (
    "import os, sys; print('ended', os.environ['FASTFACE_EXIT_CODE'], os.environ['FASTFACE_OUT'], sys.stdin.read(9))"
)

SLOW_WRITER = """
import pathlib, sys, time
whole, copy, go = map(pathlib.Path, sys.argv[1:])
content = whole.read_bytes()
size = len(content) - 100_000
with copy.open("wb", buffering=0) as file:
    file.write(content[:size])
    while not go.exists():
        file.write(content[size : size + 1])
        size += 1
        time.sleep(0.01)
    file.write(content[size:])
"""
"""All frames of a film at once, then the box at its end byte for byte; the rest at once when it may."""


def _other_film(film: Path, path: Path, size: int) -> None:
    """Write a film with the same frames and other bytes: an empty box at its end."""
    path.write_bytes(film.read_bytes() + struct.pack(">I", 8 + size) + b"free" + bytes(size))


def _arguments(cartoon: Cartoon, films: Path, out: Path, *more: object) -> list[str]:
    given = ("run", films, "-t", cartoon.bank, "--models", cartoon.models, "-o", out, *NO_EXPORTS, "-q", *more)
    return [str(one) for one in given]


def _night(cartoon: Cartoon, films: Path, out: Path, *more: object) -> tuple[int, list[str], dict[str, Any]]:
    """One run to its end: exit code, lines of standard error, night.json."""
    done = fastface(*_arguments(cartoon, films, out, *more))
    assert done.stdout == ""
    return done.returncode, done.stderr.splitlines(), json.loads((out / "night.json").read_text(encoding="utf-8"))


def _killed(cartoon: Cartoon, films: Path, out: Path, place: str) -> None:
    command = [*run_tools.COMMAND, *_arguments(cartoon, films, out)]
    done = subprocess.run(command, check=False, env=environment(FASTFACE_FAILPOINT=f"{place}:kill:1"), timeout=120)
    assert done.returncode == -signal.SIGKILL


def _new_spans(report: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    found = [(one["person"], new) for one in report["sightings"] for new in one["spans"]]
    return sorted((new["video"], person, f"{new['start']:.3f}", f"{new['end']:.3f}") for person, new in found)


def _spans_of(out: Path, *videos: str) -> list[tuple[str, str, str, str]]:
    rows = [row for row in run_tools.rows(out / "spans.csv") if row["video"] in videos]
    found = sorted((row["video"], row["target"], row["start"], row["end"]) for row in rows)
    assert {video for video, *_ in found} == set(videos)
    return found


def _names(report: dict[str, Any], key: str) -> list[str]:
    return [one.get("what") or one["video"] for one in report[key]]


def test_three_nights_with_kills_in_the_second(cartoon: Cartoon, tmp_path: Path) -> None:
    films, out, film = tmp_path / "films", tmp_path / "out", cartoon.films / "film3.mp4"
    films.mkdir()
    _other_film(film, films / "one.mp4", 1)
    (films / "broken.mp4").write_text("no film")
    (films / "late.mp4").write_bytes(film.read_bytes()[:1000])
    code, lines, report = _night(cartoon, films, out)
    assert (code, lines[-1]) == (3, "fastface: exit code 3: 2 of 3 videos not done (2 failed)")
    assert report["since"] == ""
    assert _names(report, "new_videos") == ["one.mp4"]
    assert _new_spans(report) == _spans_of(out, "one.mp4")
    assert _names(report, "new_failures") == ["broken.mp4", "late.mp4"]
    first = report["started"]
    text = (out / "night.txt").read_text(encoding="utf-8")

    # The second night: one film has come, one failed file is whole, and another one is none.
    _other_film(film, films / "two.mp4", 2)
    _other_film(film, films / "late.mp4", 3)
    (films / "worse.mp4").write_text("no film either")
    _killed(cartoon, films, out, "scan.finished")
    assert (out / "night.txt").read_text(encoding="utf-8") == text
    _killed(cartoon, films, out, "night.written")  # its report is there, and nobody may have read it
    assert (out / "night.txt").read_text(encoding="utf-8") != text
    code, lines, report = _night(cartoon, films, out)
    assert (code, lines[-1]) == (3, "fastface: exit code 3: 1 of 5 videos not done (1 failed)")
    assert report["since"] == first
    assert len(report["unreported"]) == 2
    assert _names(report, "new_videos") == ["late.mp4", "two.mp4"]
    assert [one["before"] for one in report["new_videos"]] == ["failed", ""]
    assert _new_spans(report) == _spans_of(out, "late.mp4", "two.mp4")
    assert _names(report, "new_failures") == ["worse.mp4"]
    assert _names(report, "known_failures") == ["broken.mp4"]
    assert lines[:-2] == (out / "night.txt").read_text(encoding="utf-8").splitlines()
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Known failures, unchanged: 1" in page

    # The third night has no news: quiet, and clean but for `--strict`.
    code, lines, report = _night(cartoon, films, out)
    assert (code, lines) == (0, [])
    assert (report["new_videos"], report["sightings"], report["new_failures"], report["unreported"]) == ([], [], [], [])
    assert _names(report, "known_failures") == ["broken.mp4", "worse.mp4"]
    code, lines, _ = _night(cartoon, films, out, "--strict")
    assert code == 3
    assert lines[-1] == "fastface: exit code 3: 2 of 5 videos not done (2 failed)"
    assert len(lines) == 3


def test_forget_and_purge_take_the_nights_along(ran: Ran, tmp_path: Path) -> None:
    out = copy_of_out(ran, tmp_path)
    places = [out / "night.json", out / "night.txt", out / ".fastface" / "nights.json"]
    assert all("film3.mp4" in path.read_text(encoding="utf-8") for path in places)
    done = fastface("forget", "film3.mp4", "-o", out, "--yes")
    assert done.returncode == 0, done.stderr
    for path in places:
        text = path.read_text(encoding="utf-8")
        assert "film3.mp4" not in text
        assert "film2.mp4" in text
        assert BROKEN in text
    assert fastface("purge", "-o", out, "--yes").returncode == 0
    assert [path for path in places if path.exists()] == []


def test_a_command_at_the_end_reads_run_json_and_the_exit_code(ran: Ran, cartoon: Cartoon, tmp_path: Path) -> None:
    out = copy_of_out(ran, tmp_path)
    words = f'"{sys.executable}" -c "{PRINT_INPUT}"'
    more = ("-t", cartoon.bank, "--models", cartoon.models, "-o", out, *NO_EXPORTS, "-q")
    done = fastface("run", ran.films, *more, "--on-finish", words)
    assert (done.returncode, done.stdout) == (0, "")  # the broken film is known
    assert done.stderr == f'ended 0 {out} {{\n  "sche\n'
    # A run that could not start has no run.json of its own.
    done = fastface("run", tmp_path / "nothing", *more, "--on-finish", words)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == f"ended 2 {out} "


@pytest.mark.parametrize(
    ("words", "failure"),
    [
        ("false", "'false' ended with exit code 1"),
        ("sh -c 'kill -9 $$'", "'sh' was ended by signal 9"),
        ("sh -c 'sleep 60 & sleep 60'", "'sh' was stopped after 1 s, the limit of run.on_finish_seconds"),
    ],
)
def test_a_command_that_fails_is_reported_and_changes_nothing(
    words: str, failure: str, ran: Ran, cartoon: Cartoon, tmp_path: Path
) -> None:
    out = copy_of_out(ran, tmp_path)
    limit = ("-s", "run.on_finish_seconds=1")
    done = fastface("scan", ran.films, "--models", cartoon.models, "-o", out, "-q", "--on-finish", words, *limit)
    (line,) = errors(done, 0, 1)
    assert line == f"fastface: --on-finish: {failure}; the results are unchanged"


def test_a_program_that_does_not_exist_is_a_fault_before_the_night(ran: Ran, cartoon: Cartoon, tmp_path: Path) -> None:
    given = ("scan", ran.films, "--models", cartoon.models, "-o", tmp_path / "out", "-q", "--on-finish")
    (line,) = errors(fastface(*given, "no-such-program x", "--dry-run"), 2, 1)
    assert "--on-finish 'no-such-program': there is no such program" in line
    (line,) = errors(fastface(*given, "sh 'open"), 2, 1)
    assert "No closing quotation" in line
    (line,) = errors(fastface(*given, "true", "--metrics", tmp_path / "none" / "x.prom", "--dry-run"), 2, 1)
    assert line.endswith(f"'{tmp_path}/none' is no folder: create it, or name a file in another one")
    assert not (tmp_path / "out").exists()


def _is_stopped(pid: int) -> bool:
    """Whether SIGSTOP holds the process: the third field of its stat, after its name in brackets."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def _zone_where_it_is(clock: str, shown: datetime) -> str:
    """A time zone, as POSIX writes it, in which the clock shows this time of day at that moment."""
    hours, minutes, seconds = map(int, clock.split(":"))
    utc = shown.astimezone(UTC)
    behind = (utc.hour - hours) * 3600 + (utc.minute - minutes) * 60 + utc.second - seconds
    behind = (behind + 12 * 3600) % (24 * 3600) - 12 * 3600
    sign, rest = ("-" if behind < 0 else ""), abs(behind)
    return f"TST{sign}{rest // 3600}:{rest // 60 % 60:02}:{rest % 60:02}"


def test_a_dry_run_shows_the_time_until_the_limit(ran: Ran, cartoon: Cartoon, tmp_path: Path) -> None:
    given = ("scan", ran.films, "--models", cartoon.models, "-o", tmp_path / "out", "--until", "06:00", "--dry-run")
    done = fastface(*given, TZ=_zone_where_it_is("03:59:59", datetime.now(UTC)))
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("ends: "))
    assert line[:-2] in ("ends: in 2:00:", "ends: in 1:59:"), line


def _night_until_six(arguments: list[str], late: Path, whole: Path) -> tuple[int, list[str]]:
    """A run until 06:00, which is 20 seconds away: exit code, lines of standard error.

    It stands still after two films until then. Meanwhile another process writes the late film; then it completes it.
    """
    go, begun = whole.with_name("go"), datetime.now(UTC)
    variables = environment(TZ=_zone_where_it_is("05:59:40", begun), FASTFACE_FAILPOINT="scan.finished:stop:2")
    writer = subprocess.Popen([sys.executable, "-c", SLOW_WRITER, whole, late, go])
    process = None
    try:
        run_tools.wait_until(late.exists, "the first bytes of the writer")
        process = subprocess.Popen([*run_tools.COMMAND, *arguments], stderr=subprocess.PIPE, text=True, env=variables)
        run_tools.wait_until(lambda: process.poll() is not None or _is_stopped(process.pid), "two films")
        assert process.poll() is None, process.communicate()
        run_tools.wait_until(lambda: (datetime.now(UTC) - begun).total_seconds() > 21, "06:00")
        process.send_signal(signal.SIGCONT)
        _, told = process.communicate(timeout=run_tools.DEADLINE_SECONDS)
        assert writer.poll() is None
        go.touch()
        assert writer.wait(run_tools.DEADLINE_SECONDS) == 0
    finally:
        for started in (process, writer):
            if started is not None:
                started.kill()
                started.wait()
    return process.returncode, told.splitlines()


def test_three_nights_while_a_slow_writer_fills_the_folder(cartoon: Cartoon, tmp_path: Path) -> None:
    films, out, film = tmp_path / "films", tmp_path / "out", cartoon.films / "film3.mp4"
    films.mkdir()
    late, one, *rest = names = ["1_late.mp4", "2_one.mp4", "3_two.mp4", "4_three.mp4"]
    for number, name in enumerate(names[1:]):
        _other_film(film, films / name, number)
    (films / "0_broken.mp4").write_text("no film")
    _other_film(film, whole := tmp_path / "whole", 100_000)
    first = _arguments(cartoon, films, out, "--until", "06:00", "--decoders", 1, "--workers", 1)
    code, lines = _night_until_six(first, films / late, whole)
    report = json.loads((out / "night.json").read_text(encoding="utf-8"))
    counts = "4 of 5 videos not done (2 not reached, 1 still being written, 1 failed)"
    assert (code, lines[-1]) == (3, f"fastface: exit code 3: {counts}")
    assert _names(report, "new_videos") == [one]
    assert _new_spans(report) == _spans_of(out, late, one)  # those of the film that is still written so far
    assert (_names(report, "new_failures"), _names(report, "known_failures")) == (["0_broken.mp4"], [])
    assert [(left["video"], left["state"]) for left in report["left"]] == [
        (late, "unstable"), *((name, "cancelled") for name in rest),
    ]  # fmt: skip

    # One film gets another name, and one a copy. The second night has time enough.
    (films / one).rename(films / "renamed.mp4")
    shutil.copy(films / rest[0], films / "5_copy.mp4")
    code, lines, report = _night(cartoon, films, out, "--max-hours", 8)
    assert (code, lines) == (0, [])
    assert _names(report, "new_videos") == [late, *rest]
    assert [video["before"] for video in report["new_videos"]] == ["unstable", "", ""]
    assert _new_spans(report) == _spans_of(out, *rest)  # those of the late film are known
    assert (report["new_failures"], report["left"]) == ([], [])
    assert _names(report, "known_failures") == ["0_broken.mp4"]

    code, lines, report = _night(cartoon, films, out, "--max-hours", 8)
    assert (code, lines) == (0, [])
    assert (report["new_videos"], report["sightings"], report["new_failures"], report["left"]) == ([], [], [], [])
    assert _names(report, "known_failures") == ["0_broken.mp4"]

    # Each film was searched once when it was complete, and all tables are those of one night over the folder.
    log = [json.loads(line) for line in (out / ".fastface" / "log.jsonl").read_text().splitlines()]
    searched = Counter((row["video"], row["state"]) for row in log if row["event"] == "video")
    assert searched == {(late, "unstable"): 1, ("0_broken.mp4", "failed"): 3, **{(name, "done"): 1 for name in names}}
    hits = drawn_hits(replace(cartoon, scripts=dict.fromkeys(names, cartoon.scripts["film3.mp4"])))
    assert len(hits) > 20
    assert found_hits(out) == hits
    code, *_ = _night(cartoon, films, once := tmp_path / "once")
    assert code == 3  # the failure is new in this folder
    spans = [(one if row[0] == "renamed.mp4" else row[0], *row[1:]) for row in spans_without_clips(once)]
    assert sorted(spans) == sorted(spans_without_clips(out))
