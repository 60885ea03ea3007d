"""Children that are killed again and again: no frame is lost, none counts twice."""

import json
import random
import signal
import subprocess
from pathlib import Path

from conftest import Cartoon, Torture
from run_tools import arguments, children, finish, kill, leftovers, tables, wait_until

KILLS_A_RUN = 10


def _crew(pid: int) -> list[int]:
    """Decoders and workers; the process that looks at photos gives each two tries, and ten kills may be more."""
    return [child for role in ("decoder:serve", "worker:serve") for child in children(pid, f"fastface.pipeline.{role}")]


def test_killed_children_change_nothing(cartoon: Cartoon, tmp_path: Path, torture: Torture) -> None:
    undisturbed = tmp_path / "undisturbed"
    assert finish(arguments(cartoon, undisturbed)).returncode == 0
    chance, kills, turns = random.Random(11), 0, 0
    wanted = torture.count(20, 2000)
    while kills < wanted:
        out = tmp_path / f"out{turns}"
        crew = ("--decoders", str(chance.randint(1, 3)), "--workers", str(chance.randint(1, 3)))
        process = subprocess.Popen(arguments(cartoon, out, *crew), stderr=subprocess.PIPE, text=True)
        before = kills
        while process.poll() is None and kills - before < KILLS_A_RUN:
            wait_until(lambda: process.poll() is not None or _crew(process.pid), "a child")  # noqa: B023
            family = _crew(process.pid)
            if not family:
                continue
            try:  # a moment of chance: it is what is being tested, and nothing waits for it
                process.wait(chance.choice((0.0, 0.01, 0.1, 0.3, 0.6)))
            except subprocess.TimeoutExpired:
                kills += kill(chance.choice(family), signal.SIGKILL)
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        counts = json.loads((out / "run.json").read_text())["counts"]
        assert counts["sampled"] == counts["inferred"] + counts["quarantined"]
        assert counts["quarantined"] == 0
        assert tables(out) == tables(undisturbed)
        assert leftovers(out) == []
        turns += 1
    torture.note("Killed children", kills=kills, runs=turns, frames_lost=0, frames_twice=0, other_tables=0)
