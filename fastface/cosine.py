"""Cosine similarity whose bits depend on nothing but the two embeddings.

A BLAS adds in an order that depends on the processor, the number of threads and the shape of the whole product, so a
float32 product of the same two vectors differs in its last bits from one batch to the next. Here every addition is
exact, so that no order matters: a component of a stored embedding is a float16, a multiple of 2⁻²⁴; a reference's is
rounded to a multiple of 2⁻²⁶ (an error of less than 1e-6 in a cosine); their products are multiples of 2⁻⁵⁰, and the
partial sums of two unit vectors stay below 2, which float64 holds without rounding.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import cache

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from fastface.types import DOUBLE_COSINE, FloatArray

__all__ = [
    "BLOCK_ROWS",
    "cosine_blocks",
    "cosines",
    "distinct_rows",
    "near_rows",
    "normalized",
    "one_thread",
    "widened",
]

BLOCK_ROWS = 8192
"""Rows of a block: 32 MiB of float64 at 512 components."""

_REFERENCE_SCALE = 2.0**26

_SCREEN_ROWS = 256
"""Half a megabyte of float32 at 512 components: stays in a core's cache."""

_SCREEN_SLACK = 1e-3
"""A float32 product of two unit vectors of 512 components is off by at most 512 × 2⁻²⁴ = 3e-5."""


def normalized(embeddings: npt.ArrayLike) -> FloatArray:
    """The rows at length 1.

    Args:
        embeddings: (n, D), any floating dtype.

    Returns:
        (n, D) float32, a new array.

    Raises:
        ValueError: A row is not finite, or has no direction.
    """
    rows = np.asarray(embeddings, np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths < 1e-6).any():
        raise ValueError("an embedding is not finite or has the length zero")
    unit: FloatArray = (rows / lengths).astype(np.float32)
    return unit


def near_rows(embeddings: npt.NDArray[np.float16], references: FloatArray, floor: float) -> npt.NDArray[np.int64]:
    """The rows of which a cosine may reach `floor`: a quick look, so that only these need an exact one.

    Args:
        embeddings: (n, D) float16, L2-normalised.
        references: (r, D) float32, L2-normalised.
        floor: Every row with a cosine of at least this is among those returned; few others are.

    Returns:
        (k,) row numbers, ascending.
    """
    columns = np.ascontiguousarray(references.T)
    nearest = np.empty(len(embeddings), np.float32)
    with one_thread():
        for start in range(0, len(embeddings), _SCREEN_ROWS):
            rows = slice(start, start + _SCREEN_ROWS)
            (widened(embeddings[rows]) @ columns).max(axis=1, out=nearest[rows])
    return np.flatnonzero(nearest >= np.float32(floor - _SCREEN_SLACK))


def widened(half: npt.NDArray[np.float16]) -> npt.NDArray[np.float32]:
    """float16 → float32 in a third of the time that NumPy's own conversion takes; of finite numbers only.

    Sign, exponent and mantissa are moved to where float32 has them. The exponent is then too small by the difference
    of the two biases, 127 − 15, which one multiplication mends, subnormal numbers included.
    """
    bits = half.view(np.int16).astype(np.int32)
    bits <<= 16
    bits >>= 3  # the sign is copied into the two bits below it,
    bits &= np.int32(-0x70000001)  # which are cleared
    wide = bits.view(np.float32)
    wide *= np.float32(2.0**112)
    return wide


def cosine_blocks(
    embeddings: npt.NDArray[np.float16], references: FloatArray
) -> Iterator[tuple[slice, npt.NDArray[np.float32]]]:
    """Cosines in blocks of rows, so that any number of faces needs bounded memory.

    Args:
        embeddings: (n, D) float16, L2-normalised.
        references: (r, D) float32, L2-normalised.

    Yields:
        A slice of the rows, and their cosines (rows, r) float32 within −1 and 1, exact to the last bit's rounding.
    """
    columns = (np.rint(references.astype(np.float64) * _REFERENCE_SCALE) / _REFERENCE_SCALE).T
    for start in range(0, len(embeddings), BLOCK_ROWS):
        rows = slice(start, min(start + BLOCK_ROWS, len(embeddings)))
        with one_thread():
            products = embeddings[rows].astype(np.float64) @ columns
        yield rows, products.clip(-1.0, 1.0).astype(np.float32)


def one_thread() -> AbstractContextManager[object]:
    """Products in the caller's thread.

    The threads of a BLAS wait for each other by spinning: beside busy processes one of a millisecond takes twenty.
    """
    limit: AbstractContextManager[object] = _controller().limit(limits=1, user_api="blas")
    return limit


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def cosines(left: FloatArray, right: FloatArray) -> FloatArray:
    """(n, m) float32 cosines of two sets of L2-normalised references, for reports: not exact as those above."""
    return np.asarray((left.astype(np.float64) @ right.astype(np.float64).T).clip(-1.0, 1.0), np.float32)


def distinct_rows(embeddings: npt.NDArray[np.float16], known: FloatArray, most: int) -> list[int]:
    """The first rows that are as good as none of the known ones, nor as one that was taken before them.

    Args:
        embeddings: (n, D) float16, L2-normalised.
        known: (r, D) float32, L2-normalised.
        most: How many are taken at most.
    """
    taken: list[int] = []
    for row in range(len(embeddings)):
        if len(taken) == most:
            break
        ((_, similarities),) = cosine_blocks(embeddings[row : row + 1], known)
        if similarities.max(initial=-1.0) < np.float32(DOUBLE_COSINE):
            taken.append(row)
            known = np.concatenate([known, embeddings[row : row + 1].astype(np.float32)])
    return taken
