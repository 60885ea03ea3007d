"""Whom an embedding is nearest to among the persons of a gallery, and by how much. Pure array code."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastface.cosine import cosine_blocks, near_rows
from fastface.types import FloatArray, Gallery

__all__ = ["NOBODY", "Claims", "claims_for", "claims_of"]

NOBODY = -2.0
"""Below every cosine."""


@dataclass(frozen=True, slots=True)
class Claims:
    """For each embedding: the nearest target, its similarity and lead, and the similarity of the nearest lookalike.

    Of embeddings that reach nobody's floor nothing is claimed: target -1, and cosines below every other.

    Attributes:
        target: (n,) int32, its number in the gallery.
        similarity: (n,) float32, cosine to its nearest reference.
        margin: (n,) float32, similarity minus that of the nearest other target or lookalike, `similarity + 1` without.
        lookalike: (n,) float32, cosine to the nearest lookalike.
    """

    target: npt.NDArray[np.int32]
    similarity: npt.NDArray[np.float32]
    margin: npt.NDArray[np.float32]
    lookalike: npt.NDArray[np.float32]


def claims_of(embeddings: npt.NDArray[np.float16], gallery: Gallery, floor: float) -> Claims:
    """The claims on every embedding that may reach `floor` with anybody.

    Memory grows with the embeddings alone, not with embeddings × targets.

    Args:
        embeddings: (n, D) float16, L2-normalised, of the gallery's contract.
        gallery: Targets and lookalikes.
        floor: A cosine.
    """
    total = len(embeddings)
    claims = Claims(
        target=np.full(total, -1, np.int32),
        similarity=np.full(total, NOBODY, np.float32),
        margin=np.zeros(total, np.float32),
        lookalike=np.full(total, NOBODY, np.float32),
    )
    if not total or not (gallery.targets or gallery.lookalikes):
        return claims
    num_targets = len(gallery.targets)
    references, _ = _references(gallery)
    near = near_rows(embeddings, references, floor)
    for block, nearest in _similarities(embeddings[near], gallery):
        rows = near[block]
        claims.lookalike[rows] = nearest[:, num_targets:].max(axis=1, initial=NOBODY)
        if num_targets:
            best = nearest[:, :num_targets].argmax(axis=1).astype(np.int32)
            claims.target[rows] = best
            claims.similarity[rows], claims.margin[rows] = _leads(nearest, best)
    return claims


def claims_for(
    embeddings: npt.NDArray[np.float16],
    gallery: Gallery,
    targets: npt.NDArray[np.int32],
    tracks: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None = None,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """What certain targets claim, whether or not they are the nearest.

    Args:
        embeddings: (n, D) float16, L2-normalised, of the gallery's contract.
        gallery: Targets and lookalikes.
        targets: (n,) the number of each embedding's target.
        tracks: Numbers of the tracks that the embeddings (n,), and the references of targets and then lookalikes (r,),
            are of: embeddings are not compared with references of their own track. None compares all.

    Returns:
        (n,) float32 similarity, and (n,) float32 lead over the nearest other target or lookalike: below 0 if that is
        nearer.
    """
    similarity, margin = np.empty(len(embeddings), np.float32), np.empty(len(embeddings), np.float32)
    for block, nearest in _similarities(embeddings, gallery, tracks):
        similarity[block], margin[block] = _leads(nearest, targets[block])
    return similarity, margin


def _references(gallery: Gallery) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """All references of targets, then lookalikes, and where each person's begin."""
    persons = [*gallery.targets, *gallery.lookalikes]
    firsts = np.cumsum([0, *(len(person.embeddings) for person in persons[:-1])])
    return np.concatenate([person.embeddings for person in persons]), firsts


def _similarities(
    embeddings: npt.NDArray[np.float16],
    gallery: Gallery,
    tracks: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None = None,
) -> Iterator[tuple[slice, npt.NDArray[np.float32]]]:
    """Blocks of rows, and (rows, persons) cosines to each person's nearest reference; `tracks` as of `claims_for`."""
    references, firsts = _references(gallery)
    for block, similarities in cosine_blocks(embeddings, references):
        if tracks is not None:
            similarities[tracks[0][block, None] == tracks[1]] = NOBODY
        yield block, np.maximum.reduceat(similarities, firsts, axis=1)


def _leads(
    nearest: npt.NDArray[np.float32], targets: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The cosine of each row to its target, and the lead over all others; `nearest` is overwritten."""
    each = np.arange(len(targets))
    similarity = nearest[each, targets]
    nearest[each, targets] = NOBODY
    return similarity, similarity - np.maximum(nearest.max(axis=1), np.float32(-1.0))
