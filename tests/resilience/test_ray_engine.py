"""Whole runs on a Ray cluster: the bytes of one machine, also after the death of a node or of the driver."""

import json
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cartoon_tools import Cartoon, without_longest
from ray_tools import SmallCluster, actors, descendants, small_cluster
from run_tools import alive, arguments, children, finish, kill, leftovers, num_units, tables, wait_until

from fastface.config import load_config
from fastface.distribution import read_version
from fastface.indexing.ray.leases import Order
from fastface.indexing.ray.messages import NodeDrained, NodeFailed, NodeReady, NodeSettings, Unreadable
from fastface.indexing.ray.node import Node
from fastface.pipeline.events import ProcessNote
from fastface.runtime.index_settings import build_index_settings
from fastface.runtime.networks import open_networks
from fastface.video.discover import VideoFile

NUM_UNITS = 4 + 2
"""Films of 8 and 4 seconds with a keyframe every second, in units of two seconds."""


@pytest.fixture(scope="module")
def cartoon(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> Cartoon:
    """The two short films."""
    return without_longest(cartoon, tmp_path_factory.mktemp("short"))


@pytest.fixture(scope="module")
def local(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a run on this machine."""
    out = tmp_path_factory.mktemp("local") / "out"
    done = finish(arguments(cartoon, out))
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def cluster() -> Iterator[SmallCluster]:
    """A cluster of one node; nothing is left of it after the last test."""
    folder = Path(tempfile.mkdtemp(prefix="ray"))
    with small_cluster(folder) as started:
        yield started
    shutil.rmtree(folder)


def start(cartoon: Cartoon, out: Path, cluster: SmallCluster) -> "subprocess.Popen[str]":
    """Start a run on the cluster as users do, in a folder with a hostile module."""
    engine = ("--engine", "ray", "-s", f"run.ray_address={cluster.address}")
    command = [word for word in arguments(cartoon, out, *engine) if word != "-q"]
    out.parent.mkdir(exist_ok=True)
    (out.parent / "pydantic.py").write_text("raise SystemExit('a file of the working directory was imported')")
    variables = {**cluster.environment, "PYTHONSAFEPATH": "1"}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stderr=pipe, stdout=pipe, text=True, env=variables, cwd=out.parent)


def index_files(out: Path) -> dict[str, bytes]:
    """Every file of the videos' indexes; the file of all tracks names inodes and times."""
    root = out / ".fastface" / "index"
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.glob("*/*"))}


def assert_same(out: Path, local: Path) -> None:
    """All results are those of one machine, byte for byte, and complete."""
    assert tables(out) == tables(local)
    assert len(index_files(local)) >= 4
    assert index_files(out) == index_files(local)
    assert not leftovers(out)


def nodes(out: Path) -> list[dict[str, object]]:
    """The nodes in run.json."""
    engine = json.loads((out / "run.json").read_text())["engine"]
    assert engine["name"] == "ray"
    found: list[dict[str, object]] = engine["nodes"]
    return found


def end_after_a_unit(run: "subprocess.Popen[str]", out: Path, cluster: SmallCluster, number: int, status: int) -> None:
    """Send a signal to a run as soon as it has committed another unit; nothing of it is left on the nodes."""
    before = num_units(out)
    wait_until(lambda: num_units(out) > before or run.poll() is not None, "a unit")
    family = {pid for actor in cluster.actors() for pid in (actor, *descendants(actor))}
    assert len(family) >= 4  # an actor, two decoders, a worker
    assert kill(run.pid, number)
    _, errors = run.communicate()
    assert run.returncode == status, errors
    wait_until(lambda: not any(map(alive, family)), "the end of the nodes' processes")
    assert not cluster.actors()
    assert num_units(out) < NUM_UNITS


def is_stopped(pid: int) -> bool:
    """Whether a process has received SIGSTOP."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


def test_only_a_scan_on_a_cluster_loads_ray() -> None:
    code = "import sys, fastface.cli.app, fastface.commands.run; print('ray' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"


def test_an_address_without_a_cluster_ends_the_command(cartoon: Cartoon, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    done = finish(arguments(cartoon, tmp_path / "out", "--engine", "ray", "-s", f"run.ray_address=127.0.0.1:{port}"))
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"fastface: run.ray_address: no Ray cluster at '127.0.0.1:{port}': ")
    assert "Connection refused; start one with 'ray start --head'" in line


def test_a_node_returns_files_that_it_cannot_read_and_drains(cartoon: Cartoon, tmp_path: Path) -> None:
    """The actor without Ray, in this process."""
    out = tmp_path / "out"
    config = load_config(environment={}, flags={"models": {"dir": str(cartoon.models), "pack": "cartoon"}})
    networks = open_networks(config)
    key = build_index_settings(config.scan, networks, read_version()).key
    first, *answers = node_answers(NodeSettings("n", config, key, cores=1), VideoFile(out / "gone.mp4", "gone.mp4"))
    assert isinstance(first, NodeReady)
    assert (first.decoders, first.workers) == (2, 1)
    assert [type(answer) for answer in answers] == [Unreadable, NodeDrained]
    assert answers[0].key == ("gone.mp4", "")
    (failed,) = node_answers(NodeSettings("n", config, "another key", cores=1))
    assert failed == NodeFailed(
        "ModelError", "its networks differ from those of this machine, though their paths are the same"
    )
    assert not children(os.getpid(), "fastface.pipeline")


def node_answers(settings: NodeSettings, *files: VideoFile) -> list[Any]:
    """Open a node, give it probes, drain and close it; return all answers but the notes."""
    node = Node()
    node.open(read_version(), pickle.dumps(settings))
    answers: list[Any] = []
    while not any(isinstance(answer, NodeDrained | NodeFailed) for answer in answers):
        found = [answer for answer in pickle.loads(node.take(120.0)) if not isinstance(answer, ProcessNote)]
        answers += found
        if any(isinstance(answer, NodeReady) for answer in found):
            node.give(pickle.dumps([Order(file) for file in files]))
        if any(isinstance(answer, Unreadable) for answer in found):
            node.drain()
    node.close()
    return answers


def test_a_lost_node_changes_nothing(cartoon: Cartoon, local: Path, cluster: SmallCluster, tmp_path: Path) -> None:
    """The second node stops in the middle of a unit, and then loses its raylet and its actor."""
    raylet = cluster.add(FASTFACE_FAILPOINT="send.InferFrames:stop:3")
    run = start(cartoon, tmp_path / "out", cluster)
    wait_until(lambda: any(map(is_stopped, actors(raylet))) or run.poll() is not None, "a stopped actor")
    (actor,) = actors(raylet)
    family = {actor, *descendants(actor)}
    assert len(family) >= 4  # two decoders and a worker
    assert kill(raylet, signal.SIGKILL)
    assert kill(actor, signal.SIGKILL)
    output, errors = run.communicate()
    assert run.returncode == 0, errors
    assert "(raylet)" not in output + errors  # Ray's own reports of the lost node
    assert errors.count("it takes part: 2 decoders, 1 worker") == 2
    assert errors.count("it is lost") == 1
    assert_same(tmp_path / "out", local)
    states = sorted(str(node["state"]).partition(":")[0] for node in nodes(tmp_path / "out"))
    assert states == ["lost", "worked"]
    assert sum(int(str(node["units"])) for node in nodes(tmp_path / "out")) == NUM_UNITS
    wait_until(lambda: not any(map(alive, family)), "the end of the node's processes")
    wait_until(lambda: not cluster.actors(), "the end of all actors")


def test_a_run_that_is_stopped_and_killed_goes_on(
    cartoon: Cartoon, local: Path, cluster: SmallCluster, tmp_path: Path
) -> None:
    """Ctrl-C, then SIGKILL of the driver, then one machine completes what two nodes began."""
    cluster.add()
    out = tmp_path / "out"
    for number, status in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        end_after_a_unit(start(cartoon, out, cluster), out, cluster, number, status)
    done = finish(arguments(cartoon, out))
    assert done.returncode == 0, done.stderr
    assert_same(out, local)
    assert not children(os.getpid(), "fastface.pipeline")
