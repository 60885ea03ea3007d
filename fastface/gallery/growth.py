"""A gallery that grows out of the films themselves: faces that are surely a target's become references too.

Photos of a person are few, and seldom of the film's own light, age and costume. Where the best faces of a track
together are near to a photo, good faces of that track join its target's references, in all its poses, and a second
search finds what is near to those. The photos themselves are anchors: only tracks near to one of them give anything,
never those that are near to what they gave, so that a mistake cannot pull in others.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fastface.cosine import cosine_blocks, distinct_rows
from fastface.gallery.claims import claims_for
from fastface.gallery.evidence import TrackEvidence
from fastface.types import Added, Faces, FaceTracks, FloatArray, Gallery, Target

__all__ = ["Grower", "GrowthRule"]

_POSE_EDGES = (-45.0, -15.0, 15.0, 45.0)
"""Degrees of yaw between which faces count as of one pose."""

_KEPT = 1024
"""Candidates of one target that are kept in memory, whatever the number of videos."""


_LEAST_FACES = 3
"""Of a track: fewer can be alike by chance."""

_LEAST_LIKENESS = 0.4
"""Cosine of a face to its track's mean: below lie profiles, faces behind a hand, and what was linked by mistake."""


@dataclass(frozen=True, slots=True)
class GrowthRule:
    """Which faces may join.

    Attributes:
        threshold: Minimum evidence of a track by the photos alone.
        margin: Its minimum lead over every other target and lookalike.
        quality: Smallest quality of a face.
        most: Most faces that join one target.
    """

    threshold: float
    margin: float
    quality: float = 0.5
    most: int = 64


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A face that may join: the `rank`-th best of its video and pose."""

    added: Added
    embedding: npt.NDArray[np.float16]
    rank: int

    @property
    def order(self) -> tuple[int, float, str, float, tuple[float, ...]]:
        """What is least joins first: so every video and pose has its turn before one has its second."""
        return self.rank, -self.added.quality, self.added.video_id, self.added.time, self.added.box


class Grower:
    """Takes the faces of one video after the other, then gives the grown gallery.

    Args:
        gallery: Its references are the anchors.
        rule: Which faces may join.
    """

    def __init__(self, gallery: Gallery, rule: GrowthRule) -> None:
        self._gallery = gallery
        self._rule = rule
        self._candidates: dict[int, list[_Candidate]] = {number: [] for number in range(len(gallery.targets))}

    def take(self, video_id: str, faces: Faces, tracks: FaceTracks, evidence: TrackEvidence) -> None:
        """Collects the faces of one video that may join; those that would join last are forgotten.

        Args:
            video_id: The video; each is taken once.
            faces: Its faces.
            tracks: Their tracks.
            evidence: For each track, by the photos alone.
        """
        rule = self._rule
        is_sure = (evidence.by_photos >= np.float32(rule.threshold)) & (evidence.lead >= np.float32(rule.margin))
        is_sure &= (tracks.faces >= _LEAST_FACES) & (evidence.target >= 0)
        of = np.searchsorted(tracks.number, faces.tracks)
        rows = np.flatnonzero(is_sure[of]) if len(is_sure) else np.empty(0, np.int64)
        means = tracks.embedding[of[rows]].astype(np.float64)
        likeness = np.einsum("ij,ij->i", faces.embedding[rows].astype(np.float64), means)
        is_good = (likeness >= _LEAST_LIKENESS) & ~faces.damaged[rows]
        rows = rows[is_good & (faces.quality[rows] >= np.float32(rule.quality))]
        owners = evidence.target[of[rows]]
        similarity, lead = claims_for(faces.embedding[rows], self._gallery, owners)
        for number, target in enumerate(self._gallery.targets):
            mine = np.flatnonzero((owners == number) & (lead >= 0))
            best_first = np.lexsort((faces.time[rows[mine]], -faces.quality[rows[mine]]))
            ranks = Counter[int]()
            for one in mine[best_first].tolist():
                row = int(rows[one])
                track = int(of[row])
                pose = int(np.searchsorted(_POSE_EDGES, faces.yaw[row]))
                ranks[pose] += 1
                if ranks[pose] > rule.most:
                    continue
                x1, y1, x2, y2 = faces.boxes[row].tolist()
                added = Added(
                    target=target.label,
                    video_id=video_id,
                    time=float(faces.time[row]),
                    box=(x1, y1, x2, y2),
                    anchor=target.sources[_nearest(tracks.embedding[track], target.embeddings)],
                    track_evidence=float(evidence.by_photos[track]),
                    similarity=float(similarity[one]),
                    margin=float(evidence.lead[track]),
                    quality=float(faces.quality[row]),
                    yaw=float(faces.yaw[row]),
                )
                # A copy, since a row of the video's faces would keep all of them in memory.
                self._candidates[number].append(_Candidate(added, faces.embedding[row].copy(), ranks[pose]))
            self._candidates[number] = sorted(self._candidates[number], key=_order)[:_KEPT]

    def grown(self) -> tuple[Gallery, tuple[Added, ...]]:
        """The gallery with what joined, and the evidence for each, by target and then in the order of joining."""
        targets, evidence = [], list[Added]()
        for number, target in enumerate(self._gallery.targets):
            chosen = _spread(self._candidates[number], target.embeddings, self._rule.most)
            targets.append(_joined(target, chosen))
            evidence += [candidate.added for candidate in chosen]
        return replace(self._gallery, targets=tuple(targets)), tuple(evidence)


def _nearest(embedding: npt.NDArray[np.float16], references: FloatArray) -> int:
    """Number of the reference that an embedding is nearest to."""
    ((_, similarities),) = cosine_blocks(embedding[None], references)
    return int(similarities.argmax())


def _order(candidate: _Candidate) -> tuple[int, float, str, float, tuple[float, ...]]:
    return candidate.order


def _spread(candidates: Iterable[_Candidate], anchors: FloatArray, most: int) -> list[_Candidate]:
    """The first candidates that are no doubles of an anchor or of each other."""
    ordered = sorted(candidates, key=_order)
    embeddings = np.array([candidate.embedding for candidate in ordered], np.float16).reshape(-1, anchors.shape[1])
    return [ordered[row] for row in distinct_rows(embeddings, anchors, most)]


def _joined(target: Target, chosen: list[_Candidate]) -> Target:
    if not chosen:
        return target
    embeddings = np.stack([candidate.embedding for candidate in chosen]).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    names = tuple(f"{one.added.video_id} at {one.added.time:.3f} s" for one in chosen)
    return replace(
        target,
        embeddings=np.concatenate([target.embeddings, embeddings]),
        sources=(*target.sources, *names),
        added=tuple(one.added for one in chosen),
    )
