"""Tracks as evidence: the best faces of a track decide together whose all of it is. Pure array code.

One face can be unlike its person by a turn or a blur, or like another by chance; the mean of a track's best faces is
neither. So a track whose best faces are a target's makes hits of its other faces too, and one or two lucky faces in a
track whose best faces say no are none.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastface.cosine import BLOCK_ROWS
from fastface.gallery.claims import Claims, claims_for, claims_of
from fastface.gallery.limits import Limits
from fastface.grouping import Groups, group_tracks
from fastface.types import Doubt, Faces, Gallery

__all__ = ["Decided", "NearTracks", "decide_tracks", "near_tracks"]

_MIN_COSINE_TO_TRACK = 0.2
"""Measured with w600k_mbf on films: profiles, and faces behind a hand, are as like as 0.17 to 0.4 to the best faces of
their own track; of different persons in one frame 99 % are less like than 0.23."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What the tracks have decided.

    Attributes:
        owner: (n,) int32, number of the target that each face is a hit of; -1 for none.
        similarity: (n,) float32, cosine of each hit to its owner.
        margin: (n,) float32, its lead.
        by_track: (n,) bool, hits that only their track makes one.
        doubts: Tracks to be looked at, in order of time.
    """

    owner: npt.NDArray[np.int32]
    similarity: npt.NDArray[np.float32]
    margin: npt.NDArray[np.float32]
    by_track: npt.NDArray[np.bool_]
    doubts: tuple[Doubt, ...] = ()


@dataclass(frozen=True, slots=True)
class NearTracks(Groups):
    """Tracks that have a face near a target: m rows of faces, of t tracks, in order of their numbers.

    Attributes:
        claims: Of the means.
        likeness: (m,) cosine of each face to its track's mean.
    """

    claims: Claims
    likeness: npt.NDArray[np.float64]


def decide_tracks(
    faces: Faces, gallery: Gallery, claims: Claims, owner: npt.NDArray[np.int32], limits: Limits
) -> Decided:
    """Lets each track decide on its faces.

    * Sure is a track of `least` faces and more whose best faces together reach `enter` and lead by `margin`: all of it
      are hits, but faces that are another's, or are not like the track's best ones.
    * Lucky are hits of fewer faces that begin hits by themselves than decide together, where those that decide do not
      reach `exit`: they are dropped. So are hits of tracks with fewer than `least` faces.
    * A doubt is what was dropped, and a track without a hit whose best face, or best faces together, come as near as
      `review` to `enter`.

    Args:
        faces: Faces of one video; a face without a track (-1) is a track of its own.
        gallery: Targets and lookalikes.
        claims: Of all faces, with `limits.floor`.
        owner: (n,) whose hit each face is by itself and its neighbours; -1 for none.
        limits: With a rule for tracks.
    """
    rule = limits.tracks
    assert rule is not None
    enter, hold, margin = limits.enter, limits.exit, limits.margin
    owner, similarity, lead = owner.copy(), claims.similarity.copy(), claims.margin.copy()
    by_track = np.zeros(len(faces), np.bool_)
    tracks = near_tracks(faces, gallery, claims, best=rule.faces, floor=limits.floor)
    if tracks is None:
        return Decided(owner, similarity, lead, by_track)
    whole = tracks.claims
    is_few = tracks.sizes < rule.least
    is_sure = (whole.similarity >= np.float32(enter)) & (whole.margin >= np.float32(margin)) & ~is_few

    target = whole.target[tracks.of]
    is_like = tracks.likeness >= _MIN_COSINE_TO_TRACK
    gained = is_sure[tracks.of] & is_like & (owner[tracks.rows] < 0) & ~_anothers(claims, tracks, target, hold)
    rows = tracks.rows[gained]
    owner[rows], by_track[rows] = target[gained], True
    similarity[rows], lead[rows] = claims_for(faces.embedding[rows], gallery, target[gained])

    opens = (claims.similarity >= np.float32(enter)) & (claims.margin >= np.float32(margin))
    openings = np.add.reduceat(opens[tracks.rows].astype(np.int64), tracks.firsts)
    is_long = tracks.sizes >= rule.faces
    is_lucky = is_long & (whole.similarity < np.float32(hold)) & (openings < rule.faces)
    had_hits = np.logical_or.reduceat(owner[tracks.rows] >= 0, tracks.firsts)
    dropped = (is_lucky | is_few) & had_hits
    owner[tracks.rows[dropped[tracks.of]]] = -1
    is_near = _best(claims, tracks) >= np.float32(enter - rule.review)
    doubtful = dropped | (~had_hits & is_near & (whole.margin >= 0))
    reasons = _Reasons(doubtful, is_few, is_lucky & had_hits, openings, margin)
    doubts = sorted(_doubts(faces, gallery, claims, tracks, reasons), key=_when)
    return Decided(owner, similarity, lead, by_track, tuple(doubts))


def near_tracks(faces: Faces, gallery: Gallery, claims: Claims, *, best: int, floor: float) -> NearTracks | None:
    """The tracks with a face that reaches a floor with a target; None if there are none.

    Args:
        faces: Faces of one video; a face without a track (-1) is a track of its own.
        gallery: Targets and lookalikes.
        claims: Of all faces, with a floor of at most `floor`.
        best: How many faces of a track make its mean: those of the best quality.
        floor: A cosine.
    """
    number = faces.tracks
    near = np.unique(number[(claims.target >= 0) & (claims.similarity >= np.float32(floor))])
    if not len(near):
        return None
    groups = group_tracks(faces, np.flatnonzero(np.isin(number, near)), best)
    rows, of, mean = groups.rows, groups.of, groups.mean
    likeness = np.empty(len(rows))
    for begin in range(0, len(rows), BLOCK_ROWS):
        part = slice(begin, begin + BLOCK_ROWS)
        pairs = faces.embedding[rows[part]].astype(np.float64), mean[of[part]].astype(np.float64)
        likeness[part] = np.einsum("ij,ij->i", *pairs)
    return NearTracks(rows, of, groups.firsts, groups.sizes, mean, claims_of(mean, gallery, -1.0), likeness)


def _anothers(claims: Claims, tracks: NearTracks, target: npt.NDArray[np.int32], hold: float) -> npt.NDArray[np.bool_]:
    """(m,) faces that by themselves are more like somebody else than like their track's target."""
    similarity, lookalike = claims.similarity[tracks.rows], claims.lookalike[tracks.rows]
    is_other_target = (similarity >= np.float32(hold)) & (claims.target[tracks.rows] != target)
    anothers: npt.NDArray[np.bool_] = is_other_target | ((lookalike >= np.float32(hold)) & (lookalike > similarity))
    return anothers


def _best(claims: Claims, tracks: NearTracks) -> npt.NDArray[np.float32]:
    """(t,) the largest cosine that a track has to a target, of its best faces together or of one."""
    return np.maximum(tracks.claims.similarity, np.maximum.reduceat(claims.similarity[tracks.rows], tracks.firsts))


@dataclass(frozen=True, slots=True)
class _Reasons:
    """(t,) whether each track is a doubt, what speaks against it, and how many of its faces open hits by themselves."""

    is_doubtful: npt.NDArray[np.bool_]
    is_few: npt.NDArray[np.bool_]
    is_lucky: npt.NDArray[np.bool_]
    openings: npt.NDArray[np.int64]
    margin: float

    def told(self, track: int, size: int, *, has_rival: bool) -> str:
        """In words."""
        if self.is_few[track]:
            return f"too few faces: {size}"
        if self.is_lucky[track]:
            return f"{self.openings[track]} of {size} faces alike, the best ones together are not"
        return "another person is nearly as like" if has_rival else "nearly like enough"


def _doubts(faces: Faces, gallery: Gallery, claims: Claims, tracks: NearTracks, reasons: _Reasons) -> Iterator[Doubt]:
    for track in np.flatnonzero(reasons.is_doubtful).tolist():
        rows = tracks.rows[tracks.firsts[track] : tracks.firsts[track] + tracks.sizes[track]]
        best = rows[claims.similarity[rows].argmax()]
        is_whole_nearer = tracks.claims.similarity[track] >= claims.similarity[best]
        target = tracks.claims.target[track] if is_whole_nearer else claims.target[best]
        similarity, lead = claims_for(tracks.mean[track][None], gallery, np.array([target], np.int32))
        decisive = float(lead[0]) if is_whole_nearer else float(claims.margin[best])
        yield Doubt(
            target=gallery.targets[target].label,
            start=float(faces.time[rows].min()),
            end=float(faces.time[rows].max()),
            faces=len(rows),
            best_similarity=float(claims.similarity[best]),
            similarity=float(similarity[0]),
            margin=float(lead[0]),
            reason=reasons.told(track, len(rows), has_rival=decisive < reasons.margin),
        )


def _when(doubt: Doubt) -> tuple[float, str, float]:
    return doubt.start, doubt.target, doubt.end
