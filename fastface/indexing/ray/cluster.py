"""Speak with Ray: connect, list nodes, create an actor on a node, pass messages. The only module that imports ray.

`engine` owns a `Cluster`, in the main process. Ray's errors become `NodeLostError`, or `ClusterError` while connecting.
Nothing here imports ray before a scan that asks for it.
"""

import os
import pickle
import signal
import socket
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastface.distribution import read_version
from fastface.errors import ClusterError
from fastface.indexing.ray.leases import Order
from fastface.indexing.ray.messages import Answer, NodeSettings
from fastface.indexing.ray.node import Node

_OBJECT_STORE_BYTES = 256 << 20
"""Of a cluster that fastface starts itself: results are a few megabytes at most."""

_METHODS_AT_ONCE = 4
"""One call waits for answers; orders, `drain` and `close` must not wait for it."""

_PACKAGE_ROOT = Path(__file__).parents[3]
_TAKE_SECONDS = 1.0
_CONNECT_SECONDS = 10.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class NodeLostError(Exception):
    """A node, or its actor, does not answer any more."""


@dataclass(frozen=True, slots=True)
class ClusterNode:
    """A living node of the cluster, before it has an actor."""

    id: str
    name: str  # host name; with a part of the id if several nodes share it
    cores: int
    cards: int


class Cluster:
    """A connection to a Ray cluster.

    Args:
        address: `auto`, `HOST:PORT`, or empty for a cluster on this machine alone.

    Raises:
        ClusterError: There is no cluster at the address.
    """

    def __init__(self, address: str) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        if not address:
            # Ray's own switch: all servers of this cluster listen on the loopback address only.
            os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
            os.environ.setdefault("RAY_AUTH_MODE", "token")  # Ray's default there, without its warning
        import ray  # noqa: PLC0415 - no other command loads it

        self._ray: Any = ray
        self._is_ours = not ray.is_initialized()
        if self._is_ours:
            self._connect(address)

    def _connect(self, address: str) -> None:
        local = {"include_dashboard": False, "object_store_memory": _OBJECT_STORE_BYTES} if not address else {}
        try:
            _try_address(address)
            # Ray puts the working directory on the nodes' module path: no `pydantic.py` there must be imported.
            with _kept_signal_handlers(), chdir(_PACKAGE_ROOT):
                self._ray.init(address or "local", log_to_driver=False, logging_level="error", **local)
            # Ray prints the ends of nodes to standard output, which may have to be one JSON object. No option stops it.
            self._ray._private.worker._worker_logs_enabled = False
        except (OSError, RuntimeError, ValueError) as error:
            raise ClusterError(
                f"run.ray_address: no Ray cluster at {address!r}: {_first_line(error)}; start one with "
                "'ray start --head', or give HOST:PORT of its head"
            ) from error

    def list_nodes(self) -> list[ClusterNode]:
        """List the living nodes that lend at least one CPU core."""
        living = [node for node in self._ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
        hosts = Counter(node["NodeManagerHostname"] for node in living)
        return [
            ClusterNode(
                node["NodeID"],
                host if hosts[host := node["NodeManagerHostname"]] == 1 else f"{host} {node['NodeID'][:6]}",
                int(node["Resources"]["CPU"]),
                int(node["Resources"].get("GPU", 0)),
            )
            for node in living
        ]

    def open(self, node: ClusterNode, settings: NodeSettings, num_cards: int) -> "RemoteNode":
        """Create the actor of a node. It takes all of the node's cores, so that Ray adds no other work."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: PLC0415 - see the header

        actor = self._ray.remote(Node).options(
            num_cpus=node.cores,
            num_gpus=num_cards,
            max_concurrency=_METHODS_AT_ONCE,
            max_restarts=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False),
        )
        return RemoteNode(self._ray, actor.remote(), settings)

    def wait(self, nodes: Sequence["RemoteNode"], timeout_seconds: float) -> list["RemoteNode"]:
        """Return the nodes that have answered; wait for the first, but not longer than this."""
        calls = {node.call: node for node in nodes}
        ready, _ = self._ray.wait(list(calls), num_returns=1, timeout=timeout_seconds)
        if ready:
            ready, _ = self._ray.wait(list(calls), num_returns=len(calls), timeout=0)
        return [calls[call] for call in ready]

    def close(self, nodes: Collection["RemoteNode"], timeout_seconds: float) -> None:
        """End the actors of all nodes, and the connection if this object made it."""
        calls = [call for node in nodes if (call := node.close()) is not None]
        if calls:
            self._ray.wait(calls, num_returns=len(calls), timeout=timeout_seconds)
        for node in nodes:
            node.kill()
        if self._is_ours:
            with _kept_signal_handlers():
                self._ray.shutdown()


class RemoteNode:
    """The driver's end of one actor. One call of `take` is always under way: `call`."""

    def __init__(self, ray: Any, actor: Any, settings: NodeSettings) -> None:
        self._ray = ray
        self._actor = actor
        self._actor.open.remote(read_version(), pickle.dumps(settings))
        self.call: Any = self._actor.take.remote(_TAKE_SECONDS)

    def answers(self) -> list[Answer]:
        """Return the answers of the finished call, and begin the next call.

        Raises:
            NodeLostError: The node or its actor is gone.
        """
        try:
            answers: list[Answer] = pickle.loads(self._ray.get(self.call))  # noqa: S301 - of our own actor
        except self._ray.exceptions.RayError as error:
            raise NodeLostError(_first_line(error)) from error
        self.call = self._actor.take.remote(_TAKE_SECONDS)
        return answers

    def give(self, orders: list[Order]) -> None:
        """Send orders. If the node is lost, `answers` reports it."""
        self._actor.give.remote(pickle.dumps(orders))

    def drain(self) -> None:
        """Ask the node to finish the frames in work."""
        self._actor.drain.remote()

    def close(self) -> Any:
        """Ask the node to end its processes; return the call."""
        return self._actor.close.remote()

    def kill(self) -> None:
        """End the actor's process at once; its children end with it."""
        self._ray.kill(self._actor)


def _try_address(address: str) -> None:
    """Check that a server listens at `HOST:PORT`: Ray itself would try for minutes.

    Raises:
        OSError: None does.
    """
    host, _, port = address.rpartition(":")
    if host:
        socket.create_connection((host, int(port)), _CONNECT_SECONDS).close()


@contextmanager
def _kept_signal_handlers() -> Iterator[None]:
    """Put back the handlers of this process, which Ray replaces."""
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)


def _first_line(error: Exception) -> str:
    """Return the line of an error of Ray that names its cause."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    causes = [line for line in lines if "Error:" in line]
    line = causes[-1] if causes else lines[0] if lines else type(error).__name__
    return line.partition(". ")[0].rstrip(".")
