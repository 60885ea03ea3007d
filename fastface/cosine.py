"""Compute cosine similarities whose bits depend only on the two embeddings.

The order of a BLAS's additions depends on the processor, the number of threads and the shape of the product. So a
float32 product of the same two vectors differs in its last bits from one batch to the next. Here every addition is
exact, so that the order is irrelevant. A component of a stored embedding is a float16, a multiple of 2⁻²⁴. A
reference's is rounded to a multiple of 2⁻²⁶ (an error of less than 1e-6 in a cosine). Their products are multiples of
2⁻⁵⁰. The partial sums of two unit vectors stay below 2, which float64 holds exactly.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import cache

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from fastface.types import DOUBLE_COSINE, FloatArray

BLOCK_ROWS = 8192
"""Rows of a block: 32 MiB of float64 at 512 components."""

_BLOCK_CELLS = 1 << 23
"""Cosines of a block: 64 MiB of float64, so that 20,000 references need no more memory than a thousand."""

_BLOCK_COLUMNS = 2048
"""Number of references that are widened to float64 at a time: 8 MiB at 512 components. As many stay widened."""

_NORMALISED_ROWS = 1024
"""Number of rows that are widened to float64 at a time: 4 MiB at 512 components."""

_DISTINCT_ROWS = 256
"""Number of rows that are compared with each other at a time."""

_REFERENCE_SCALE = 2.0**26

_SCREEN_ROWS = 256
"""Number of rows of a screen: half a megabyte of float32 at 512 components, which fits a core's cache."""

_LARGE_CELLS = 1 << 17
"""Minimum number of cosines for several threads: some milliseconds of work."""

_SCREEN_SLACK = 1e-3
"""Bound of the error: a float32 product of unit vectors of 512 components is off by at most 512 × 2⁻²⁴ = 3e-5."""


def normalize_rows(embeddings: npt.ArrayLike) -> FloatArray:
    """Scale the rows to length 1.

    Args:
        embeddings: (n, D), any floating dtype.

    Returns:
        (n, D) float32, a new array.

    Raises:
        ValueError: A row is not finite, or has no direction.
    """
    rows = np.asarray(embeddings)
    unit = np.empty(rows.shape, np.float32)
    for start in range(0, len(rows), _NORMALISED_ROWS):
        part = slice(start, start + _NORMALISED_ROWS)
        wide = rows[part].astype(np.float64)
        lengths = np.linalg.norm(wide, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or (lengths < 1e-6).any():
            raise ValueError("an embedding is not finite or has the length zero")
        np.divide(wide, lengths, out=unit[part], casting="same_kind")
    return unit


class References:
    """References for comparison with many batches of embeddings: their components are rounded once.

    A rounded component is a multiple of 2⁻²⁶ with at most 24 bits, which float32 holds exactly.

    Args:
        rows: (r, D) float32, L2-normalised; copied.
    """

    def __init__(self, rows: FloatArray) -> None:
        self._columns = np.empty((rows.shape[1], len(rows)), np.float32)
        for start in range(0, len(rows), _BLOCK_COLUMNS):
            part = slice(start, start + _BLOCK_COLUMNS)
            self._columns[:, part] = (np.rint(rows[part].astype(np.float64) * _REFERENCE_SCALE) / _REFERENCE_SCALE).T
        self._wide = self._columns.astype(np.float64) if len(self) <= _BLOCK_COLUMNS else None

    def __len__(self) -> int:
        return self._columns.shape[1]

    def cosines(self, embeddings: npt.NDArray[np.float16]) -> npt.NDArray[np.float32]:
        """Return (n, r) float32 cosines within −1 and 1, exact to the last bit's rounding.

        Args:
            embeddings: (n, D) float16, L2-normalised; see `row_blocks` for the maximum n.
        """
        wide = embeddings.astype(np.float64)
        found = np.empty((len(wide), len(self)), np.float32)

        def multiply(part: slice) -> None:
            columns = self._columns[:, part].astype(np.float64) if self._wide is None else self._wide[:, part]
            (wide @ columns).clip(-1.0, 1.0, out=found[:, part], casting="same_kind")

        workers = _workers(found.size)
        columns = max(1, min(_BLOCK_COLUMNS, -(-len(self) // workers)))
        _share_out(multiply, list(self._parts(columns)), workers)
        return found

    def nearest(self, embeddings: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return (n,) the cosine of each of a few embeddings (n, D) to its nearest reference, ± `_SCREEN_SLACK`."""
        nearest = np.full(len(embeddings), -1.0, np.float32)
        for part in self._parts(_BLOCK_COLUMNS):
            np.maximum(nearest, (embeddings @ self._columns[:, part]).max(axis=1), out=nearest)
        return nearest

    def _parts(self, columns: int) -> Iterator[slice]:
        """Yield slices of `columns` references."""
        for start in range(0, len(self), columns):
            yield slice(start, start + columns)


def row_blocks(total: int, columns: int) -> Iterator[slice]:
    """Yield slices of `total` rows, so small that the cosines with `columns` references fit into memory."""
    size = max(1, min(BLOCK_ROWS, _BLOCK_CELLS // max(1, columns)))
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))


def near_rows(
    embeddings: npt.NDArray[np.float16], references: Sequence[References], floor: float
) -> npt.NDArray[np.int64]:
    """Return the rows whose cosine may reach `floor`: a fast screen, so that only these need an exact cosine.

    Args:
        embeddings: (n, D) float16, L2-normalised.
        references: Sets of references.
        floor: Every row with a cosine of at least this is returned; few others are.

    Returns:
        (k,) row numbers, ascending.
    """
    nearest = np.full(len(embeddings), -1.0, np.float32)

    def screen(rows: slice) -> None:
        wide = widen(embeddings[rows])
        for some in references:
            np.maximum(nearest[rows], some.nearest(wide), out=nearest[rows])

    blocks = [slice(start, start + _SCREEN_ROWS) for start in range(0, len(embeddings), _SCREEN_ROWS)]
    _share_out(screen, blocks, _workers(len(embeddings) * sum(map(len, references))))
    return np.flatnonzero(nearest >= np.float32(floor - _SCREEN_SLACK))


def _workers(num_cells: int) -> int:
    """Return the number of threads that pays off for this number of cosines."""
    return blas_threads() if num_cells >= _LARGE_CELLS else 1


def _share_out(work: Callable[[slice], None], parts: Sequence[slice], workers: int) -> None:
    """Call `work` for each part, in several threads; each product stays within one thread."""
    with one_thread():
        if workers == 1 or len(parts) < 2:
            for part in parts:
                work(part)
        else:
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(work, parts))


def widen(half: npt.NDArray[np.float16]) -> npt.NDArray[np.float32]:
    """Convert float16 to float32 in a third of the time of NumPy's own conversion; finite numbers only.

    Move sign, exponent and mantissa to their places in float32. The exponent is then too small by the difference of the
    two biases, 127 − 15. One multiplication corrects that, subnormal numbers included.
    """
    bits = half.view(np.int16).astype(np.int32)
    bits <<= 16
    bits >>= 3  # copies the sign into the two bits below it
    bits &= np.int32(-0x70000001)  # clears these bits
    wide = bits.view(np.float32)
    wide *= np.float32(2.0**112)
    return wide


def cosine_blocks(
    embeddings: npt.NDArray[np.float16], references: FloatArray
) -> Iterator[tuple[slice, npt.NDArray[np.float32]]]:
    """Yield cosines in blocks of rows, so that any number of faces needs bounded memory.

    Args:
        embeddings: (n, D) float16, L2-normalised.
        references: (r, D) float32, L2-normalised.

    Yields:
        A slice of the rows, and their cosines (rows, r) float32 within −1 and 1, exact to the last bit's rounding.
    """
    prepared = References(references)
    for rows in row_blocks(len(embeddings), len(prepared)):
        yield rows, prepared.cosines(embeddings[rows])


def one_thread() -> AbstractContextManager[object]:
    """Limit products to the caller's thread.

    The threads of a BLAS wait for each other by spinning: beside busy processes a product of 1 ms takes 20 ms.
    """
    limit: AbstractContextManager[object] = _controller().limit(limits=1, user_api="blas")
    return limit


def blas_threads() -> int:
    """Return the number of threads of a BLAS product, at least one; call it before `one_thread`."""
    return max((library["num_threads"] for library in _controller().select(user_api="blas").info()), default=1)


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def cosines(left: FloatArray, right: FloatArray) -> FloatArray:
    """Return (n, m) float32 cosines of two sets of L2-normalised references, for reports: not exact."""
    return np.asarray((left.astype(np.float64) @ right.astype(np.float64).T).clip(-1.0, 1.0), np.float32)


def distinct_rows(embeddings: npt.NDArray[np.float16], known: FloatArray, most: int) -> list[int]:
    """Return the first rows whose cosine to all known rows and to all earlier returned rows is below `DOUBLE_COSINE`.

    Args:
        embeddings: (n, D) float16, L2-normalised.
        known: (r, D) float32, L2-normalised.
        most: Maximum number of rows.
    """
    least = np.float32(DOUBLE_COSINE)
    taken: list[int] = []
    for start in range(0, len(embeddings), _DISTINCT_ROWS):
        if len(taken) >= most:
            break
        rows = embeddings[start : start + _DISTINCT_ROWS]
        is_double = np.zeros(len(rows), np.bool_)
        for others in (known, embeddings[taken].astype(np.float32)):
            is_double |= References(others).cosines(rows).max(axis=1, initial=-1.0) >= least
        between = References(rows.astype(np.float32)).cosines(rows) >= least
        for row in np.flatnonzero(~is_double).tolist():
            if not is_double[row] and len(taken) < most:
                taken.append(start + row)
                is_double |= between[:, row]
    return taken
