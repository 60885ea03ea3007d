"""Attach clusters of tracks whose faces are poor or turned to the persons of the same film. Pure array code.

A head at the edge of the frame, turned, small, blurred or half hidden is too unlike its person for clustering, and too
much like other such heads to lower the threshold for all. Within its film few persons come into question: it is the one
that it is more like than strangers of one film are, and clearly more than anybody else there. A cluster with a plain
face is never attached: if it were that person, it would be more like her.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from fastface.census.clusters.clustering import LinkRule
from fastface.impostors import ImpostorDistribution
from fastface.types import Tracks

_FALSE_MERGERS = 0.01
"""Expected number of wrong attachments in one film."""

_LEAST_PAIRS = 10
"""Comparisons of a film that are counted at least."""

_LEAD = 0.1
"""Lead over every other person of the film."""

_LEAST_PLAIN = 0.5
"""Share of the best faces of a track from which it shows how the person looks."""

_BLOCK_ROWS = 1024

_Labels = npt.NDArray[np.int64]
_Cosines = npt.NDArray[np.float64]
_Flags = npt.NDArray[np.bool_]


def attach_poor(
    tracks: Tracks,
    clusters: tuple[_Labels, npt.NDArray[np.float16]],
    rule: LinkRule,
    apart: npt.NDArray[np.int64],
    usual: ImpostorDistribution,
) -> tuple[_Labels, npt.NDArray[np.float16]]:
    """The clusters, those without a plain face joined with the person of their film that they surely are.

    Args:
        tracks: In order of their videos.
        clusters: (t,) labels and (c, D) centroids, from `cluster_tracks`.
        rule: Says which tracks are clear.
        apart: (k, 2) tracks that are two persons'.
        usual: How alike different persons are.

    Returns:
        Labels from 0 on in order of each cluster's first track, and centroids: those of persons stay as they are.
    """
    label, centroid = clusters[0].copy(), clusters[1]
    is_clear = _has(label, tracks.det_score >= rule.clear_score, len(centroid))
    is_poor = ~_has(label, (tracks.plain >= _LEAST_PLAIN) & (tracks.det_score >= rule.clear_score), len(centroid))
    size = np.bincount(label, weights=tracks.faces, minlength=len(centroid))
    rank = np.empty(len(centroid), np.int64)
    rank[np.lexsort((-size, ~is_clear, is_poor))] = np.arange(len(centroid))
    found: dict[int, tuple[float, int]] = {}
    for video in np.unique(tracks.video).tolist():
        here = np.unique(label[tracks.video_rows(video)])
        poor, persons = here[is_poor[here]], here[is_clear[here]]
        pairs = max(len(poor) * len(persons), _LEAST_PAIRS)
        least = usual.threshold(_FALSE_MERGERS / pairs) + usual.film_shift
        for one, person, cosine in _leaders(poor, persons, centroid, least):
            found[one] = max(found.get(one, (-1.0, -1)), (cosine, person))
    others = _others(label[apart], found)
    joined = np.arange(len(centroid))
    for one, (_, person) in sorted(found.items(), key=lambda item: (-item[1][0], item[0])):
        target = int(joined[person])
        if joined[one] != one or rank[one] <= rank[target] or target in set(joined[list(others[one])].tolist()):
            continue
        joined[joined == one] = target
        others[target] |= others[one]
    label = joined[label]
    kept, label = np.unique(label, return_inverse=True)
    return label.ravel().astype(np.int64), centroid[kept]


def _others(apart: _Labels, found: Mapping[int, tuple[float, int]]) -> dict[int, set[int]]:
    """The clusters that are other persons than each of those that may be joined.

    Args:
        apart: (k, 2) clusters of tracks that are two persons'.
        found: {poor cluster: (cosine, person)}.
    """
    asked = set(found) | {person for _, person in found.values()}
    others: dict[int, set[int]] = {one: set() for one in asked}
    pairs = np.unique(np.sort(apart, axis=1), axis=0)
    for one, other in pairs[np.isin(pairs, list(asked)).any(axis=1)].tolist():
        others.setdefault(one, set()).add(other)
        others.setdefault(other, set()).add(one)
    return others


def _has(label: _Labels, is_so: _Flags, count: int) -> _Flags:
    """(count,) whether any track of a cluster is so."""
    found = np.zeros(count, np.bool_)
    found[label[is_so]] = True
    return found


def _leaders(
    poor: _Labels, persons: _Labels, centroid: npt.NDArray[np.float16], least: float
) -> list[tuple[int, int, float]]:
    """(poor cluster, person, cosine) of those that are like one person of a film, and clearly less like all others."""
    found = []
    if not len(persons):
        return []
    for begin in range(0, len(poor), _BLOCK_ROWS):
        part = poor[begin : begin + _BLOCK_ROWS]
        cosine = _cosines(centroid[part], centroid[persons])
        cosine[part[:, None] == persons] = -1.0
        best = cosine.argmax(axis=1)
        most = cosine[np.arange(len(part)), best]
        cosine[np.arange(len(part)), best] = -1.0
        is_sure = (most >= least) & (most - cosine.max(axis=1) >= _LEAD)
        for place in np.flatnonzero(is_sure).tolist():
            found.append((int(part[place]), int(persons[best[place]]), float(most[place])))
    return found


def _cosines(rows: npt.NDArray[np.float16], columns: npt.NDArray[np.float16]) -> _Cosines:
    """(n, m) cosines; the products of halves are exact, and added in float64."""
    found: _Cosines = rows.astype(np.float64) @ columns.astype(np.float64).T
    return found
