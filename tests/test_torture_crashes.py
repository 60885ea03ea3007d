"""A run that is killed at any place, then the same command: the same bytes, and nothing left behind."""

import json
import os
import random
import shutil
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from conftest import Cartoon, Torture
from run_tools import alive, arguments, children, finish, leftovers, num_units, tables, wait_until

from fastface.failpoints import ACTIONS

LEAST_PLACES = 30


def _environment(**more: str) -> dict[str, str]:
    return {**os.environ, **more}


def _command(cartoon: Cartoon, out: Path) -> list[str]:
    return arguments(cartoon, out, "--crops", "face")


@pytest.fixture(scope="module")
def whole(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Counter[str]]:
    """An undisturbed run, and how often its main process came to each place."""
    folder = tmp_path_factory.mktemp("whole")
    log = folder / "log"
    command = _command(cartoon, folder / "out")
    process = subprocess.Popen(command, env=_environment(FASTFACE_FAILPOINT_LOG=str(log)), stderr=subprocess.PIPE)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    visits = (line.split() for line in log.read_text().splitlines())
    return folder / "out", Counter(name for pid, name in visits if int(pid) == process.pid)


def _crops(out: Path) -> list[str]:
    return sorted(str(path.relative_to(out)) for path in (out / "crops").rglob("*.jpg"))


def _resumes(cartoon: Cartoon, out: Path, undisturbed: Path) -> None:
    """The same command ends as if nothing had happened."""
    done = finish(_command(cartoon, out))
    assert done.returncode == 0, done.stderr
    assert tables(out) == tables(undisturbed)
    assert _crops(out) == _crops(undisturbed)
    assert leftovers(out) == []


def _places(visits: Counter[str], most: int, seed: int) -> list[tuple[str, int]]:
    """(place, which visit): the first and a later one of each; `most` of them by chance."""
    chance = random.Random(seed)
    wanted = [(name, 1) for name in sorted(visits)]
    wanted += [(name, chance.randint(2, count)) for name, count in sorted(visits.items()) if count > 1]
    return sorted(chance.sample(wanted, min(most, len(wanted))))


def test_there_are_places_enough(whole: tuple[Path, Counter[str]]) -> None:
    assert len(whole[1]) >= LEAST_PLACES, sorted(whole[1])


def test_killed_at_any_place_a_run_leaves_nothing_and_resumes(
    cartoon: Cartoon, whole: tuple[Path, Counter[str]], tmp_path: Path, torture: Torture
) -> None:
    undisturbed, visits = whole
    places = _places(visits, torture.count(4, 1000), seed=1)
    for name, nth in places:
        out = tmp_path / f"{name}-{nth}"
        plan = _environment(FASTFACE_FAILPOINT=f"{name}:kill:{nth}")
        process = subprocess.Popen(_command(cartoon, out), env=plan, stderr=subprocess.PIPE, text=True)
        family: set[int] = set()
        while process.poll() is None:
            family |= set(children(process.pid))
        _, errors = process.communicate()
        assert process.returncode in (-signal.SIGKILL, 0), (name, nth, errors)  # 0: not so many visits this time
        wait_until(lambda family=family: not any(alive(pid) for pid in family), f"the end of all children at {name}")
        _resumes(cartoon, out, undisturbed)
        shutil.rmtree(out)
    torture.note("Killed at every place", places=len(visits), kills=len(places), other_tables=0, left_behind=0)


def test_killed_at_any_time_a_run_leaves_nothing_and_resumes(
    cartoon: Cartoon, whole: tuple[Path, Counter[str]], tmp_path: Path, torture: Torture
) -> None:
    undisturbed, _ = whole
    chance = random.Random(7)
    rounds = torture.count(2, 200)
    done_again = []
    for turn in range(rounds):
        out = tmp_path / str(turn)
        process = subprocess.Popen(_command(cartoon, out), stderr=subprocess.PIPE)
        units = chance.randint(0, 11)
        wait_until(lambda: process.poll() is not None or num_units(out) >= units, f"{units} units")  # noqa: B023
        family = children(process.pid)
        process.kill()
        process.communicate()
        wait_until(lambda: not any(alive(pid) for pid in family), "the end of all children")  # noqa: B023
        committed = num_units(out)
        _resumes(cartoon, out, undisturbed)
        done_again.append(committed - units)
        shutil.rmtree(out)
    assert len(done_again) == rounds
    torture.note("Killed at any time", kills=rounds, other_tables=0, left_behind=0)


@pytest.mark.parametrize("error", ["enospc", "eio"])
def test_a_disk_that_fails_at_any_write_ends_the_run_in_one_line_and_the_next_goes_on(
    cartoon: Cartoon, whole: tuple[Path, Counter[str]], tmp_path: Path, torture: Torture, error: str
) -> None:
    undisturbed, visits = whole
    writes = Counter({name: count for name, count in visits.items() if name.startswith("file.")})
    assert len(writes) == 5
    places = _places(writes, torture.count(2, 1000), seed=2)
    for name, nth in places:
        out = tmp_path / f"{error}-{name}-{nth}"
        plan = _environment(FASTFACE_FAILPOINT=f"{name}:{error}:{nth}")
        done = subprocess.run(
            _command(cartoon, out), env=plan, capture_output=True, text=True, timeout=120, check=False
        )
        lines = done.stderr.strip().splitlines()
        assert done.returncode == (28 if error == "enospc" else 1), (name, nth, done.stderr)
        assert [line for line in lines if not line.startswith("fastface: ")] == [], done.stderr
        assert leftovers(out) == []
        _resumes(cartoon, out, undisturbed)
        shutil.rmtree(out)
    torture.note(f"A disk that fails ({error})", places=len(writes), failures=len(places), torn_files=0)


CHILD_PLACES = ("decoder.filled", "decoder.told", "decoder.decoded", "worker.inferred", "worker.told")


@pytest.mark.parametrize("action", ["kill", "segv"])
def test_children_that_always_end_at_a_place_end_the_run_neither_in_a_hang_nor_in_a_lie(
    cartoon: Cartoon, tmp_path: Path, torture: Torture, action: str
) -> None:
    assert action in ACTIONS
    for name in CHILD_PLACES if torture.whole else CHILD_PLACES[3 * (action == "segv") :][:1]:
        out = tmp_path / name
        plan = _environment(FASTFACE_FAILPOINT=f"{name}:{action}:3")
        done = subprocess.run(
            _command(cartoon, out), env=plan, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode in (0, 3), (name, done.stderr)
        counts = json.loads((out / "run.json").read_text())["counts"]
        assert counts["sampled"] == counts["inferred"] + counts["quarantined"]
        assert leftovers(out) == []
        again = finish(_command(cartoon, out))
        assert again.returncode == 0, again.stderr  # what was given up is tried again
