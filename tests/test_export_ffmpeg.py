"""ffmpeg as a child: ended when it gets nowhere, when the user stops, and when its parent dies."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from run_tools import wait_until

from fastface.errors import ExportError, InterruptError, SpaceError
from fastface.export.ffmpeg import _version_of, find_ffmpeg, literal_file, require_reader, run_ffmpeg


def _fake(folder: Path, script: str) -> Path:
    path = folder / "ffmpeg"
    path.write_text(f"#!/bin/sh\necho $$ > {folder}/pid\n{script}\n")
    path.chmod(0o755)
    return path


def _pid(folder: Path) -> int:
    return int((folder / "pid").read_text())


def _is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_it_works(tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    run_ffmpeg(["-f", "lavfi", "-i", "color=size=64x64:duration=0.2", "-f", "mp4", literal_file(out)])
    assert out.stat().st_size > 500


def test_a_failure_says_what_ffmpeg_said(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="No such file") as caught:
        run_ffmpeg(["-i", literal_file(tmp_path / "absent.mp4"), "-f", "null", "-"])
    assert caught.value.command[-1] == "-"


@pytest.mark.parametrize(
    "name", ["-y.mp4", "concat:x.mp4", "a%03d.mp4", "http:x.mp4", "caf\udce9.mp4", "two\nlines.mp4"]
)
def test_names_are_literal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    source, copy = Path(name), Path(f"copy of {name}")
    run_ffmpeg(["-f", "lavfi", "-i", "color=size=64x64:duration=0.2", "-f", "mp4", literal_file(source)])
    run_ffmpeg(["-i", literal_file(source), "-c", "copy", "-f", "mp4", literal_file(copy)])
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / source, tmp_path / copy])


def test_one_that_hangs_is_ended_with_all_its_children(tmp_path: Path) -> None:
    program = _fake(tmp_path, f"sleep 300 & echo $! > {tmp_path}/child\necho starting >&2\nwait")
    began = time.monotonic()
    with pytest.raises(ExportError, match=r"no progress for 0\.5 s: starting"):
        run_ffmpeg([], executable=program, stall_seconds=0.5)
    assert time.monotonic() - began < 10
    assert _is_gone(_pid(tmp_path))
    child = int((tmp_path / "child").read_text())
    wait_until(lambda: _is_gone(child), "the end of its child")


def test_one_that_says_the_same_again_and_again_gets_nowhere(tmp_path: Path) -> None:
    # No child of its own: what a shell's children read would count as read by the shell.
    loop = "import time\nwhile True: print('frame=7\\nspeed=1x', flush=True); time.sleep(0.05)"
    program = _fake(tmp_path, f'exec {sys.executable} -S -c "{loop}"')
    with pytest.raises(ExportError, match="no progress"):
        run_ffmpeg([], executable=program, stall_seconds=0.6)


def test_one_that_gets_on_slowly_may_take_its_time(tmp_path: Path) -> None:
    program = _fake(tmp_path, "for n in 1 2 3 4 5 6; do echo out_time_us=$n; sleep 0.3; done")
    run_ffmpeg([], executable=program, stall_seconds=1.0)


def test_one_that_only_reads_gets_on(tmp_path: Path) -> None:
    program = _fake(tmp_path, "for n in 1 2 3 4 5 6; do read line < /etc/passwd; sleep 0.3; done")
    run_ffmpeg([], executable=program, stall_seconds=1.0)


def test_a_stop_ends_it_and_is_passed_on(tmp_path: Path) -> None:
    program = _fake(tmp_path, "exec sleep 300")

    def stop() -> None:
        if (tmp_path / "pid").exists():
            raise InterruptError(signal.SIGINT)

    with pytest.raises(InterruptError):
        run_ffmpeg([], executable=program, check_stop=stop)
    assert _is_gone(_pid(tmp_path))


def test_a_full_disk_is_no_space(tmp_path: Path) -> None:
    program = _fake(tmp_path, "echo 'av_interleaved_write_frame(): No space left on device' >&2")
    with pytest.raises(SpaceError):
        run_ffmpeg([], executable=program)


def test_a_program_that_cannot_start_is_an_export_error(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="cannot start"):
        run_ffmpeg([], executable=tmp_path / "absent")


def test_it_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    program = _fake(tmp_path, "exec sleep 300")
    code = (
        "from pathlib import Path; from fastface.export.ffmpeg import run_ffmpeg;"
        f"run_ffmpeg([], executable=Path({str(program)!r}))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parent.parent)
    deadline = time.monotonic() + 30
    while not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child = _pid(tmp_path)
    assert not _is_gone(child)
    parent.kill()
    parent.wait()
    while not _is_gone(child):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_without_one_in_path_the_bundled_one_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = find_ffmpeg()
    assert found.parent.name == "binaries"
    assert os.access(found, os.X_OK)
    run_ffmpeg(["-f", "lavfi", "-i", "color=size=64x64:duration=0.1", "-f", "null", "-"])


@pytest.mark.parametrize(
    ("version", "is_taken"),
    [
        ("4.4.2-0ubuntu0.22.04.1", False),
        ("n4.4.1", False),
        ("5.0.3", False),
        ("5.1.9-0+deb12u1", True),
        ("n7.1", True),
        ("10.0", True),
        ("N-109741-gbbe95f7353-20230201", True),
        ("2023-03-05-git-912ac82a3c-full_build-www.gyan.dev", True),
    ],
)
def test_one_that_is_too_old_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str, is_taken: bool
) -> None:
    program = _fake(tmp_path, f"echo asked >> {tmp_path}/asked\necho 'ffmpeg version {version} Copyright (c)'")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    found = [find_ffmpeg() for _ in range(3)]
    assert {path == program for path in found} == {is_taken}
    assert is_taken or {path.parent.name for path in found} == {"binaries"}
    assert (tmp_path / "asked").read_text() == "asked\n"


def test_one_that_does_not_start_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _fake(tmp_path, "exit 127")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert find_ffmpeg().parent.name == "binaries"


def test_with_none_that_is_new_enough_the_user_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = _fake(tmp_path, "echo 'ffmpeg version 4.4.2 Copyright (c)'")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    # What the package gives back where it brings no program of its own.
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "ffmpeg")
    with pytest.raises(ExportError, match=rf"{program}.* is older than 5\.1.*install"):
        find_ffmpeg()


@pytest.mark.parametrize(
    ("format_name", "codec", "wanted"), [("flv", "hevc", "6.1"), ("flv", "av1", "6.1"), ("mov", "vvc", "7.1")]
)
def test_an_ffmpeg_older_than_the_reader_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, format_name: str, codec: str, wanted: str
) -> None:
    """HEVC and AV1 in FLV came with FFmpeg 6.1, VVC with 7.1 (its Changelog)."""
    _fake(tmp_path, "echo 'ffmpeg version 5.1.9-0+deb12u1 Copyright (c)'")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    require_reader("flv", "h264")
    require_reader("mov", "hevc")
    told = rf"this ffmpeg is too old \(5\.1\) for {codec} in {format_name}.* {wanted} or newer"
    with pytest.raises(ExportError, match=told):
        require_reader(format_name, codec)
    _fake(tmp_path, "echo 'ffmpeg version 8.1 Copyright (c)'")
    _version_of.cache_clear()
    require_reader(format_name, codec)
