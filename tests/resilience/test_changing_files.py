"""Files that change while they are read: one that grows, one that goes away; the rest goes on, and so does the next."""

import json
import os
import shutil
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from cartoon_tools import Cartoon
from run_tools import arguments, children, finish, kill, num_units, run, wait_until

NUM_UNITS = 6
"""film1 is 12 seconds long."""


@pytest.fixture(scope="module")
def lines_of_film1(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The hits of film1 in a run that nothing happened to."""
    root = tmp_path_factory.mktemp("undisturbed")
    (root / "films").mkdir()
    shutil.copy2(cartoon.films / "film1.mp4", root / "films")
    assert run(replace(cartoon, films=root / "films"), root / "out").returncode == 0
    return _lines_of_film1(root / "out")


def _lines_of_film1(out: Path) -> list[str]:
    return [row for row in (out / "hits.csv").read_text().splitlines() if row.startswith("film1")]


def _stopped_in_the_middle(cartoon: Cartoon, out: Path) -> subprocess.Popen[str]:
    """A run that has committed a unit of film1 and is stopped, children and all, before its last one."""
    command = arguments(cartoon, out, "--decoders", "1", "--workers", "1", "--batch", "1")
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: process.poll() is not None or num_units(out) >= 1, "a unit")
    for pid in (*children(process.pid), process.pid):
        kill(pid, signal.SIGSTOP)
    assert num_units(out) < NUM_UNITS
    return process


def _go_on(process: subprocess.Popen[str]) -> str:
    for pid in (*children(process.pid), process.pid):
        kill(pid, signal.SIGCONT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 3, errors
    return errors


def _states(out: Path) -> dict[str, tuple[str, str]]:
    videos = json.loads((out / "run.json").read_text())["videos"]
    return {Path(video["path"]).name: (video["state"], video["reason"]) for video in videos}


@pytest.mark.parametrize("way", ["grows", "goes away"])
def test_a_file_that_changes_is_told_and_looked_at_again(
    cartoon: Cartoon, lines_of_film1: list[str], tmp_path: Path, way: str
) -> None:
    films, out = tmp_path / "films", tmp_path / "out"
    films.mkdir()
    for name in ("film1.mp4", "film3.mp4"):
        shutil.copy2(cartoon.films / name, films / name)
    mine = replace(cartoon, films=films)
    film = films / "film1.mp4"
    process = _stopped_in_the_middle(mine, out)
    try:
        if way == "grows":
            with film.open("ab") as file:
                file.write(bytes(1000))
        else:
            film.rename(tmp_path / "elsewhere.mp4")
        _go_on(process)
    finally:
        process.kill()
        process.wait()
    states = _states(out)
    assert states["film3.mp4"] == ("done", "")
    state, reason = states["film1.mp4"]
    expected = {"grows": ("unstable", "still being written"), "goes away": ("partial", "disappeared")}
    assert state == expected[way][0]
    assert expected[way][1] in reason
    # Back as it was, or grown to its end: the next run looks at it again.
    if way == "goes away":
        (tmp_path / "elsewhere.mp4").rename(film)
    done = finish(arguments(mine, out))
    assert done.returncode == 0, done.stderr
    assert set(_states(out).values()) == {("done", "")}
    assert len(lines_of_film1) > 50
    assert _lines_of_film1(out) == lines_of_film1


def test_a_file_that_went_before_it_was_opened_is_a_failure_with_its_reason(cartoon: Cartoon, tmp_path: Path) -> None:
    """Found, and gone before a decoder came to it: no process is lost by that."""
    films, out = tmp_path / "films", tmp_path / "out"
    films.mkdir()
    for name in ("film1.mp4", "film3.mp4"):
        os.link(shutil.copy2(cartoon.films / name, tmp_path / name), films / name)
    mine = replace(cartoon, films=films)
    process = _stopped_in_the_middle(mine, out)  # one decoder: film3 was not opened yet
    try:
        (films / "film3.mp4").unlink()
        errors = _go_on(process)
    finally:
        process.kill()
        process.wait()
    state, reason = _states(out)["film3.mp4"]
    assert (state, reason) == ("failed", "cannot be read: No such file or directory")
    assert "was started again" not in errors
    assert _states(out)["film1.mp4"][0] == "done"
