"""What `status` tells of a run that did not come to all its videos, and that nothing else takes them for answered."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest
import run_tools
from cartoon_tools import Cartoon
from cli_tools import (
    BROKEN,
    DURATIONS,
    Ran,
    contents,
    copy_of_out,
    environment,
    errors,
    fastface,
)
from index_tools import plain_info

from fastface.commands.status import read_status
from fastface.index.ledger import Ledger
from fastface.index.records import UnitRecord, VideoRecord
from fastface.runtime.output_folder import OutputFolder
from fastface.types import VideoInfo

NO_EXPORTS = ("--clips", "none", "--crops", "none", "-q")


def _states(out: Path) -> dict[str, int]:
    return dict(json.loads(fastface("status", "-o", out, "--json").stdout)["states"])


def _given(cartoon: Cartoon, out: Path) -> tuple[object, ...]:
    return ("-t", cartoon.bank, "--models", cartoon.models, "-o", out, *NO_EXPORTS)


@pytest.fixture(scope="module")
def killed(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a run that was killed when it came to its first video."""
    out = tmp_path_factory.mktemp("killed") / "out"
    command = [*run_tools.COMMAND, "run", str(cartoon.films), *map(str, _given(cartoon, out))]
    plan = environment(FASTFACE_FAILPOINT="ledger.video.committed:kill:1")
    done = subprocess.run(command, env=plan, capture_output=True, check=False, timeout=run_tools.DEADLINE_SECONDS)
    assert done.returncode == -signal.SIGKILL
    return out


def test_videos_that_a_killed_run_did_not_come_to_are_waiting(killed: Path) -> None:
    assert _states(killed) == {"scanning": 1, "waiting": 2}
    told = fastface("status", "-o", killed).stdout.splitlines()
    assert "not running, 0% scanned; 3 videos: 2 waiting, 1 in progress" in told[0]
    assert told[1].endswith(" run: 3 videos named, 0 scanned; killed")
    assert len(told) == 3  # those that wait are counted; a line each would be thousands


def test_the_same_command_goes_on_with_them(cartoon: Cartoon, killed: Path, tmp_path: Path) -> None:
    out, whole = Path(shutil.copytree(killed, tmp_path / "out")), tmp_path / "whole"
    done = fastface("run", cartoon.films, *_given(cartoon, out)[:-1])
    assert done.returncode == 0, done.stderr
    assert "settings or networks have changed" not in done.stderr
    assert _states(out) == {"done": 3}
    assert fastface("run", cartoon.films, *_given(cartoon, whole)).returncode == 0
    assert run_tools.tables(out) == run_tools.tables(whole)


def test_a_video_that_waits_gives_no_name_to_another(cartoon: Cartoon, killed: Path, tmp_path: Path) -> None:
    out, films = Path(shutil.copytree(killed, tmp_path / "out")), tmp_path / "moved"
    shutil.copytree(cartoon.films, films)
    (begun,) = json.loads(fastface("status", "-o", out, "--json").stdout)["not_done"]
    for name in DURATIONS:
        if begun.startswith(name):
            (films / name).unlink()
    done = fastface("scan", films, "--models", cartoon.models, "-o", out, "-q")
    assert done.returncode == 0, done.stderr
    report = json.loads((out / "run.json").read_text())
    assert [video["id"] for video in report["videos"]] == [name for name in DURATIONS if not begun.startswith(name)]
    assert _states(out) == {"done": 2, "scanning": 1}


def test_find_answers_for_what_is_scanned_alone(cartoon: Cartoon, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert fastface("run", cartoon.films / "film3.mp4", *_given(cartoon, out)).returncode == 0
    hits = (out / "hits.csv").read_bytes()
    stopped = fastface("run", cartoon.films, *_given(cartoon, out), "--max-hours", "1e-7")
    assert stopped.returncode == 3, stopped.stderr
    assert _states(out) == {"done": 1, "waiting": 2}
    assert fastface("find", *_given(cartoon, out)).returncode == 3
    assert (out / "hits.csv").read_bytes() == hits
    states = {video["id"]: video["state"] for video in json.loads((out / "run.json").read_text())["videos"]}
    assert states == {"film1.mp4": "cancelled", "film2.mp4": "cancelled", "film3.mp4": "done"}
    reasons = {video["reason"] for video in json.loads((out / "run.json").read_text())["videos"]}
    assert reasons == {"", "not reached before the run ended; run the same command to continue"}
    purged = fastface("purge", "-o", out, "--yes", "--json")
    assert purged.returncode == 0, purged.stderr
    assert _states(out) == {}


def test_status_knows_all_scans_of_a_folder(cartoon: Cartoon, tmp_path: Path) -> None:
    """What an earlier scan did not reach goes on waiting when other videos are scanned."""
    out, other = tmp_path / "out", tmp_path / "other"
    other.mkdir()
    (other / "film1.mp4").write_bytes(b"this is no film")  # another file of a name that waits
    assert fastface("run", cartoon.films, *_given(cartoon, out), "--max-hours", "1e-7").returncode == 3
    assert fastface("scan", other, "--models", cartoon.models, "-o", out, "-q").returncode == 3
    assert _states(out) == {"waiting": 3, "failed": 1}
    told = fastface("status", "-o", out).stdout.splitlines()
    assert ", 0% scanned; 4 videos: 3 waiting, 1 failed" in told[0]
    assert [line[16:] for line in told[1:3]] == [
        " scan: 1 video named, 0 scanned, 1 failed; ended",
        " run: 3 videos named, 0 scanned; ended",
    ]
    # Asked for again, all are scanned, and none waits twice.
    assert fastface("run", cartoon.films, *_given(cartoon, out)).returncode == 0
    assert _states(out) == {"done": 3, "failed": 1}
    assert ", nothing left to scan; 4 videos" in fastface("status", "-o", out).stdout
    # A video that waits and is gone by now is none that is left.
    more = Path(shutil.copy(cartoon.films / "film3.mp4", other / "more.mp4"))
    more.write_bytes(more.read_bytes() + b"more")
    assert fastface("scan", more, "--models", cartoon.models, "-o", out, "-q", "--max-hours", "1e-7").returncode == 3
    assert _states(out) == {"done": 3, "failed": 1, "waiting": 1}
    more.unlink()
    assert fastface("scan", cartoon.films, "--models", cartoon.models, "-o", out, "-q").returncode == 0
    assert _states(out) == {"done": 3, "failed": 1}
    assert fastface("purge", "-o", out, "--yes", "-q").returncode == 0
    told = fastface("status", "-o", out).stdout.splitlines()
    assert told[0].startswith(f"{out}: not running; all faces were removed by purge on 20")
    assert told[0].endswith(f"; to scan: fastface scan VIDEOS -o {out}")
    assert len(told) == 6  # the five scans
    assert fastface("scan", cartoon.films / "film3.mp4", "--models", cartoon.models, "-o", out, "-q").returncode == 0
    said = json.loads(fastface("status", "-o", out, "--json").stdout)
    assert (said["purged"], len(said["scans"]), said["states"]) == (None, 6, {"done": 1})


def test_a_question_is_given_an_end_as_a_run_is(cartoon: Cartoon, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert fastface("run", cartoon.films / "film3.mp4", *_given(cartoon, out)).returncode == 0
    given = ("-t", cartoon.bank, "--models", cartoon.models, "-o", out, "--exact", "--clips", "copy", "--max-hours")
    done = fastface("find", *given, "1e-7")
    assert done.returncode == 3, done.stderr
    assert "time is up" in done.stderr.lower()
    assert not list(out.glob("clips/*/*"))
    assert fastface("find", *given, "1").returncode == 0
    assert list(out.glob("clips/*/*"))


def test_an_index_in_which_all_wait_is_none(cartoon: Cartoon, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert fastface("run", cartoon.films, *_given(cartoon, out), "--max-hours", "1e-7").returncode == 3
    assert _states(out) == {"waiting": 3}
    (line,) = errors(fastface("find", *_given(cartoon, out)), 2, 1)
    assert "holds no scanned videos" in line


def test_the_ledger_notes_who_waits_for_the_last_command_alone(tmp_path: Path) -> None:
    with Ledger(tmp_path / "state.sqlite") as ledger:
        known = VideoRecord("a.mp4", Path("/films/a.mp4"), "print", "key", "done")
        ledger.put_video(known)
        ledger.put_waiting({"a.mp4": Path("/films/a.mp4"), "b.mp4": Path("/b.mp4"), "c.mp4": Path("/caf\udce9.mp4")})
        waiting = [VideoRecord("b.mp4", Path("/b.mp4"), "", ""), VideoRecord("c.mp4", Path("/caf\udce9.mp4"), "", "")]
        assert ledger.videos() == [known, *waiting]
        ledger.put_waiting({"b.mp4": Path("/moved/b.mp4")})
        assert ledger.videos() == [known, VideoRecord("b.mp4", Path("/moved/b.mp4"), "", "")]
        ledger.put_waiting({})
        assert ledger.videos() == [known]


def _info(name: str, seconds: int) -> VideoInfo:
    return plain_info(path=Path("/films") / name, video_id=name, time_base=Fraction(1, 25), duration=Fraction(seconds))


def _record(name: str, state: str, seconds: int) -> VideoRecord:
    return VideoRecord(name, Path("/films") / name, "print", "key", state, info=_info(name, seconds), num_units=2)


@pytest.fixture
def under_way(tmp_path: Path) -> Iterator[Path]:
    """A folder whose run began 100 s ago: one film is of an earlier run, one done, one half done, one waiting."""
    out = tmp_path / "out"
    folder = OutputFolder(out)
    with folder.hold_lock(), Ledger(folder.ledger) as ledger:
        ledger.put_video(_record("before.mp4", "done", 1000))
        ledger.put_video(_record("now.mp4", "done", 60))
        ledger.put_video(_record("half.mp4", "scanning", 80))
        ledger.put_unit("half.mp4", UnitRecord("first", Fraction(0), Fraction(40), dense=False, covered=Fraction(40)))
        ledger.put_waiting({"next.mp4": Path("/films/next.mp4")})
        begun = (datetime.now(UTC) - timedelta(seconds=100)).isoformat()
        events = [
            {"time": "2026-01-01T00:00:00+00:00", "event": "run", "command": "scan"},
            {"time": "2026-01-01T00:00:00+00:00", "event": "begin", "videos": 1},
            {"time": "2026-01-01T00:10:00+00:00", "event": "video", "video": "before.mp4", "state": "done"},
            {"time": "2026-01-01T00:10:01+00:00", "event": "end", "reason": ""},
            {"time": begun, "event": "run", "command": "run"},
            {"time": begun, "event": "begin", "videos": 4},
            {"time": begun, "event": "video", "video": "now.mp4", "state": "done"},
        ]
        folder.log.write_text("".join(f"{json.dumps(event)}\n" for event in events) + '{"time": "20')
        yield out


def test_the_share_and_the_time_left_are_counted_by_the_length_of_videos(under_way: Path) -> None:
    status = read_status(under_way)
    # The film that waits counts as the mean of the others: (1000 + 60 + 80) / 3 = 380.
    assert status.share == pytest.approx((1000 + 60 + 40) / (1000 + 60 + 80 + 380))
    # This run has done 100 s of video in 100 s; 40 of half.mp4 and the mean of its own films, 70, are left.
    assert status.seconds_left == pytest.approx(110, abs=5)
    assert status.speed == pytest.approx(1, abs=0.05)


def test_status_is_told_in_words(under_way: Path) -> None:
    first, now, before, second = fastface("status", "-o", under_way).stdout.splitlines()
    assert re.search(r"% scanned, (1\.0|0\.\d+) times real time, about \d:\d\d left", first)
    assert first.endswith("; 4 videos: 2 done, 1 waiting, 1 in progress")
    assert second == "half.mp4: in progress"
    assert now.endswith(" run: 4 videos named, 1 scanned; running")
    assert before.endswith(" scan: 1 video named, 1 scanned; ended")


def test_a_purged_folder_has_no_videos(tmp_path: Path) -> None:
    with OutputFolder(tmp_path).hold_lock(), Ledger(OutputFolder(tmp_path).ledger):
        pass
    status = read_status(tmp_path)
    assert (status.states, status.share, status.seconds_left) == ({}, None, None)
    (line,) = fastface("status", "-o", tmp_path).stdout.splitlines()
    assert line == f"{tmp_path}: not running; nothing is scanned; to scan: fastface scan VIDEOS -o {tmp_path}"


def test_a_file_that_was_still_being_written_is_left(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    with folder.hold_lock(), Ledger(folder.ledger) as ledger:
        ledger.put_video(_record("whole.mp4", "done", 60))
        ledger.put_video(_record("late.mp4", "unstable", 60))
    first, *_ = fastface("status", "-o", tmp_path).stdout.splitlines()
    left = "nothing left to scan but files that were still being written"
    assert first == f"{tmp_path}: not running, {left}; 2 videos: 1 done, 1 still being written"


def test_status_tells_what_is_done_and_what_is_not(ran: Ran) -> None:
    done = fastface("status", "-o", ran.out)
    assert (done.returncode, done.stderr) == (0, "")
    assert "not running, nothing left to scan; 4 videos: 3 done, 1 failed" in done.stdout
    (line,) = (line for line in done.stdout.splitlines() if line.startswith(BROKEN))
    assert "failed" in line
    said = json.loads(fastface("status", "-o", ran.out, "--json").stdout)
    assert said["states"] == {"done": 3, "failed": 1}
    assert said["process"] is None
    assert said["not_done"] == [line]


def test_status_changes_nothing_and_asks_what_cannot_be_written(ran: Ran, tmp_path: Path) -> None:
    out = copy_of_out(ran, tmp_path)
    (out / ".fastface" / "state.sqlite").chmod(0o444)
    (out / ".fastface" / "lock").unlink()
    before = contents(out)
    done = fastface("status", "-o", out)
    assert (done.returncode, done.stderr) == (0, "")
    assert "not running, nothing left to scan; 4 videos: 3 done, 1 failed" in done.stdout
    assert contents(out) == before


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_status_of_a_folder_that_is_closed_to_the_user_is_one_line(ran: Ran, tmp_path: Path) -> None:
    out = copy_of_out(ran, tmp_path)
    code = f"""
import os, pathlib
from fastface.commands.status import read_status
os.chdir({str(tmp_path)!r})
os.setuid(65534)
try:
    read_status(pathlib.Path("out"))
except Exception as error:
    print(type(error).__name__, error)
"""
    out.parent.chmod(0o755)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment())
    assert done.stdout == "ConfigError 'out' cannot be read: Permission denied\n"
