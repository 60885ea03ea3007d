"""Attach clusters of poor faces to the persons of the same film. Pure array code; `track_clustering` calls it.

A turned, small, blurred or half hidden head is too dissimilar to its person for clustering. It is also similar to other
such heads, so the threshold cannot be lowered for all. But a film has few persons. A poor cluster joins a person under
two conditions:

* It is more similar to that person than strangers of one film are.
* It is clearly less similar to every other person there.

A cluster with a clear face is never attached: clustering would have joined it with its person.
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
"""Minimum number of comparisons that are assumed for one film."""

_LEAD = 0.1
"""Minimum lead over every other person of the film, in cosine."""

_LEAST_PLAIN = 0.5
"""Minimum share of plain faces among a track's best faces for the track to show the person's appearance (0–1)."""

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
    """Join each cluster without a clear face to the one person of its film that it matches.

    Args:
        tracks: All tracks, ordered by video.
        clusters: (t,) labels and (c, D) centroids, from `cluster_tracks`.
        rule: Decides which tracks are clear.
        apart: (k, 2) pairs of tracks that belong to different persons.
        usual: Similarities of different persons.

    Returns:
        Labels, numbered from 0 by each cluster's first track; and centroids, unchanged for persons.
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
    """List, for each cluster that may be joined, the clusters of other persons.

    Args:
        apart: (k, 2) clusters of tracks of two different persons.
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
    """Return (count,) true for each cluster with a track for which `is_so` is true."""
    found = np.zeros(count, np.bool_)
    found[label[is_so]] = True
    return found


def _leaders(
    poor: _Labels, persons: _Labels, centroid: npt.NDArray[np.float16], least: float
) -> list[tuple[int, int, float]]:
    """Return (poor cluster, person, cosine) of clusters that clearly match one person of their film."""
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
    """Return (n, m) cosines. Products of float16 values are exact and are added in float64."""
    found: _Cosines = rows.astype(np.float64) @ columns.astype(np.float64).T
    return found
