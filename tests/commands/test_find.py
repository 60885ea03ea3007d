"""`fastface find`: every face, banks that do not fit, and what it starts."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import run_tools
from cartoon_tools import Cartoon
from cli_tools import (
    Ran,
    copy_of_out,
    environment,
    fastface,
)

from fastface.commands.find import find
from fastface.config import load_config
from fastface.index.track_archive import TrackArchive, open_track_archive
from fastface.runtime import context
from fastface.runtime.events.observer import Observer

NO_EXPORTS = ("--clips", "none", "--crops", "none")
WITHOUT_PROCESSES = """
import gc, subprocess, sys
from fastface import cli
subprocess.Popen = None
before = sum(generation["collections"] for generation in gc.get_stats())
try:
    cli.main()
finally:
    print("pyarrow.compute" in sys.modules, sum(one["collections"] for one in gc.get_stats()) - before, file=sys.stderr)
"""
SERVER_STARTS = """
import sys
from fastface import cli
from fastface.pipeline import child_server
start = child_server.ChildServer.start
def note(server):
    print("start", "numpy" in sys.modules, file=sys.stderr)
    start(server)
child_server.ChildServer.start = note
cli.main()
"""


def run_code(code: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)


def test_a_bank_of_another_network_is_refused(cartoon: Cartoon, ran: Ran, shared_models: Path, tmp_path: Path,
                                              shared_media: Path) -> None:  # fmt: skip
    bank = tmp_path / "friends.npz"
    photo = sorted((shared_media / "photos" / "friends").iterdir())[0]
    done = fastface("enroll", photo, "-b", bank, "--models", shared_models / "buffalo_s", "-q")
    assert done.returncode == 0, done.stderr
    out = copy_of_out(ran, tmp_path)
    refused = fastface("find", "-t", bank, "-q", "--models", cartoon.models, "-o", out)
    assert refused.returncode == 2, refused.stderr
    assert "friends.npz" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_star_takes_every_face(cartoon: Cartoon, ran: Ran, tmp_path: Path) -> None:
    out = copy_of_out(ran, tmp_path)
    done = fastface("find", "-t", "*", "--models", cartoon.models, "-o", out, "--clips", "none", "--crops", "none")
    assert done.returncode == 3, done.stderr  # the broken film is still there
    assert len(run_tools.rows(out / "hits.csv")) == ran.report["counts"]["faces"] > 0


def test_known_photos_need_no_process_no_query_engine_and_no_collection(
    cartoon: Cartoon, ran: Ran, tmp_path: Path
) -> None:
    out = copy_of_out(ran, tmp_path)
    question = ("find", "-t", cartoon.photos, "--models", cartoon.models, "-o", out, *NO_EXPORTS)
    first = fastface(*question)
    tables = run_tools.tables(out)
    again = run_code(WITHOUT_PROCESSES, *question)
    assert again.returncode == first.returncode == 3, again.stderr  # the broken film is still there
    assert run_tools.tables(out) == tables
    assert again.stderr.splitlines()[-1] == "False 0"


def test_a_new_photo_starts_the_server_of_its_reader_before_arrays_are_imported(
    cartoon: Cartoon, ran: Ran, tmp_path: Path
) -> None:
    out, photo = copy_of_out(ran, tmp_path), tmp_path / "Somebody.png"
    photo.write_bytes(next(cartoon.photos.iterdir()).read_bytes() + b"\0")
    done = run_code(SERVER_STARTS, "find", "-t", photo, "--models", cartoon.models, "-o", out, *NO_EXPORTS)
    assert done.returncode == 3, done.stderr  # the broken film is still there
    starts = [line for line in done.stderr.splitlines() if line.startswith("start")]
    assert starts[0] == "start False"


def test_the_reader_of_a_new_photo_works_while_the_index_is_opened(
    cartoon: Cartoon, ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers: list[list[int]] = []

    def open_and_look(root: Path, names: list[str], check: Callable[[], None]) -> TrackArchive:
        readers.append(run_tools.children(os.getpid(), "fastface.enrollment.process:serve"))
        return open_track_archive(root, names, check)

    monkeypatch.setattr(context, "open_track_archive", open_and_look)
    out, photo = copy_of_out(ran, tmp_path), tmp_path / "Somebody.png"
    photo.write_bytes(next(cartoon.photos.iterdir()).read_bytes() + b"\0")
    flags = {"models": {"dir": cartoon.models}, "export": {"clips": "none", "crops": "none"}}
    config = load_config(environment={}, flags=flags)
    for has_reader in (True, False):  # the second time, the photo is known
        assert find(config, [str(photo)], out, Observer()).targets == ("Somebody",)
        assert bool(readers.pop()) == has_reader
