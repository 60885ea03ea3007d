"""`--watch` over folders that a slow writer fills: every film is searched once and whole, and each end of it."""

import json
import shutil
import signal
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from cartoon_tools import Cartoon
from cli_tools import drawn_hits, environment, fastface, found_hits
from run_tools import COMMAND, children, wait_until

HELD, RENAMED = "film2.mp4", "film3.mp4"
WAITING = "waiting for new videos"


def _log(out: Path) -> list[dict[str, object]]:
    path = out / ".fastface" / "log.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _scanned(out: Path) -> Counter[tuple[object, object]]:
    """How often each video came to which state."""
    return Counter((row["video"], row["state"]) for row in _log(out) if row["event"] == "video")


def test_a_slow_writer_fills_a_watched_folder(cartoon: Cartoon, tmp_path: Path) -> None:
    """One film is held open far longer than the interval, one comes under another name; Ctrl-C ends the wait."""
    films, out, notes = tmp_path / "films", tmp_path / "out", tmp_path / "notes"
    films.mkdir()
    command = [
        *(*COMMAND, "run", str(films), "-t", str(cartoon.bank), "--models", str(cartoon.models), "-o", str(out)),
        *("--clips", "none", "--crops", "none", "--no-report", "--watch", "--watch-interval", "0.5"),
    ]
    with notes.open("w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, env=environment())
    try:

        def ended() -> bool:
            return process.poll() is not None

        wait_until(lambda: ended() or WAITING in notes.read_text(), "the wait in the empty folder")
        assert json.loads((out / "run.json").read_text())["videos"] == []
        content = (cartoon.films / HELD).read_bytes()
        with (films / HELD).open("wb") as file:
            file.write(content[: len(content) // 2])
            file.flush()
            shutil.copy(cartoon.films / RENAMED, films / ".film3.mp4.part")
            (films / ".film3.mp4.part").rename(films / RENAMED)
            wait_until(lambda: ended() or "1 file still being written; waiting" in notes.read_text(), "the whole film")
            file.write(content[len(content) // 2 :])
        wait_until(lambda: ended() or len(_scanned(out)) == 2, "the film that was held open")
        wait_until(lambda: ended() or notes.read_text().rstrip().endswith("Ctrl-C ends it"), "the next wait")
        assert children(process.pid) == []
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
    finally:
        process.kill()
        process.wait()
    told = notes.read_text()
    assert process.returncode == 128 + signal.SIGINT, told
    assert told.rstrip().endswith("fastface: Stopped. Run the same command to continue.")
    assert _scanned(out) == {(RENAMED, "done"): 1, (HELD, "done"): 1}
    mine = replace(cartoon, scripts={name: cartoon.scripts[name] for name in (HELD, RENAMED)})
    assert len(drawn_hits(mine)) > 20
    assert found_hits(out) == drawn_hits(mine)
    # The report has the news of every pass; since a signal ended the watch, the next run repeats it.
    watched = json.loads((out / "night.json").read_text())
    assert [video["video"] for video in watched["new_videos"]] == [HELD, RENAMED]
    done = fastface(*command[len(COMMAND) : -3], "-q")
    assert (done.returncode, done.stderr) == (0, "")
    repeated = json.loads((out / "night.json").read_text())
    assert [repeated[key] for key in ("new_videos", "sightings")] == [
        watched[key] for key in ("new_videos", "sightings")
    ]
    assert repeated["unreported"] == [watched["started"]]


@pytest.mark.parametrize("is_open", [False, True])
def test_the_time_limit_ends_a_watch(cartoon: Cartoon, tmp_path: Path, is_open: bool) -> None:
    """With 0 if nothing is left; a file that is still being written is left, and run.json names it."""
    films, out = tmp_path / "films", tmp_path / "out"
    films.mkdir()
    with (films / RENAMED).open("wb") as file:
        if is_open:
            file.write(b"half")
            file.flush()
        else:
            (films / RENAMED).unlink()
        done = fastface(
            *("scan", films, "--models", cartoon.models, "-o", out, "--watch", "--watch-interval", 0.1),
            *("--max-hours", 0.001, "--json"),
        )
    left = [{"path": str(films / RENAMED), "reason": "still being written"}] if is_open else []
    report = json.loads((out / "night.json").read_text())
    assert [(one["path"], one["state"]) for one in report["left"]] == [(one["path"], "unstable") for one in left]
    assert (report["new_failures"], report["ended"]) == ([], "")
    assert done.returncode == (3 if is_open else 0), done.stderr
    assert json.loads(done.stdout)["skipped"] == left
    assert _scanned(out) == {}
    assert ("exit code 3: 1 input not searched" in done.stderr) == is_open


def test_find_cannot_watch(cartoon: Cartoon, tmp_path: Path) -> None:
    done = fastface("find", "-t", cartoon.bank, "--models", cartoon.models, "-o", tmp_path, "-s", "run.watch=true")
    assert done.returncode == 2
    assert "--watch: find does not scan" in done.stderr
