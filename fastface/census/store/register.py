"""Implement the common part of all identity stores: matching, counting, naming, merging.

A subclass of `SharedStore` keeps four things, and returns them unchanged:

    state     {field: text}, see `State`; its version rises by one with every change, which makes it the store's lock
    looks     {number: bytes}, see `StoredEmbedding`
    changes   {number: version of the store at which the look was last put or removed}
    sightings {source: JSON {part: [number of the identity, faces]}}

So each process has all looks in memory, and before every call reads the looks that other processes changed since.
"""

import json
import math
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Self, TypeVar

import numpy as np
import numpy.typing as npt

from fastface.census.store.base import ComparisonRules, Encounter, Identity, Membership, Sighting
from fastface.census.store.stored_embedding import StoredEmbedding, StoredEmbeddings, mean_embedding
from fastface.census.store.transaction import (
    LAYOUT,
    Match,
    Parts,
    RecordedName,
    State,
    StoreTransaction,
    match_identities,
)
from fastface.cosine import normalize_rows
from fastface.errors import StoreError
from fastface.names import valid_text
from fastface.types import FloatArray

PATIENCE_SECONDS = 30.0
"""Maximum seconds that a call waits for the calls of other processes."""

_TRIES = 5
_FEW = 64
"""Maximum number of persons that are compared with all looks in a fraction of a second."""

_Answer = TypeVar("_Answer")


class SharedStore(ABC):
    """Base class of the stores; subclasses read and write the place where the data is kept.

    Args:
        shown: Name of the store in messages.
        rules: Rules for the comparison of faces; None opens a store with its own contract, without matching.
    """

    def __init__(self, shown: str, rules: ComparisonRules | None) -> None:
        self._shown = shown
        self._rules = rules
        self._state: State | None = None
        """Version of the looks in memory."""
        self._looks = StoredEmbeddings(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def tell(
        self,
        persons: Sequence[Encounter],
        *,
        seen: float,
        sure: float = 1.0,
        kept: Mapping[str, Collection[str]] | None = None,
    ) -> list[int]:
        """See `IdentityStore`."""
        rules = self._rules
        if rules is None:
            raise ValueError("the store was opened without saying how faces are compared")
        if not math.isfinite(seen):
            raise ValueError(f"seen at {seen}")
        faces = np.array([_unit(person.embedding, rules.dimension) for person in persons], np.float32)
        told = RecordedName(
            faces=faces.reshape(len(persons), rules.dimension),
            least=np.array([rules.threshold if one.least is None else one.least for one in persons], np.float64),
            sightings=[[_valid(sighting) for sighting in person.sightings] for person in persons],
            kept={valid_text(source): {valid_text(part) for part in parts} for source, parts in (kept or {}).items()},
            seen=float(seen),
            sure=sure,
        )
        return self._check_told(rules, told)

    def _check_told(self, rules: ComparisonRules, told: RecordedName) -> list[int]:
        """Match many persons before the change, which blocks other processes; repeat if another one changed it.

        Few persons are matched within the change, and many persons too after several repetitions.
        """
        for _ in range(_TRIES if len(told.faces) > _FEW else 0):
            state = self._transact(lambda draft: draft.state)
            tell = partial(_try_tell, state=state, rules=rules, told=told, matches=match_identities(self._looks, told))
            if (numbers := self._transact(tell)) is not None:
                return numbers
        return self._transact(lambda draft: draft.tell(rules, told, match_identities(self._looks, told)))

    def identities(self) -> list[Identity]:
        """See `IdentityStore`."""
        return self._transact(lambda _: self._list())

    def name(self, number: int, name: str) -> None:
        """See `IdentityStore`."""
        self._transact(lambda draft: draft.rename(number, valid_text(name)))

    def forget(self, sources: Collection[str]) -> None:
        """See `IdentityStore`."""
        self._transact(lambda draft: draft.forget(sorted(map(valid_text, sources))))

    def merge(self, numbers: Collection[int]) -> int:
        """See `IdentityStore`."""
        return self._transact(lambda draft: draft.merge(numbers, self._all_sightings))

    def groups(self, numbers: Collection[int]) -> list[Membership]:
        """See `IdentityStore`."""
        return self._transact(lambda draft: draft.groups(numbers))

    def regroup(self, groups: Sequence[Membership]) -> None:
        """See `IdentityStore`."""
        self._transact(lambda draft: draft.regroup(groups))

    @abstractmethod
    def clear(self) -> None:
        """See `IdentityStore`."""

    @abstractmethod
    def _close(self) -> None: ...

    @abstractmethod
    def _transact(self, change: Callable[[StoreTransaction], _Answer]) -> _Answer:
        """Make a change and write it in one atomic step; `change` may be called several times.

        Implementations call `_draft` before `change`, and `_done` after the commit.
        """

    @abstractmethod
    def _read_changes(self, version: int) -> Iterator[tuple[int, bytes | None]]:
        """Yield the looks that were changed after a version, as (number, content); None for a removed look."""

    @abstractmethod
    def _read_parts(self, source: str) -> str | bytes | None:
        """Return the sightings of a source as JSON; None if there are none."""

    @abstractmethod
    def _read_sightings(self) -> Iterator[tuple[str, str | bytes]]:
        """Yield (source, sightings as JSON) of all sources."""

    def _draft(self, fields: Mapping[str, str]) -> StoreTransaction:
        """Begin a transaction; first read the changes of other processes.

        Args:
            fields: Fields of the store's state; empty if the store is new.
        """
        state = self._check(fields) if fields else self._new_state()
        known = self._state
        if known is None or known.generation != state.generation or known.version > state.version:
            self._looks = StoredEmbeddings(state.dimension)
            known = replace(state, version=0)
        if known.version < state.version:
            self._read_looks(known.version)
        self._state = state
        return StoreTransaction(state, self._looks, self._parts)

    def _done(self, draft: StoreTransaction) -> None:
        """Adopt the committed state of a transaction."""
        if not draft.is_changed:
            return
        self._state = replace(draft.state, version=draft.state.version + 1)
        for number, look in draft.looks.items():
            if look is None:
                self._looks.drop(number)
            else:
                self._looks.store(look)

    def _check(self, fields: Mapping[str, str]) -> State:
        try:
            state = State.from_fields(fields)
        except (KeyError, ValueError, TypeError) as error:
            raise self._raise_damaged(error) from error
        if state.layout != LAYOUT:
            raise StoreError(f"{self._shown} is of version {state.layout}, this fastface writes version {LAYOUT}")
        rules = self._rules
        if rules is not None and (state.contract, state.dimension) != (rules.contract, rules.dimension):
            raise StoreError(
                f"{self._shown} belongs to another network (contract {state.contract[:16]!r} with {state.dimension} "
                f"components, in use is {rules.contract[:16]!r} with {rules.dimension}): use that network again, or "
                "another store"
            )
        return state

    def _new_state(self) -> State:
        contract, dimension = ("", 0) if self._rules is None else (self._rules.contract, self._rules.dimension)
        return State(LAYOUT, secrets.token_hex(8), contract, dimension)

    def _read_looks(self, version: int) -> None:
        for number, content in self._read_changes(version):
            if content is None:
                self._looks.drop(number)
                continue
            try:
                self._looks.store(StoredEmbedding.from_bytes(number, content, self._looks.dimension))
            except (ValueError, TypeError, AttributeError) as error:
                raise self._raise_damaged(error) from error

    def _parts(self, source: str) -> Parts:
        text = self._read_parts(source)
        return {} if text is None else self._parts_from(text)

    def _all_sightings(self) -> Iterator[tuple[str, Parts]]:
        for source, text in self._read_sightings():
            yield source, self._parts_from(text)

    def _parts_from(self, text: str | bytes) -> Parts:
        try:
            parts = {part: (int(number), int(count)) for part, (number, count) in json.loads(text).items()}
        except (ValueError, TypeError, AttributeError) as error:
            raise self._raise_damaged(error) from error
        for number, _ in parts.values():
            look = self._looks.by_number.get(number)
            if look is None or not look.is_identity:
                raise self._raise_damaged(f"a sighting names identity {number}, which does not exist")
        return parts

    def _raise_damaged(self, why: object) -> StoreError:
        return StoreError(
            f"{self._shown} cannot be read as a store of identities ({why}): name another or, if it is a damaged one, "
            "put a copy in its place"
        )

    def _list(self) -> list[Identity]:
        """List the identities; the centroid of each is the mean of all its looks."""
        members: dict[int, list[StoredEmbedding]] = {}
        for _, look in sorted(self._looks.by_number.items()):
            members.setdefault(look.identity, []).append(look)
        return [
            Identity(
                own.number,
                own.name,
                mean_embedding(looks),
                sum(look.refinements for look in looks),
                own.count,
                own.sources,
                own.first_seen,
                own.last_seen,
            )
            for looks in members.values()
            for own in looks[:1]
        ]


def _try_tell(
    draft: StoreTransaction, state: State, rules: ComparisonRules, told: RecordedName, matches: Sequence[Match | None]
) -> list[int] | None:
    """Record the persons if the store is unchanged since they were matched; else return None."""
    return draft.tell(rules, told, matches) if draft.state == state else None


def _unit(embedding: npt.ArrayLike, dimension: int) -> FloatArray:
    face = np.asarray(embedding, np.float32)
    if face.shape != (dimension,):
        raise ValueError(f"an embedding of the shape {face.shape}, not ({dimension},)")
    unit: FloatArray = normalize_rows(face[np.newaxis])[0]
    return unit


def _valid(sighting: Sighting) -> Sighting:
    return Sighting(valid_text(sighting.source), valid_text(sighting.part), sighting.count)


def parts_to_text(parts: Parts) -> str:
    """Format the sightings of one source as JSON."""
    return json.dumps(parts)
