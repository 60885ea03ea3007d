"""Cosine similarity whose bits depend on nothing but the two embeddings.

A BLAS adds in an order that depends on the processor, the number of threads and the shape of the whole product, so a
float32 product of the same two vectors differs in its last bits from one batch to the next. Here every addition is
exact, so that no order matters: a component of a stored embedding is a float16, a multiple of 2⁻²⁴; a reference's is
rounded to a multiple of 2⁻²⁶ (an error of less than 1e-6 in a cosine); their products are multiples of 2⁻⁵⁰, and the
partial sums of two unit vectors stay below 2, which float64 holds without rounding.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from fastface.types import FloatArray

__all__ = ["BLOCK_ROWS", "cosine_blocks", "cosines", "normalized"]

BLOCK_ROWS = 8192
"""Rows of a block: 32 MiB of float64 at 512 components."""

_REFERENCE_SCALE = 2.0**26


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
        products = embeddings[rows].astype(np.float64) @ columns
        yield rows, products.clip(-1.0, 1.0).astype(np.float32)


def cosines(left: FloatArray, right: FloatArray) -> FloatArray:
    """(n, m) float32 cosines of two sets of L2-normalised references, for reports: not exact as those above."""
    return np.asarray((left.astype(np.float64) @ right.astype(np.float64).T).clip(-1.0, 1.0), np.float32)
