"""Scan on one node of a Ray cluster: the actor, which runs the coordinator of one machine in a thread.

`cluster` creates it, one for each node. Ray calls the public methods, each in a thread of its own. The thread of
`_serve` owns the coordinator, and so the decoders, the workers and the ring; frames never leave the node. Processes of
the coordinator end with this thread, and so with the actor.
"""

import pickle
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from signal import SIGTERM
from threading import Condition, Thread

from fastface.distribution import read_version
from fastface.errors import FastfaceError, InputError, ModelError
from fastface.indexing.processes import open_coordinator
from fastface.indexing.ray.leases import Order
from fastface.indexing.ray.messages import Answer, NodeDrained, NodeFailed, NodeReady, NodeSettings, Unreadable
from fastface.pipeline.coordinator import Coordinator
from fastface.pipeline.events import ProcessNote
from fastface.runtime.engines import ready_networks
from fastface.runtime.index_settings import build_index_settings
from fastface.runtime.networks import Networks
from fastface.runtime.resources import choose_layout, num_cores
from fastface.video.identity.fingerprint import fingerprint

_IDLE_SECONDS = 0.5


class Node:
    """Take orders and return answers. All methods may be called at once."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._orders: deque[Order] = deque()
        self._answers: list[Answer] = []
        self._is_draining = False
        self._is_closing = False
        self._thread: Thread | None = None

    def open(self, version: str, settings: bytes) -> None:
        """Start to prepare networks and processes; `take` then returns `NodeReady` or `NodeFailed`.

        Args:
            version: The driver's version of fastface; it must be this one.
            settings: Pickled `NodeSettings`.
        """
        if version != read_version():
            self._answer([NodeFailed("ConfigError", f"it has fastface {read_version()}, and this machine {version}")])
            return
        first = pickle.loads(settings)  # noqa: S301 - of our own driver
        self._thread = Thread(target=self._coordinate, args=[first], name="coordinator", daemon=True)
        self._thread.start()

    def give(self, orders: bytes) -> None:
        """Queue orders: a pickled list of `Order`."""
        with self._changed:
            self._orders.extend(pickle.loads(orders))  # noqa: S301 - of our own driver
            self._changed.notify_all()

    def take(self, wait_seconds: float) -> bytes:
        """Return the answers since the last call, pickled; wait for the first one, but not longer than this."""
        with self._changed:
            self._changed.wait_for(lambda: self._answers, wait_seconds)
            answers, self._answers = self._answers, []
        return pickle.dumps(answers)

    def drain(self) -> None:
        """Start no more work; finish the frames in work. `take` then returns `NodeDrained`."""
        with self._changed:
            self._is_draining = True
            self._changed.notify_all()

    def close(self) -> None:
        """End all processes of the node."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _answer(self, answers: Sequence[Answer]) -> None:
        if answers:
            with self._changed:
                self._answers.extend(answers)
                self._changed.notify_all()

    # ── the coordinator's thread ────────────────────────────────────────────────────────────────────────────────────

    def _coordinate(self, settings: NodeSettings) -> None:
        """Run the thread's top frame: every error becomes an answer."""
        try:
            self._serve(settings)
        except Exception as error:  # noqa: BLE001 - the top frame of a thread
            reason = str(error) if isinstance(error, FastfaceError) else f"{type(error).__name__}: {error}"
            self._answer([NodeFailed(type(error).__name__, reason)])

    def _serve(self, settings: NodeSettings) -> None:
        networks = _open_networks(settings, self._note, lambda: SIGTERM if self._is_closing else None)
        with open_coordinator(settings.config, networks, lambda: self._is_draining) as coordinator:
            coordinator.start()
            sizes = networks.layout.sizes
            self._answer([NodeReady(networks.device.name, sizes.decoders, sizes.workers)])
            while not self._is_closing:
                self._accept(coordinator)
                if coordinator.is_busy:
                    self._answer(coordinator.turn())
                elif self._is_draining:
                    self._answer([NodeDrained()])
                    return

    def _note(self, text: str) -> None:
        self._answer([ProcessNote("networks", text)])

    def _accept(self, coordinator: Coordinator) -> None:
        """Give the queued orders to the coordinator; wait for one if it has no work."""
        with self._changed:
            if not (coordinator.is_busy or self._orders or self._is_draining or self._is_closing):
                self._changed.wait(_IDLE_SECONDS)
            orders = [] if self._is_draining else list(self._orders)
            self._orders.clear()
        for order in orders:
            if not order.is_unreadable and (reason := _find_fault(order.file.path)):
                self._answer([Unreadable(order.key, reason)])
            elif order.info is None or order.unit is None:
                coordinator.probe(order.file)
            else:
                coordinator.schedule(order.info, order.unit)


def _find_fault(path: Path) -> str:
    """Return why this node cannot read a video; empty if it can."""
    try:
        fingerprint(path)
    except InputError as error:
        return error.reason
    return ""


def _open_networks(
    settings: NodeSettings, note: Callable[[str], None], is_closing: Callable[[], int | None]
) -> Networks:
    """Resolve device, networks and processes on this node.

    Raises:
        ModelError: A network is missing here, or differs.
        BackendError, ConfigError, InterruptError: See `ready_networks`.
    """
    config = settings.config
    for network in (config.models.detector, config.models.recogniser, config.models.person_model):
        if network is not None and not Path(network).is_file():
            raise ModelError(f"it has no file {network!r}: the networks must have the same path on every node")
    networks = ready_networks(config, note, is_closing)
    if build_index_settings(config.scan, networks, read_version()).key != settings.index_key:
        raise ModelError("its networks differ from those of this machine, though their paths are the same")
    cores = min(settings.cores, num_cores())
    layout = choose_layout(config.scan, networks.device, len(networks.cards), cores)
    return replace(networks, layout=layout)
