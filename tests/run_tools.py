"""Running the command line as users do, and looking at its processes from outside."""

import csv
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from conftest import Cartoon

COMMAND = [sys.executable, "-c", "from fastface.cli import main; main()"]
DEADLINE_SECONDS = 120


def arguments(cartoon: Cartoon, out: Path, *more: str) -> list[str]:
    """`fastface run` on all films, every frame, in units of two seconds."""
    return [
        *COMMAND,
        *("run", str(cartoon.films), "-t", str(cartoon.photos), "--models", str(cartoon.models), "-o", str(out)),
        *("--every-frame", "--clips", "none", "--crops", "none", "-q", "--set", "scan.unit_seconds=2"),
        *more,
    ]


def run(cartoon: Cartoon, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """A run to its end."""
    return finish(arguments(cartoon, out, *more))


def finish(command: list[str]) -> subprocess.CompletedProcess[str]:
    """A command to its end."""
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False)


def tables(out: Path) -> dict[str, bytes]:
    """The tables that must not depend on how a run went."""
    return {name: (out / name).read_bytes() for name in ("spans.csv", "hits.csv", "spans.json")}


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a table."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def children(pid: int, role: str = "") -> list[int]:
    """Living child processes of a process, of one role (part of their command line) or all."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            command = (folder / "cmdline").read_bytes().decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(status[1]) == pid and status[0] != "Z" and role in command:
            found.append(int(folder.name))
    return sorted(found)


def num_units(out: Path) -> int:
    """Units committed so far."""
    path = out / ".fastface" / "state.sqlite"
    if not path.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            return int(database.execute("SELECT count(*) FROM units").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Polls a condition under a deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.005)


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def leftovers(out: Path) -> list[Path]:
    """Half-written files."""
    return [path for path in out.rglob("*") if path.name.startswith(".part-")]


def kill(pid: int, number: int) -> bool:
    """Sends a signal; False if the process was gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
