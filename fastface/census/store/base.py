"""Identities that last: who was seen, over all runs and on all machines that share a store.

An identity is a person that the store knows by a face: a number, a centroid, a name if the user gave one. A sighting
is one person of one source; it belongs to one identity, and however often it is told, it counts once. So the faces of
an identity are the sum over its sightings, from any process and in any order.

Two places can hold a store: a SQLite file, for processes of one machine, and a Redis server, for several machines. Both
do the same, see `register`; embeddings are biometric data, and both are as open as their file or their server is.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import numpy.typing as npt

from fastface.errors import ConfigError
from fastface.types import FloatArray

_SERVERS = ("redis", "rediss", "unix")
"""Schemes of a server's address."""

_MAX_DIMENSION = 4096


@dataclass(frozen=True, slots=True)
class Sighting:
    """One person in one source.

    Attributes:
        source: Where the person was seen: the fingerprint of a video.
        part: Which of the persons in it; (source, part) is unique in a store.
        count: Faces, at least one.
    """

    source: str
    part: str
    count: int

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"a sighting of {self.count} faces")


@dataclass(frozen=True, slots=True)
class Encounter:
    """A person in one or several sources, who may match a stored identity.

    Attributes:
        embedding: (D,), of any length but zero: the person's face.
        sightings: Where the person was seen; at least one.
        least: Cosine from which the person matches; None for the store's threshold.
    """

    embedding: npt.ArrayLike
    sightings: tuple[Sighting, ...]
    least: float | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """A person that a store knows.

    Attributes:
        number: Positive; never used again while the store lasts.
        name: Empty without a name.
        centroid: (D,) float32, L2-normalised: the mean of the embeddings.
        refinements: How many embeddings that is the mean of.
        count: Faces, over all sightings.
        sources: Number of different sources.
        first_seen: Seconds since the epoch, the earliest recorded `seen`.
        last_seen: The latest.
    """

    number: int
    name: str
    centroid: FloatArray
    refinements: int
    count: int
    sources: int
    first_seen: float
    last_seen: float


@dataclass(frozen=True, slots=True)
class Membership:
    """Link of a look to an identity.

    Attributes:
        look: The number of the look, which was that of an identity of its own once.
        identity: The number of the identity.
        name: Of the identity; empty for looks that were merged into it.
    """

    look: int
    identity: int
    name: str


@dataclass(frozen=True, slots=True)
class ComparisonRules:
    """How faces are compared; see `open_store`."""

    contract: str
    dimension: int
    threshold: float
    refine_limit: int
    refine_from: float = -1.0

    def __post_init__(self) -> None:
        if not 1 <= self.dimension <= _MAX_DIMENSION:
            raise ValueError(f"embeddings of {self.dimension} components, allowed are 1 to {_MAX_DIMENSION}")
        if not -1 <= self.threshold <= 1:
            raise ValueError(f"a threshold of {self.threshold}, allowed is -1 to 1")
        if self.refine_limit < 1:
            raise ValueError(f"a refine_limit of {self.refine_limit}, allowed is 1 and more")


class IdentityStore(Protocol):
    """An open store: a context manager, of one thread of one process. Any number of processes may have one open.

    Every call is atomic over all of them: it is done wholly or not at all, and others see it so. Each raises what
    opening does: StoreError where the store cannot be reached, is damaged or is busy for too long, SpaceError where it
    is full. After an error of a connection a change may or may not have been made; the same call may be made again.
    """

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def match_or_add(self, embedding: npt.ArrayLike, sighting: Sighting, *, seen: float) -> int:
        """Gives a sighting to the identity that is most like it, or to a new one: `tell` of one person."""

    def tell(
        self,
        persons: Sequence[Encounter],
        *,
        seen: float,
        sure: float = 1.0,
        kept: Mapping[str, Collection[str]] | None = None,
    ) -> list[int]:
        """Gives the sightings of different persons to the identities that are most like them, or to new ones.

        That is the one with the largest cosine of at least the threshold, at a tie the one with the smallest number.
        No two of the persons get the same: persons with the higher similarity choose first.

        An identity's centroid c, the mean of r embeddings, becomes norm((r·c + f) / (r + 1)), until r is the refine
        limit, if the cosine is at least `refine_from`. The same sighting recorded again replaces its count; it refines
        nothing unless it falls to another identity than before, which it then moves to. An identity without a name
        that loses its last sighting so, goes.

        Args:
            persons: Who was seen.
            seen: When, in seconds since the epoch.
            sure: Cosine from which a person surely matches: of several such, the first one chooses.
            kept: {source: parts} whose other sightings, if they are not recorded now, are taken back.

        Returns:
            The identity's number of each person.

        Raises:
            ValueError: An embedding is not finite, has the length zero or another number of components; `seen` is not
                finite; the store was opened without saying how faces are compared.
        """

    def identities(self) -> list[Identity]:
        """All of them, by number."""

    def name(self, number: int, name: str) -> None:
        """Names an identity; an empty name takes the name back. Several may have the same name.

        Raises:
            ConfigError: There is no such number; names those that there are.
        """

    def merge(self, numbers: Collection[int]) -> int:
        """Several identities are one person.

        The smallest number stays and gets all sightings, and the name of the smallest number that has one. The others
        lead to it from then on: their numbers mean it, and a face that is like one of them falls to it.

        Returns:
            The number that stays.

        Raises:
            ConfigError: There is no such number, or none was given; names those that there are.
        """

    def groups(self, numbers: Collection[int]) -> list[Membership]:
        """Return the looks that `merge` and `name` would change, with identity and name of each."""

    def regroup(self, groups: Sequence[Membership]) -> None:
        """Takes back what `merge` and `name` changed since these groups were read.

        Sightings stay with the identity that they were merged into until they are told again. Looks that the store does
        not hold any more are left out.
        """

    def clear(self) -> None:
        """Removes all that is in this store, and nothing else. Later records begin a new one, at number 1."""


def open_store(
    where: str,
    *,
    contract: str,
    dimension: int,
    threshold: float,
    refine_limit: int = 30,
    refine_from: float = -1.0,
) -> IdentityStore:
    """Opens a store, or begins one.

    Args:
        where: A path of a SQLite file, on a disk of this machine; or `redis://`, `rediss://` (encrypted) or `unix://`
            of a Redis server, as `redis://user:password@host:6379/0?prefix=fastface:identities:`.
        contract: Names the recogniser; embeddings of another cannot be compared with its.
        dimension: Components of an embedding.
        threshold: Least cosine of a face to the centroid of the identity that it falls to.
        refine_limit: Embeddings from which a centroid stays as it is.
        refine_from: Least cosine of a face that refines the centroid: with a low threshold, as for a trial, strangers
            fall to an identity, and it must not become like them.

    Raises:
        StoreError: The store cannot be reached, is damaged, or belongs to another network.
        SpaceError: No space is left.
        ConfigError: The address is wrong, or a package is missing.
    """
    return _open(where, ComparisonRules(contract, dimension, threshold, refine_limit, refine_from))


def open_existing(where: str) -> IdentityStore:
    """Opens a store of whichever network, to list, name, merge and clear: `tell` raises ValueError.

    Raises:
        StoreError, SpaceError, ConfigError: As `open_store`; StoreError also if there is no such file.
    """
    return _open(where, None)


def _open(where: str, rules: ComparisonRules | None) -> IdentityStore:
    scheme, is_address, _ = where.partition("://")
    if not is_address:
        from fastface.census.store.sqlite import SqliteStore  # noqa: PLC0415 - it takes the nouns from here

        return SqliteStore(Path(where), rules)
    if scheme in _SERVERS:
        from fastface.census.store.redis import RedisStore  # noqa: PLC0415 - as above

        return RedisStore(where, rules)
    # Not the whole address: there may be a password in it.
    known = ", ".join(f"{scheme}://" for scheme in _SERVERS)
    raise ConfigError(
        f"no store of identities has an address of {scheme!r}: give the path of a file, or one of {known}"
    )
