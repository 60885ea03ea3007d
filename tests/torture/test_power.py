"""The power goes: what was not synced is gone with it. The same command ends as if nothing had happened."""

import os
import random
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
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
    num_units,
    visits,
    wait_until,
    watched_family,
)
from torture_tools import Torture

COMMITS = ("ledger.", "scan.", "file.")
OTHER_QUESTION = ("--det-threshold", "0.4")
"""Another index: every video is forgotten and scanned again."""


def _command(cartoon: Cartoon, out: Path, *more: str) -> list[str]:
    return arguments(cartoon, out, "--crops", "face", *more, targets=cartoon.photos)


def _start(command: list[str], **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(command, env={**os.environ, **variables}, stderr=subprocess.PIPE, text=True)


def _log_of(out: Path) -> Path:
    """SQLite's log: what was committed and not yet taken over into the ledger."""
    return out / ".fastface" / "state.sqlite-wal"


def _lose_log(out: Path, _chance: random.Random) -> None:
    """All rows since the ledger was last closed: more than can be lost, since some commits are synced."""
    for name in ("state.sqlite-wal", "state.sqlite-shm"):
        (out / ".fastface" / name).unlink(missing_ok=True)


def _tear_log(out: Path, chance: random.Random) -> None:
    """The log's end, wherever the disk was in it."""
    log = _log_of(out)
    if log.exists():
        os.truncate(log, chance.randint(0, log.stat().st_size))


def _lose_newest(out: Path, chance: random.Random) -> None:
    """The file that was renamed last, as if its folder had not been synced, and some rows."""
    files = [path for path in out.rglob("*") if path.is_file() and not path.name.startswith("state.sqlite")]
    if files:
        max(files, key=lambda path: path.stat().st_mtime_ns).unlink()
    _tear_log(out, chance)


def _lose_folder(out: Path, chance: random.Random) -> None:
    """A folder of the index, which was new: its own name is in a folder that nobody synced. The rows stay."""
    folders = sorted(path for path in (out / ".fastface" / "index").rglob("*") if path.is_dir())
    if folders:
        shutil.rmtree(chance.choice(folders))


LOSSES: tuple[Callable[[Path, random.Random], None], ...] = (_lose_log, _tear_log, _lose_newest, _lose_folder)


@pytest.fixture(scope="module")
def whole(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Counter[str]]:
    """An undisturbed run, and how often its main process came to each place."""
    folder = tmp_path_factory.mktemp("whole")
    process = _start(_command(cartoon, folder / "out"), FASTFACE_FAILPOINT_LOG=str(folder / "log"))
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return folder / "out", visits(folder / "log", process.pid)


def _resumed(command: list[str], out: Path, undisturbed: Path) -> Counter[str]:
    done = finish(command)
    assert done.returncode == 0, done.stderr
    counted = compared(out, undisturbed)
    counted["files_read_whole"] = files_read_whole(out)
    assert all_as_before(counted), counted
    return counted


def test_a_power_cut_at_any_commit_takes_back_rows_and_files_and_the_next_run_makes_them_again(
    cartoon: Cartoon, whole: tuple[Path, Counter[str]], tmp_path: Path, torture: Torture
) -> None:
    undisturbed, seen = whole
    chance, sums = random.Random(5), Counter[str]()
    places = [(name, chance.randint(1, count)) for name, count in sorted(seen.items()) if name.startswith(COMMITS)]
    cuts = [(name, nth, lose) for name, nth in places for lose in LOSSES]
    cuts = cuts if torture.whole else chance.sample(cuts, 2)
    for number, (name, nth, lose) in enumerate(cuts):
        out = tmp_path / f"{name}-{nth}-{lose.__name__}"
        process = _start(_command(cartoon, out), FASTFACE_FAILPOINT=f"{name}:kill:{nth}")
        end_of_family(process, watched_family(process))
        sums["cuts"] += process.returncode == -signal.SIGKILL  # else not so many visits this time
        lose(out, chance)
        sums.update(_resumed(_command(cartoon, out), out, undisturbed))
        shutil.rmtree(out)
        torture.progress(number, f"power cuts: {number} of {len(cuts)}")
    assert sums["cuts"] >= len(cuts) // 2
    torture.note("Power cuts", places=len(places), **sums)


@pytest.fixture(scope="module")
def answered(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A place that answered one question; a copy of it as it was then; another folder with the other's answer."""
    folder = tmp_path_factory.mktemp("answered")
    out, kept, other = folder / "out", folder / "kept", folder / "other"
    assert finish(_command(cartoon, out)).returncode == 0
    shutil.copytree(out, kept)  # it is put back to `out` for each turn: paths are part of what is remembered
    assert finish(_command(cartoon, other, *OTHER_QUESTION)).returncode == 0
    return out, kept, other


def test_a_power_cut_while_another_question_is_answered_leaves_no_answer_of_two_halves(
    cartoon: Cartoon, answered: tuple[Path, Path, Path], torture: Torture
) -> None:
    """What is synced is known here to the byte: when a video is forgotten, the log up to there is.

    The process is stopped at such a place, the log kept, and put back after the process went on and was killed.
    """
    out, kept, other = answered
    chance, sums = random.Random(6), Counter[str]()
    rounds = torture.count(1, 50)
    for turn in range(rounds):
        shutil.rmtree(out)
        shutil.copytree(kept, out)
        command, log = _command(cartoon, out, *OTHER_QUESTION), _log_of(out)
        forgotten = chance.randint(1, len(cartoon.scripts))
        process = _start(command, FASTFACE_FAILPOINT=f"ledger.forget-video.committed:stop:{forgotten}")
        stat = Path(f"/proc/{process.pid}/stat")
        wait_until(lambda: stat.read_text().rsplit(")", 1)[1].split()[0] == "T", "its stop")  # noqa: B023
        synced, units = log.read_bytes(), num_units(out)
        process.send_signal(signal.SIGCONT)
        more = units + chance.randint(0, 4)
        wait_until(lambda: process.poll() is not None or num_units(out) >= more, "more units")  # noqa: B023
        family = set(children(process.pid))
        process.kill()
        end_of_family(process, family)
        sums["cuts"] += process.returncode == -signal.SIGKILL
        if process.returncode:  # else it was through, and closed the ledger
            assert log.read_bytes().startswith(synced)
            sums["bytes_of_log_lost"] += log.stat().st_size - len(synced)
            log.write_bytes(synced)
            log.with_name("state.sqlite-shm").unlink()
        questions: list[tuple[tuple[str, ...], Path]] = [((), kept), (OTHER_QUESTION, other)]
        chance.shuffle(questions)
        for question, undisturbed in questions:
            sums.update(_resumed(_command(cartoon, out, *question), out, undisturbed))
        torture.progress(turn, f"power cuts while another question is answered: {turn} of {rounds}")
    assert sums["cuts"] >= rounds // 2
    torture.note("Power cuts while another question is answered", **sums)
