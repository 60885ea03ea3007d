"""A small Ray cluster for tests: on the loopback address alone, without dashboard, with bounded memory."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from run_tools import alive, children, wait_until

ACTOR = "ray::Node"
"""Command line of an actor of fastface."""


def variables(folder: Path) -> dict[str, str]:
    """Environment of every process of the cluster, and of the commands that use it."""
    return {
        **os.environ,
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # Ray's own switch: servers listen on the loopback address
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": "a" * 64,
        "RAY_enable_worker_prestart": "0",
        "RAY_prestart_worker_first_driver": "0",
        "RAY_TMPDIR": str(folder),
    }


class SmallCluster:
    """A head with one CPU core, and nodes of one core each."""

    def __init__(self, server: "subprocess.Popen[str]", environment: dict[str, str]) -> None:
        self._server = server
        self.environment = environment
        self.address = self._line()

    def add(self, **more: str) -> int:
        """Start a node; its processes have these variables too. Return the process id of its raylet."""
        assert self._server.stdin is not None
        self._server.stdin.write(" ".join(["add", *(f"{name}={value}" for name, value in more.items())]) + "\n")
        self._server.stdin.flush()
        return int(self._line())

    def actors(self) -> list[int]:
        """Process ids of all actors of fastface."""
        return [pid for raylet in children(self._server.pid, "raylet") for pid in actors(raylet)]

    def _line(self) -> str:
        assert self._server.stdout is not None
        line = self._server.stdout.readline().strip()
        assert line, "the cluster's process has ended"
        return line


def actors(raylet: int) -> list[int]:
    """Process ids of the actors of fastface on a node."""
    return children(raylet, ACTOR)


def descendants(pid: int) -> set[int]:
    """All living processes below a process."""
    found = set(children(pid))
    return found.union(*(descendants(child) for child in found))


def in_shared_memory() -> set[str]:
    """Names in /dev/shm."""
    return {path.name for path in Path("/dev/shm").iterdir()}


@contextmanager
def small_cluster(folder: Path) -> Iterator[SmallCluster]:
    """Run a cluster of one node; at the end nothing of it is left.

    Args:
        folder: For Ray's files; with a short path, because Ray's sockets lie there.
    """
    environment, before = variables(folder), in_shared_memory()
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("ray_cluster_server.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    with server:
        yield SmallCluster(server, environment)
        family = descendants(server.pid)
        assert server.stdin is not None
        server.stdin.close()
        server.wait()
    assert len(family) > 2
    wait_until(lambda: not any(map(alive, family)), "the end of the cluster")
    assert in_shared_memory() == before
