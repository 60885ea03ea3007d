"""Find the nearest person of a gallery for each embedding, and the margin. Pure array code."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastface.gallery.reference_set import NO_COSINE, ReferenceSet


@dataclass(frozen=True, slots=True)
class NearestTargets:
    """Nearest target of each embedding, with similarity and lead, and the similarity of the nearest lookalike.

    Embeddings below the floor of every person match none: target -1, and cosines below every possible one.

    Attributes:
        target: (n,) int32, number of the target in the gallery.
        similarity: (n,) float32, cosine to its nearest reference.
        margin: (n,) float32, similarity minus that of the nearest other target, lookalike or rejected face of the
            target; `similarity + 1` if there is no other.
        lookalike: (n,) float32, cosine to the nearest lookalike.
    """

    target: npt.NDArray[np.int32]
    similarity: npt.NDArray[np.float32]
    margin: npt.NDArray[np.float32]
    lookalike: npt.NDArray[np.float32]


def match_nearest(embeddings: npt.NDArray[np.float16], references: ReferenceSet, floor: float) -> NearestTargets:
    """Match every embedding that may reach `floor` with any person.

    Memory grows with the embeddings alone, not with embeddings × targets.

    Args:
        embeddings: (n, D) float16, L2-normalised, of the gallery's contract.
        references: Targets and lookalikes.
        floor: Minimum cosine that matters.
    """
    total = len(embeddings)
    claims = NearestTargets(
        target=np.full(total, -1, np.int32),
        similarity=np.full(total, NO_COSINE, np.float32),
        margin=np.zeros(total, np.float32),
        lookalike=np.full(total, NO_COSINE, np.float32),
    )
    if not total or not len(references):
        return claims
    num_targets = references.num_targets
    near = references.near(embeddings, floor)
    for block, nearest in references.blocks(embeddings[near]):
        rows = near[block]
        claims.lookalike[rows] = nearest[:, num_targets:].max(axis=1, initial=NO_COSINE)
        if num_targets:
            best = nearest[:, :num_targets].argmax(axis=1).astype(np.int32)
            claims.target[rows] = best
            rejected = references.compute_rejected_cosines(embeddings[rows], best)
            claims.similarity[rows], claims.margin[rows] = _leads(nearest, best, rejected)
    return claims


def match_given(
    embeddings: npt.NDArray[np.float16],
    references: ReferenceSet,
    targets: npt.NDArray[np.int32],
    tracks: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None = None,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Match faces with given targets, even if another target is nearer.

    Args:
        embeddings: (n, D) float16, L2-normalised, of the gallery's contract.
        references: Targets and lookalikes.
        targets: (n,) number of each embedding's target.
        tracks: Tracks of embeddings and references, see `ReferenceSet.blocks`. An embedding is not compared with
            references of its own track.

    Returns:
        (n,) float32 similarity, and (n,) float32 lead over the nearest other target, lookalike or rejected face of the
        target: negative if that is nearer.
    """
    similarity, margin = np.empty(len(embeddings), np.float32), np.empty(len(embeddings), np.float32)
    for block, nearest in references.blocks(embeddings, tracks):
        rejected = references.compute_rejected_cosines(embeddings[block], targets[block])
        similarity[block], margin[block] = _leads(nearest, targets[block], rejected)
    return similarity, margin


def _leads(
    nearest: npt.NDArray[np.float32], targets: npt.NDArray[np.int32], rejected: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return the cosine of each row to its target, and the lead over all others. Overwrites `nearest`."""
    each = np.arange(len(targets))
    similarity = nearest[each, targets]
    nearest[each, targets] = rejected
    return similarity, similarity - np.maximum(nearest.max(axis=1), np.float32(-1.0))
