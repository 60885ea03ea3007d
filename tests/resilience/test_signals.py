"""A second signal does not wait for what is in flight."""

import signal
import subprocess
from pathlib import Path
from time import monotonic

import pytest
from cartoon_tools import Cartoon, without_longest
from run_tools import alive, arguments, children, finish, kill, leftovers, num_units, run, tables, wait_until

DRAIN_SECONDS = 8
"""How long the first signal waits for what is in flight, when nothing comes of it."""


@pytest.fixture(scope="module")
def cartoon(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> Cartoon:
    """The two short films."""
    return without_longest(cartoon, tmp_path_factory.mktemp("short"))


def test_the_second_signal_stops_at_once_and_the_run_resumes(cartoon: Cartoon, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = subprocess.Popen(arguments(cartoon, out, "--workers", "1"), stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: process.poll() is not None or num_units(out) >= 1, "a unit")
        family = children(process.pid)
        workers = children(process.pid, "worker")
        assert len(workers) == 1
        kill(workers[0], signal.SIGSTOP)  # what it holds is never finished
        began = monotonic()
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)  # another number: two of one may become one on their way
        _, errors = process.communicate(timeout=60)
        seconds = monotonic() - began
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 128 + signal.SIGTERM, errors
    assert "Traceback" not in errors
    assert seconds < DRAIN_SECONDS, seconds
    assert not any(alive(pid) for pid in family)
    assert finish(arguments(cartoon, out)).returncode == 0
    assert leftovers(out) == []
    assert run(cartoon, tmp_path / "whole").returncode == 0
    assert tables(out) == tables(tmp_path / "whole")
