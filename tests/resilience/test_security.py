"""What a run touches and starts: no socket, and no file outside inputs, networks, output, caches and the system's
libraries; and one process of Python for all children."""

import os
import re
import shutil
import stat
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from cartoon_tools import Cartoon, without_longest
from places import ROOT
from run_tools import arguments

TRACED = "socket,connect,bind,listen,open,openat,openat2,creat,rename,renameat,renameat2,unlink,unlinkat,execve"
SYSTEM = ("/usr/", "/lib", "/etc/", "/proc/", "/sys/", "/dev/", "/bin/", "/run/", "/var/cache/fontconfig")
CALL = re.compile(r"(?:\[pid +\d+\] |\d+ +)?(\w+)\((.*)")


@pytest.fixture(scope="module")
def cartoon(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> Cartoon:
    """The two short films."""
    return without_longest(cartoon, tmp_path_factory.mktemp("short"))


@pytest.fixture(scope="module")
def trace(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[str, str]]]:
    """A run with crops, clips and snapshots in a network namespace of its own; its output folder and system calls."""
    strace = shutil.which("strace")
    assert strace, "strace is needed: apt-get install strace"
    root = tmp_path_factory.mktemp("traced")
    out, log = root / "out", root / "log"
    command = arguments(cartoon, out, "--crops", "face", "--snapshots", "--clips", "copy", targets=cartoon.photos)
    alone = ["unshare", "--net"] if subprocess.run(["unshare", "--net", "true"], check=False).returncode == 0 else []
    (root / "tmp").mkdir()
    places = {"XDG_CACHE_HOME": root / "cache", "HOME": root / "home", "TMPDIR": root / "tmp"}
    environment = {**os.environ, **{name: str(path) for name, path in places.items()}}
    done = subprocess.run(
        [*alone, strace, "-f", "-qq", "-e", f"trace={TRACED}", "-o", str(log), *command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        cwd=root,
    )
    assert done.returncode == 0, done.stderr
    calls = [match.groups() for line in log.read_text(errors="replace").splitlines() if (match := CALL.match(line))]
    return out, [(name, rest) for name, rest in calls if "ENOENT" not in rest and "unfinished" not in rest]


def test_no_socket_is_opened(trace: tuple[Path, list[tuple[str, str]]]) -> None:
    calls = trace[1]
    assert sum(name == "openat" for name, _ in calls) > 500
    assert [call for call in calls if call[0] in ("socket", "connect", "bind", "listen")] == []


def test_python_starts_once_for_all_children(trace: tuple[Path, list[tuple[str, str]]]) -> None:
    """Two decoders, a worker, a reader of photos and exporters are forks of one process."""
    started = [rest for name, rest in trace[1] if name == "execve" and sys.executable in rest]
    assert len(started) > 1  # the command itself, and on this empty cache the checks of the device
    assert len([rest for rest in started if '"-c", "\\nimport sys' in rest]) == 1, started


def test_no_other_file_is_opened(cartoon: Cartoon, trace: tuple[Path, list[tuple[str, str]]]) -> None:
    out, calls = trace
    python = {sys.prefix, sys.base_prefix, sysconfig.get_paths()["stdlib"], str(Path(sys.executable).resolve().parent)}
    inputs = (cartoon.films, cartoon.photos, cartoon.models)
    inside = [*SYSTEM, *python, str(ROOT), *(str(path.parent) for path in inputs), str(out.parent)]
    paths = [match[1] for name, rest in calls if name.startswith("open") and (match := re.search(r'"([^"]*)"', rest))]
    absolute = {path for path in paths if path.startswith("/")}
    assert len(absolute) > 100
    assert sorted(path for path in absolute if not path.startswith(tuple(inside)) and path != "/") == []


def test_nothing_is_written_outside_output_and_caches(trace: tuple[Path, list[tuple[str, str]]]) -> None:
    out, calls = trace
    writing = re.compile(r"O_(WRONLY|RDWR|CREAT)")
    opened = [rest for name, rest in calls if name.startswith("open") and writing.search(rest)]
    written = [match[1] for rest in opened if (match := re.search(r'"([^"]*)"', rest))]
    absolute = {path for path in written if path.startswith("/")}
    assert absolute
    allowed = (str(out.parent), "/dev/", "/proc/", "/sys/")
    bytecode = re.compile(r"/__pycache__/[^/]*\.pyc(\.\d+)?$")
    assert sorted(path for path in absolute if not path.startswith(allowed) and not bytecode.search(path)) == []


def test_what_is_kept_of_faces_is_its_owners_alone(trace: tuple[Path, list[tuple[str, str]]]) -> None:
    out, _ = trace
    private = [*out.glob(".fastface/**/*"), *out.glob("crops/*/*"), *out.glob("snapshots/*/*")]
    kinds = {".parquet", ".npy", ".jpg", ".sqlite", ".jsonl"}
    files = [path for path in private if path.is_file() and path.suffix in kinds]
    assert {path.suffix for path in files} >= {".parquet", ".jpg", ".sqlite", ".jsonl"}
    assert [path for path in files if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
    folders = [path for path in private if path.is_dir()] + [out / ".fastface", out / "crops", out / "snapshots"]
    assert [path for path in folders if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
