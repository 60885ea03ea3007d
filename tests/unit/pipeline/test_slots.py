"""The slot table against a model of it, with deaths of owners at any time."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fastface.pipeline.slots import SlotState, SlotTable

NUM_SLOTS = 5
OWNERS = ("decoder 1", "decoder 2")


class SlotMachine(RuleBasedStateMachine):
    """Grants, fills, leases, returns and deaths in any order; the model is four plain sets."""

    def __init__(self) -> None:
        super().__init__()
        self.table = SlotTable(NUM_SLOTS)
        self.free = set(range(NUM_SLOTS))
        self.granted: dict[int, tuple[int, str]] = {}
        self.ready: set[int] = set()
        self.leased: set[int] = set()
        self.freed = [0] * NUM_SLOTS

    @rule(owner=st.sampled_from(OWNERS))
    def grant(self, owner: str) -> None:
        given = self.table.grant(owner)
        assert (given is None) == (not self.free)
        if given is not None:
            slot, generation = given
            assert generation == self.freed[slot]
            self.free.remove(slot)
            self.granted[slot] = (generation, owner)

    @precondition(lambda self: self.granted)
    @rule(data=st.data())
    def fill(self, data: st.DataObject) -> None:
        slot = data.draw(st.sampled_from(sorted(self.granted)))
        generation, owner = self.granted.pop(slot)
        self.table.fill(slot, generation, owner)
        self.ready.add(slot)

    @precondition(lambda self: self.granted)
    @rule(data=st.data())
    def fill_of_another_is_refused(self, data: st.DataObject) -> None:
        slot = data.draw(st.sampled_from(sorted(self.granted)))
        generation, owner = self.granted[slot]
        with pytest.raises(AssertionError):
            self.table.fill(slot, generation + 1, owner)
        with pytest.raises(AssertionError):
            self.table.fill(slot, generation, "somebody else")

    @precondition(lambda self: self.ready)
    @rule(data=st.data())
    def lease(self, data: st.DataObject) -> None:
        slot = data.draw(st.sampled_from(sorted(self.ready)))
        self.table.lease(slot, "worker 1")
        self.ready.remove(slot)
        self.leased.add(slot)

    @precondition(lambda self: self.leased)
    @rule(data=st.data())
    def worker_dies_or_is_done_with_a_part(self, data: st.DataObject) -> None:
        slot = data.draw(st.sampled_from(sorted(self.leased)))
        self.table.return_lease(slot)
        self.leased.remove(slot)
        self.ready.add(slot)

    @precondition(lambda self: self.ready)
    @rule(data=st.data())
    def free_one(self, data: st.DataObject) -> None:
        slot = data.draw(st.sampled_from(sorted(self.ready)))
        self.table.free(slot)
        self.ready.remove(slot)
        self.free.add(slot)
        self.freed[slot] += 1

    @rule(owner=st.sampled_from(OWNERS))
    def decoder_dies(self, owner: str) -> None:
        lost = [slot for slot, (_, of) in self.granted.items() if of == owner]
        assert self.table.reclaim(owner) == len(lost)
        for slot in lost:
            del self.granted[slot]
            self.free.add(slot)
            self.freed[slot] += 1

    @invariant()
    def agrees_with_the_model(self) -> None:
        states = {
            SlotState.FREE: self.free,
            SlotState.GRANTED: set(self.granted),
            SlotState.READY: self.ready,
            SlotState.LEASED: self.leased,
        }
        for state, slots in states.items():
            assert {slot for slot in range(NUM_SLOTS) if self.table.state(slot) is state} == slots
        assert self.table.num_free == len(self.free)
        assert [self.table.generation(slot) for slot in range(NUM_SLOTS)] == self.freed
        for owner in OWNERS:
            assert self.table.granted_to(owner) == sum(of == owner for _, of in self.granted.values())


TestSlotMachine = SlotMachine.TestCase
TestSlotMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
