"""The references of different persons that are alike, found in one pass over all pairs.

All references against all are 4·10⁸ cosines where a bank has 20,000, so the pass goes over half of them, in float32 and
in blocks: float32 products of unit vectors are off by 3e-5 at most. What is reported is computed again, exactly.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from fastface.types import FloatArray

__all__ = ["Neighbours", "exact_cosines", "find_neighbours", "no_check"]

_BLOCK_ROWS = 256
"""20 MB of float32 cosines where there are 20,000 references, and a tenth of a second at most."""

_SLACK = 1e-3
_MAX_PAIRS_OF_ROW = 64
"""Pairs that are kept of a reference. A bank of one person under 20,000 labels would have 2·10⁸ of them; these are
enough to join all its labels."""


def no_check() -> None:
    """Does nothing: nothing interrupts the pass."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What each of n references is like among the references of other persons.

    Attributes:
        nearest: (n,) row of the most alike reference of another person; -1 if there is no other person.
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
    """(p,) cosines of pairs of rows, as `cosine.cosines` gives them."""
    found = np.empty(len(left), np.float32)
    for start in range(0, len(left), 8192):
        rows = slice(start, start + 8192)
        one, other = embeddings[left[rows]].astype(np.float64), embeddings[right[rows]].astype(np.float64)
        found[rows] = np.einsum("pd,pd->p", one, other).clip(-1, 1)
    return found


def find_neighbours(
    embeddings: FloatArray, person: npt.NDArray[np.int64], floor: float, check: Callable[[], None] = no_check
) -> Neighbours:
    """Compares all references of different persons.

    Args:
        embeddings: (n, D) float32, L2-normalised.
        person: (n,) number of each reference's person, rising.
        floor: Pairs with at least this cosine are listed.
        check: Called between blocks; what it raises ends the pass.

    Returns:
        The nearest reference of each, and the near pairs.
    """
    total = len(embeddings)
    nearest, similarity = np.full(total, -1, np.int64), np.full(total, -2, np.float32)
    block_of = np.full(total, -1, np.int64)  # of the block in which a column has its largest cosine
    pairs: list[npt.NDArray[np.int64]] = []
    columns = np.ascontiguousarray(embeddings.T)
    ends = np.searchsorted(person, person, side="right")
    edges = [*range(0, total, _BLOCK_ROWS), total]
    buffer = np.empty(min(_BLOCK_ROWS, total) * total, np.float32)  # fresh memory costs as much as the products
    for begin, end in pairwise(edges):
        check()
        shape = (end - begin, total - begin)
        block = np.matmul(embeddings[begin:end], columns[:, begin:], out=buffer[: shape[0] * shape[1]].reshape(shape))
        same = int(ends[end - 1]) - begin  # columns after these are of other persons
        block[:, :same][person[begin:end, None] == person[None, begin : begin + same]] = -2
        row_best = _note_rows(block, begin, nearest, similarity, block_of)
        best = block.max(axis=0)
        later = np.arange(begin, total)
        better = (best > similarity[later]) & (later >= end)
        similarity[later[better]], block_of[later[better]] = best[better], begin
        pairs += _near_pairs(block, begin, floor - _SLACK, row_best)
    for begin, end in pairwise(edges):
        check()
        rows = np.flatnonzero(block_of == begin)
        if len(rows):
            block = embeddings[rows] @ columns[:, begin:end]
            block[person[rows, None] == person[None, begin:end]] = -2
            nearest[rows] = begin + block.argmax(axis=1)
    has_other = similarity > -2
    nearest[~has_other] = -1
    rows = np.flatnonzero(has_other)
    similarity[rows] = exact_cosines(embeddings, rows, nearest[rows])
    found = np.concatenate(pairs) if pairs else np.empty((0, 2), np.int64)
    is_near = exact_cosines(embeddings, found[:, 0], found[:, 1]) >= np.float32(floor)
    return Neighbours(nearest, similarity, found[is_near])


def _note_rows(
    block: FloatArray,
    begin: int,
    nearest: npt.NDArray[np.int64],
    similarity: FloatArray,
    block_of: npt.NDArray[np.int64],
) -> FloatArray:
    """Notes the largest cosine of each of a block's rows, where no earlier block had a larger one; returns them."""
    rows = np.arange(begin, begin + len(block))
    best = block.argmax(axis=1)
    values: FloatArray = block[np.arange(len(block)), best]
    better = values > similarity[rows]
    nearest[rows[better]], similarity[rows[better]] = begin + best[better], values[better]
    block_of[rows[better]] = -1
    return values


def _near_pairs(block: FloatArray, begin: int, floor: float, row_best: FloatArray) -> list[npt.NDArray[np.int64]]:
    """(p, 2) rows of the pairs in a block that reach a floor; of each row the first ones."""
    parts = []
    for row in np.flatnonzero(row_best >= floor).tolist():
        second = begin + row + 1 + np.flatnonzero(block[row, row + 1 :] >= floor)[:_MAX_PAIRS_OF_ROW]
        parts.append(np.stack([np.full(len(second), begin + row), second], axis=1))
    return parts
