"""Which faces are whose: similarity, margin, and the hysteresis along tracks. Pure array code."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastface.gallery.claims import Claims, claims_of
from fastface.gallery.evidence import Decided, decide_tracks
from fastface.gallery.limits import Limits
from fastface.types import Doubt, Faces, Gallery, Hits

__all__ = ["EVERYONE", "Matches", "match"]

EVERYONE = "everyone"
"""The label of every face, where the targets are `'*'`."""


@dataclass(frozen=True, slots=True)
class Matches:
    """What is the gallery's in one video.

    Attributes:
        hits: An entry for every target, in the gallery's order, `EVERYONE` last; hits in order of time.
        doubts: Tracks that are nobody's, and nearly are; in order of time.
    """

    hits: dict[str, Hits]
    doubts: tuple[Doubt, ...] = ()


def match(faces: Faces, gallery: Gallery, limits: Limits, periods: npt.NDArray[np.float64]) -> Matches:
    """The hits of every target in one video.

    A face can only be a hit of the target that it is most similar to. Along a track, in order of time, hits begin at a
    face with similarity ≥ `enter` and a lead ≥ `margin` over every other target and lookalike; they go on while the
    faces stay nearest to the same target, with similarity ≥ `exit`. A face without a track (-1) stands alone. Then, if
    there is a rule for them, tracks decide as a whole: see `gallery.evidence`. In one frame a target claims one face
    at most: the most similar, then the one of the larger det_score.

    With `gallery.everyone`, every face is also a hit of `EVERYONE`, several in a frame, but those that reach `enter`
    with a lookalike; since there is nobody to compare with, their similarity is 1 and their margin 2.

    Args:
        faces: Faces of one video, in any order; the tracks are linked.
        gallery: Targets and lookalikes of the same contract as the faces.
        limits: When a face, or a track, is a target's.
        periods: (n,) seconds that each face's sample stands for.
    """
    claims = claims_of(faces.embedding, gallery, limits.floor)
    owner = _hysteresis(faces, claims, limits)
    decided = Decided(owner, claims.similarity, claims.margin, np.zeros(len(faces), np.bool_))
    if limits.tracks is not None:
        decided = decide_tracks(faces, gallery, claims, owner, limits)
    hits = {}
    for number, target in enumerate(gallery.targets):
        rows = _one_per_frame(faces, decided.similarity, np.flatnonzero(decided.owner == number))
        hits[target.label] = _hits(faces, periods, rows, decided)
    if gallery.everyone:
        ones = np.ones(len(faces), np.float32)
        alone = Decided(owner, ones, ones * 2, np.zeros(len(faces), np.bool_))
        hits[EVERYONE] = _hits(faces, periods, np.flatnonzero(claims.lookalike < limits.enter), alone)
    return Matches(hits, decided.doubts)


def _hysteresis(faces: Faces, claims: Claims, limits: Limits) -> npt.NDArray[np.int32]:
    """(n,) number of the target that each face is a hit of; -1 for none."""
    order = np.lexsort((np.arange(len(faces)), faces.time, faces.track))
    track, target = faces.track[order], claims.target[order]
    similarity, lead = claims.similarity[order], claims.margin[order]
    opens = (similarity >= np.float32(limits.enter)) & (lead >= np.float32(limits.margin))
    # A lookalike that is nearer than the target makes the lead negative, which ends the hits as another target does.
    holds = opens | ((similarity >= np.float32(limits.exit)) & (lead >= 0))
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
    decided: Decided,
) -> Hits:
    rows = rows[np.lexsort((rows, faces.time[rows]))].astype(np.int64)
    return Hits(
        face=rows,
        time=faces.time[rows],
        period=periods[rows],
        similarity=decided.similarity[rows],
        margin=decided.margin[rows],
        by_track=decided.by_track[rows],
    )
