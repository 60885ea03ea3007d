"""Decide which target each track belongs to, and which tracks need a review. Pure array code for the search.

All evidence of a track counts. A track is a target's track
* anywhere, with the evidence that the risk requires (`TrackRule.anywhere`);
* in a film that certainly shows the target, with less evidence (`in_film`), since few tracks are compared there;
* in a shot that certainly shows the target, with still less (`in_shot`): a head turns away and returns.

The target must lead over every other target and lookalike. The last two cases also require that the track shares no
frame with a certain track of the target.

A track that the user confirmed is certain.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastface.gallery.thresholds import TrackRule
from fastface.gallery.track_voting import TrackEvidence
from fastface.types import FaceTracks, HitKind


@dataclass(frozen=True, slots=True)
class TrackDecision:
    """Decisions on t tracks.

    Attributes:
        owner: (t,) int32, number of each track's target; -1 for none.
        kind: (t,) int8, `HitKind` of a target's track: TRACK or CLUSTER.
        in_film: Tracks that were compared with a target that is certainly in the film.
        in_shot: Tracks that were compared with a target that is certainly in their shot.
    """

    owner: npt.NDArray[np.int32]
    kind: npt.NDArray[np.int8]
    in_film: int
    in_shot: int


def decide_tracks(
    tracks: FaceTracks,
    evidence: TrackEvidence,
    rule: TrackRule,
    margin: float,
    confirmed: npt.NDArray[np.int32] | None = None,
) -> TrackDecision:
    """Decide every track of one video.

    Args:
        tracks: Tracks of the video.
        evidence: Evidence of each track.
        rule: Thresholds.
        margin: Minimum lead over every other target and lookalike.
        confirmed: (t,) number of the target that the user confirmed, -1 for none; None if nothing was confirmed.
    """
    total = len(tracks)
    owner, kind = np.full(total, -1, np.int32), np.full(total, HitKind.TRACK, np.int8)
    may = (evidence.target >= 0) & (evidence.lead >= np.float32(margin)) & (tracks.faces >= rule.least_faces)
    is_sure = may & (evidence.evidence >= np.float32(rule.anywhere))
    owner[is_sure] = evidence.target[is_sure]
    if confirmed is not None:
        is_sure |= confirmed >= 0
        owner[confirmed >= 0] = confirmed[confirmed >= 0]
    in_film = in_shot = 0
    for target in np.unique(owner[is_sure]).tolist():
        mine = may & (evidence.target == target)
        in_film += total
        _accept(tracks, evidence, owner, mine & (evidence.evidence >= np.float32(rule.in_film)), target)
        shows = np.zeros(int(tracks.shot.max()) + 2, np.bool_)  # by shot; the last entry is for tracks without a shot
        shows[tracks.shot[owner == target]] = True
        is_near = (tracks.shot >= 0) & shows[tracks.shot]
        in_shot += int(is_near.sum())
        _accept(tracks, evidence, owner, mine & is_near & (evidence.evidence >= np.float32(rule.in_shot)), target)
    kind[(owner >= 0) & ~is_sure] = HitKind.CLUSTER
    return TrackDecision(owner, kind, in_film, in_shot)


def _accept(
    tracks: FaceTracks,
    evidence: TrackEvidence,
    owner: npt.NDArray[np.int32],
    candidates: npt.NDArray[np.bool_],
    target: int,
) -> None:
    """Give candidates to a target, the most evidence first, unless a track of the target is on screen at that time."""
    rows = np.flatnonzero(candidates & (owner < 0))
    for row in rows[np.lexsort((rows, -evidence.evidence[rows]))].tolist():
        taken = owner == target
        meets = taken & (tracks.start <= tracks.end[row]) & (tracks.end >= tracks.start[row])
        if not meets.any():
            owner[row] = target


def find_near_misses(evidence: TrackEvidence, decision: TrackDecision, rule: TrackRule) -> npt.NDArray[np.int64]:
    """Return the rows of tracks without a target whose evidence is nearly sufficient."""
    is_near = (evidence.evidence >= np.float32(rule.anywhere - rule.review)) & (evidence.lead >= 0)
    return np.flatnonzero((decision.owner < 0) & (evidence.target >= 0) & is_near)
