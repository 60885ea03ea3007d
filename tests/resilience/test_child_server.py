"""The server of children: whose children its forks are, what their ends look like, and what a killed server costs."""

import os
import signal
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
import run_tools
from places import python_path

from fastface.errors import WorkerError
from fastface.pipeline.child_server import serve_children
from fastface.pipeline.messages import Failed, Stop
from fastface.pipeline.process import Child

ROLE = Path(__file__).stem
SERVER = "import server_main"
MODULE = "colorsys"
"""A module that no child imports itself."""


def describe(connection: Connection, _descriptor: int, settings: object) -> None:
    """Says its settings and what it has inherited; ends with the number that it is sent."""
    modules = sorted(name for name in (MODULE, "openvino") if name in sys.modules)
    connection.send((settings, os.getpid(), os.getppid(), os.getpgid(0), modules))
    message = connection.recv()
    if not isinstance(message, Stop):
        os._exit(message)


def read_descriptor(connection: Connection, descriptor: int, _settings: object) -> None:
    """Says what stands in the file that it inherits."""
    connection.send(os.pread(descriptor, 100, 0))


def fail(_connection: Connection, _descriptor: int, _settings: object) -> None:
    raise ZeroDivisionError("by design")


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The server finds this file; after each test there is no child and no open descriptor more than before."""
    monkeypatch.setenv("PYTHONPATH", python_path(__file__))
    before = sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208
    yield
    assert run_tools.children(os.getpid()) == []
    assert sorted(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_a_forked_child_is_a_child_of_this_process_in_a_group_of_its_own() -> None:
    with serve_children(starts_now=True):
        child = Child("one", f"{ROLE}:describe", {"a": 1})
        settings, pid, parent, group, modules = child.receive()
        assert (settings, parent) == ({"a": 1}, os.getpid())
        assert pid == group == child.pid
        assert run_tools.children(os.getpid(), f"{ROLE}:describe") == [pid]  # as `ps` shows it
        assert modules == []
        child.send(7)
        assert child.receive() is None
        assert child.reap() == 7


def test_modules_are_imported_before_the_fork_and_missing_ones_do_not_matter() -> None:
    def has_module() -> bool:
        child = Child("one", f"{ROLE}:describe", None)  # the first orders may come before the imports
        *_, modules = child.receive()
        child.kill()
        assert child.reap() == -signal.SIGKILL
        return modules == [MODULE]

    with serve_children("no_such_module", MODULE, starts_now=False):
        run_tools.wait_until(has_module, "a child that has the module")


def test_a_child_gets_its_descriptor(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    with serve_children(starts_now=False), (tmp_path / "file").open() as file:
        child = Child("one", f"{ROLE}:read_descriptor", None, file.fileno())
        assert child.receive() == b"content"
        assert child.reap() == 0


def test_an_error_is_reported_and_is_exit_status_1() -> None:
    with serve_children(starts_now=False):
        child = Child("one", f"{ROLE}:fail", None)
        words = child.receive()
        assert isinstance(words, Failed)
        assert words.kind == "ZeroDivisionError"
        assert child.reap() == 1


def test_children_survive_a_killed_server_and_the_next_child_gets_another() -> None:
    with serve_children(starts_now=True):
        first = Child("one", f"{ROLE}:describe", None)
        assert first.receive() is not None
        (server,) = run_tools.children(os.getpid(), SERVER)
        os.kill(server, signal.SIGKILL)
        run_tools.wait_until(lambda: not run_tools.alive(server), "the end of the server")
        second = Child("two", f"{ROLE}:describe", None)
        assert second.receive() is not None
        assert run_tools.children(os.getpid(), SERVER) not in ([], [server])
        for child in (first, second):
            child.send(Stop())
            assert child.receive() is None
            assert child.reap() == 0


def test_a_server_that_always_ends_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with serve_children(starts_now=False), pytest.raises(WorkerError, match="ended before it started a process"):
        Child("one", f"{ROLE}:describe", None)


def test_without_a_server_a_child_starts_afresh() -> None:
    child = Child("one", f"{ROLE}:describe", None)
    _, _, parent, _, modules = child.receive()
    assert (parent, modules) == (os.getpid(), [])
    assert run_tools.children(os.getpid(), SERVER) == []
    child.send(Stop())
    assert child.receive() is None
    assert child.reap() == 0
