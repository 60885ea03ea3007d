"""The command line as users meet it, and one finished run that many tests look at."""

import json
import os
import shutil
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import run_tools
from cartoon_tools import Cartoon

from fastface.demo.film import expected_hits

BROKEN = "broken.mp4"
DURATIONS = {"film1.mp4": 12.0, "film2.mp4": 8.0, "film3.mp4": 4.0}
SAMPLED = 5 * 24
"""Five samples a second of 24 seconds."""


def environment(**changes: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FASTFACE_")}
    return {**kept, "COLUMNS": "160", "TERM": "dumb", **changes}


def fastface(*arguments: object, folder: Path | None = None, **variables: str) -> CompletedProcess[str]:
    """Run a command to its end, in a process of its own."""
    return run_tools.finish_in(folder, [*run_tools.COMMAND, *map(str, arguments)], environment(**variables))


def errors(done: CompletedProcess[str], exit_code: int, num_lines: int) -> list[str]:
    """The command ended with this exit code and so many lines of error, and nothing else."""
    lines = done.stderr.strip().splitlines()
    assert (done.returncode, done.stdout) == (exit_code, ""), done
    assert len(lines) == num_lines, done.stderr
    assert all(line.startswith("fastface: ") for line in lines)
    return lines


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file and folder with its size and time of change: equal if nothing was written."""
    facts = {str(path): path.stat() for path in (folder, *folder.rglob("*"))}
    return {name: (fact.st_size, fact.st_mtime_ns) for name, fact in facts.items()}


@dataclass(frozen=True)
class Ran:
    """`fastface run … --json` over the drawn films and one broken file; tests that change `out` copy it."""

    films: Path
    out: Path
    done: CompletedProcess[str]
    report: dict[str, Any]


def labels(cartoon: Cartoon) -> list[str]:
    return sorted(photo.stem for photo in cartoon.photos.iterdir())


def drawn_hits(cartoon: Cartoon) -> Counter[tuple[str, str, str]]:
    """(video, target, time) of every hit that five samples a second must give."""
    asked = labels(cartoon)
    return Counter(
        (film, name, f"{float(time):.3f}")
        for film, script in cartoon.scripts.items()
        for name, times in expected_hits(script, period=Fraction(1, 5)).items()
        for time in times
        if name in asked
    )


def found_hits(out: Path) -> Counter[tuple[str, str, str]]:
    return Counter((row["video"], row["target"], row["time"]) for row in run_tools.rows(out / "hits.csv"))


def spans_without_clips(out: Path) -> list[tuple[str, ...]]:
    rows = run_tools.rows(out / "spans.csv")
    of_clips = {"clip", "clip_start", "clip_end", "path"}
    return [tuple(value for name, value in row.items() if name not in of_clips) for row in rows]


def copy_of_out(ran: Ran, folder: Path) -> Path:
    """A copy of OUT, to be changed."""
    return Path(shutil.copytree(ran.out, folder / "out"))


def run_with_one_broken(cartoon: Cartoon, root: Path) -> Ran:
    """`fastface run` over the drawn films and a file that is none, with clips and crops."""
    films, out = root / "films", root / "out"
    shutil.copytree(cartoon.films, films)
    (films / BROKEN).write_bytes(b"this is no film\n" * 100)
    done = fastface("run", films, "-t", cartoon.photos, "--models", cartoon.models, "-o", out, "--json", "--pad", "0")
    assert done.returncode in {0, 3}, done.stderr
    return Ran(films, out, done, json.loads((out / "run.json").read_text(encoding="utf-8")))
