"""Whole runs over drawn films: exact hits, the same bytes for any crew, after any death, and after any resume."""

import json
import random
import shutil
import signal
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from cartoon_tools import Cartoon, without_longest
from run_tools import alive, arguments, children, finish, kill, leftovers, num_units, rows, run, tables, wait_until

from fastface.demo.film import expected_hits

NUM_UNITS = 4 + 2
"""Films of 8 and 4 seconds with a keyframe every second, in units of two seconds."""


@pytest.fixture(scope="module")
def cartoon(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> Cartoon:
    """The two short films."""
    return without_longest(cartoon, tmp_path_factory.mktemp("short"))


@pytest.fixture(scope="module")
def undisturbed(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run that nothing happened to."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    done = finish(arguments(cartoon, out))
    assert done.returncode == 0, done.stderr
    return out


def test_every_hit_is_where_it_was_drawn(cartoon: Cartoon, undisturbed: Path) -> None:
    labels = {photo.stem for photo in cartoon.photos.iterdir()}
    found = {(row["video"], row["target"], row["time"]) for row in rows(undisturbed / "hits.csv")}
    drawn = {
        (film, name, f"{float(time):.3f}")
        for film, script in cartoon.scripts.items()
        for name, times in expected_hits(script).items()
        for time in times
        if name in labels
    }
    assert len(drawn) > 200
    assert found == drawn


def test_counters_add_up(cartoon: Cartoon, undisturbed: Path) -> None:
    report = json.loads((undisturbed / "run.json").read_text())
    counts = report["counts"]
    assert counts["sampled"] == sum(script.num_frames for script in cartoon.scripts.values())
    assert counts["sampled"] == counts["inferred"] + counts["quarantined"]
    assert counts["faces"] == sum(
        len(script.sightings(frame)) for script in cartoon.scripts.values() for frame in range(script.num_frames)
    )
    assert [video["state"] for video in report["videos"]] == ["done"] * 2
    assert num_units(undisturbed) == NUM_UNITS


@pytest.mark.parametrize("pool", ["1 1 1", "3 1 4", "1 4 3", "2 2 32"])
def test_tables_do_not_depend_on_the_crew_or_the_batch(
    cartoon: Cartoon, undisturbed: Path, tmp_path: Path, pool: str
) -> None:
    decoders, workers, batch = pool.split()
    done = run(cartoon, tmp_path / "out", "--decoders", decoders, "--workers", workers, "--batch", batch)
    assert done.returncode == 0, done.stderr
    assert tables(tmp_path / "out") == tables(undisturbed)


def test_sampling_takes_the_first_frame_of_each_cell(cartoon: Cartoon, tmp_path: Path) -> None:
    done = run(cartoon, tmp_path / "out", "--no-every-frame", "--sample-fps", "5")
    assert done.returncode == 0, done.stderr
    labels = {photo.stem for photo in cartoon.photos.iterdir()}
    found = {(row["video"], row["target"], row["time"]) for row in rows(tmp_path / "out" / "hits.csv")}
    drawn = {
        (film, name, f"{float(time):.3f}")
        for film, script in cartoon.scripts.items()
        for name, times in expected_hits(script, period=Fraction(1, 5)).items()
        for time in times
        if name in labels
    }
    assert found == drawn


def test_ten_killed_children_change_nothing(cartoon: Cartoon, undisturbed: Path, tmp_path: Path) -> None:
    chance = random.Random(0)  # torture/test_kills.py goes on with others
    out = tmp_path / "out"
    process = subprocess.Popen(arguments(cartoon, out), stderr=subprocess.PIPE, text=True)
    killed = 0
    seen: set[int] = set()
    try:
        while killed < 10 and process.poll() is None:
            wait_until(
                lambda: process.poll() is not None or set(children(process.pid, "fastface.pipeline")) - seen,
                "a child that was not killed yet",
            )
            fresh = sorted(set(children(process.pid, "fastface.pipeline")) - seen)
            units = num_units(out)
            if not fresh:
                continue
            # The next death comes at a random moment: at once, or after another unit was committed.
            if killed % 2 and units < NUM_UNITS:
                wait_until(lambda: process.poll() is not None or num_units(out) > units, "another unit")  # noqa: B023
            victim = chance.choice(fresh)
            seen.add(victim)
            killed += kill(victim, signal.SIGKILL)
        _, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    assert killed >= 5
    assert tables(out) == tables(undisturbed)
    assert leftovers(out) == []


@pytest.mark.parametrize("units", [0, 2, 4])
def test_a_killed_run_leaves_nothing_and_resumes(
    cartoon: Cartoon, undisturbed: Path, tmp_path: Path, units: int
) -> None:
    out = tmp_path / "out"
    process = subprocess.Popen(arguments(cartoon, out), stderr=subprocess.PIPE)
    wait_until(lambda: len(children(process.pid, "fastface.pipeline")) >= 2, "decoders and workers")
    wait_until(lambda: num_units(out) >= units, f"{units} units")
    family = children(process.pid)
    process.kill()
    process.communicate()
    wait_until(lambda: not any(alive(pid) for pid in family), "the end of all children")
    before = {path: path.stat().st_mtime_ns for path in (out / ".fastface" / "index").rglob("*.parquet")}
    committed = num_units(out)
    done = finish(arguments(cartoon, out))
    assert done.returncode == 0, done.stderr
    assert tables(out) == tables(undisturbed)
    assert leftovers(out) == []
    assert committed >= units
    kept = [path for path, changed in before.items() if path.exists() and path.stat().st_mtime_ns == changed]
    merged = [path for path in before if path.name == "faces.parquet"]
    assert set(merged) <= set(kept)


@pytest.mark.parametrize("lost", ["faces.parquet", "units"])
def test_what_a_user_removed_from_the_index_is_made_again(
    cartoon: Cartoon, undisturbed: Path, tmp_path: Path, lost: str
) -> None:
    out = shutil.copytree(undisturbed, tmp_path / "out")
    index = out / ".fastface" / "index" / "film2.mp4"
    (index / "faces.parquet").unlink()
    if lost == "units":  # unfinished, and one of its units is gone
        with closing(sqlite3.connect(out / ".fastface" / "state.sqlite")) as database, database:
            database.execute(
                "UPDATE videos SET state = 'scanning', reason = '', coverage = NULL WHERE video_id = 'film2.mp4'"
            )
    done = finish(arguments(cartoon, out))
    assert done.returncode == 0, done.stderr
    assert tables(out) == tables(undisturbed)


def test_an_interrupted_run_exits_130_and_resumes(cartoon: Cartoon, undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = subprocess.Popen(arguments(cartoon, out), stderr=subprocess.PIPE, text=True)
    wait_until(lambda: num_units(out) >= 2, "two units")
    family = children(process.pid)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "Stopped. Run the same command to continue." in errors
    assert not any(alive(pid) for pid in family)
    states = {video["state"] for video in json.loads((out / "run.json").read_text())["videos"]}
    assert "cancelled" in states
    done = finish(arguments(cartoon, out))
    assert done.returncode == 0, done.stderr
    assert tables(out) == tables(undisturbed)


def test_a_second_run_scans_nothing_and_a_new_threshold_neither(
    cartoon: Cartoon, undisturbed: Path, tmp_path: Path
) -> None:
    out = shutil.copytree(undisturbed, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (out / ".fastface" / "index").glob("*/*")}
    assert before
    assert finish(arguments(cartoon, out)).returncode == 0
    assert run(cartoon, out, "--margin", "1.5").returncode == 0
    after = {path: path.stat().st_mtime_ns for path in (out / ".fastface" / "index").glob("*/*")}
    assert after == before
    assert rows(undisturbed / "hits.csv")
    assert rows(out / "hits.csv") == []  # persons are drawn 1.0 apart


def test_one_bad_video_does_not_stop_the_others(cartoon: Cartoon, undisturbed: Path, tmp_path: Path) -> None:
    films = tmp_path / "films"
    films.mkdir()
    for film in cartoon.films.iterdir():
        (films / film.name).symlink_to(film)
    (films / "bad.mp4").write_bytes(b"not a film at all")
    (films / "empty.mkv").write_bytes(b"")
    other = replace(cartoon, films=films)
    done = run(other, tmp_path / "out")
    assert done.returncode == 3, done.stderr
    found = tables(tmp_path / "out")
    at_home = {name: part.replace(str(films).encode(), str(cartoon.films).encode()) for name, part in found.items()}
    assert at_home == tables(undisturbed)
    videos = json.loads((tmp_path / "out" / "run.json").read_text())["videos"]
    states = {Path(video["path"]).name: (video["state"], video["reason"].split(":")[0]) for video in videos}
    assert states["bad.mp4"] == states["empty.mkv"] == ("failed", "not a video")


def test_exact_boundaries_are_those_of_every_frame(cartoon: Cartoon, undisturbed: Path, tmp_path: Path) -> None:
    """Sampled at 5 a second, then refined: the same first and last hits as with every frame, and asked only once."""
    out = tmp_path / "out"
    exact = ("--no-every-frame", "--sample-fps", "5", "--exact", "--pad", "0,0", "--merge-gap", "0.3")
    assert run(cartoon, out, *exact).returncode == 0
    every_frame = shutil.copytree(undisturbed, tmp_path / "every")
    assert run(cartoon, every_frame, "--pad", "0,0", "--merge-gap", "0.3").returncode == 0
    spans = rows(out / "spans.csv")
    every = rows(every_frame / "spans.csv")
    # What comes and goes between two samples is not seen; every span that is seen has its exact ends.
    ends = {(row["video"], row["target"], row["start"], row["end"]) for row in every}
    assert len(spans) > 10
    exactly = [row for row in spans if (row["video"], row["target"], row["start"], row["end"]) in ends]
    assert len(exactly) >= 0.8 * len(spans)
    before = {path: path.stat().st_mtime_ns for path in (out / ".fastface" / "index").glob("*/*")}
    assert any("dense" in str(path) for path in before)
    assert run(cartoon, out, *exact).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in (out / ".fastface" / "index").glob("*/*")} == before


def test_when_its_time_is_up_a_run_ends_with_3_and_the_next_goes_on(
    cartoon: Cartoon, undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = run(cartoon, out, "--max-hours", "0.0000001")
    assert done.returncode == 3, done.stderr
    videos = json.loads((out / "run.json").read_text())["videos"]
    assert [(Path(video["path"]).name, video["state"]) for video in videos] == [
        (name, "cancelled") for name in sorted(cartoon.scripts)
    ]  # those that nobody came to are there too
    assert "run the same command" in videos[0]["reason"]
    log = (out / ".fastface" / "log.jsonl").read_text()
    assert f"Time is up: {len(cartoon.scripts)} videos left. Run the same command to continue." in log
    assert run(cartoon, out, "--max-hours", "1").returncode == 0
    assert tables(out) == tables(undisturbed)


def test_a_video_that_must_be_scanned_again_is_no_answer_until_it_was(
    cartoon: Cartoon, undisturbed: Path, tmp_path: Path
) -> None:
    out = shutil.copytree(undisturbed, tmp_path / "out")
    late = run(cartoon, out, "--det-threshold", "0.4", "--max-hours", "0.0000001")  # another index is asked for
    assert late.returncode == 3, late.stderr
    assert {video["state"] for video in json.loads((out / "run.json").read_text())["videos"]} == {"cancelled"}
    assert rows(out / "hits.csv") == []
    assert run(cartoon, out).returncode == 0
    assert tables(out) == tables(undisturbed)


def test_exports_that_there_is_no_time_for_are_made_by_the_next_run(
    cartoon: Cartoon, undisturbed: Path, tmp_path: Path
) -> None:
    out = shutil.copytree(undisturbed, tmp_path / "out")
    late = run(cartoon, out, "--crops", "face", "--max-hours", "0.0000001")
    assert late.returncode == 3
    assert "time is up: " in late.stderr.lower()
    assert not list(out.glob("crops/*/*.jpg"))
    assert run(cartoon, out, "--crops", "face", "--max-hours", "1").returncode == 0
    assert list(out.glob("crops/*/*.jpg"))
