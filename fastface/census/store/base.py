"""Contract of the stores of identities, and `open_store`. Each store must pass tests/contract/test_identity_stores.py.

A store keeps persons over all runs and all machines that share it. An identity is a person in the store: a number, a
centroid, and a name if the user gave one. A sighting is one person in one source. It belongs to one identity and counts
once, however often it is recorded. So the face count of an identity is the sum over its sightings.

A store is a SQLite file for processes of one machine, or a Redis server for several machines. `register` holds the code
that both share. Embeddings are biometric data: access to the file or the server gives access to them.
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
        source: Fingerprint of the video that shows the person.
        part: Identifier of the person within the source; (source, part) is unique in a store.
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
    """A person in one or several sources, to be matched with the stored identities.

    Attributes:
        embedding: (D,) embedding of the person's face, of any length but zero.
        sightings: Sightings of the person; at least one.
        least: Cosine from which the person matches; None for the store's threshold.
    least: Minimum cosine of a match; None for the store's threshold.
    """

    embedding: npt.ArrayLike
    sightings: tuple[Sighting, ...]
    least: float | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """A stored person.

    Attributes:
        number: Positive; never used again while the store lasts.
        name: Empty without a name.
        centroid: (D,) float32, L2-normalised: the mean of the embeddings.
        refinements: Number of embeddings in that mean.
        count: Faces, over all sightings.
        sources: Number of different sources.
        first_seen: Seconds since the epoch, the earliest recorded `seen`.
        last_seen: Seconds since the epoch, the latest recorded `seen`.
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
    """Link from a look to its identity. A look is a stored centroid; a merged identity has several looks.

    Attributes:
        look: Number of the look: the number of its identity before a merger.
        identity: Number of the identity.
        name: Name of the identity; empty for looks that were merged into it.
    """

    look: int
    identity: int
    name: str


@dataclass(frozen=True, slots=True)
class ComparisonRules:
    """Rules for the comparison of faces; see `open_store`."""

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
    """Contract of an open store: a context manager for one thread. Any number of processes may open the same store.

    Every call is atomic for all processes. Each may raise StoreError if the store cannot be reached, is damaged or is
    busy for too long. Each raises SpaceError if the store is full. After a connection error the change may or may not
    have been made; it is safe to repeat the call.
    """

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def tell(
        self,
        persons: Sequence[Encounter],
        *,
        seen: float,
        sure: float = 1.0,
        kept: Mapping[str, Collection[str]] | None = None,
    ) -> list[int]:
        """Record the sightings of different persons under the most similar identities, or under new ones.

        The match is the identity with the largest cosine of at least the threshold; at a tie, the smallest number.
        No two of the persons get the same identity: persons with the higher similarity choose first.

        An identity's centroid c, the mean of r embeddings, becomes norm((r·c + f) / (r + 1)). This requires that r is
        below the refine limit and the cosine at least `refine_from`. A sighting that is recorded again replaces its
        count. If it now matches another identity, it moves there and refines that centroid. An identity without a name
        that loses its last sighting is removed.

        Args:
            persons: Persons to record.
            seen: Time of the sightings, in seconds since the epoch.
            sure: Minimum cosine of a certain match: the first person with a certain match gets that identity.
            kept: {source: parts to keep}; other sightings of the source that are not recorded now are removed.

        Returns:
            The identity's number of each person.

        Raises:
            ValueError: An embedding is not finite, has the length zero or another number of components; `seen` is not
                finite; the store was opened without a contract.
        """

    def identities(self) -> list[Identity]:
        """List all identities, by number."""

    def name(self, number: int, name: str) -> None:
        """Name an identity; an empty name removes the name. Several identities may have the same name.

        Raises:
            ConfigError: There is no such number; the message lists the numbers.
        """

    def forget(self, sources: Collection[str]) -> None:
        """Remove all sightings of some sources. An identity without a name that loses its last sighting is removed."""

    def merge(self, numbers: Collection[int]) -> int:
        """Merge several identities that are one person.

        The smallest number stays. It gets all sightings, and the name of the smallest number that has one. From then on
        the other numbers refer to it, and a face that matches one of their looks matches it.

        Returns:
            The number that stays.

        Raises:
            ConfigError: There is no such number, or none was given; the message lists the numbers.
        """

    def groups(self, numbers: Collection[int]) -> list[Membership]:
        """Return the looks that `merge` and `name` would change, with the identity and name of each."""

    def regroup(self, groups: Sequence[Membership]) -> None:
        """Undo what `merge` and `name` changed since these groups were read.

        Sightings stay with the merged identity until they are recorded again. Looks that are no longer in the store are
        ignored.
        """

    def clear(self) -> None:
        """Remove everything in this store, and nothing else. The next record gets number 1 again."""


def open_store(
    where: str,
    *,
    contract: str,
    dimension: int,
    threshold: float,
    refine_limit: int = 30,
    refine_from: float = -1.0,
) -> IdentityStore:
    """Open a store, or create it.

    Args:
        where: Path of a SQLite file on a local disk; or address of a Redis server: `redis://`, `rediss://` (encrypted)
            or `unix://`, for example `redis://user:password@host:6379/0?prefix=fastface:identities:`.
        contract: Contract of the recogniser; embeddings of another recogniser cannot be compared.
        dimension: Components of an embedding.
        threshold: Minimum cosine of a face and the centroid of its identity.
        refine_limit: Stop updating a centroid after this many embeddings.
        refine_from: Minimum cosine of a face that updates the centroid. With a low threshold strangers may match an
            identity; they must not change its centroid.

    Raises:
        StoreError: The store cannot be reached, is damaged, or belongs to another network.
        SpaceError: No space is left.
        ConfigError: The address is wrong, or a package is missing.
    """
    return _open(where, ComparisonRules(contract, dimension, threshold, refine_limit, refine_from))


def open_existing(where: str) -> IdentityStore:
    """Open a store of any recogniser, to list, name, merge, forget and clear. `tell` then raises ValueError.

    Raises:
        StoreError, SpaceError, ConfigError: See `open_store`; StoreError also if there is no such file.
    """
    return _open(where, None)


def _open(where: str, rules: ComparisonRules | None) -> IdentityStore:
    scheme, is_address, _ = where.partition("://")
    if not is_address:
        from fastface.census.store.sqlite import SqliteStore  # noqa: PLC0415 - it imports the contract from here

        return SqliteStore(Path(where), rules)
    if scheme in _SERVERS:
        from fastface.census.store.redis import RedisStore  # noqa: PLC0415 - it imports the contract from here

        return RedisStore(where, rules)
    # Do not print the whole address: it may contain a password.
    known = ", ".join(f"{scheme}://" for scheme in _SERVERS)
    raise ConfigError(
        f"no store of identities has an address of {scheme!r}: give the path of a file, or one of {known}"
    )
