"""The drawn networks, the command line in this process, and output folders of drawn films."""

import contextlib
import io
import os
import shutil
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from census_tools import Command
from cli_tools import environment, fastface
from made_once import make_once
from people_films import SCRIPTS, THIRD

from fastface.cli import main
from fastface.demo.film import Encoding, draw_film
from fastface.demo.networks import write_pack


@pytest.fixture(scope="package")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people") / "models"
    write_pack(folder)
    return folder


@pytest.fixture(scope="package")
def command(pack: Path) -> Command:
    """`fastface … --models …` in this process: the same lines, without half a second of imports each time.

    A scan has a process of its own: forked, it forks its children too, which would otherwise start afresh.
    """

    def run(*given: object) -> "CompletedProcess[str]":
        said, told, code = io.StringIO(), io.StringIO(), 0
        arguments = [*map(str, given)] + ([] if given[0] in ("purge", "status") else ["--models", str(pack)])
        if given[0] == "scan":
            return fastface(*arguments)
        before, sys.argv = sys.argv, ["fastface", *arguments]
        kept, used = dict(os.environ), environment()
        os.environ.clear()
        os.environ.update(used)
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(told):
                main()
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            sys.argv = before
            os.environ.clear()
            os.environ.update(kept)
        return CompletedProcess(arguments, code, said.getvalue(), told.getvalue())

    return run


@pytest.fixture(scope="package")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three films of `people_films`."""

    def draw(folder: Path) -> Path:
        for name, script in {**SCRIPTS, **THIRD}.items():
            draw_film(folder / name, script, Encoding(gop=25))
        return folder

    return make_once(tmp_path_factory, "people-films", draw)


@pytest.fixture(scope="package")
def counted(films: Path, command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OUT of a scan of the two films, and of `people`; tests that change it copy it."""
    out = tmp_path_factory.mktemp("counted") / "out"
    done = command("scan", films / "one.mp4", films / "two.mp4", "-o", out, "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = command("people", "-o", out, "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return out


@pytest.fixture(scope="package")
def third(films: Path, command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OUT of a scan of the third film alone."""
    out = tmp_path_factory.mktemp("third") / "out"
    assert command("scan", films / "three.mp4", "-o", out, "-q").returncode == 0
    return out


@pytest.fixture(scope="package")
def picked(counted: Path, command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OUT after `pick 1 --name Ada`."""
    out = shutil.copytree(counted, tmp_path_factory.mktemp("picked") / "out")
    done = command("pick", "1", "--name", "Ada", "-o", out, "--pad", "0", "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return out


@pytest.fixture
def out(counted: Path, tmp_path: Path) -> Path:
    return shutil.copytree(counted, tmp_path / "out")
