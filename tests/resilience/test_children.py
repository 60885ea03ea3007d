"""Child processes: what their ends look like from outside, and that nothing of them is left."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import run_tools
from cartoon_tools import Cartoon
from places import python_path

from fastface.backends import DeviceInfo
from fastface.errors import BackendError, ExportError, InterruptError, ModelError, WorkerError
from fastface.pipeline import coordinator
from fastface.pipeline import process_pool as pool_module
from fastface.pipeline.attempts import KILL_BLAME
from fastface.pipeline.coordinator import Coordinator
from fastface.pipeline.messages import DecoderSettings, Failed, Heartbeat, Ready, Stop, WorkerSettings
from fastface.pipeline.process import Child
from fastface.pipeline.process_pool import PooledProcess, PoolSizes, ProcessPool, stop_all
from fastface.pipeline.ring import RingShape
from fastface.pipeline.task_pool import TaskFailed, TaskRun, serve_tasks
from fastface.types import Sampling
from fastface.video.discover import VideoFile


def echo(connection: Connection, _descriptor: int, settings: object) -> None:
    """Says its settings and process id, then every message again."""
    connection.send((settings, os.getpid()))
    while not isinstance(message := connection.recv(), Stop):
        connection.send(message)


def deaf(connection: Connection, _descriptor: int, _settings: object) -> None:
    """Never listens; ends with its parent."""
    connection.send(Ready())
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        signal.pause()


def refusing(_connection: Connection, _descriptor: int, settings: str) -> None:
    """Dies before it is ready, in the way that its settings say."""
    match settings:
        case "backend":
            raise BackendError("no such device")
        case "model":
            raise ModelError("no such network")
        case "error":
            raise ZeroDivisionError("by design")
        case "end of file":
            raise EOFError("of a file that it read")
        case "exit":
            os._exit(7)


def errand(connection: Connection, _descriptor: int, _settings: object) -> None:
    """Answers numbers with their squares; dies, refuses or is wrong when told to."""

    def do(task: object) -> object:
        if task == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if task == "crash":
            raise ZeroDivisionError("by design")
        if task == "refuse":
            raise ExportError("not this one")
        connection.send(Heartbeat())
        assert isinstance(task, int)
        return task * task

    serve_tasks(connection, do)


def toucher(connection: Connection, _descriptor: int, once: Path | None) -> None:
    """Makes files. With a path, the first child makes that file and dies before it is ready."""
    if once is not None and not once.exists():
        once.touch()
        os.kill(os.getpid(), signal.SIGKILL)

    def do(path: Path) -> str:
        path.touch()
        return path.name

    serve_tasks(connection, do)


def _serve(function: str) -> str:
    return f"{Path(__file__).stem}:{function}"


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Children find this file; after each test there is no child and no open descriptor more than before."""
    monkeypatch.setenv("PYTHONPATH", python_path(__file__))
    before = sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208
    shared = sorted(path.name for path in Path("/dev/shm").iterdir())
    yield
    assert run_tools.children(os.getpid()) == []
    assert sorted(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    assert sorted(path.name for path in Path("/dev/shm").iterdir()) == shared


def test_a_child_gets_its_settings_and_answers() -> None:
    child = Child("echo 1", _serve("echo"), {"a": 1})
    assert child.receive() == ({"a": 1}, child.pid)
    child.send("hello")
    assert child.receive() == "hello"
    child.send(Stop())
    assert child.receive() is None
    assert child.reap() == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_killed_child_is_an_answer_and_not_a_wait(number: int) -> None:
    child = Child("echo 1", _serve("echo"), None)
    assert child.receive() is not None
    os.kill(child.pid, number)
    began = time.monotonic()
    assert child.receive() is None
    child.send("into the void")  # its death is told by `receive`, never by an exception here
    assert child.reap() == -number
    assert time.monotonic() - began < 5


def test_a_child_that_cannot_work_says_why() -> None:
    child = Child("refusing 1", _serve("refusing"), "error")
    words = child.receive()
    assert isinstance(words, Failed)
    assert words.kind == "ZeroDivisionError"
    assert "by design" in words.reason
    assert "Traceback" in words.details
    assert child.receive() is None
    assert child.reap() == 1


@pytest.mark.parametrize(("way", "error"), [("backend", BackendError), ("model", ModelError), ("exit", WorkerError),
                                            ("error", WorkerError)])  # fmt: skip
def test_a_role_that_cannot_start_ends_the_errands_with_its_reason(way: str, error: type[Exception]) -> None:
    pool = ProcessPool("refusing", _serve("refusing"), 2, way)
    with pytest.raises(error):
        list(TaskRun(pool, [1, 2], lambda: None).results())


def test_stopped_and_deaf_children_end_at_one_deadline() -> None:
    members = [PooledProcess(Child(f"deaf {i}", _serve("deaf"), None)) for i in range(2)]
    members.append(PooledProcess(Child("echo", _serve("echo"), None)))
    for member in members:
        assert member.child.receive() is not None
    os.kill(members[0].child.pid, signal.SIGSTOP)
    began = time.monotonic()
    stop_all(members, 0.5)
    assert time.monotonic() - began < 3


def test_children_do_not_outlive_a_parent_that_is_killed() -> None:
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[1])\n"
        "from fastface.pipeline.process import Child\n"
        "children = [Child(str(i), f'{sys.argv[2]}:deaf', None) for i in range(2)]\n"
        "for child in children: child.receive()\n"
        "print(*(child.pid for child in children), flush=True)\n"
        "time.sleep(600)\n"
    )
    arguments = [sys.executable, "-c", code, str(Path(__file__).parent), Path(__file__).stem]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(text) for text in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert all(run_tools.alive(pid) for pid in pids)
        parent.kill()
        began = time.monotonic()
        run_tools.wait_until(lambda: not any(run_tools.alive(pid) for pid in pids), "the end of the children")
        assert time.monotonic() - began < 2


def _results(tasks: list[Any], size: int = 2) -> dict[Any, Any]:
    pool = ProcessPool("errand", _serve("errand"), size, None)
    done = list(TaskRun(pool, tasks, lambda: None).results())
    assert len(done) == len(tasks)
    return dict(done)


def test_every_errand_is_answered_once() -> None:
    assert _results(list(range(9)), size=3) == {number: number * number for number in range(9)}


def test_an_errand_that_ends_its_process_costs_no_other_one() -> None:
    results = _results([1, "die", 2, "crash", 3, "refuse", 4])
    assert {task: results[task] for task in (1, 2, 3, 4)} == {1: 1, 2: 4, 3: 9, 4: 16}
    for task, part in (("die", "-9"), ("crash", "by design"), ("refuse", "not this one")):
        assert isinstance(results[task], TaskFailed)
        assert part in results[task].reason
    assert results["refuse"].kind == "ExportError"


def test_no_errand_starts_no_process() -> None:
    pool = ProcessPool("refusing", _serve("refusing"), 2, "exit")
    assert list(TaskRun(pool, [], lambda: None).results()) == []
    run = TaskRun(pool, [], lambda: None)
    run.begin()
    assert run_tools.children(os.getpid()) == []
    assert list(run.results()) == []


def test_errands_that_are_begun_are_done_before_anybody_asks_for_results(tmp_path: Path) -> None:
    done = [tmp_path / "1", tmp_path / "2", tmp_path / "3"]
    run = TaskRun(ProcessPool("toucher", _serve("toucher"), 2, None), done, lambda: None)
    with closing(run):
        run.begin()
        run_tools.wait_until(lambda: done[0].exists() and done[1].exists(), "the first errands")
        assert not done[2].exists()
        assert sorted(run.results()) == [(path, path.name) for path in done]


def test_an_errand_given_to_a_child_that_never_starts_is_done_by_the_next(tmp_path: Path) -> None:
    run = TaskRun(ProcessPool("toucher", _serve("toucher"), 1, tmp_path / "not twice"), [tmp_path / "1"], lambda: None)
    with closing(run):
        run.begin()
        assert list(run.results()) == [(tmp_path / "1", "1")]
    assert (tmp_path / "not twice").exists()


def test_an_interruption_ends_the_errands() -> None:
    pool = ProcessPool("errand", _serve("errand"), 1, None)
    with pytest.raises(InterruptError):
        list(TaskRun(pool, [1, 2], lambda: signal.SIGINT).results())


def test_an_error_of_the_work_is_not_taken_for_the_parents_end() -> None:
    child = Child("refusing 1", _serve("refusing"), "end of file")
    words = child.receive()
    assert isinstance(words, Failed)
    assert words.kind == "EOFError"
    assert child.reap() == 1


def _only_decoders(count: int) -> Coordinator:
    ring = RingShape(2, 1 << 22, 1)
    decoder = DecoderSettings(ring, None, Sampling(None), 60.0, 10**8, threads=1)
    device = DeviceInfo("openvino", "CPU", "float32", "none", "none")
    nothing = Path("none")
    worker = WorkerSettings(
        ring=ring, canvas=(64, 64), detector=nothing, recogniser=nothing, dimension=8, device=device, threads=1,
        cache_folder=nothing, det_threshold=0.5, min_face=1,
    )  # fmt: skip
    return Coordinator(decoder, worker, PoolSizes(count, 0))


def test_a_decoder_that_hangs_while_it_opens_a_video_is_replaced(
    cartoon: Cartoon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no slot yet, but does not wait for one."""
    monkeypatch.setattr(coordinator, "_STALL_SECONDS", 1.0)
    film = VideoFile(cartoon.films / "film3.mp4", "film3.mp4")
    with _only_decoders(1) as pool:
        pool.start()
        (member,) = pool.decoders.members
        run_tools.wait_until(member.child.connection.poll, "a decoder")
        os.kill(member.child.pid, signal.SIGSTOP)
        pool.probe(film)
        events = list(pool.events())
    assert [type(event).__name__ for event in events] == ["ProcessExited", "VideoProbed"]


def test_a_child_that_hangs_while_it_starts_is_replaced(cartoon: Cartoon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_START_SECONDS", 2.0)
    film = VideoFile(cartoon.films / "film3.mp4", "film3.mp4")
    with _only_decoders(1) as pool:
        pool.start()
        os.kill(pool.decoders.members[0].child.pid, signal.SIGSTOP)
        pool.probe(film)
        events = list(pool.events())
    assert [type(event).__name__ for event in events] == ["ProcessExited", "VideoProbed"]


def test_a_video_is_probed_while_nobody_listens_and_no_start_that_fails_is_blamed_on_it(
    cartoon: Cartoon, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 2
    monkeypatch.setattr(coordinator, "QUARANTINE_BLAME", count * KILL_BLAME)
    film = VideoFile(cartoon.films / "film3.mp4", "film3.mp4")
    with _only_decoders(1) as pool:
        pool.probe(film)
        pool.start()
        for _ in range(count):
            (member,) = pool.decoders.members
            member.child.kill()
            while member in pool.decoders.members:
                pool.start()
                pool.listen()
        (member,) = pool.decoders.members
        pool.start()
        run_tools.wait_until(member.child.connection.poll, "a decoder")
        events = list(pool.events())
    assert [type(event).__name__ for event in events] == ["ProcessExited"] * count + ["VideoProbed"]
