"""Run a scan on the nodes of a Ray cluster: lease probes and units to nodes, and return their events.

    driver (this process): OUT, ledger, index writer ──orders──► node: decoders, ring, workers ──events──► driver

`indexing.engine` opens it in the main process. Each node runs the coordinator of one machine (`node`). A lost node is
an ordinary event: its leases return to the queue. Results count once, because nothing of a lost node is read again.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from time import monotonic, sleep
from typing import Self

from fastface.errors import BackendError, ClusterError, ConfigError, FastfaceError, InputError, ModelError, SpaceError
from fastface.indexing.ray.cluster import Cluster, ClusterNode, NodeLostError, RemoteNode
from fastface.indexing.ray.leases import Key, LeaseBook, Order
from fastface.indexing.ray.messages import Answer, NodeDrained, NodeFailed, NodeReady, NodeSettings, Unreadable
from fastface.names import pluralize
from fastface.pipeline.attempts import KILL_BLAME
from fastface.pipeline.engine import NodeReport
from fastface.pipeline.events import Event, ProcessExited, ProcessNote, UnitLost, UnitScanned
from fastface.pipeline.messages import VideoProbed, VideoRefused
from fastface.types import Unit, VideoInfo
from fastface.video.discover import VideoFile
from fastface.video.identity.fingerprint import fingerprint

_ORDERS_A_DECODER = 2
"""One order is in work and one waits on the node: a decoder never waits for the driver."""

_LOSSES_TO_LEAVE_OUT = 3
"""Losses of a node's actor in a row, without a result, after which the node gets no work any more."""

_PAUSE_SECONDS = 15.0
"""Seconds before a node that lost its actor gets another: a dead node is listed as living until Ray notices."""

_TICK_SECONDS = 0.5
_POLL_SECONDS = 3.0
_DRAIN_SECONDS = 12.0
"""The nodes' own limit is 8 seconds: see `pipeline.coordinator`."""
_STOP_SECONDS = 5.0

_TYPED: dict[str, type[FastfaceError]] = {
    error.__name__: error for error in (BackendError, ConfigError, ModelError, SpaceError)
}


@dataclass(slots=True, eq=False)
class _Member:
    """A node with an actor."""

    node: ClusterNode
    remote: RemoteNode
    capacity: int = 0  # maximum number of its orders; 0 until it is ready
    is_drained: bool = False


class RayEngine:
    """Run probes and units on all nodes of a cluster. Main process, one thread. Use as a context manager.

    Args:
        connect: Connects to the cluster; called before the first work.
        settings: Settings of every node, with an empty name and no cores.
        timeout_seconds: Seconds without a working node after which the scan fails.
        interrupted: Called in every turn of the loop; once it returns true, no more work starts.
    """

    def __init__(
        self,
        connect: Callable[[], Cluster],
        settings: NodeSettings,
        timeout_seconds: float,
        interrupted: Callable[[], object] = lambda: False,
    ) -> None:
        self._connect = connect
        self._settings = settings
        self._timeout = timeout_seconds
        self._interrupted = interrupted
        self._cluster: Cluster | None = None
        self._members: dict[str, _Member] = {}
        self._reports: dict[str, NodeReport] = {}
        self._losses: Counter[str] = Counter()
        self._paused_until: dict[str, float] = {}
        self._failures: dict[str, NodeFailed] = {}
        self._book = LeaseBook()
        self._events: deque[Event] = deque()
        self._heard = self._polled = 0.0
        self._drain_until: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._cluster is not None:
            self._cluster.close([member.remote for member in self._members.values()], _STOP_SECONDS)

    @property
    def nodes(self) -> tuple[NodeReport, ...]:
        """The nodes that joined, in the order of joining."""
        return tuple(self._reports.values())

    def probe(self, file: VideoFile) -> None:
        """Queue a video for probing; the resulting event is `VideoProbed` or `VideoRefused`."""
        self._book.add(Order(file))

    def schedule(self, info: VideoInfo, unit: Unit) -> None:
        """Queue a unit for scanning; the resulting event is `UnitScanned` or `UnitLost`."""
        self._book.add(Order(VideoFile(info.path, info.video_id), info, unit))

    def start(self) -> None:
        """Connect, and create the actors of all nodes that have none; nodes may join at any time.

        Raises:
            ClusterError: There is no cluster.
        """
        if self._cluster is None:
            self._cluster = self._connect()
            self._heard = monotonic()
        elif monotonic() - self._polled < _POLL_SECONDS or self._drain_until is not None:
            return
        self._polled = monotonic()
        needs_card = self._settings.config.models.device in ("cuda", "tensorrt")
        uses_cards = needs_card or self._settings.config.models.device == "auto"
        for node in self._cluster.list_nodes():
            if self._may_join(node) and (node.cards or not needs_card):
                settings = replace(self._settings, name=node.name, cores=node.cores)
                remote = self._cluster.open(node, settings, node.cards if uses_cards else 0)
                self._members[node.id] = _Member(node, remote)

    def _may_join(self, node: ClusterNode) -> bool:
        is_known = node.id in self._members or node.id in self._failures
        return not is_known and monotonic() >= self._paused_until.get(node.id, 0.0)

    def events(self) -> Iterator[Event]:
        """Yield all events until no work is left. The caller may add work meanwhile.

        Raises:
            BackendError, ModelError, ConfigError, SpaceError: No node can work, for this reason.
            ClusterError: There is no cluster, or no node has answered for long.
        """
        while self._is_busy:
            if self._interrupted() and self._drain_until is None:
                self._interrupt()
            self.start()
            self._hand_out()
            self._listen()
            while self._events:
                yield self._events.popleft()
            self._check_patience()

    @property
    def _is_busy(self) -> bool:
        if self._drain_until is not None:
            return any(not member.is_drained for member in self._members.values()) and monotonic() < self._drain_until
        return not self._book.is_empty

    def _interrupt(self) -> None:
        """Start no more work; `events()` ends when the nodes have searched their decoded frames, or soon."""
        self._drain_until = monotonic() + _DRAIN_SECONDS
        self._book.drop_waiting()
        for member in self._members.values():
            member.remote.drain()
            member.is_drained = not member.capacity  # it has no work yet

    # ── orders ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _hand_out(self) -> None:
        """Lease orders, one to each node in turn, so that the last orders are shared evenly."""
        if self._drain_until is not None:
            return
        orders: dict[str, list[Order]] = {}
        for ahead in range(1, 1 + max((member.capacity for member in self._members.values()), default=0)):
            for name, member in self._members.items():
                if self._book.num_leased(name) < min(ahead, member.capacity) and (order := self._book.lease(name)):
                    orders.setdefault(name, []).append(order)
        for name, leased in orders.items():
            self._members[name].remote.give(leased)

    # ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _listen(self) -> None:
        """Wait a moment for answers of the nodes and handle them."""
        assert self._cluster is not None
        if not self._members:
            sleep(_TICK_SECONDS)
            return
        speakers = {member.remote: member for member in self._members.values()}
        for remote in self._cluster.wait(list(speakers), _TICK_SECONDS):
            member = speakers[remote]
            try:
                answers = remote.answers()
            except NodeLostError as error:
                self._lose(member, str(error))
                continue
            self._heard = monotonic()
            for answer in answers:
                self._hear(member, answer)

    def _hear(self, member: _Member, answer: Answer) -> None:
        name = member.node.name
        match answer:
            case NodeReady():
                self._welcome(member, answer)
            case NodeFailed():
                self._leave_out(member, answer)
            case NodeDrained():
                member.is_drained = True
            case Unreadable():
                self._read_here(member, answer)
            case VideoProbed() | VideoRefused():
                self._settle(member, (answer.file.video_id, ""), answer)
            case UnitScanned() | UnitLost():
                self._settle(member, (answer.unit.video_id, answer.unit.key), answer)
            case ProcessNote() | ProcessExited():
                self._events.append(replace(answer, name=f"{answer.name} on {name}"))
            case _:
                self._events.append(answer)

    def _settle(self, member: _Member, key: Key, event: Event) -> None:
        """Record the result of an order. A node that was left out a moment ago has none."""
        if member.node.id not in self._members:
            return
        order = self._book.settle(member.node.id, key)
        self._losses[member.node.id] = 0
        if order.unit is not None:
            report = self._reports[member.node.id]
            self._reports[member.node.id] = replace(report, units=report.units + 1)
        self._events.append(event)

    def _welcome(self, member: _Member, ready: NodeReady) -> None:
        node = member.node
        member.capacity = _ORDERS_A_DECODER * ready.decoders
        before = self._reports.get(node.id)
        num_units = 0 if before is None else before.units
        self._reports[node.id] = NodeReport(
            node.name, ready.device, ready.decoders, ready.workers, num_units, state="worked"
        )
        crew = f"{pluralize(ready.decoders, 'decoder')}, {pluralize(ready.workers, 'worker')}"
        self._note(node.name, f"it takes part: {crew}, networks on {ready.device}")

    def _note(self, name: str, text: str) -> None:
        self._events.append(ProcessNote(f"node {name}", text))

    # ── lost nodes ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _lose(self, member: _Member, reason: str) -> None:
        """Take back the orders of a lost node. Its death is weak evidence against them, like that of a killed child."""
        node = member.node
        self._losses[node.id] += 1
        self._paused_until[node.id] = monotonic() + _PAUSE_SECONDS
        if self._losses[node.id] >= _LOSSES_TO_LEAVE_OUT:
            self._failures[node.id] = NodeFailed(ClusterError.__name__, f"it was lost several times: {reason}")
        num_orders = self._book.num_leased(node.id)
        self._remove(member, f"lost: {reason}")
        rest = f"; other nodes get its {pluralize(num_orders, 'order')}" if num_orders else ""
        self._note(node.name, f"it is lost ({reason}){rest}")
        for order in self._book.release(node.id, KILL_BLAME):
            told = f"it was the work of several lost nodes: {reason}"
            lost = VideoRefused(order.file, "quarantined", told)
            self._events.append(lost if order.unit is None else UnitLost(order.unit, "quarantined", told))

    def _leave_out(self, member: _Member, failure: NodeFailed) -> None:
        """Use a node no more that cannot work; its orders are not to blame."""
        self._failures[member.node.id] = failure
        self._remove(member, f"left out: {failure.reason}")
        self._book.release(member.node.id)
        self._note(member.node.name, f"it is left out: {failure.reason}")

    def _remove(self, member: _Member, state: str) -> None:
        node = member.node
        report = self._reports.get(node.id, NodeReport(node.name, "", 0, 0, 0, state))
        self._reports[node.id] = replace(report, state=state)
        member.remote.kill()
        del self._members[node.id]

    def _read_here(self, member: _Member, found: Unreadable) -> None:
        """Decide about a file that a node cannot read: the node is left out if this machine can read it."""
        order = self._book.settle(member.node.id, found.key)
        try:
            fingerprint(order.file.path)
        except InputError:
            self._book.put_back([replace(order, is_unreadable=True)])
            return
        self._book.put_back([order])
        what = f"it cannot read {str(order.file.path)!r}, which this machine can ({found.reason})"
        failure = NodeFailed(ClusterError.__name__, f"{what}: mount the folder under the same path on every node")
        self._leave_out(member, failure)

    def _check_patience(self) -> None:
        """Fail if no node can work, or none has answered for long."""
        if self._drain_until is not None:
            return
        is_any_coming_back = any(until > monotonic() for until in self._paused_until.values())
        if self._failures and not self._members and not is_any_coming_back:
            reasons = [f"node {self._reports[name].name}: {fault.reason}" for name, fault in self._failures.items()]
            kind = _TYPED.get(next(iter(self._failures.values())).kind, ClusterError)
            raise kind("; ".join(reasons))
        if monotonic() - self._heard > self._timeout:
            lost = [report for report in self._reports.values() if report.state.startswith("lost")]
            last = f"; {lost[-1].name} was {lost[-1].state}" if lost else ""
            raise ClusterError(
                f"no node of the Ray cluster has answered for {self._timeout:g} seconds{last}; check "
                "'ray status' for nodes and free CPU cores, then run the same command to continue"
            )
