"""Grow a gallery from the films: faces that are certainly a target's become references too.

A search calls `GalleryGrower`. Photos of a person are few, and seldom match a film's light, age and costume. If the
mean of a track's best faces is near a photo, the track's good faces in all poses become references. A second search
then matches faces near these references.

The photos are anchors: only tracks near a photo contribute, never tracks near a grown reference. So an error cannot
spread.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fastface.cosine import cosine_blocks, distinct_rows
from fastface.gallery.nearest import match_given
from fastface.gallery.reference_set import ReferenceSet
from fastface.gallery.track_voting import TrackEvidence
from fastface.types import Faces, FaceTracks, Gallery, GrownReference, RowTable, Target

_POSE_EDGES = (-45.0, -15.0, 15.0, 45.0)
"""Boundaries between poses: yaw in degrees."""

_KEPT = 1024
"""Maximum number of candidates of one target in memory, for any number of videos."""


_LEAST_FACES = 3
"""Minimum number of faces in a track: fewer may be similar by chance."""

_LEAST_LIKENESS = 0.4
"""Minimum cosine of a face and its track's mean. Profiles, covered faces and wrongly linked faces are below it."""


@dataclass(frozen=True, slots=True)
class GrowthRule:
    """Rule for faces that may join a gallery.

    Attributes:
        threshold: Minimum evidence of a track by the photos alone.
        margin: Minimum lead of the track over every other target and lookalike.
        quality: Minimum quality of a face.
        most: Maximum number of faces that join one target.
    """

    threshold: float
    margin: float
    quality: float = 0.5
    most: int = 64


@dataclass(frozen=True, slots=True)
class _Candidates(RowTable):
    """Candidate faces of one target, one row a face."""

    rank: npt.NDArray[np.int64]  # rank among the faces of the same video and pose, the best face is 1
    video: npt.NDArray[np.int64]  # number of the video, in the order of `take`
    time: npt.NDArray[np.float64]
    boxes: npt.NDArray[np.float32]
    quality: npt.NDArray[np.float32]
    yaw: npt.NDArray[np.float32]
    anchor: npt.NDArray[np.int64]  # number of the photo nearest to the face's track
    evidence: npt.NDArray[np.float32]  # evidence of the track, by photos
    similarity: npt.NDArray[np.float32]  # cosine of the single face to the nearest photo
    margin: npt.NDArray[np.float32]  # lead of the track
    embedding: npt.NDArray[np.float16]


class GalleryGrower:
    """Collect candidate faces from one video after the other, then return the grown gallery.

    Args:
        references: References of a gallery; the photos are the anchors.
        rule: Rule for faces that may join.
    """

    def __init__(self, references: ReferenceSet, rule: GrowthRule) -> None:
        self._references = references
        self._rule = rule
        self._videos: list[str] = []
        self._candidates: dict[int, _Candidates] = {}

    def take(self, video_id: str, faces: Faces, tracks: FaceTracks, evidence: TrackEvidence) -> None:
        """Collect the faces of one video that may join; drop the last candidates if there are too many.

        Args:
            video_id: ID of the video; each video is taken once.
            faces: Its faces.
            tracks: Its tracks.
            evidence: Evidence of each track, by photos alone.
        """
        rule = self._rule
        self._videos.append(video_id)
        is_sure = (evidence.by_photos >= np.float32(rule.threshold)) & (evidence.lead >= np.float32(rule.margin))
        is_sure &= (tracks.faces >= _LEAST_FACES) & (evidence.target >= 0)
        if not is_sure.any():
            return
        of = np.searchsorted(tracks.number, faces.tracks)
        rows = np.flatnonzero(is_sure[of])
        means = tracks.embedding[of[rows]].astype(np.float64)
        likeness = np.einsum("ij,ij->i", faces.embedding[rows].astype(np.float64), means)
        is_good = (likeness >= _LEAST_LIKENESS) & ~faces.damaged[rows]
        rows = rows[is_good & (faces.quality[rows] >= np.float32(rule.quality))]
        owners = evidence.target[of[rows]]
        similarity, lead = match_given(faces.embedding[rows], self._references, owners)
        is_own = lead >= 0
        rows, owners, similarity = rows[is_own], owners[is_own], similarity[is_own]
        pose = np.searchsorted(_POSE_EDGES, faces.yaw[rows])
        order = np.lexsort((faces.time[rows], -faces.quality[rows], pose, owners))
        turn = owners[order] * (len(_POSE_EDGES) + 1) + pose[order]
        rank = np.arange(len(order)) - np.searchsorted(turn, turn) + 1
        order, rank = order[rank <= rule.most], rank[rank <= rule.most]
        rows, owners, track = rows[order], owners[order], of[rows[order]]
        found = _Candidates(
            rank=rank,
            video=np.full(len(rows), len(self._videos) - 1),
            time=faces.time[rows],
            boxes=faces.boxes[rows],
            quality=faces.quality[rows],
            yaw=faces.yaw[rows],
            anchor=self._nearest_photos(tracks.embedding, track, owners),
            evidence=evidence.by_photos[track],
            similarity=similarity[order],
            margin=evidence.lead[track],
            embedding=faces.embedding[rows],  # a copy: a view would keep all faces of the video in memory
        )
        for target in np.unique(owners).tolist():
            self._keep(target, found[owners == target])

    def _nearest_photos(
        self, embeddings: npt.NDArray[np.float16], track: npt.NDArray[np.int64], owners: npt.NDArray[np.int32]
    ) -> npt.NDArray[np.int64]:
        """Return (n,) the number of the owner's photo that is nearest to each row's track."""
        nearest = np.zeros(len(track), np.int64)
        for owner in np.unique(owners).tolist():
            photos = self._references.gallery.targets[owner].photo_embeddings
            if len(photos) > 1:
                rows = np.flatnonzero(owners == owner)
                own, place = np.unique(track[rows], return_inverse=True)
                blocks = cosine_blocks(embeddings[own], photos)
                nearest[rows] = np.concatenate([cosines.argmax(axis=1) for _, cosines in blocks])[place]
        return nearest

    def _keep(self, target: int, found: _Candidates) -> None:
        """Keep candidates of a target; drop the ones that would join last if there are too many."""
        if target in self._candidates:
            found = _Candidates.concatenate([self._candidates[target], found])
        self._candidates[target] = found[self._order(found)[:_KEPT]] if len(found) > _KEPT else found

    def _order(self, found: _Candidates) -> npt.NDArray[np.int64]:
        """Return the rows in the order of joining: each video and pose contributes one face before any second face."""
        names = np.unique(self._videos, return_inverse=True)[1][found.video]
        return np.lexsort((*found.boxes.T[::-1], found.time, names, -found.quality, found.rank))

    def grown(self) -> tuple[Gallery, tuple[GrownReference, ...]]:
        """Return the grown gallery, and the evidence for each new reference, by target and order of joining."""
        gallery = self._references.gallery
        targets, evidence = list(gallery.targets), list[GrownReference]()
        for number, found in sorted(self._candidates.items()):
            target = targets[number]
            ordered = found[self._order(found)]
            chosen = ordered[np.array(distinct_rows(ordered.embedding, target.embeddings, self._rule.most), np.int64)]
            added = tuple(self._list_grown(target, chosen))
            targets[number] = _join(target, chosen.embedding, added)
            evidence += added
        return replace(gallery, targets=tuple(targets)), tuple(evidence)

    def _list_grown(self, target: Target, chosen: _Candidates) -> Iterator[GrownReference]:
        """Yield the evidence for each candidate; the margin is NaN if there is no other person."""
        has_rivals = self._references.num_persons > 1
        for row, (video, anchor) in enumerate(zip(chosen.video.tolist(), chosen.anchor.tolist(), strict=True)):
            x1, y1, x2, y2 = chosen.boxes[row].tolist()
            yield GrownReference(
                target=target.label,
                video_id=self._videos[video],
                time=float(chosen.time[row]),
                box=(x1, y1, x2, y2),
                anchor=target.sources[anchor],
                track_evidence=float(chosen.evidence[row]),
                similarity=float(chosen.similarity[row]),
                margin=float(chosen.margin[row]) if has_rivals else math.nan,
                quality=float(chosen.quality[row]),
                yaw=float(chosen.yaw[row]),
            )


def _join(target: Target, found: npt.NDArray[np.float16], added: tuple[GrownReference, ...]) -> Target:
    if not added:
        return target
    embeddings = found.astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    names = tuple(f"{one.video_id} at {one.time:.3f} s" for one in added)
    return replace(
        target,
        embeddings=np.concatenate([target.embeddings, embeddings]),
        sources=(*target.sources, *names),
        added=(*target.added, *added),
    )
