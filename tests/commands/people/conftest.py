"""The drawn networks, and the command line in this process."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from census_tools import Command
from cli_tools import environment

from fastface.cli import main
from fastface.demo.networks import write_pack


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people") / "models"
    write_pack(folder)
    return folder


@pytest.fixture(scope="module")
def command(pack: Path) -> Iterator[Command]:
    """`fastface … --models …` in this process: the same lines, without half a second of imports each time."""
    kept = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment())

    def run(*given: object) -> "CompletedProcess[str]":
        said, told, code = io.StringIO(), io.StringIO(), 0
        arguments = [*map(str, given)] + ([] if given[0] in ("purge", "status") else ["--models", str(pack)])
        before, sys.argv = sys.argv, ["fastface", *arguments]
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(told):
                main()
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            sys.argv = before
        return CompletedProcess(arguments, code, said.getvalue(), told.getvalue())

    yield run
    os.environ.clear()
    os.environ.update(kept)
