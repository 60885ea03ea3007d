"""A run that is killed at any place, then the same command: the same bytes, and nothing left behind."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from math import ceil
from pathlib import Path

import pytest
from cartoon_tools import Cartoon
from run_tools import (
    all_as_before,
    arguments,
    children,
    compared,
    end_of_family,
    files_read_whole,
    finish,
    ledger_rows,
    leftovers,
    num_units,
    videos,
    visits,
    wait_until,
    watched_family,
)
from torture_tools import Torture

from fastface.failpoints import ACTIONS

LEAST_PLACES = 30
DECODERS, BATCH = 2, 4


def _command(cartoon: Cartoon, out: Path) -> list[str]:
    return arguments(
        cartoon, out, "--crops", "face", "--decoders", str(DECODERS), "--batch", str(BATCH), targets=cartoon.photos
    )


def _start(cartoon: Cartoon, out: Path, **variables: str) -> subprocess.Popen[str]:
    environment = {**os.environ, **variables}
    return subprocess.Popen(_command(cartoon, out), env=environment, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def whole(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Counter[str]]:
    """An undisturbed run, and how often its main process came to each place."""
    folder = tmp_path_factory.mktemp("whole")
    process = _start(cartoon, folder / "out", FASTFACE_FAILPOINT_LOG=str(folder / "log"))
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return folder / "out", visits(folder / "log", process.pid)


def _resumed(cartoon: Cartoon, out: Path, undisturbed: Path, **variables: str) -> Counter[str]:
    """The same command ends as if nothing had happened; gives what was compared."""
    done = finish(_command(cartoon, out), **variables)
    assert done.returncode == 0, done.stderr
    counted = compared(out, undisturbed)
    assert all_as_before(counted), counted
    return counted


def _places(seen: Counter[str], most: int, seed: int) -> list[tuple[str, int]]:
    """(place, which visit): the first and a later one of each; `most` of them by chance."""
    chance = random.Random(seed)
    wanted = [(name, 1) for name in sorted(seen)]
    wanted += [(name, chance.randint(2, count)) for name, count in sorted(seen.items()) if count > 1]
    return sorted(chance.sample(wanted, min(most, len(wanted))))


def test_there_are_places_enough(whole: tuple[Path, Counter[str]]) -> None:
    assert len(whole[1]) >= LEAST_PLACES, sorted(whole[1])


@pytest.mark.parametrize("plan", ["scan.merge:explode", "scan.merge", "scan.merge:kill:first"])
def test_a_plan_that_can_never_come_true_is_told_at_once(plan: str) -> None:
    done = finish([sys.executable, "-c", "import fastface.failpoints"], FASTFACE_FAILPOINT=plan)
    assert done.returncode == 1
    told = done.stderr.splitlines()[-1]
    assert repr(plan) in told
    assert all(action in told for action in ("kill", "segv", "stop", "enospc", "eio"))


def test_killed_at_any_place_a_run_leaves_nothing_and_resumes(
    cartoon: Cartoon, whole: tuple[Path, Counter[str]], tmp_path: Path, torture: Torture
) -> None:
    undisturbed, seen = whole
    places = _places(seen, torture.count(2, 1000), seed=1)
    sums, shared = Counter(kills=0, processes_that_ended_with_it=0), set(os.listdir("/dev/shm"))  # noqa: PTH208
    for number, (name, nth) in enumerate(places):
        out = tmp_path / f"{name}-{nth}"
        process = _start(cartoon, out, FASTFACE_FAILPOINT=f"{name}:kill:{nth}")
        sums["processes_that_ended_with_it"] += end_of_family(process, watched_family(process))
        assert process.returncode in (-signal.SIGKILL, 0), (name, nth)  # 0: not so many visits this time
        sums["kills"] += process.returncode != 0
        sums["shared_memory_left"] += len(set(os.listdir("/dev/shm")) - shared)  # noqa: PTH208
        sums.update(_resumed(cartoon, out, undisturbed))
        shutil.rmtree(out)
        torture.progress(number, f"killed at every place: {number} of {len(places)}")
    assert sums["kills"] >= len(places) // 2
    assert sums["shared_memory_left"] == 0
    torture.note("Killed at every place", places=len(seen), **sums)


def _batches(out: Path) -> list[int]:
    """Of each committed unit."""
    records = ledger_rows(out, "SELECT record FROM units")
    return [ceil(json.loads(record)["sampled"] / BATCH) for (record,) in records]


def test_killed_at_any_time_a_run_leaves_nothing_and_does_little_again(
    cartoon: Cartoon, whole: tuple[Path, Counter[str]], tmp_path: Path, torture: Torture
) -> None:
    """Committed work is never done again; what was begun and is, is no more than a unit for each decoder."""
    undisturbed, _ = whole
    units, longest = num_units(undisturbed), max(_batches(undisturbed))
    chance, sums = random.Random(7), Counter(processes_that_ended_with_it=0)
    units_again, work_again = [], []
    rounds = torture.count(1, 200)
    for turn in range(rounds):
        out, log, again = tmp_path / str(turn), tmp_path / f"{turn}.log", tmp_path / f"{turn}-again.log"
        process = _start(cartoon, out, FASTFACE_FAILPOINT_LOG=str(log))
        wanted = chance.randint(0, units - 1)
        wait_until(lambda: process.poll() is not None or num_units(out) >= wanted, f"{wanted} units")  # noqa: B023
        family = set(children(process.pid))
        process.kill()
        sums["processes_that_ended_with_it"] += end_of_family(process, family)
        committed = _batches(out)
        begun = visits(log, process.pid)["send.DecodeUnit"]
        scanning = len(ledger_rows(out, "SELECT 1 FROM videos WHERE state = 'scanning' AND num_units > 0"))
        sums.update(_resumed(cartoon, out, undisturbed, FASTFACE_FAILPOINT_LOG=str(again)))
        sums["committed_units_done_again"] += visits(again)["send.DecodeUnit"] - (units - len(committed))
        units_again.append(begun - len(committed))
        work_again.append((visits(log)["decoder.told"] - sum(committed)) / longest)
        sums["kills_with_more_done_again_than_a_unit_of_each_video"] += work_again[-1] > scanning
        shutil.rmtree(out)
        torture.progress(turn, f"killed at any time: {turn} of {rounds}")
    assert len(work_again) == rounds
    assert sums["committed_units_done_again"] == 0
    # Not a unit for each video: the last one left is decoded by all decoders, each at a unit of its own.
    assert max(work_again) <= DECODERS
    torture.note(
        "Killed at any time",
        kills=rounds,
        **sums,
        units_of_a_run=units,
        units_begun_and_not_committed=f"{sum(units_again)} in all, {max(units_again)} at most",
        work_done_again_in_units=f"{sum(work_again):.1f} in all, {max(work_again):.2f} at most",
    )


EXPORTS = ("ledger.export", "ledger.doubt-exports", "file.")


def test_a_run_killed_while_it_replaces_an_earlier_ones_pictures_leaves_none_under_a_wrong_name(
    cartoon: Cartoon, whole: tuple[Path, Counter[str]], tmp_path: Path, torture: Torture
) -> None:
    """Crops of another kind have the same names: what is there must not be taken for what was asked for."""
    undisturbed, _ = whole
    aligned = [*_command(cartoon, tmp_path / "first"), "--crops", "aligned"]
    shutil.copytree(undisturbed, tmp_path / "first")
    log = tmp_path / "log"
    assert finish(aligned, FASTFACE_FAILPOINT_LOG=str(log)).returncode == 0
    seen = Counter({name: count for name, count in visits(log).items() if name.startswith(EXPORTS)})
    places = _places(seen, 1000, seed=4) if torture.whole else [("ledger.export.begin", 1)]
    sums = Counter[str]()
    for name, nth in places:
        out = tmp_path / f"{name}-{nth}"
        shutil.copytree(undisturbed, out)
        command = [*_command(cartoon, out), "--crops", "aligned"]
        killed = finish(command, FASTFACE_FAILPOINT=f"{name}:kill:{nth}")
        sums["kills"] += killed.returncode == -signal.SIGKILL
        sums.update(_resumed(cartoon, out, undisturbed))
        shutil.rmtree(out)
    assert sums["kills"]
    torture.note("Killed while pictures of an earlier question are replaced", places=len(seen), **sums)


@pytest.mark.parametrize("error", ["enospc", "eio"])
def test_a_disk_that_fails_at_any_write_ends_the_run_in_one_line_and_the_next_goes_on(
    cartoon: Cartoon, whole: tuple[Path, Counter[str]], tmp_path: Path, torture: Torture, error: str
) -> None:
    undisturbed, seen = whole
    writes = Counter({name: count for name, count in seen.items() if name.startswith("file.")})
    assert len(writes) == 5
    places = _places(writes, torture.count(1, 1000), seed=2)
    sums = Counter(failures=0)
    for number, (name, nth) in enumerate(places):
        out = tmp_path / f"{error}-{name}-{nth}"
        done = finish(_command(cartoon, out), FASTFACE_FAILPOINT=f"{name}:{error}:{nth}")
        lines = done.stderr.strip().splitlines()
        assert done.returncode == (28 if error == "enospc" else 1), (name, nth, done.stderr)
        assert [line for line in lines if not line.startswith("fastface: ")] == [], done.stderr
        assert leftovers(out) == []
        sums["failures"] += 1
        sums["files_read_whole"] += files_read_whole(out)
        sums.update(_resumed(cartoon, out, undisturbed))
        shutil.rmtree(out)
        torture.progress(number, f"a disk that fails ({error}): {number} of {len(places)}")
    torture.note(f"A disk that fails ({error})", places=len(writes), **sums)


CHILD_PLACES = ("decoder.filled", "decoder.told", "decoder.decoded", "worker.inferred", "worker.told")


@pytest.mark.parametrize("action", ["kill", "segv"])
def test_children_that_always_end_at_a_place_end_the_run_neither_in_a_hang_nor_in_a_lie(
    cartoon: Cartoon, tmp_path: Path, torture: Torture, action: str
) -> None:
    assert action in ACTIONS
    # Each unit ends twelve processes before it is given up: one film of two units is enough of them.
    films = tmp_path / "films"
    films.mkdir()
    shutil.copy2(cartoon.films / "film3.mp4", films)
    mine, sums = replace(cartoon, films=films), Counter(runs=0)
    for name in CHILD_PLACES if torture.whole else CHILD_PLACES[3 * (action == "segv") :][:1]:
        out = tmp_path / name
        done = finish(_command(mine, out), FASTFACE_FAILPOINT=f"{name}:{action}:3")
        assert done.returncode in (0, 3), (name, done.stderr)
        report = videos(out)
        assert [Path(video["path"]).name for video in report] == ["film3.mp4"]
        assert [video for video in report if video["sampled"] != video["inferred"] + video["quarantined"]] == []
        sums.update({count: sum(video[count] for video in report) for count in ("sampled", "inferred", "quarantined")})
        sums.update(runs=1, videos=len(report))
        assert leftovers(out) == []
        again = finish(_command(mine, out))
        assert again.returncode == 0, again.stderr  # what was given up is tried again
    torture.note(f"Children that always end at a place ({action})", **sums)
