"""Match faces with a gallery, by whole tracks or by each face and its neighbours. Pure array code for the search."""

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
"""Label of hits on every face, if a target is `'*'`."""

_MIN_COSINE_TO_TRACK = 0.2
"""Minimum cosine of a face and the best faces of its track. Measured with w600k_mbf on films: profiles and covered
faces have 0.17 to 0.4; of different persons in one frame 99 % have less than 0.23."""

_FOLLOW_SECONDS = 2.1
"""Maximum seconds between two similar faces through which a track's boxes are followed. It is no whole number of
samples at usual rates, so rounding cannot decide."""


@dataclass(frozen=True, slots=True)
class VideoFaces:
    """Faces and tracks of one video.

    Attributes:
        faces: All faces; the tracks are linked.
        tracks: One row for each track of `faces`.
        periods: (n,) seconds that the sample of each face stands for.
    """

    faces: Faces
    tracks: FaceTracks
    periods: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Matches:
    """Matches of a gallery in one video.

    Attributes:
        hits: {label: hits in order of time}, for every target with hits, in the gallery's order, `EVERYONE` last.
        near_misses: Tracks without a target whose evidence is nearly sufficient, in order of time.
        decision: Decision on each track; None if each face was decided by itself.
    """

    hits: dict[str, Hits]
    near_misses: tuple[NearMiss, ...] = ()
    decision: TrackDecision | None = None


class _Owners(NamedTuple):
    """For each of n faces: number of its target or -1, similarity, lead over other persons, and `HitKind`."""

    target: npt.NDArray[np.int32]
    similarity: npt.NDArray[np.float32]
    margin: npt.NDArray[np.float32]
    by: npt.NDArray[np.int8]


def match(
    faces: Faces, references: ReferenceSet, limits: MatchThresholds, periods: npt.NDArray[np.float64]
) -> dict[str, Hits]:
    """Return the hits of each target in one video, deciding each face by itself and its neighbours.

    A face can only be a hit of its most similar target. Along a track, in order of time, hits begin at a face with
    similarity ≥ `enter` and a lead ≥ `margin`. The lead is that over every other target and lookalike. Hits continue
    while the same target stays nearest with similarity ≥ `exit`. A face without a track (-1) is decided alone. In one
    frame a target gets at most one face: the most similar, then the one with the larger det_score.

    With `gallery.everyone`, every face is also a hit of `EVERYONE`, except faces that reach `enter` with a lookalike. A
    frame may have several such hits. There is no other person for comparison, so their similarity is 1 and their margin
    2.

    Args:
        faces: Faces of one video, in any order; the tracks are linked.
        references: Targets and lookalikes of the same contract as the faces.
        limits: Thresholds of a hit; the rule for tracks is not applied.
        periods: (n,) seconds that the sample of each face stands for.
    """
    gallery = references.gallery
    claims = match_nearest(faces.embedding, references, limits.exit)
    face = np.full(len(faces), HitKind.FACE, np.int8)
    owners = _Owners(_continue_hits(faces, claims, limits), claims.similarity, claims.margin, face)
    hits = _hits_of_targets(faces, gallery, periods, owners)
    if gallery.everyone:
        hits[EVERYONE] = _hits_of_everyone(faces, periods, claims.lookalike < np.float32(limits.enter))
    return hits


def list_labels(gallery: Gallery) -> tuple[str, ...]:
    """Return the labels that hits of a gallery can have."""
    return (*(target.label for target in gallery.targets), *([EVERYONE] if gallery.everyone else ()))


def match_tracks(video: VideoFaces, references: ReferenceSet, limits: MatchThresholds, model: EvidenceModel) -> Matches:
    """Return the hits of each target in one video, deciding whole tracks: see `gallery.decision`.

    The faces of a track are hits of its target, with two exceptions: faces that by themselves are another target's or a
    lookalike's, and faces that are dissimilar to the track's best faces.

    Args:
        video: Faces and tracks from the index.
        references: Targets and lookalikes of the same contract as the faces.
        limits: Thresholds with a rule for tracks.
        model: Model that weighs tracks against the gallery.
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
    """Return (n,) the number of each face's target by its hit; -1 for none."""
    order = np.lexsort((np.arange(len(faces)), faces.time, faces.track))
    track, target = faces.track[order], claims.target[order]
    similarity, lead = claims.similarity[order], claims.margin[order]
    opens = (similarity >= np.float32(limits.enter)) & (lead >= np.float32(limits.margin))
    # A nearer lookalike makes the lead negative, which ends the hits as another target does.
    holds = opens | ((similarity >= np.float32(limits.exit)) & (lead >= 0))
    begins_run = np.ones(len(order), bool)
    begins_run[1:] = (
        (track[1:] != track[:-1]) | (track[1:] < 0) | (target[1:] != target[:-1]) | ~holds[1:] | ~holds[:-1]
    )
    # Within a run, a face is a hit if the run opened at or before it: the count of openings has increased since its
    # start.
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
    # The face alone matches another person: its similarity to that person is larger, and sufficient.
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
    """Return (m,) true for a face similar to its track's best faces, or shortly between two such faces.

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
    """Return (n,) true for a face that matches a lookalike, by itself or by its track."""
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
    """Return the moments in which a target is followed by the body, without a visible face.

    A body track with hits of exactly one target belongs to it, in every frame without its hit.

    Args:
        bodies: All bodies of the video; the tracks are linked, and `face` refers to rows of the faces of the hits.
        hits: {label: hits of that target}.
        period: Seconds that each sample stands for.

    Returns:
        {label: such moments}; labels without such moments are left out.
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
    """Describe the tracks in these rows for a review, in order of time."""
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
    """Return the largest cosine of a face of each track to the track's target."""
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
    """Return the hits of the targets that own faces: a video shows few of thousands of targets."""
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
