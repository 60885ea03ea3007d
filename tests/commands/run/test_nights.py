"""Three nights over a folder that grows: each report has what is new and no more, through kills; `--on-finish`."""

import json
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import run_tools
from cartoon_tools import Cartoon
from cli_tools import BROKEN, Ran, copy_of_out, environment, errors, fastface

NO_EXPORTS = ("--clips", "none", "--crops", "none")
PRINT_INPUT = (
    "import os, sys; print('ended', os.environ['FASTFACE_EXIT_CODE'], os.environ['FASTFACE_OUT'], sys.stdin.read(9))"
)


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
    assert not (tmp_path / "out").exists()
