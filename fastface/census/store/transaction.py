"""Compute the changes of one store transaction: sightings, counts, names, mergers. No I/O; `register` calls it."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from fastface.census.store.base import ComparisonRules, Membership, Sighting
from fastface.census.store.stored_embedding import StoredEmbedding, StoredEmbeddings
from fastface.errors import ConfigError
from fastface.names import format_ranges
from fastface.types import FloatArray

LAYOUT = 1
"""Version of a store's format."""

_MAX_RANGES = 20

Parts = dict[str, tuple[int, int]]
"""{part: (number of the identity, faces)} of one source."""


@dataclass(frozen=True, slots=True)
class State:
    """The fields of a store.

    Attributes:
        layout: Version of the format, see `LAYOUT`.
        generation: Random text, chosen when the store is created and again by `clear`.
        contract: Contract of the recogniser.
        dimension: Components of an embedding.
        version: Number of changes.
        last_number: Largest number ever assigned to an identity; 0 for none.
    """

    layout: int
    generation: str
    contract: str
    dimension: int
    version: int = 0
    last_number: int = 0

    def to_fields(self) -> dict[str, str]:
        """Format the state as {field: text}."""
        return {name: str(value) for name, value in asdict(self).items()}

    @classmethod
    def from_fields(cls, fields: Mapping[str, str]) -> Self:
        """Parse the result of `to_fields`; raise ValueError, KeyError or TypeError if it is damaged."""
        numbers = {name: int(fields[name]) for name in ("layout", "dimension", "version", "last_number")}
        return cls(generation=fields["generation"], contract=fields["contract"], **numbers)


@dataclass(frozen=True, slots=True)
class RecordedName:
    """Checked arguments of `IdentityStore.tell`.

    Attributes:
        faces: (p, D) float32, L2-normalised.
        least: (p,) minimum cosine of a match, for each person.
        sightings: Sightings of each person.
        kept: {source: parts whose sightings stay}; all sightings stay for sources that are not listed.
        seen: Seconds since the epoch.
        sure: Minimum cosine of a certain match.
    """

    faces: FloatArray
    least: npt.NDArray[np.float64]
    sightings: list[list[Sighting]]
    kept: dict[str, set[str]]
    seen: float
    sure: float


@dataclass(frozen=True, slots=True)
class Match:
    """The most similar identity of a person, the look that matches, and the cosine."""

    identity: int
    look: int
    likeness: float


class StoreTransaction:
    """One change in preparation: until it ends, nothing is written, and the looks in memory stay unchanged.

    Attributes:
        state: New state; its version is still the previous one.
        looks: {number: look to write}; None for a look to remove.
        sightings: {source: sightings to write}; empty for a source to remove.
    """

    def __init__(self, state: State, known: StoredEmbeddings, parts_of: Callable[[str], Parts]) -> None:
        self.state = state
        self.looks: dict[int, StoredEmbedding | None] = {}
        self.sightings: dict[str, Parts] = {}
        self._known = known
        self._parts_of = parts_of
        self._is_begun = False

    @property
    def is_changed(self) -> bool:
        """Return whether there is anything to write."""
        return bool(self.looks or self.sightings) or self._is_begun

    def begin(self) -> None:
        """Mark a new store for writing: even the empty store records its contract."""
        self._is_begun = self.state.version == 0

    def tell(self, rules: ComparisonRules, told: RecordedName, matches: Sequence[Match | None]) -> list[int]:
        """See `IdentityStore.tell`; `matches` is the result of `match_identities` with the looks of this version."""
        sources = {*told.kept, *(sighting.source for sightings in told.sightings for sighting in sightings)}
        before = {source: self._parts_of(source) for source in sorted(sources)}
        after = {source: _find_leftover(parts, told.kept.get(source)) for source, parts in before.items()}
        numbers = []
        for face, sightings, match in zip(told.faces, told.sightings, matches, strict=True):
            number = match.identity if match else self._add(face, told.seen)
            owners = [before[one.source].get(one.part, (0, 0))[0] for one in sightings]
            times = sum(owner != number for owner in owners)
            if match is None:
                self._refine(number, face, times - 1, rules.refine_limit)  # the first embedding is the centroid itself
            elif match.likeness >= rules.refine_from:
                self._refine(match.look, face, times, rules.refine_limit)
            self._see(number, told.seen)
            for one in sightings:
                after[one.source][one.part] = (number, one.count)
            numbers.append(number)
        for source, parts in after.items():
            self._place(source, before[source], parts)
        self._drop_if_empty({number for parts in before.values() for number, _ in parts.values()})
        return numbers

    def _refine(self, number: int, face: FloatArray, times: int, limit: int) -> None:
        """Add a face `times` times to the mean of a look."""
        look = self._look(number)
        assert look is not None, number
        for _ in range(times):
            look = look.with_embedding(face, limit)
        if times:
            self._put_look(look)

    def _see(self, number: int, seen: float) -> None:
        own = self._own(number)
        if not own.first_seen <= seen <= own.last_seen:
            self._put_look(replace(own, first_seen=min(own.first_seen, seen), last_seen=max(own.last_seen, seen)))

    def rename(self, number: int, name: str) -> None:
        """See `IdentityStore.name`."""
        own = self._own(self._find_asked(number))
        self._put_look(replace(own, name=name))
        self._drop_if_empty({own.number})

    def forget(self, sources: Iterable[str]) -> None:
        """See `IdentityStore.forget`."""
        for source in sources:
            before = self._parts_of(source)
            self._place(source, before, {})
            self._drop_if_empty({number for number, _ in before.values()})

    def merge(self, numbers: Iterable[int], sightings: Callable[[], Iterable[tuple[str, Parts]]]) -> int:
        """See `IdentityStore.merge`.

        Args:
            numbers: Numbers of the identities to merge.
            sightings: Function that reads all sightings, source by source.
        """
        asked = sorted({self._find_asked(number) for number in numbers})
        if not asked:
            raise ConfigError(f"no identity to merge was given: {self._known_numbers()}")
        first, *others = asked
        if not others:
            return first
        owns = [self._own(number) for number in (first, *others)]
        for source, before in sightings():
            after = {part: (first if number in others else number, n) for part, (number, n) in before.items()}
            self._place(source, before, after)
        for look in [look for number in others for look in self._known.of(number)]:
            self._put_look(replace(look, identity=first, name="", count=0, sources=0))
        joined = replace(
            self._own(first),
            name=next((own.name for own in owns if own.name), ""),
            first_seen=min(own.first_seen for own in owns),
            last_seen=max(own.last_seen for own in owns),
        )
        self._put_look(joined)
        return first

    def groups(self, numbers: Iterable[int]) -> list[Membership]:
        """See `IdentityStore.groups`."""
        asked = sorted({self._find_asked(number) for number in numbers})
        looks = [look for number in asked for look in self._known.of(number)]
        return [Membership(look.number, look.identity, look.name) for look in looks]

    def regroup(self, groups: Iterable[Membership]) -> None:
        """See `IdentityStore.regroup`."""
        for one in groups:
            look, owner = self._look(one.look), self._look(one.identity)
            if look is None or owner is None:
                continue
            is_apart = one.look == one.identity and not look.is_identity
            seen = self._own(look.identity) if is_apart else look
            first, last = seen.first_seen, seen.last_seen
            self._put_look(replace(look, identity=one.identity, name=one.name, first_seen=first, last_seen=last))

    def _look(self, number: int) -> StoredEmbedding | None:
        return self.looks[number] if number in self.looks else self._known.by_number.get(number)

    def _own(self, number: int) -> StoredEmbedding:
        look = self._look(number)
        assert look is not None and look.is_identity, number
        return look

    def _find_asked(self, number: int) -> int:
        """Return the identity for a number from the user."""
        look = self._look(number)
        if look is None:
            raise ConfigError(f"there is no identity {number}: {self._known_numbers()}")
        return look.identity

    def _known_numbers(self) -> str:
        numbers = [look.number for look in self._known.by_number.values() if look.is_identity]
        return f"there are {format_ranges(numbers, '-', _MAX_RANGES)}" if numbers else "the store holds none"

    def _put_look(self, look: StoredEmbedding) -> None:
        self.looks[look.number] = look

    def _add(self, face: FloatArray, seen: float) -> int:
        number = self.state.last_number + 1
        self.state = replace(self.state, last_number=number)
        self._put_look(StoredEmbedding(number, number, "", face, 1, 0, 0, seen, seen))
        return number

    def _place(self, source: str, before: Parts, after: Parts) -> None:
        """Replace the sightings of a source, and update the counts of all affected identities."""
        if before == after:
            return
        self.sightings[source] = after
        gone, come = _totals(before), _totals(after)
        for number in {number for number, _ in gone.items() ^ come.items()}:
            own, is_more, is_less = self._own(number), number in come, number in gone
            count = own.count + come.get(number, 0) - gone.get(number, 0)
            self._put_look(replace(own, count=count, sources=own.sources + is_more - is_less))

    def _drop_if_empty(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            own = self._own(number)
            if not own.name and not own.sources:
                self.looks.update(dict.fromkeys((look.number for look in self._known.of(number)), None))


def match_identities(looks: StoredEmbeddings, told: RecordedName) -> list[Match | None]:
    """Match each person with a stored identity."""
    best = np.full(len(told.faces), -1.0)
    for rows, likeness in looks.likeness(told.faces):
        best[rows] = likeness.max(axis=1, initial=-1.0)
    turn = np.argsort(np.where(best >= told.sure, -2.0, -best), kind="stable")
    found: list[Match | None] = [None] * len(told.faces)
    numbers, identities = looks.numbers, looks.identities
    is_free = np.ones(len(numbers), np.bool_)
    for rows, block in looks.likeness(told.faces[turn]):
        for place, likeness in zip(turn[rows].tolist(), block, strict=True):
            possible = np.flatnonzero(is_free & (likeness >= told.least[place]))
            if len(possible):
                tied = possible[likeness[possible] == likeness[possible].max()]
                first = tied[np.lexsort((numbers[tied], identities[tied]))[0]]
                found[place] = Match(int(identities[first]), int(numbers[first]), float(likeness[first]))
                is_free &= identities != identities[first]
    return found


def _find_leftover(parts: Parts, kept: Collection[str] | None) -> Parts:
    """Return a copy with the kept parts only."""
    return {part: found for part, found in parts.items() if kept is None or part in kept}


def _totals(parts: Parts) -> dict[int, int]:
    """Return {identity: its faces in a source}; a sighting has at least one face."""
    totals: dict[int, int] = {}
    for number, count in parts.values():
        totals[number] = totals.get(number, 0) + count
    return totals
