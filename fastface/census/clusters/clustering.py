"""Tracks → persons: agglomerative clustering by the cosine of centroids, under constraints. Pure array code.

In rounds, every two clusters that are each the other's most alike, are alike enough and may be one person become one;
and with them what is most like one of the two and nearly as like as they are.
A cluster's centroid is the mean of its tracks, weighted by quality, and all later rounds compare that: so a turned
face finds its person by what the others of that person have in common, and a chain of chance likenesses does not hold,
since the centroid of two persons is like neither.

Candidates are the nearest of each cluster. When no two of them can be joined any more, the nearest of the clusters
that are there now are looked for again, until that changes nothing: then no cluster is alike enough to any of its
nearest that it may be joined with.

Ties go to the earlier track: the result depends on nothing but the tracks and their order.
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
"""What more likeness is asked where no face is seen well. Measured on films: heads from behind and dark corners are as
like as 0.58 to another such, and mostly less than 0.55."""

_NEAR = 0.75
"""Share of the threshold from which two clusters are candidates: they may come nearer as they grow."""

_LEAST_WEIGHT = 1e-3
"""A track of no quality counts a little, so that a cluster of such tracks has a mean."""

_BLOCK_ROWS = 65536
_BLOCK_CLUSTERS = 8192

_NEARLY = 0.05
"""Cosine by which others may be less alike than the two that are each other's most alike, and join these at once.

Without it a person of n tracks would take n rounds: the cluster that grows is the most alike of all of them, and the
most like it is one.
"""


@dataclass(frozen=True, slots=True)
class LinkRule:
    """When two clusters of tracks are one person's.

    Attributes:
        threshold: Cosine of their centroids from which they are.
        clear_score: Score of the detector from which one of a track's faces is surely seen well. Heads from behind,
            and what is no face at all, are below it, and more like each other than any two persons are.
        strict_threshold: As `threshold`, where no face of one of the clusters is seen well.
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
        tracks: Of any number of videos; their order decides what nothing else does.
        rule: When two clusters are one person's.
        apart: (k, 2) tracks that are two persons': they never get into one cluster, unless `together` says so.
        together: (k, 2) tracks that are one person's, whatever else speaks against it.

    Returns:
        (t,) numbers from 0 on, in order of each cluster's first track; (c, D) the centroids, L2-normalised.
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
        """(k,) whether the clusters of each pair, the smaller first, may be one person's."""
        allowed: npt.NDArray[np.bool_] = ~np.isin(self._key(pairs), self._key(self._apart))
        return allowed

    def less_like(self, leader: _Labels, most: _Cosines) -> _Labels:
        """Choose, of each pair that must not be joined, the cluster that is less like its nearest neighbour."""
        one, other = self._apart[leader[self._apart[:, 0]] == leader[self._apart[:, 1]]].T
        less: _Labels = np.where(most[one] >= most[other], other, one)
        return less

    def join(self, leader: _Labels, pairs: _Pairs, cosines: _Cosines) -> tuple[_Pairs, _Cosines]:
        """Makes clusters of one leader one, and gives the candidates as they are afterwards."""
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
        """The means of clusters of which each begins at one of `firsts` among some clusters."""
        return _unit(np.add.reduceat(self.centroid[rows] * self._length[rows, None], firsts))

    def _relabel(self, leader: _Labels) -> _Labels:
        """Gives each cluster its leader's number, without gaps; returns the new number of each old one."""
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
        """Computes the centroids anew: each time two clusters become one, their mean is rounded to halves."""
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
    """(c,) the smallest number of the clusters that each is joined with now; its own if it stays as it is.

    Joined are every two that are each other's most alike, and whatever is most like one of these and nearly as like as
    they are, unless it is another person than one of them, or than another that would join them and is more like.
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
    """Groups of rows, so many rows together as fit, with where each group begins among them; one group is never cut."""
    begin = 0
    while begin < len(starts):
        end = max(begin + 1, int(np.searchsorted(starts, starts[begin] + _BLOCK_ROWS, "right")) - 1)
        stop = int(starts[end]) if end < len(starts) else count
        yield slice(int(starts[begin]), stop), starts[begin:end] - starts[begin]
        begin = end


def _split(places: _Labels, grown: Sequence[_Means]) -> list[_Labels]:
    return np.split(places, np.cumsum([len(lengths) for _, lengths in grown])[:-1])


def _unit(sums: npt.NDArray[Any]) -> _Means:
    """The rows at length 1, and their lengths."""
    lengths = np.linalg.norm(sums, axis=1)
    return (sums / np.maximum(lengths, 1e-12)[:, None]).astype(np.float16), lengths


def _components(count: int, pairs: _Pairs) -> _Labels:
    """(count,) the smallest number that each is connected with."""
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
