"""Which faces are whose: similarity, margin, and the hysteresis along tracks. Pure array code."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastface.gallery.cosine import cosine_blocks, near_rows
from fastface.types import Faces, Gallery, Hits

__all__ = ["EVERYONE", "match"]

EVERYONE = "everyone"
"""The label of every face, where the targets are `'*'`."""

_NOBODY = -2.0
"""Below every cosine."""


@dataclass(frozen=True, slots=True)
class _Claims:
    """For each face: the nearest target, its similarity, and that of the nearest other person.

    Of faces that reach nobody's floor nothing is claimed: -1, and cosines below every other.
    """

    target: npt.NDArray[np.int32]
    similarity: npt.NDArray[np.float32]
    margin: npt.NDArray[np.float32]
    lookalike: npt.NDArray[np.float32]


def match(
    faces: Faces,
    gallery: Gallery,
    *,
    enter: float,
    exit: float,
    margin: float,
    periods: npt.NDArray[np.float64],
) -> dict[str, Hits]:
    """The hits of every target in one video.

    A face can only be a hit of the target that it is most similar to. Along a track, in order of time, hits begin at a
    face with similarity ≥ `enter` and a lead ≥ `margin` over every other target and lookalike; they go on while the
    faces stay nearest to the same target, with similarity ≥ `exit`. A face without a track (-1) stands
    alone. In one frame a target claims one face at most: the most similar, then the one of the larger det_score.

    With `gallery.everyone`, every face is also a hit of `EVERYONE`, several in a frame, but those that reach `enter`
    with a lookalike; since there is nobody to compare with, their similarity is 1 and their margin 2.

    Args:
        faces: Faces of one video, in any order; the tracks are linked.
        gallery: Targets and lookalikes of the same contract as the faces.
        enter: Smallest cosine that begins hits.
        exit: Smallest cosine that goes on; counts as `enter` where it is larger.
        margin: Least lead at the beginning.
        periods: (n,) seconds that each face's sample stands for.

    Returns:
        An entry for every target, in the gallery's order, `EVERYONE` last; hits in order of time.
    """
    hold = min(enter, exit)
    claims = _claims(faces, gallery, hold)
    owner = _hysteresis(faces, claims, enter=enter, hold=hold, margin=margin)
    hits = {}
    for number, target in enumerate(gallery.targets):
        rows = _one_per_frame(faces, claims.similarity, np.flatnonzero(owner == number))
        hits[target.label] = _hits(faces, periods, rows, claims.similarity[rows], claims.margin[rows])
    if gallery.everyone:
        rows = np.flatnonzero(claims.lookalike < enter)
        ones = np.ones(len(rows), np.float32)
        hits[EVERYONE] = _hits(faces, periods, rows, ones, ones * 2)
    return hits


def _claims(faces: Faces, gallery: Gallery, floor: float) -> _Claims:
    """Nearest target and lead of every face that may reach `floor` with anybody.

    Memory grows with the faces alone, not with faces × targets.
    """
    total = len(faces)
    claims = _Claims(
        target=np.full(total, -1, np.int32),
        similarity=np.full(total, _NOBODY, np.float32),
        margin=np.zeros(total, np.float32),
        lookalike=np.full(total, _NOBODY, np.float32),
    )
    persons = [*gallery.targets, *gallery.lookalikes]
    if not persons or not total:
        return claims
    num_targets = len(gallery.targets)
    firsts = np.cumsum([0, *(len(person.embeddings) for person in persons[:-1])])
    references = np.concatenate([person.embeddings for person in persons])
    near = near_rows(faces.embedding, references, floor)
    for block, similarities in cosine_blocks(faces.embedding[near], references):
        rows = near[block]
        nearest = np.maximum.reduceat(similarities, firsts, axis=1)
        claims.lookalike[rows] = nearest[:, num_targets:].max(axis=1, initial=_NOBODY)
        if not num_targets:
            continue
        best = nearest[:, :num_targets].argmax(axis=1)
        each = np.arange(len(best))
        similarity = nearest[each, best]
        nearest[each, best] = _NOBODY
        other = nearest.max(axis=1)
        claims.target[rows] = best
        claims.similarity[rows] = similarity
        claims.margin[rows] = similarity - np.maximum(other, -1.0)
    return claims


def _hysteresis(faces: Faces, claims: _Claims, *, enter: float, hold: float, margin: float) -> npt.NDArray[np.int32]:
    """(n,) number of the target that each face is a hit of; -1 for none."""
    order = np.lexsort((np.arange(len(faces)), faces.time, faces.track))
    track, target = faces.track[order], claims.target[order]
    similarity, lead = claims.similarity[order], claims.margin[order]
    opens = (similarity >= np.float32(enter)) & (lead >= np.float32(margin))
    # A lookalike that is nearer than the target makes the lead negative, which ends the hits as another target does.
    holds = opens | ((similarity >= np.float32(hold)) & (lead >= 0))
    begins_run = np.ones(len(order), bool)
    begins_run[1:] = (
        (track[1:] != track[:-1]) | (track[1:] < 0) | (target[1:] != target[:-1]) | ~holds[1:] | ~holds[:-1]
    )
    # Within a run, a face is a hit if the run opened at or before it: the count of openings has grown since its start.
    openings = np.cumsum(opens)
    run_start = np.flatnonzero(begins_run)
    before_run: npt.NDArray[np.int64] = (openings - opens)[run_start][np.cumsum(begins_run) - 1]
    is_hit = holds & (openings > before_run) & (target >= 0)
    owner = np.full(len(faces), -1, np.int32)
    owner[order[is_hit]] = target[is_hit]
    return owner


def _one_per_frame(
    faces: Faces, similarity: npt.NDArray[np.float32], rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Of the rows, the best one of each frame."""
    ranked = rows[np.lexsort((rows, -faces.det_score[rows], -similarity[rows], faces.time[rows]))]
    first = np.ones(len(ranked), bool)
    first[1:] = faces.time[ranked[1:]] != faces.time[ranked[:-1]]
    return ranked[first]


def _hits(
    faces: Faces,
    periods: npt.NDArray[np.float64],
    rows: npt.NDArray[np.int64],
    similarity: npt.NDArray[np.float32],
    margin: npt.NDArray[np.float32],
) -> Hits:
    order = np.lexsort((rows, faces.time[rows]))
    rows = rows[order].astype(np.int64)
    return Hits(
        face=rows, time=faces.time[rows], period=periods[rows], similarity=similarity[order], margin=margin[order]
    )
