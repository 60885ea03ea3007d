"""`prune`: films whose files were deleted leave an output folder; those with a copy or on an absent disk stay."""

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cartoon_tools import Cartoon
from cli_tools import Ran, errors, fastface
from run_tools import rows


@pytest.fixture
def out(ran: Ran, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ran.out, tmp_path / "out"))


def _pruned(out: Path, *more: str) -> list[str]:
    told = json.loads(fastface("prune", "-o", out, "--json", *more).stdout)
    return list(told["forgotten"]["videos"])


def _set_disk(out: Path, disk: Path) -> None:
    """Say that all films of OUT were on a disk that was mounted there."""
    with closing(sqlite3.connect(out / ".fastface" / "state.sqlite")) as ledger, ledger:
        ledger.execute("UPDATE videos SET disk = ?", (os.fsencode(disk),))


def test_films_that_are_gone_are_forgotten_and_those_on_an_absent_disk_are_not(
    ran: Ran, out: Path, tmp_path: Path
) -> None:
    assert _pruned(out) == []
    away = ran.films / "film2.mp4"
    away.rename(tmp_path / "elsewhere.mp4")
    try:
        (line,) = errors(fastface("prune", "-o", out), 2, 1)
        assert line.endswith(
            f"nothing was forgotten; the files of 1 video are gone; to forget: fastface prune -o {out} --yes"
        )
        lines = fastface("prune", "-o", out, "--dry-run").stdout.splitlines()
        assert lines[:2] == [
            f"gone from {ran.films}: 1 video; the folder is still there",
            "would forget: film2.mp4",
        ]
        _set_disk(out, tmp_path / "mnt")
        said = fastface("prune", "-o", out, "--yes").stdout.splitlines()
        assert said[0] == f"kept: 1 video on {tmp_path / 'mnt'}, which is not mounted"
        assert _pruned(out, "--yes") == []
        _set_disk(out, Path("/"))
        assert _pruned(out, "--yes") == ["film2.mp4"]
    finally:
        (tmp_path / "elsewhere.mp4").rename(away)
    assert "film2.mp4" not in {row["video"] for row in rows(out / "hits.csv")}
    assert not (out / ".fastface" / "index" / "film2.mp4").exists()


def test_a_file_with_the_name_of_a_forgotten_film_is_not_taken_for_it(ran: Ran, out: Path, tmp_path: Path) -> None:
    """film2.mp4 is gone, and another film lies under its name in the folder in which the command runs."""
    here = tmp_path / "here"
    here.mkdir()
    shutil.copy2(ran.films / "film1.mp4", here / "film2.mp4")
    with closing(sqlite3.connect(out / ".fastface" / "state.sqlite")) as ledger, ledger:
        for name, path in (("film1.mp4", here / "film2.mp4"), ("film2.mp4", tmp_path / "gone.mp4")):
            ledger.execute("UPDATE videos SET path = ? WHERE video_id = ?", (os.fsencode(path), name))
    told = json.loads(fastface("prune", "-o", out, "--json", "--yes", folder=here).stdout)
    assert told["forgotten"]["videos"] == ["film2.mp4"]


def test_prune_wants_an_output_folder(tmp_path: Path) -> None:
    (line,) = errors(fastface("prune", "-o", tmp_path, "--yes"), 2, 1)
    assert "is not an output folder of fastface" in line


def test_a_copy_takes_the_place_of_a_film_that_is_gone(cartoon: Cartoon, tmp_path: Path) -> None:
    """Of two equal files the first is scanned; when it is deleted its results are those of the other."""
    films, out = tmp_path / "films", tmp_path / "out"
    films.mkdir()
    first = Path(shutil.copy(cartoon.films / "film3.mp4", films / "a.mp4"))
    copy = Path(shutil.copy(first, films / "b.mp4"))
    os.utime(copy, (1, 1))  # as `cp` leaves it: of another age
    given = ("-t", cartoon.photos, "--models", cartoon.models, "-o", out, "--clips", "none", "--crops", "face")
    assert fastface("run", films, *given, "-q").returncode == 0
    before = rows(out / "hits.csv")
    shutil.rmtree(out / "crops")
    first.unlink()
    done = fastface("find", *given)
    assert done.returncode == 0, done.stderr
    assert f"a.mp4: '{first}' is gone; its copy '{copy}' takes its place" in done.stderr.splitlines()
    assert rows(out / "hits.csv") == before
    assert {row["path"] for row in rows(out / "spans.csv")} == {str(copy)}
    assert list((out / "crops").rglob("*.jpg")), "they were cut out of the copy"
    assert _pruned(out) == []
    done = fastface("run", films, *given, "--json")
    assert done.returncode == 0, done.stderr
    (video,) = json.loads(done.stdout)["videos"]
    assert (video["id"], video["path"], video["state"]) == ("a.mp4", str(copy), "done")
    assert "settings or networks have changed" not in done.stderr
    assert rows(out / "hits.csv") == before
    # A copy that is changed is none.
    copy.write_bytes(copy.read_bytes() + b"more")
    shutil.copy(copy, first)
    third = Path(shutil.copy(first, films / "c.mp4"))
    assert fastface("run", films, *given, "-q").returncode == 0
    third.write_bytes(b"something else")
    copy.unlink()
    first.unlink()
    assert _pruned(out, "--dry-run") == ["a.mp4"]
