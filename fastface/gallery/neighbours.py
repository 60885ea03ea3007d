"""Find similar references of different persons in one pass over all pairs. `photo_set.duplicates` calls it.

A bank of 20,000 references has 4·10⁸ cosines. The pass computes half of them, in float32, in square tiles on all
processors. Float32 products of unit vectors have an error of at most 3e-5, so reported cosines are computed again,
exactly.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from fastface.cosine import blas_threads, one_thread
from fastface.types import FloatArray

_TILE = 1024
"""Rows and columns of a tile: 4 MB of float32 cosines, which fit the cache and take a fiftieth of a second."""

_SLACK = 1e-3
_MAX_PAIRS_OF_ROW = 64
"""Maximum number of pairs for each reference. A bank of one person under 20,000 labels would have 2·10⁸ pairs; 64 are
enough to join all its labels."""


def no_check() -> None:
    """Do nothing: the default check never interrupts the pass."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Similarity of each of n references to the references of other persons.

    Attributes:
        nearest: (n,) row of the most similar reference of another person; -1 if there is no other person.
        similarity: (n,) float32, cosine to it; -2 if there is none.
        pairs: (p, 2) rows of different persons with a cosine of at least the floor, each pair once, first < second.
            At most 64 pairs are kept of each first row.
    """

    nearest: npt.NDArray[np.int64]
    similarity: FloatArray
    pairs: npt.NDArray[np.int64]


def exact_cosines(
    embeddings: FloatArray, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """Return (p,) cosines of pairs of rows, computed by `cosine.cosines`."""
    found = np.empty(len(left), np.float32)
    for start in range(0, len(left), 1024):
        rows = slice(start, start + 1024)
        one, other = embeddings[left[rows]].astype(np.float64), embeddings[right[rows]].astype(np.float64)
        found[rows] = np.einsum("pd,pd->p", one, other).clip(-1, 1)
    return found


def find_neighbours(
    embeddings: FloatArray, person: npt.NDArray[np.int64], floor: float, check: Callable[[], None] = no_check
) -> Neighbours:
    """Compare all references of different persons.

    Args:
        embeddings: (n, D) float32, L2-normalised.
        person: (n,) number of each reference's person, ascending.
        floor: Minimum cosine of a listed pair.
        check: Function called between blocks; an exception from it ends the pass.

    Returns:
        The nearest reference of each, and the near pairs.
    """
    total = len(embeddings)
    best = _Best(np.full(total, -2, np.float32), np.full(total, -1, np.int64))
    pairs: list[npt.NDArray[np.int64]] = []
    columns = np.ascontiguousarray(embeddings.T)
    parts = [slice(begin, min(begin + _TILE, total)) for begin in range(0, total, _TILE)]
    references = _References(embeddings, columns, person, floor - _SLACK)
    workers = blas_threads()
    with one_thread():
        places = [(above, below) for above in range(len(parts)) for below in range(above, len(parts))]
        jobs = (partial(references.compare, parts[above], parts[below]) for above, below in places)
        for (above, below), tile in zip(places, _in_order(jobs, workers, check), strict=True):
            best.note(parts[above], below, tile.row_best)
            best.note(parts[below], above, tile.column_best)
            pairs.append(tile.pairs)
        nearest = np.full(total, -1, np.int64)
        for number, part in enumerate(parts):
            check()
            rows = np.flatnonzero(best.part == number)
            block = embeddings[rows] @ columns[:, part]
            block[person[rows, None] == person[None, part]] = -2
            nearest[rows] = part.start + block.argmax(axis=1)
    similarity = np.full(total, -2, np.float32)
    rows = np.flatnonzero(nearest >= 0)
    similarity[rows] = exact_cosines(embeddings, rows, nearest[rows])
    found = np.concatenate(pairs) if pairs else np.empty((0, 2), np.int64)
    found = found[np.lexsort((found[:, 1], found[:, 0]))]
    place = np.arange(len(found)) - np.searchsorted(found[:, 0], found[:, 0])
    found = found[place < _MAX_PAIRS_OF_ROW]
    is_near = exact_cosines(embeddings, found[:, 0], found[:, 1]) >= np.float32(floor)
    return Neighbours(nearest, similarity, found[is_near])


@dataclass(frozen=True, slots=True)
class _Best:
    """The largest cosine of each reference so far, and the number of the part that contains the other reference."""

    cosine: FloatArray
    part: npt.NDArray[np.int64]

    def note(self, rows: slice, part: int, cosines: FloatArray) -> None:
        """Record the largest cosines of some rows in a part."""
        is_better = cosines > self.cosine[rows]
        self.cosine[rows][is_better] = cosines[is_better]
        self.part[rows][is_better] = part


@dataclass(frozen=True, slots=True)
class _Tile:
    """Cosines of some rows and columns: the largest of each, and the near pairs."""

    row_best: FloatArray
    column_best: FloatArray
    pairs: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _References:
    """Data of the tiles, shared by all threads."""

    embeddings: FloatArray  # (n, D)
    columns: FloatArray  # (D, n) transpose of `embeddings`
    person: npt.NDArray[np.int64]
    floor: float  # minimum cosine of a near pair

    def compare(self, above: slice, below: slice) -> _Tile:
        """Compare the rows `above` with the columns `below`, which are the same or later references."""
        block = self.embeddings[above] @ self.columns[:, below]
        if self.person[above.stop - 1] >= self.person[below.start]:
            block[self.person[above, None] == self.person[None, below]] = -2
        row_best: FloatArray = block.max(axis=1)
        pairs = [np.empty((0, 2), np.int64)]
        for row in np.flatnonzero(row_best >= self.floor).tolist():
            first = above.start + row
            second = below.start + np.flatnonzero(block[row] >= self.floor)
            second = second[second > first][:_MAX_PAIRS_OF_ROW]
            pairs.append(np.stack([np.full(len(second), first), second], axis=1))
        return _Tile(row_best, block.max(axis=0), np.concatenate(pairs))


def _in_order(jobs: Iterator[Callable[[], _Tile]], workers: int, check: Callable[[], None]) -> Iterator[_Tile]:
    """Yield the results of jobs in their order; `workers` threads compute a few results ahead."""
    with ThreadPoolExecutor(workers) as pool:
        ahead: deque[Future[_Tile]] = deque()
        try:
            for job in jobs:
                ahead.append(pool.submit(job))
                if len(ahead) > 2 * workers:
                    check()
                    yield ahead.popleft().result()
            while ahead:
                check()
                yield ahead.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
