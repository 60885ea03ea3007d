"""Match faces with a gallery, by whole tracks or by each face and its neighbours. Pure array code."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fastface.cosine import BLOCK_ROWS
from fastface.gallery.decision import TrackDecision, decide_tracks, find_near_misses
from fastface.gallery.nearest import NearestTargets, match_given, match_nearest
from fastface.gallery.reference_set import ReferenceSet
from fastface.gallery.thresholds import MatchThresholds
from fastface.gallery.track_voting import EvidenceModel, TrackEvidence
from fastface.types import Bodies, Faces, FaceTracks, Gallery, HitKind, Hits, NearMiss

EVERYONE = "everyone"
"""The label of every face, where the targets are `'*'`."""

_MIN_COSINE_TO_TRACK = 0.2
"""Measured with w600k_mbf on films: profiles, and faces behind a hand, are as like as 0.17 to 0.4 to the best faces of
their own track; of different persons in one frame 99 % are less like than 0.23."""

_FOLLOW_SECONDS = 2.1
"""How long the boxes of a track are followed between two faces that are like it; no whole number of samples at usual
rates, for which rounding would decide."""


@dataclass(frozen=True, slots=True)
class VideoFaces:
    """Faces and tracks of one video.

    Attributes:
        faces: All faces; the tracks are linked.
        tracks: One row for each track of `faces`.
        periods: (n,) seconds that each face's sample stands for.
    """

    faces: Faces
    tracks: FaceTracks
    periods: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Matches:
    """Matches of a gallery in one video.

    Attributes:
        hits: An entry for every target that has hits, in the gallery's order, `EVERYONE` last; hits in order of time.
        near_misses: Tracks that are no target's, and nearly are; in order of time.
        decision: What became of each track; None where each face was decided by itself.
    """

    hits: dict[str, Hits]
    near_misses: tuple[NearMiss, ...] = ()
    decision: TrackDecision | None = None


class _Owners(NamedTuple):
    """For each of n faces: number of its target or -1, similarity to it, lead over others, and the `HitKind`."""

    target: npt.NDArray[np.int32]
    similarity: npt.NDArray[np.float32]
    margin: npt.NDArray[np.float32]
    by: npt.NDArray[np.int8]


def match(
    faces: Faces, references: ReferenceSet, limits: MatchThresholds, periods: npt.NDArray[np.float64]
) -> dict[str, Hits]:
    """The hits of each target that has some in one video, each face decided by itself and its neighbours.

    A face can only be a hit of the target that it is most similar to. Along a track, in order of time, hits begin at a
    face with similarity ≥ `enter` and a lead ≥ `margin` over every other target and lookalike; they go on while the
    faces stay nearest to the same target, with similarity ≥ `exit`. A face without a track (-1) stands alone. In one
    frame a target claims one face at most: the most similar, then the one of the larger det_score.

    With `gallery.everyone`, every face is also a hit of `EVERYONE`, several in a frame, but those that reach `enter`
    with a lookalike; since there is no other person to compare with, their similarity is 1 and their margin 2.

    Args:
        faces: Faces of one video, in any order; the tracks are linked.
        references: Of targets and lookalikes of the same contract as the faces.
        limits: When a face is a target's; its rule for tracks is not applied.
        periods: (n,) seconds that each face's sample stands for.
    """
    gallery = references.gallery
    claims = match_nearest(faces.embedding, references, limits.exit)
    face = np.full(len(faces), HitKind.FACE, np.int8)
    owners = _Owners(_continue_hits(faces, claims, limits), claims.similarity, claims.margin, face)
    hits = _hits_of_targets(faces, gallery, periods, owners)
    if gallery.everyone:
        hits[EVERYONE] = _hits_of_everyone(faces, periods, claims.lookalike < np.float32(limits.enter))
    return hits


def match_tracks(video: VideoFaces, references: ReferenceSet, limits: MatchThresholds, model: EvidenceModel) -> Matches:
    """The hits of each target that has some in one video, decided by whole tracks: see `gallery.decision`.

    The faces of a track are hits of its target but those that are another target's or a lookalike's by themselves, and
    those that are unlike the track's best faces.

    Args:
        video: What the index holds.
        references: Of targets and lookalikes of the same contract as the faces.
        limits: With a rule for tracks.
        model: Weighs tracks against the gallery.
    """
    rule = limits.tracks
    assert rule is not None
    gallery, faces, tracks = references.gallery, video.faces, video.tracks
    evidence = model.weigh(tracks.embedding, rule.in_shot)
    decision = decide_tracks(tracks, evidence, rule, limits.margin)
    owners = _owners_of_faces(video, references, decision, limits)
    hits = _hits_of_targets(faces, gallery, video.periods, owners)
    if gallery.everyone:
        hits[EVERYONE] = _hits_of_everyone(faces, video.periods, ~_are_lookalikes(video, references, evidence, limits))
    near_misses = _describe_near_misses(video, references, evidence, find_near_misses(evidence, decision, rule), limits)
    return Matches(hits, near_misses, decision)


def _continue_hits(faces: Faces, claims: NearestTargets, limits: MatchThresholds) -> npt.NDArray[np.int32]:
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


def _owners_of_faces(
    video: VideoFaces, references: ReferenceSet, decision: TrackDecision, limits: MatchThresholds
) -> _Owners:
    """Find the hits among the faces of matched tracks, and the kind of each hit."""
    faces, rule = video.faces, limits.tracks
    assert rule is not None
    total = len(faces)
    owners = _Owners(
        target=np.full(total, -1, np.int32),
        similarity=np.zeros(total, np.float32),
        margin=np.zeros(total, np.float32),
        by=np.full(total, HitKind.TRACK, np.int8),
    )
    place = np.searchsorted(video.tracks.number, faces.tracks)
    rows = np.flatnonzero(decision.owner[place] >= 0) if len(decision.owner) else np.empty(0, np.int64)
    if not len(rows):
        return owners
    track, target = place[rows], decision.owner[place[rows]]
    similarity, lead = match_given(faces.embedding[rows], references, target)
    enter = np.float32(rule.anywhere)
    # The face alone says that it is somebody else: it is more like that person, and like enough.
    is_others = (lead < 0) & (similarity - lead >= enter)
    is_hit = ~is_others & _are_like_their_track(video, rows, track)
    owners.target[rows[is_hit]] = target[is_hit]
    owners.similarity[rows], owners.margin[rows] = similarity, lead
    is_alone = (similarity >= enter) & (lead >= np.float32(limits.margin))
    owners.by[rows] = np.where(is_alone, HitKind.FACE, decision.kind[track])
    return owners


def _are_like_their_track(
    video: VideoFaces, rows: npt.NDArray[np.int64], track: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """(m,) whether each face is like the best ones of its track, or lies shortly between two faces that are.

    The boxes of a track follow each other without a cut: a face that turns away for a moment is the same person's.
    """
    faces = video.faces
    likeness = np.empty(len(rows))
    for begin in range(0, len(rows), BLOCK_ROWS):
        part = slice(begin, begin + BLOCK_ROWS)
        pair = faces.embedding[rows[part]].astype(np.float64), video.tracks.embedding[track[part]].astype(np.float64)
        likeness[part] = np.einsum("ij,ij->i", *pair)
    is_like = likeness >= _MIN_COSINE_TO_TRACK
    order = np.lexsort((faces.time[rows], track))
    time, of = faces.time[rows[order]], track[order]
    sure = np.where(is_like[order], np.arange(len(order)), -1)
    before = np.maximum.accumulate(sure)
    after = np.minimum.accumulate(np.where(sure < 0, len(order), sure)[::-1])[::-1]
    between = (before >= 0) & (after < len(order))
    first, last = before[between], after[between]
    between[between] = (of[first] == of[last]) & (time[last] - time[first] <= _FOLLOW_SECONDS)
    is_like[order] |= between
    return is_like


def _are_lookalikes(
    video: VideoFaces, references: ReferenceSet, evidence: TrackEvidence, limits: MatchThresholds
) -> npt.NDArray[np.bool_]:
    """(n,) whether each face, or its track, is like a lookalike."""
    rule = limits.tracks
    assert rule is not None
    if not references.gallery.lookalikes:
        return np.zeros(len(video.faces), np.bool_)
    claims = match_nearest(video.faces.embedding, references, limits.enter)
    place = np.searchsorted(video.tracks.number, video.faces.tracks)
    by_track = evidence.lookalike >= np.float32(rule.anywhere)
    found = claims.lookalike >= np.float32(limits.enter)
    return found | by_track[place] if len(place) else found


def follow_bodies(bodies: Bodies, hits: Mapping[str, Hits], period: float) -> dict[str, Hits]:
    """The moments in which a target is followed by the body, without a face that shows it.

    A body track with a hit of one target, and of no other, is that target's, in every frame without a hit of it.

    Args:
        bodies: All bodies of the video; the tracks are linked, and `face` names rows of the faces of the hits.
        hits: {label: hits of that target}.
        period: Seconds that each sample stands for.

    Returns:
        {label: such moments}; labels without any are left out.
    """
    tracks = {label: np.unique(bodies.track[np.isin(bodies.face, found.face)]) for label, found in hits.items()}
    claims = np.concatenate([np.empty(0, np.int32), *tracks.values()])
    numbers, counts = np.unique(claims, return_counts=True)
    mixed = numbers[counts > 1]
    followed = {}
    for label, own in tracks.items():
        is_own = np.isin(bodies.track, np.setdiff1d(own, mixed)) & ~np.isin(bodies.pts, hits[label].pts)
        rows = np.flatnonzero(is_own)
        if not len(rows):
            continue
        nothing = np.full(len(rows), np.nan, np.float32)
        followed[label] = Hits(
            face=np.full(len(rows), -1, np.int64),
            time=bodies.time[rows],
            pts=bodies.pts[rows],
            period=np.full(len(rows), period),
            similarity=nothing,
            margin=nothing,
            by=np.full(len(rows), HitKind.BODY, np.int8),
        )
    return followed


def _describe_near_misses(
    video: VideoFaces,
    references: ReferenceSet,
    evidence: TrackEvidence,
    rows: npt.NDArray[np.int64],
    limits: MatchThresholds,
) -> tuple[NearMiss, ...]:
    """The tracks of some rows, for a person to look at, in order of time."""
    rule, tracks = limits.tracks, video.tracks
    assert rule is not None
    if not len(rows):
        return ()
    target = evidence.target[rows]
    whole = references.own_cosines(tracks.embedding[rows], target)
    found = []
    for place, (row, best) in enumerate(zip(rows.tolist(), _best_faces(video, references, rows, target), strict=True)):
        size, lead = int(tracks.faces[row]), float(evidence.lead[row])
        reason = "just below the threshold"
        if size < rule.least_faces:
            reason = f"too few faces: {size}"
        elif lead < limits.margin:
            reason = "another person is nearly as similar"
        found.append(
            NearMiss(
                target=references.gallery.targets[int(target[place])].label,
                start=float(tracks.start[row]),
                end=float(tracks.end[row]),
                faces=size,
                best_similarity=best,
                similarity=float(whole[place]),
                evidence=float(evidence.evidence[row]),
                margin=lead if references.num_persons > 1 else math.nan,
                reason=reason,
            )
        )
    return tuple(sorted(found, key=lambda near_miss: (near_miss.start, near_miss.target, near_miss.end)))


def _best_faces(
    video: VideoFaces,
    references: ReferenceSet,
    rows: npt.NDArray[np.int64],
    target: npt.NDArray[np.int32],
) -> list[float]:
    """The largest cosine of a face of each of some tracks to the track's target."""
    numbers = video.tracks.number[rows]
    order = np.argsort(video.faces.tracks, kind="stable")
    own = video.faces.tracks[order]
    first, last = np.searchsorted(own, numbers), np.searchsorted(own, numbers, side="right")
    faces = np.concatenate([order[start:end] for start, end in zip(first, last, strict=True)])
    cosines = references.own_cosines(video.faces.embedding[faces], np.repeat(target, last - first))
    bounds = np.cumsum([0, *(last - first).tolist()])
    best: list[float] = np.maximum.reduceat(cosines, bounds[:-1]).tolist()
    return best


def _hits_of_targets(
    faces: Faces, gallery: Gallery, periods: npt.NDArray[np.float64], owners: _Owners
) -> dict[str, Hits]:
    """The hits of the targets that own faces: of thousands of targets a video shows a few."""
    if not len(faces):
        return {}
    order = np.argsort(owners.target, kind="stable")
    numbers, firsts = np.unique(owners.target[order], return_index=True)
    hits = {}
    for number, rows in zip(numbers.tolist(), np.split(order, firsts[1:]), strict=True):
        if number >= 0:
            best = _one_per_frame(faces, owners.similarity, rows)
            hits[gallery.targets[number].label] = _hits(faces, periods, best, owners)
    return hits


def _hits_of_everyone(faces: Faces, periods: npt.NDArray[np.float64], is_hit: npt.NDArray[np.bool_]) -> Hits:
    ones = np.ones(len(faces), np.float32)
    owners = _Owners(np.zeros(len(faces), np.int32), ones, ones * 2, np.full(len(faces), HitKind.FACE, np.int8))
    return _hits(faces, periods, np.flatnonzero(is_hit), owners)


def _one_per_frame(
    faces: Faces, similarity: npt.NDArray[np.float32], rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Keep the best row of each frame."""
    ranked = rows[np.lexsort((rows, -faces.det_score[rows], -similarity[rows], faces.time[rows]))]
    first = np.ones(len(ranked), bool)
    first[1:] = faces.time[ranked[1:]] != faces.time[ranked[:-1]]
    return ranked[first]


def _hits(faces: Faces, periods: npt.NDArray[np.float64], rows: npt.NDArray[np.int64], owners: _Owners) -> Hits:
    rows = rows[np.lexsort((rows, faces.time[rows]))].astype(np.int64)
    return Hits(
        face=rows,
        time=faces.time[rows],
        pts=faces.pts[rows],
        period=periods[rows],
        similarity=owners.similarity[rows],
        margin=owners.margin[rows],
        by=owners.by[rows],
    )
