"""Define the slot table: which process may use which slot of the ring. Plain Python, owned by the coordinator alone.

    FREE ──grant──► GRANTED ──fill──► READY ──lease──► LEASED ──free──► FREE (next generation)
     ▲                 │                │ ▲               │
     └──reclaim────────┘◄──free─────────┘ └──return_lease─┘

A generation number counts how often a slot was freed. A message with an earlier generation comes from a dead process or
from cancelled work, and is ignored.
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum


class SlotState(Enum):
    """State of a slot."""

    FREE = "free"
    GRANTED = "granted"
    READY = "ready"
    LEASED = "leased"


@dataclass(slots=True)
class _Slot:
    state: SlotState = SlotState.FREE
    generation: int = 0
    owner: str | None = None


class SlotTable:
    """The states of all slots. Free slots are granted first in, first out."""

    def __init__(self, num_slots: int) -> None:
        self._slots = [_Slot() for _ in range(num_slots)]
        self._free = deque(range(num_slots))

    def __len__(self) -> int:
        return len(self._slots)

    def state(self, slot: int) -> SlotState:
        """Return the state of a slot."""
        return self._slots[slot].state

    def generation(self, slot: int) -> int:
        """Return how often the slot was freed."""
        return self._slots[slot].generation

    @property
    def num_free(self) -> int:
        """Number of slots that can be granted now."""
        return len(self._free)

    def granted_to(self, owner: str) -> int:
        """Return the number of slots that a decoder may fill now."""
        return sum(s.state is SlotState.GRANTED and s.owner == owner for s in self._slots)

    def grant(self, owner: str) -> tuple[int, int] | None:
        """Grant a free slot to a decoder; return (slot, generation), or None if no slot is free."""
        if not self._free:
            return None
        index = self._free.popleft()
        self._move(index, SlotState.FREE, SlotState.GRANTED, owner)
        return index, self._slots[index].generation

    def fill(self, slot: int, generation: int, owner: str) -> None:
        """Record that the decoder has written its batch."""
        entry = self._slots[slot]
        assert (entry.generation, entry.owner) == (generation, owner), f"slot {slot} is not {owner}'s"
        self._move(slot, SlotState.GRANTED, SlotState.READY, None)

    def lease(self, slot: int, owner: str) -> None:
        """Lease a filled slot to a worker."""
        self._move(slot, SlotState.READY, SlotState.LEASED, owner)

    def return_lease(self, slot: int) -> None:
        """End a lease because the worker finished a part or died: the batch stays and can be leased again."""
        self._move(slot, SlotState.LEASED, SlotState.READY, None)

    def free(self, slot: int) -> None:
        """Free a batch that is no longer needed. Never call it while a living worker may still read the slot."""
        assert self._slots[slot].state in (SlotState.READY, SlotState.LEASED), self._slots[slot]
        self._release(slot)

    def reclaim(self, owner: str) -> int:
        """Free the slots granted to a decoder that is dead and reaped; return their number."""
        granted = [i for i, s in enumerate(self._slots) if s.state is SlotState.GRANTED and s.owner == owner]
        for index in granted:
            self._release(index)
        return len(granted)

    def _move(self, slot: int, before: SlotState, after: SlotState, owner: str | None) -> None:
        entry = self._slots[slot]
        assert entry.state is before, f"slot {slot} is {entry.state}, not {before}"
        entry.state, entry.owner = after, owner

    def _release(self, slot: int) -> None:
        entry = self._slots[slot]
        entry.state, entry.owner = SlotState.FREE, None
        entry.generation += 1
        self._free.append(slot)
