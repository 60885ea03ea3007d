"""`purge`: no embedding and no picture of a face stays, and nothing else goes."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import run_tools
from cartoon_tools import Cartoon
from cli_tools import Ran, contents, environment, errors, fastface

from fastface.runtime.output_folder import OutputFolder


@pytest.fixture
def out(ran: Ran, tmp_path: Path) -> Path:
    return shutil.copytree(ran.out, tmp_path / "out")


def test_all_that_is_kept_of_faces_goes_and_the_rest_stays(cartoon: Cartoon, out: Path) -> None:
    faces = [path for path in out.rglob("*") if path.suffix in (".parquet", ".npy") or path.match("crops/*/*.jpg")]
    assert len(faces) > 5
    assert len([path for path in faces if path.name == "portraits.parquet"]) == 3
    (out / "crops" / "mine.jpg").write_bytes(b"mine")
    clips, tables = sorted(out.glob("clips/*/*")), [out / "spans.csv", out / "hits.csv", out / "run.json"]
    assert clips
    done = fastface("purge", "-o", out, "--yes")
    assert done.returncode == 0, done.stderr
    assert "removed the faces and embeddings of 3 videos" in done.stdout
    assert f"kept, since fastface did not write it: {out / 'crops' / 'mine.jpg'}" in done.stdout
    log = out / ".fastface" / "log.jsonl"
    assert f"{log} (names of videos, no faces)" in done.stdout
    assert log.exists()
    assert [path for path in faces if path.exists()] == []
    assert [path for path in out.rglob("*") if path.suffix in (".parquet", ".npy", ".npz")] == []
    assert all(path.exists() for path in [*clips, *tables])
    assert [path.name for path in (out / "crops").rglob("*")] == ["mine.jpg"]
    assert json.loads(fastface("status", "-o", out, "--json").stdout)["states"] == {}
    # Nobody can be looked for any more, and so the answers of before stay.
    (line,) = errors(fastface("find", "-t", cartoon.photos, "-o", out, "-q", "--models", cartoon.models), 2, 1)
    assert "holds no scanned videos" in line
    assert all(path.exists() for path in [*clips, *tables])


def test_what_would_go_is_told_and_stays(out: Path) -> None:
    before = contents(out / "crops"), contents(out / ".fastface" / "index")
    told = json.loads(fastface("purge", "-o", out, "--dry-run", "--json").stdout)
    assert (contents(out / "crops"), contents(out / ".fastface" / "index")) == before
    assert json.loads(fastface("purge", "-o", out, "--yes", "--json").stdout) == told
    assert told["indexes"] == 3
    assert told["log"] == str(out / ".fastface" / "log.jsonl")
    assert told["pictures"] == len([name for name in before[0] if name.endswith(".jpg")]) > 0


def test_a_folder_that_is_none_of_ours_or_in_use_is_left_alone(out: Path, tmp_path: Path) -> None:
    (line,) = errors(fastface("purge", "-o", tmp_path, "--yes"), 2, 1)
    assert "is not an output folder of fastface" in line
    with OutputFolder(out).hold_lock():
        before = contents(out / ".fastface" / "index")
        (line,) = errors(fastface("purge", "-o", out, "--yes"), 11, 1)
        assert "in use by another run" in line
        assert contents(out / ".fastface" / "index") == before


def test_nothing_goes_without_a_folder_and_a_yes(out: Path) -> None:
    before = contents(out / ".fastface" / "index"), contents(out / "crops")
    (line,) = errors(fastface("purge", folder=out.parent), 2, 1)
    assert "fastface purge -o OUT" in line
    (line,) = errors(fastface("purge", "-o", out), 2, 1)
    assert "nothing was removed" in line
    assert f"fastface purge -o {out} --yes" in line
    # Asked for JSON, an error is JSON too.
    done = fastface("purge", "-o", out, "--json")
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["exit_code"], f"fastface: {error['message']}\n") == (2, 2, done.stderr)
    assert json.loads(fastface("purge", "--nonsense", "--json").stdout)["error"]["exit_code"] == 2
    assert (contents(out / ".fastface" / "index"), contents(out / "crops")) == before


@pytest.mark.parametrize(("answer", "exit_code"), [("n\n", 2), ("y\n", 0)])
def test_on_a_terminal_it_asks(out: Path, answer: str, exit_code: int) -> None:
    main, child = os.openpty()
    try:
        process = subprocess.Popen(
            [*run_tools.COMMAND, "purge", "-o", str(out)], stdin=child, stdout=child, stderr=child, env=environment()
        )
        os.close(child)
        os.write(main, answer.encode())
        assert process.wait(run_tools.DEADLINE_SECONDS) == exit_code
    finally:
        os.close(main)
    assert any((out / "crops").rglob("*.jpg")) == (exit_code == 2)
