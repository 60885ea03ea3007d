"""Cluster tracks into persons: agglomerative clustering by the cosine of centroids, under constraints.

`track_clustering` calls `cluster_tracks`. Pure array code. Each round joins pairs of clusters that are mutual nearest
neighbours, reach the threshold and may be one person. A third cluster joins in the same round if its nearest neighbour
is one of them. The cosine must be nearly as large as the pair's.

A centroid is the mean of its tracks, weighted by quality; later rounds compare only centroids. So a turned face finds
its person by the common features of that person's tracks. Chains of chance similarities break: the mean of two persons
is similar to neither.

The candidates are the nearest neighbours of each cluster. When no pair can be joined, the neighbours of the remaining
clusters are searched again, until a search changes nothing.

The earlier track wins a tie, so the result depends only on the tracks and their order.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastface.census.clusters.neighbours import exact_cosines, neighbours
from fastface.types import Tracks

_Pairs = npt.NDArray[np.int64]
_Labels = npt.NDArray[np.int64]
_Cosines = npt.NDArray[np.float64]
_Means = tuple[npt.NDArray[np.float16], npt.NDArray[np.float64]]

STRICTER = 0.15
"""Additional cosine for clusters without a clear face. In films, heads from behind and dark corners reach 0.58 with
other such heads, but mostly less than 0.55."""

_NEAR = 0.75
"""Share of the threshold that makes two clusters candidates: they may become more similar as they grow."""

_LEAST_WEIGHT = 1e-3
"""Minimum weight of a track, so that a cluster of tracks without quality has a mean."""

_BLOCK_ROWS = 65536
_BLOCK_CLUSTERS = 8192

_NEARLY = 0.05
"""Maximum deficit in cosine, against a pair of mutual nearest neighbours, of a cluster that joins the pair.

Without it a person of n tracks would need n rounds: the growing cluster is the nearest neighbour of all its tracks,
but joins only one of them in each round.
"""


@dataclass(frozen=True, slots=True)
class LinkRule:
    """Rule for joining two clusters of tracks.

    Attributes:
        threshold: Minimum cosine of their centroids.
        clear_score: Minimum detector score (0–1) of a clear face. Heads from behind and false detections score less.
            They are more similar to each other than any two persons are.
        strict_threshold: Minimum cosine if one of the clusters has no clear face.
    """

    threshold: float
    clear_score: float
    strict_threshold: float


def cluster_tracks(
    tracks: Tracks,
    rule: LinkRule,
    *,
    apart: _Pairs,
    together: _Pairs,
) -> tuple[_Labels, npt.NDArray[np.float16]]:
    """Assign each track to a cluster.

    Args:
        tracks: Tracks of any number of videos; their order breaks ties.
        rule: Rule for joining two clusters.
        apart: (k, 2) tracks of two different persons; they never share a cluster, except by `together`.
        together: (k, 2) tracks of one person; they always share a cluster.

    Returns:
        (t,) cluster numbers from 0, by each cluster's first track; (c, D) centroids, L2-normalised.
    """
    clusters = _Clusters(tracks, rule, apart, together)
    while True:
        before = clusters.count
        pairs, cosines = neighbours(clusters.centroid, rule.threshold * _NEAR)
        while ((leader := _join_pair(pairs, cosines, clusters, rule)) != np.arange(clusters.count)).any():
            pairs, cosines = clusters.join(leader, pairs, cosines)
        if clusters.count == before:
            return clusters.label, clusters.centroid
        clusters.settle()


class _Clusters:
    """Clusters of tracks: members, centroids, and the pairs that must not be joined."""

    def __init__(
        self,
        tracks: Tracks,
        rule: LinkRule,
        apart: _Pairs,
        together: _Pairs,
    ) -> None:
        self._embedding = tracks.embedding
        self._weight = np.maximum(tracks.quality.astype(np.float64), _LEAST_WEIGHT)
        self.centroid = tracks.embedding
        self._length = self._weight
        self.is_clear: npt.NDArray[np.bool_] = tracks.det_score >= rule.clear_score
        self.count = len(tracks)
        self.label: _Labels = np.arange(self.count)
        self._apart = np.sort(apart[apart[:, 0] != apart[:, 1]], axis=1)
        self._relabel(_components(self.count, together))
        self.settle()

    def may_join(self, pairs: _Pairs) -> npt.NDArray[np.bool_]:
        """Return (k,) true if the clusters of a pair, the smaller number first, may be one person."""
        allowed: npt.NDArray[np.bool_] = ~np.isin(self._key(pairs), self._key(self._apart))
        return allowed

    def less_like(self, leader: _Labels, most: _Cosines) -> _Labels:
        """Return, for each pair that must not be joined, the cluster that is less similar to its nearest neighbour."""
        one, other = self._apart[leader[self._apart[:, 0]] == leader[self._apart[:, 1]]].T
        less: _Labels = np.where(most[one] >= most[other], other, one)
        return less

    def join(self, leader: _Labels, pairs: _Pairs, cosines: _Cosines) -> tuple[_Pairs, _Cosines]:
        """Merge the clusters that have the same leader. Return the new candidate pairs and their cosines."""
        size = np.bincount(leader, minlength=self.count)
        rows = np.flatnonzero(size[leader] > 1)
        rows = rows[np.argsort(leader[rows], kind="stable")]
        starts = np.flatnonzero(np.diff(leader[rows], prepend=-1))
        grown = [self._together(rows[part], firsts) for part, firsts in _blocks(starts, len(rows))]
        leaders = leader[rows[starts]]
        number = self._relabel(leader)
        for (centroid, length), place in zip(grown, _split(number[leaders], grown), strict=True):
            self.centroid[place], self._length[place] = centroid, length
        stale = np.logical_or(*(size[leader] > 1)[pairs].T)
        moved = np.sort(number[pairs], axis=1)
        _, kept = np.unique(self._key(moved), return_index=True)
        kept = kept[moved[kept, 0] != moved[kept, 1]]
        pairs, cosines, stale = moved[kept], cosines[kept], stale[kept]
        cosines[stale] = exact_cosines(self.centroid, pairs[stale])
        return pairs, cosines

    def _together(self, rows: _Labels, firsts: _Labels) -> _Means:
        """Return the means of groups of clusters; each group begins at one of `firsts`."""
        return _unit(np.add.reduceat(self.centroid[rows] * self._length[rows, None], firsts))

    def _relabel(self, leader: _Labels) -> _Labels:
        """Renumber each cluster as its leader, without gaps. Return the new number of each old one."""
        is_leader = leader == np.arange(len(leader))
        if is_leader.all():
            return leader
        number: _Labels = (np.cumsum(is_leader) - 1)[leader]
        self.count = int(is_leader.sum())
        self.label = number[self.label]
        self.centroid, self._length = self.centroid[is_leader], self._length[is_leader]
        is_clear = np.zeros(self.count, np.bool_)
        is_clear[number[self.is_clear]] = True
        self.is_clear = is_clear
        apart = np.sort(number[self._apart], axis=1)
        self._apart = np.unique(apart[apart[:, 0] != apart[:, 1]], axis=0)
        return number

    def settle(self) -> None:
        """Recompute the centroids without the rounding errors: each merge rounds a mean to float16."""
        order = np.argsort(self.label, kind="stable")
        starts = np.searchsorted(self.label[order], np.arange(self.count))
        ends = np.append(starts[1:], len(order))
        grown = np.flatnonzero(ends - starts > 1)
        for begin in range(0, len(grown), _BLOCK_CLUSTERS):
            part = grown[begin : begin + _BLOCK_CLUSTERS]
            sums = np.stack([self._sum(order[starts[place] : ends[place]]) for place in part])
            self.centroid[part], self._length[part] = _unit(sums)

    def _sum(self, rows: _Labels) -> npt.NDArray[np.float64]:
        total = np.zeros(self._embedding.shape[1])
        for begin in range(0, len(rows), _BLOCK_ROWS):
            part = rows[begin : begin + _BLOCK_ROWS]
            total += self._weight[part] @ self._embedding[part].astype(np.float64)
        return total

    def _key(self, pairs: _Pairs) -> _Labels:
        keys: _Labels = pairs[:, 0] * self.count + pairs[:, 1]
        return keys


def _join_pair(pairs: _Pairs, cosines: _Cosines, clusters: _Clusters, rule: LinkRule) -> _Labels:
    """Return (c,) the smallest number of the clusters that each one is joined with; its own number if it is not joined.

    Mutual nearest neighbours are joined. A third cluster joins if its nearest neighbour is one of them and its
    cosine is nearly as large. It does not join a person that it must not join, nor if a conflicting cluster is more
    similar.
    """
    are_clear = np.logical_and(*clusters.is_clear[pairs].T)
    alike = np.flatnonzero(cosines >= np.where(are_clear, rule.threshold, rule.strict_threshold))
    alike = alike[clusters.may_join(pairs[alike])]
    source = np.concatenate([pairs[alike, 0], pairs[alike, 1]])
    target = np.concatenate([pairs[alike, 1], pairs[alike, 0]])
    cosine = np.concatenate([cosines[alike], cosines[alike]])
    most = np.full(clusters.count, -np.inf)
    np.maximum.at(most, source, cosine)
    is_most = cosine == most[source]
    own = np.arange(clusters.count)
    best = np.full(clusters.count, clusters.count)
    np.minimum.at(best, source[is_most], target[is_most])
    best[best == clusters.count] = own[best == clusters.count]

    is_mutual = (best[best] == own) & (best != own)
    leader = np.where(is_mutual, np.minimum(own, best), own)
    joiner = np.flatnonzero(~is_mutual & is_mutual[best] & (most >= most[best] - _NEARLY))
    joiner = joiner[clusters.may_join(np.sort(np.stack([joiner, best[best[joiner]]], axis=1), axis=1))]
    leader[joiner] = leader[best[joiner]]
    leader[clusters.less_like(leader, most)] = -1
    leader = np.where(leader < 0, own, leader)
    smallest = own.copy()
    np.minimum.at(smallest, leader, own)
    return smallest[leader]


def _blocks(starts: _Labels, count: int) -> Iterator[tuple[slice, _Labels]]:
    """Yield slices of rows of at most `_BLOCK_ROWS`, and where each group begins in the slice. A group is never cut."""
    begin = 0
    while begin < len(starts):
        end = max(begin + 1, int(np.searchsorted(starts, starts[begin] + _BLOCK_ROWS, "right")) - 1)
        stop = int(starts[end]) if end < len(starts) else count
        yield slice(int(starts[begin]), stop), starts[begin:end] - starts[begin]
        begin = end


def _split(places: _Labels, grown: Sequence[_Means]) -> list[_Labels]:
    return np.split(places, np.cumsum([len(lengths) for _, lengths in grown])[:-1])


def _unit(sums: npt.NDArray[Any]) -> _Means:
    """Return the rows scaled to length 1, and their previous lengths."""
    lengths = np.linalg.norm(sums, axis=1)
    return (sums / np.maximum(lengths, 1e-12)[:, None]).astype(np.float16), lengths


def _components(count: int, pairs: _Pairs) -> _Labels:
    """Return (count,) the smallest number in each one's connected component."""
    leader = np.arange(count)
    while len(pairs):
        low = leader[pairs].min(axis=1)
        before = leader.copy()
        np.minimum.at(leader, pairs[:, 0], low)
        np.minimum.at(leader, pairs[:, 1], low)
        leader = leader[leader]
        if (leader == before).all():
            break
    return leader
