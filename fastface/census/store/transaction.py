"""Transaction of an identity store: sightings, counts, names, mergers. Pure: no I/O."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from fastface.census.store.base import ComparisonRules, Membership, Sighting
from fastface.census.store.stored_embedding import StoredEmbedding, StoredEmbeddings
from fastface.errors import ConfigError
from fastface.types import FloatArray

LAYOUT = 1
"""Version of how a store is laid out."""

_MAX_RANGES = 20

Parts = dict[str, tuple[int, int]]
"""{part: (number of the identity, faces)} of one source."""


@dataclass(frozen=True, slots=True)
class State:
    """The fields of a store.

    Attributes:
        layout: See `LAYOUT`.
        generation: Made by chance when the store is begun; after `clear` it is another one.
        contract: Of the recogniser.
        dimension: Components of an embedding.
        version: Number of changes.
        last_number: The largest number that an identity was given; 0 if there was none.
    """

    layout: int
    generation: str
    contract: str
    dimension: int
    version: int = 0
    last_number: int = 0

    def to_fields(self) -> dict[str, str]:
        """As a store keeps it."""
        return {name: str(value) for name, value in asdict(self).items()}

    @classmethod
    def from_fields(cls, fields: Mapping[str, str]) -> Self:
        """The state that was kept so; ValueError, KeyError or TypeError if it is damaged."""
        numbers = {name: int(fields[name]) for name in ("layout", "dimension", "version", "last_number")}
        return cls(generation=fields["generation"], contract=fields["contract"], **numbers)


@dataclass(frozen=True, slots=True)
class RecordedName:
    """Checked arguments of `IdentityStore.tell`.

    Attributes:
        faces: (p, D) float32, L2-normalised.
        least: (p,) cosine from which each person matches.
        sightings: Of each person.
        kept: {source: parts whose sightings stay}; of sources that are not there all stay.
        seen: Seconds since the epoch.
        sure: Cosine from which a person surely matches.
    """

    faces: FloatArray
    least: npt.NDArray[np.float64]
    sightings: list[list[Sighting]]
    kept: dict[str, set[str]]
    seen: float
    sure: float


@dataclass(frozen=True, slots=True)
class Match:
    """The identity that is most like a person, by which of its looks, and how like."""

    identity: int
    look: int
    likeness: float


class StoreTransaction:
    """One change in the making, upon what the store holds: nothing is written, or known to the process, before its end.

    Attributes:
        state: What it will be; the version is that of before.
        looks: Those to be written, by number; None where one goes.
        sightings: Those of each source to be written; empty where the source goes.
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
        """True if there is anything to write."""
        return bool(self.looks or self.sightings) or self._is_begun

    def begin(self) -> None:
        """A store that is new is written, empty as it is, so that it knows its contract."""
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
                self._refine(number, face, times - 1, rules.refine_limit)  # the first is its centroid
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
        """Adds a face to the mean of a look, so many times."""
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

    def merge(self, numbers: Iterable[int], sightings: Callable[[], Iterable[tuple[str, Parts]]]) -> int:
        """See `IdentityStore.merge`.

        Args:
            numbers: The numbers.
            sightings: Reads all sightings, source by source.
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
        """The identity that a user means by a number."""
        look = self._look(number)
        if look is None:
            raise ConfigError(f"there is no identity {number}: {self._known_numbers()}")
        return look.identity

    def _known_numbers(self) -> str:
        return _ranges(look.number for look in self._known.by_number.values() if look.is_identity)

    def _put_look(self, look: StoredEmbedding) -> None:
        self.looks[look.number] = look

    def _add(self, face: FloatArray, seen: float) -> int:
        number = self.state.last_number + 1
        self.state = replace(self.state, last_number=number)
        self._put_look(StoredEmbedding(number, number, "", face, 1, 0, 0, seen, seen))
        return number

    def _place(self, source: str, before: Parts, after: Parts) -> None:
        """The sightings of a source become others, and the counts of all identities concerned with them."""
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
    """A copy, without what is not kept."""
    return {part: found for part, found in parts.items() if kept is None or part in kept}


def _totals(parts: Parts) -> dict[int, int]:
    """{identity: its faces in a source}; a sighting has at least one."""
    totals: dict[int, int] = {}
    for number, count in parts.values():
        totals[number] = totals.get(number, 0) + count
    return totals


def _ranges(numbers: Iterable[int]) -> str:
    """`there are 1-4, 7`; at most a line of it."""
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    told = [f"{first}" if first == last else f"{first}-{last}" for first, last in ranges[:_MAX_RANGES]]
    more = ["and more"] if len(ranges) > _MAX_RANGES else []
    return f"there are {', '.join(told + more)}" if told else "the store holds none"
