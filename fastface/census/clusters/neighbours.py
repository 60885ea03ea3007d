"""Find the nearest neighbours among many unit vectors: compare every pair, or search with FAISS if there are too many.

`clustering` calls `neighbours`. The cosines of all candidates are recomputed here, exactly: see `fastface.cosine`.
"""

from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt

from fastface.cosine import BLOCK_ROWS, one_thread, widen

NUM_NEIGHBOURS = 16
"""Maximum number of candidates for each vector. A later round finds the others, after the nearest have merged."""

EXACT_ROWS = 50_000
"""Maximum number of vectors for which every pair is compared: half a minute on one core."""

_ROWS, _COLUMNS = 1024, 8192
"""Size of a block of cosines: 32 MiB."""

_SLACK = 1e-3
"""A float32 product of two unit vectors of 512 components is off by at most 512 × 2⁻²⁴ = 3e-5."""

_PROBES = 16
"""Number of cells that FAISS searches, of 4·√n cells for n vectors."""
_SAMPLES = 40
"""Number of training vectors for each cell; FAISS warns below 39."""

_Pairs = npt.NDArray[np.int64]
_Cosines = npt.NDArray[np.float64]


def is_quick(count: int) -> bool:
    """Return whether the search for the neighbours of `count` vectors takes less than hours."""
    return count <= EXACT_ROWS or _has_faiss()


def neighbours(vectors: npt.NDArray[np.float16], floor: float) -> tuple[_Pairs, _Cosines]:
    """Find pairs in which at least one vector is among the nearest neighbours of the other.

    Args:
        vectors: (n, D), L2-normalised.
        floor: Minimum cosine of a pair.

    Returns:
        (k, 2) rows, the smaller first, in order, each pair once; (k,) their cosines.
    """
    by_index = len(vectors) > EXACT_ROWS and _has_faiss()
    blocks = _search_index(vectors, floor) if by_index else _exact(vectors, floor)
    found = [np.empty((0, 2), np.int64), *blocks]
    pairs = np.unique(np.sort(np.concatenate(found), axis=1), axis=0)
    cosines = exact_cosines(vectors, pairs)
    near = cosines >= floor
    return pairs[near], cosines[near]


def exact_cosines(vectors: npt.NDArray[np.float16], pairs: _Pairs) -> _Cosines:
    """Return (k,) the cosine of each pair of rows, exact to the last bit in any order of addition."""
    cosines = np.empty(len(pairs))
    for begin in range(0, len(pairs), BLOCK_ROWS):
        left, right = pairs[begin : begin + BLOCK_ROWS].T
        # A product of two float16 values is exact in float32, and the sum is exact in float64.
        products = widen(vectors[left]) * widen(vectors[right])
        cosines[begin : begin + BLOCK_ROWS] = products.sum(axis=1, dtype=np.float64)
    return cosines


def _exact(vectors: npt.NDArray[np.float16], floor: float) -> Iterator[_Pairs]:
    for top in range(0, len(vectors), _ROWS):
        rows = widen(vectors[top : top + _ROWS])
        near_rows, near, cosines = [], [], []
        for left in range(0, len(vectors), _COLUMNS):
            with one_thread():
                block = rows @ widen(vectors[left : left + _COLUMNS]).T
            row, column = np.nonzero(_largest(block, floor - _SLACK))
            near_rows.append(row)
            near.append(column + left)
            cosines.append(block[row, column])
        row, other, cosine = np.concatenate(near_rows), np.concatenate(near), np.concatenate(cosines)
        is_other = other != row + top
        yield _most_alike(row[is_other] + top, other[is_other], cosine[is_other])


def _largest(block: npt.NDArray[np.float32], floor: float) -> npt.NDArray[np.bool_]:
    """Find the values of a block that reach a floor; keep the largest of long rows, and the first of equal ones."""
    near = block >= floor
    most = NUM_NEIGHBOURS + 1  # one of them may be the vector itself
    many = np.flatnonzero(near.sum(axis=1) > most)
    if len(many):
        part = block[many]
        least = np.partition(part, -most, axis=1)[:, -most, None]
        above, equal = part > least, part == least
        near[many] = above | (equal & (equal.cumsum(axis=1) <= most - above.sum(axis=1, keepdims=True)))
    return near


def _most_alike(row: npt.NDArray[np.int64], other: npt.NDArray[np.int64], cosine: npt.NDArray[np.float32]) -> _Pairs:
    order = np.lexsort((other, -cosine, row))
    row, other = row[order], other[order]
    firsts = np.searchsorted(row, row, "left")
    kept = np.arange(len(row)) - firsts < NUM_NEIGHBOURS
    return np.stack([row[kept], other[kept]], axis=1)


def _search_index(vectors: npt.NDArray[np.float16], floor: float) -> Iterator[_Pairs]:
    """Yield pairs in place of `_exact`; search only the cells nearest to each vector."""
    import faiss  # noqa: PLC0415 - an extra

    count, dimension = vectors.shape
    num_cells = int(4 * np.sqrt(count))
    coarse = faiss.IndexFlatIP(dimension)
    index = faiss.IndexIVFScalarQuantizer(
        coarse, dimension, num_cells, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT, False
    )
    index.nprobe = _PROBES
    sample = vectors[:: max(1, count // (_SAMPLES * num_cells))]
    index.train(sample.astype(np.float32))
    for begin in range(0, count, _COLUMNS):
        index.add(vectors[begin : begin + _COLUMNS].astype(np.float32))
    for begin in range(0, count, _COLUMNS):
        cosines, other = index.search(vectors[begin : begin + _COLUMNS].astype(np.float32), NUM_NEIGHBOURS + 1)
        row = np.repeat(np.arange(begin, begin + len(other)), NUM_NEIGHBOURS + 1)
        other, near = other.ravel(), cosines.ravel() >= floor - _SLACK
        kept = near & (other >= 0) & (other != row)
        yield np.stack([row[kept], other[kept]], axis=1).astype(np.int64)


def _has_faiss() -> bool:
    return find_spec("faiss") is not None
