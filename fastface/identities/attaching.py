"""Attach clusters of tracks that show no clear face to the persons of the same film. Pure array code.

A head at the edge of the frame, turned or half hidden, is too unlike its person for clustering, and too much like other
such heads to lower the threshold for all. Within its film few persons come into question: it is the one whom it is more
like than strangers of one film are, and clearly more than anybody else there.
"""

import numpy as np
import numpy.typing as npt

from fastface.identities.clustering import LinkRule
from fastface.impostors import ImpostorDistribution
from fastface.types import Tracks

__all__ = ["attach_unclear"]

_FALSE_MERGERS = 0.01
"""Expected number of wrong attachments in one census."""

_LEAST_PAIRS = 100
"""Comparisons that are counted at least: a small archive is one of many."""

_LEAD = 0.1
"""Lead over every other person of the film."""

_Labels = npt.NDArray[np.int64]


def attach_unclear(
    tracks: Tracks,
    clusters: tuple[_Labels, npt.NDArray[np.float16]],
    rule: LinkRule,
    apart: npt.NDArray[np.int64],
    usual: ImpostorDistribution,
) -> tuple[_Labels, npt.NDArray[np.float16]]:
    """The clusters, those without a clear face joined with the person of their film that they surely are.

    Args:
        tracks: Of any number of videos.
        clusters: (t,) labels and (c, D) centroids, from `clustered`.
        rule: Says which tracks are clear.
        apart: (k, 2) tracks that are two persons'.
        usual: How alike different persons are.

    Returns:
        Labels from 0 on in order of each cluster's first track, and centroids: those of persons stay as they are.
    """
    label, centroid = clusters[0].copy(), clusters[1]
    is_clear = np.zeros(len(centroid), np.bool_)
    is_clear[label[tracks.det_score >= rule.clear_score]] = True
    keys = np.unique(label * np.int64(tracks.video.max(initial=0) + 1) + tracks.video)
    cluster, video = np.divmod(keys, np.int64(tracks.video.max(initial=0) + 1))
    asked = [(one, _persons(cluster, video, one, is_clear)) for one in np.flatnonzero(~is_clear).tolist()]
    pairs = sum(len(persons) for _, persons in asked)
    threshold = usual.threshold(_FALSE_MERGERS / max(pairs, _LEAST_PAIRS)) + usual.film_shift
    found = []
    for one, persons in asked:
        if not len(persons):
            continue
        products = centroid[persons].astype(np.float32) * centroid[one].astype(np.float32)
        cosines = products.sum(axis=1, dtype=np.float64)
        order = np.lexsort((persons, -cosines))
        lead = cosines[order[0]] - (cosines[order[1]] if len(persons) > 1 else -1.0)
        if cosines[order[0]] >= threshold and lead >= _LEAD:
            found.append((-float(cosines[order[0]]), one, int(persons[order[0]])))
    for _, one, person in sorted(found):
        both = (label[apart] == one).any(axis=1) & (label[apart] == person).any(axis=1)
        if not both.any():
            label[label == one] = person
    kept, label = np.unique(label, return_inverse=True)
    return label.ravel().astype(np.int64), centroid[kept]


def _persons(cluster: _Labels, video: _Labels, one: int, is_clear: npt.NDArray[np.bool_]) -> _Labels:
    """The clusters with a clear face in the videos of a cluster, rising."""
    there = np.unique(cluster[np.isin(video, video[cluster == one])])
    return there[is_clear[there]]
