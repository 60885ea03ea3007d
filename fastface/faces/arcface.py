"""Embed faces with ArcFace, or another network with an `Alignment`: aligned faces in, unit vectors out.

`analyse` calls `Recogniser`. Batches are split into powers of two, so that a runtime compiles few shapes.
"""

import numpy as np
import numpy.typing as npt

from fastface.backends import Session
from fastface.faces.align import ARCFACE, Alignment
from fastface.types import FloatArray

MAX_CHUNK = 16
"""Maximum number of faces per call of the network. Larger chunks were no faster on a CPU."""


class Recogniser:
    """Run a recogniser in a session. One thread calls it."""

    def __init__(
        self, session: Session, dimension: int, max_chunk: int = MAX_CHUNK, alignment: Alignment = ARCFACE
    ) -> None:
        """Take a session of a graph that `models.graph.prepare_recogniser` made.

        Args:
            session: uint8 (N, size, size, 3) BGR → float32 (N, D).
            dimension: D.
            max_chunk: Maximum number of faces per call of the network; a power of two.
            alignment: Alignment of the faces, with their size.
        """
        self.alignment = alignment
        self.session = session
        self.dimension = dimension
        self.max_chunk = max_chunk

    def embed(self, aligned: npt.NDArray[np.uint8]) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """Embed aligned faces; the same faces in the same order always give the same bits.

        Args:
            aligned: (m, size, size, 3) BGR.

        Returns:
            (m, D) float32, L2-normalised, and (m,) flags of valid rows. An invalid row is zero and the face must not be
            used; the other rows are not affected.

        Raises:
            BackendError: The runtime failed.
        """
        raw = np.empty((len(aligned), self.dimension), np.float32)
        begin = 0
        sizes = [len(aligned)] if self.session.per_picture else chunk_sizes(len(aligned), self.max_chunk)
        for size in filter(None, sizes):
            (raw[begin : begin + size],) = self.session.infer(aligned[begin : begin + size])
            begin += size
        return l2_normalise(raw)


def chunk_sizes(count: int, largest: int) -> list[int]:
    """Split a count into falling powers of two up to `largest`: few shapes to compile, and no padding."""
    sizes = [largest] * (count // largest)
    rest = count % largest
    return sizes + [1 << bit for bit in reversed(range(rest.bit_length())) if rest >> bit & 1]


def l2_normalise(vectors: FloatArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Scale rows to length one, and reject rows without a direction: zero, infinite or not a number.

    Args:
        vectors: (m, D) float32.

    Returns:
        (m, D) float32 with rejected rows zero, and (m,) flags of accepted rows.
    """
    # In double precision no finite float32 row overflows or underflows.
    lengths = np.sqrt(np.square(vectors, dtype=np.float64).sum(axis=1))
    valid = np.isfinite(lengths) & (lengths > 0)
    unit = np.zeros_like(vectors)
    unit[valid] = vectors[valid] / lengths[valid, None]
    return unit, valid
