"""Queue probes and units for the nodes of a cluster, and record which node has which. Pure.

`engine` owns the book. A node's leases return to the queue when the node is lost. They then carry blame, like the work
of a dead process in `pipeline.attempts`.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

from fastface.pipeline.attempts import QUARANTINE_BLAME
from fastface.types import Unit, VideoInfo
from fastface.video.discover import VideoFile

Key = tuple[str, str]
"""Name of the video, and key of the unit; the key of a probe is empty."""


@dataclass(frozen=True, slots=True)
class Order:
    """A probe or a unit for a node.

    Attributes:
        file: The video.
        info: Facts about the video; None for a probe.
        unit: The unit; None for a probe.
        is_unreadable: True if the driver cannot read the file either: the node then reports what it finds.
        blame: Blame from nodes that were lost with it.
    """

    file: VideoFile
    info: VideoInfo | None = None
    unit: Unit | None = None
    is_unreadable: bool = False
    blame: int = 0

    @property
    def key(self) -> Key:
        """Identify the order among all orders of a scan."""
        return self.file.video_id, "" if self.unit is None else self.unit.key


class LeaseBook:
    """All orders of a scan that have no result yet."""

    def __init__(self) -> None:
        self._units: deque[Order] = deque()
        self._probes: deque[Order] = deque()
        self._leased: dict[str, dict[Key, Order]] = {}

    @property
    def is_empty(self) -> bool:
        """True if every order has its result."""
        return not (self._units or self._probes or any(self._leased.values()))

    def add(self, order: Order) -> None:
        """Queue a new order."""
        (self._probes if order.unit is None else self._units).append(order)

    def lease(self, node: str) -> Order | None:
        """Lease the next order to a node; None if no order waits.

        Units come before probes: results come early, and few videos are open. A suspect is leased alone if it has
        half of the blame for quarantine: its node's death then blames no other order again and again.
        """
        queue = self._units or self._probes
        held = self._leased.setdefault(node, {})
        if not queue or any(map(_is_suspect, held.values())) or (held and _is_suspect(queue[0])):
            return None
        order = queue.popleft()
        held[order.key] = order
        return order

    def num_leased(self, node: str) -> int:
        """Return how many orders a node has."""
        return len(self._leased.get(node, ()))

    def settle(self, node: str, key: Key) -> Order:
        """Record that a node returned the result of an order, and return the order."""
        return self._leased[node].pop(key)

    def release(self, node: str, blame: int = 0) -> list[Order]:
        """Take back all orders of a lost node; return those that are quarantined, and queue the others first.

        Args:
            node: The node.
            blame: Blame for each of its orders.
        """
        orders = [replace(order, blame=order.blame + blame) for order in self._leased.pop(node, {}).values()]
        self.put_back(order for order in reversed(orders) if order.blame < QUARANTINE_BLAME)
        return [order for order in orders if order.blame >= QUARANTINE_BLAME]

    def put_back(self, orders: Iterable[Order]) -> None:
        """Queue orders before all others of their kind."""
        for order in orders:
            (self._probes if order.unit is None else self._units).appendleft(order)

    def drop_waiting(self) -> None:
        """Forget the orders that no node has."""
        self._units.clear()
        self._probes.clear()


def _is_suspect(order: Order) -> bool:
    return order.blame >= QUARANTINE_BLAME // 2
