"""What must hold wherever the code goes: no shell, no wall clock for deadlines, no name that leaves OUT."""

import ast
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import run_tools
from cartoon_tools import Cartoon
from cli_tools import Ran, environment, errors, fastface
from places import ROOT

SOURCES = sorted((ROOT / "fastface").rglob("*.py"))
CALENDAR = {
    "sections.py",
    "event_log.py",
    "run_report.py",
    "identity_matching.py",
    "status.py",
    "metrics.py",
    "earlier_answers.py",
    "watch.py",
}
"""What a clock on the wall is for: `--until`, the age of files, times that are written down or that others wrote."""

OWN_MESSAGES = {ROOT / "fastface" / "indexing" / "ray" / name for name in ("cluster.py", "node.py")}
"""Unpickle only what the driver of a scan and its own actors send each other: Ray unpickles the call around it."""

HOSTILE_LABELS = ["../../x", "/etc/passwd", "nul\0byte", "NUL"]


def _calls() -> list[tuple[Path, ast.Call, str]]:
    """Every call of the package, with the dotted name of what is called."""
    return [
        (path, node, ast.unparse(node.func))
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    ]


def test_programs_get_a_list_of_arguments_and_never_a_shell() -> None:
    calls = _calls()
    started = [call for _, call, name in calls if name.startswith("subprocess.")]
    assert len(started) >= 3
    assert [ast.unparse(call) for call in started if any(word.arg == "shell" for word in call.keywords)] == []
    shells = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "eval", "exec"}
    assert [(path.name, name) for path, _, name in calls if name in shells] == []
    unpickled = {path for path, _, name in calls if name.endswith(("pickle.load", "pickle.loads"))}
    assert {path for path in unpickled if path not in OWN_MESSAGES} == set()


def test_deadlines_are_on_the_monotonic_clock() -> None:
    calls = _calls()
    assert sum(name == "monotonic" for _, _, name in calls) > 10
    wall = {(path.name, name) for path, _, name in calls if name in {"time.time", "datetime.now", "time"}}
    assert {name for name, _ in wall} == CALENDAR, wall


def test_labels_of_a_hostile_bank_stay_inside_the_output_folder(ran: Ran, cartoon: Cartoon, tmp_path: Path) -> None:
    bank, out = tmp_path / "bank.npz", tmp_path / "deep" / "er" / "out"
    assert fastface("enroll", cartoon.photos, "-b", bank, "--models", cartoon.models).returncode == 0
    with np.load(bank) as whole:
        arrays = {name: whole[name] for name in whole.files}
    assert len(arrays["labels"]) == len(HOSTILE_LABELS)
    np.savez(bank, **(arrays | {"labels": np.array(HOSTILE_LABELS)}))
    shutil.copytree(ran.out, out)
    before = {path for path in tmp_path.rglob("*") if not path.is_relative_to(out)}
    done = fastface("find", "-t", bank, "--models", cartoon.models, "-o", out, "--snapshots")
    assert done.returncode == 3, done.stderr  # the broken film is still there
    rows = run_tools.rows(out / "spans.csv")
    assert len({row["target"] for row in rows}) == len(HOSTILE_LABELS)
    assert all((out / row["clip"]).is_file() for row in rows)
    assert {path for path in tmp_path.rglob("*") if not path.is_relative_to(out)} == before
    folders = sorted(path.name for path in (out / "crops").iterdir() if path.is_dir())
    assert len(folders) == len(HOSTILE_LABELS)
    assert all(name.isprintable() and not name.startswith(".") for name in folders)


@pytest.mark.skipif(os.getuid() != 0, reason="root gives up what lets it write everywhere; others cannot anyway")
def test_an_output_folder_that_cannot_be_written_is_told_before_decoding(cartoon: Cartoon, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    done = subprocess.run(
        [*command, *run_tools.arguments(cartoon, closed / "out", targets=cartoon.photos)],
        capture_output=True,
        text=True,
        check=False,
        timeout=run_tools.DEADLINE_SECONDS,
        env=environment(),
    )
    (line,) = errors(done, 2, 1)
    assert str(closed / "out") in line
    assert "Permission denied" in line
    assert list(closed.iterdir()) == []


def test_too_few_descriptors_are_told_before_decoding(cartoon: Cartoon, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["prlimit", "--nofile=100:100", *run_tools.arguments(cartoon, out, targets=cartoon.photos)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=run_tools.DEADLINE_SECONDS, env=environment()
    )
    (line,) = errors(done, 2, 1)
    assert "ulimit -n" in line
    assert not out.exists()
