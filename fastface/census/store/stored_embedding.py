"""Match faces with a store's embeddings and refine centroids, in memory. Pure array code; `register` calls it."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from fastface.cosine import normalize_rows, one_thread
from fastface.types import FloatArray

_STORED = np.dtype("<f4")
_MIN_ROOM = 16
_BLOCK_FACES = 256
_DIGITS = 12


@dataclass(frozen=True, slots=True)
class StoredEmbedding:
    """One centroid and its identity.

    An identity has one look of its own number, and one look for each identity that was merged into it. Only its own
    look has its name and its counts. Merged looks keep their centroids. If two looks differ, their mean is similar to
    neither: the next face of the merged identity would not match.

    Attributes:
        number: Number of the look; never used again.
        identity: Number of its identity.
        name: Name of the identity; empty in its other looks, whose counts are 0.
        centroid: (D,) float32, L2-normalised.
        refinements: Number of embeddings in the centroid.
        count: Number of faces, over all sightings of the identity.
        sources: Number of its different sources.
        first_seen: Seconds since the epoch.
        last_seen: Seconds since the epoch.
    """

    number: int
    identity: int
    name: str
    centroid: FloatArray
    refinements: int
    count: int
    sources: int
    first_seen: float
    last_seen: float

    @property
    def is_identity(self) -> bool:
        """Return whether this is the identity's own look."""
        return self.number == self.identity

    def with_embedding(self, face: FloatArray, limit: int) -> Self:
        """Add an embedding to the mean, unless it already has `limit` embeddings."""
        if self.refinements >= limit:
            return self
        total = self.refinements * self.centroid.astype(np.float64) + face
        mean = normalize_rows((total / (self.refinements + 1))[np.newaxis])[0]
        return replace(self, centroid=mean, refinements=self.refinements + 1)

    def to_bytes(self) -> bytes:
        """Encode all but the number: a line of JSON, then the centroid's components as little-endian float32."""
        facts = [
            self.identity,
            self.name,
            self.refinements,
            self.count,
            self.sources,
            self.first_seen,
            self.last_seen,
        ]
        return json.dumps(facts).encode() + b"\n" + self.centroid.astype(_STORED).tobytes()

    @classmethod
    def from_bytes(cls, number: int, content: bytes, dimension: int) -> Self:
        """Decode the result of `to_bytes`.

        Raises:
            ValueError, TypeError: The content is damaged.
        """
        line, _, components = content.partition(b"\n")
        identity, name, refinements, count, sources, first_seen, last_seen = json.loads(line)
        centroid = np.frombuffer(components, _STORED).astype(np.float32)
        if centroid.shape != (dimension,) or not np.isfinite(centroid).all():
            raise ValueError(f"the centroid of {number} is damaged")
        counts = (identity, refinements, count, sources)
        if not all(type(value) is int and value >= 0 for value in counts) or not isinstance(name, str):
            raise ValueError(f"the facts of {number} are damaged")
        return cls(number, identity, name, centroid, refinements, count, sources, float(first_seen), float(last_seen))


def mean_embedding(looks: Iterable[StoredEmbedding]) -> FloatArray:
    """Return (D,) float32, L2-normalised: the mean of the embeddings of several looks; the first if they cancel."""
    kept = list(looks)
    if len(kept) == 1:
        return kept[0].centroid
    total = sum(look.refinements * look.centroid.astype(np.float64) for look in kept)
    try:
        mean: FloatArray = normalize_rows(np.asarray(total)[np.newaxis])[0]
    except ValueError:
        return kept[0].centroid
    return mean


class StoredEmbeddings:
    """All looks of a store, with the centroids in one matrix.

    Args:
        dimension: Components of an embedding.
    """

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self.by_number: dict[int, StoredEmbedding] = {}
        self._row: dict[int, int] = {}
        """{number: row of the look}; the first rows are in use."""
        self._matrix = np.empty((_MIN_ROOM, dimension), np.float64)
        self._numbers = np.empty(_MIN_ROOM, np.int64)
        self._identities = np.empty(_MIN_ROOM, np.int64)

    def store(self, look: StoredEmbedding) -> None:
        """Add a look, or replace the look with its number."""
        row = self._row.setdefault(look.number, len(self._row))
        if row == len(self._matrix):
            self._matrix, self._numbers, self._identities = (
                np.concatenate([array, np.empty_like(array)])
                for array in (self._matrix, self._numbers, self._identities)
            )
        self._matrix[row] = look.centroid
        self._numbers[row] = look.number
        self._identities[row] = look.identity
        self.by_number[look.number] = look

    def drop(self, number: int) -> None:
        """Remove the look with this number, if there is one."""
        if self.by_number.pop(number, None) is None:
            return
        row, last = self._row.pop(number), len(self._row)
        if row != last:
            moved = int(self._numbers[last])
            for array in (self._matrix, self._numbers, self._identities):
                array[row] = array[last]
            self._row[moved] = row

    @property
    def numbers(self) -> npt.NDArray[np.int64]:
        """Return (l,) the number of each look, in the order of `likeness`."""
        return self._numbers[: len(self._row)]

    @property
    def identities(self) -> npt.NDArray[np.int64]:
        """Return (l,) the identity of each look."""
        return self._identities[: len(self._row)]

    def likeness(self, faces: FloatArray) -> Iterator[tuple[slice, npt.NDArray[np.float64]]]:
        """Yield cosines to all looks, in blocks of faces that bound the memory.

        The cosines are rounded: the last bits of a product depend on the other rows of the matrix.

        Args:
            faces: (p, D) float32, L2-normalised.

        Yields:
            A slice of the faces, and their cosines (rows, l).
        """
        known = self._matrix[: len(self._row)].T
        for start in range(0, len(faces), _BLOCK_FACES):
            rows = slice(start, min(start + _BLOCK_FACES, len(faces)))
            with one_thread():
                cosines = faces[rows].astype(np.float64) @ known
            yield rows, cosines.round(_DIGITS)

    def of(self, identity: int) -> list[StoredEmbedding]:
        """List all looks of an identity, by number; its own look is the first."""
        numbers = self.numbers[self.identities == identity]
        return [self.by_number[number] for number in sorted(numbers.tolist())]
