"""Running the command line as users do, and looking at its processes from outside."""

import csv
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from cartoon_tools import Cartoon
from command_server import CommandServer

from fastface.demo.film import expected_hits

COMMAND = [sys.executable, "-c", "from fastface.cli import main; main()"]
DEADLINE_SECONDS = 120
JPEG_END = b"\xff\xd9"
_POLL_SECONDS = 0.005


def arguments(cartoon: Cartoon, out: Path, *more: str, targets: Path | None = None) -> list[str]:
    """`fastface run` on all films, every frame, in units of two seconds.

    Unless given, the targets are enrolled already: that spares a process that reads photos.
    """
    return [
        *COMMAND,
        *("run", str(cartoon.films), "-t", str(targets or cartoon.bank), "--models", str(cartoon.models)),
        *("-o", str(out), "--every-frame", "--clips", "none", "--crops", "none", "-q", "--set", "scan.unit_seconds=2"),
        *more,
    ]


def run(cartoon: Cartoon, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """A run to its end."""
    return finish(arguments(cartoon, out, *more))


def finish(command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    """A command to its end, with these variables beside this process's."""
    return finish_in(None, command, {**os.environ, **variables})


def finish_in(folder: Path | None, command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A command to its end in a folder; one of fastface by the command server, if it can."""
    words = command[len(COMMAND) :]
    if command[: len(COMMAND)] == COMMAND and _server().can_run(environment):
        return _server().run(words, folder=folder, environment=environment, timeout=DEADLINE_SECONDS)
    return subprocess.run(
        command, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False, cwd=folder, env=environment
    )


@cache
def _server() -> CommandServer:
    """One for each process of the tests."""
    return CommandServer()


def tables(out: Path) -> dict[str, bytes]:
    """The tables that must not depend on how a run went."""
    return {name: (out / name).read_bytes() for name in ("spans.csv", "hits.csv", "spans.json", "review.csv")}


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a table."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def children(pid: int, role: str = "") -> list[int]:
    """Living child processes of a process, of one role (part of their command line) or all but the command server."""
    assert Path("/proc/thread-self/children").exists(), "this kernel does not list children"
    found = []
    for family in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):
            found += [int(text) for text in family.read_text().split() if alive(int(text))]
    commands = {child: _command_line(child) for child in sorted(found)}
    return [child for child, command in commands.items() if role in command and "command_server.py" not in command]


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def crops(out: Path) -> dict[str, bytes]:
    """{name: content} of the pictures of faces."""
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted((out / "crops").rglob("*.jpg"))}


def portraits(out: Path) -> dict[str, bytes]:
    """{which face of which video: picture} of all that were taken while scanning."""
    found = {}
    for path in sorted((out / ".fastface" / "index").glob("*/portraits.parquet")):
        for row in pq.read_table(path).to_pylist():
            found[f"{path.parent.name} {row['pts']} {row['x1']} {row['y1']}"] = row["jpeg"]
    return found


def drawn_hits(cartoon: Cartoon) -> Counter[tuple[str, str, str]]:
    """(video, target, time) of every hit that the films were drawn to have, every frame looked at."""
    labels = {photo.stem for photo in cartoon.photos.iterdir()}
    return Counter(
        (film, name, f"{float(time):.3f}")
        for film, script in cartoon.scripts.items()
        for name, times in expected_hits(script).items()
        for time in times
        if name in labels
    )


def found_hits(out: Path) -> Counter[tuple[str, str, str]]:
    """(video, target, time) of every row of the table of hits."""
    return Counter((row["video"], row["target"], row["time"]) for row in rows(out / "hits.csv"))


def videos(out: Path) -> list[dict[str, Any]]:
    """The run's report on each video."""
    found: list[dict[str, Any]] = json.loads((out / "run.json").read_text(encoding="utf-8"))["videos"]
    return found


def visits(log: Path, pid: int = 0) -> Counter[str]:
    """How often one process, or all of them, came to each place: see `fastface.failpoints`."""
    lines = (line.split() for line in log.read_text().splitlines()) if log.exists() else ()
    return Counter(name for visitor, name in lines if pid in (0, int(visitor)))


def files_read_whole(out: Path) -> int:
    """Opens every file that has its final name and can be told from a torn one; gives their number."""
    found = 0
    for path in out.rglob("*.parquet"):
        pq.read_table(path)
        found += 1
    for path in out.rglob("*.csv"):
        assert path.read_bytes().endswith(b"\n"), path
        found += 1
    for path in out.rglob("*.json"):
        json.loads(path.read_text(encoding="utf-8"))
        found += 1
    for path in out.rglob("*.jpg"):
        assert path.read_bytes().endswith(JPEG_END), path
        found += 1
    return found


def compared(out: Path, undisturbed: Path) -> Counter[str]:
    """What of a folder is as in one that nothing happened to, byte for byte, and what should not be there at all."""
    whole, now = tables(undisturbed), tables(out)
    pictures, made = crops(undisturbed) | portraits(undisturbed), crops(out) | portraits(out)
    return Counter(
        {
            "tables": len(whole),
            "tables_identical": sum(now[name] == content for name, content in whole.items()),
            "pictures": len(pictures),
            "pictures_identical": sum(made.get(name) == content for name, content in pictures.items()),
            "pictures_too_many": len(made.keys() - pictures.keys()),
            "half_written_files": len(leftovers(out)),
        }
    )


def all_as_before(counted: Counter[str]) -> bool:
    """Whether nothing that was compared was different, and something was."""
    same = counted["tables_identical"] == counted["tables"] and counted["pictures_identical"] == counted["pictures"]
    return bool(counted["tables"]) and same and not counted["pictures_too_many"] + counted["half_written_files"]


def watched_family(process: "subprocess.Popen[str]") -> set[int]:
    """All children that a process has until its end, as they come and go."""
    family: set[int] = set()
    while process.poll() is None:
        family |= set(children(process.pid))
        time.sleep(_POLL_SECONDS)
    return family


def end_of_family(process: "subprocess.Popen[str]", family: set[int]) -> int:
    """Waits for the end of a killed process's children, and gives their number."""
    process.communicate()
    wait_until(lambda: not any(alive(pid) for pid in family), "the end of all children")
    return len(family)


def ledger_rows(out: Path, query: str) -> list[tuple[Any, ...]]:
    """What the ledger answers; nothing while there is none."""
    path = out / ".fastface" / "state.sqlite"
    if not path.exists():
        return []
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            return database.execute(query).fetchall()
    except sqlite3.OperationalError:
        return []


def num_units(out: Path) -> int:
    """Units committed so far."""
    return sum(count for (count,) in ledger_rows(out, "SELECT count(*) FROM units"))


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Polls a condition under a deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(_POLL_SECONDS)


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
