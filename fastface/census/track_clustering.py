"""Cluster the face tracks of an index by the settings and the user's corrections; find the rejected clusters.

`census` calls it. The algorithms are in `clusters.clustering` and `clusters.attaching`; this module prepares their
input. Corrections overrule similarity.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fastface.census.clusters.attaching import attach_poor
from fastface.census.clusters.clustering import STRICTER, LinkRule, cluster_tracks
from fastface.census.clusters.corrections import Corrections
from fastface.census.clusters.person_summaries import NO_CLUSTER
from fastface.census.track_table import TrackTable
from fastface.config import PeopleConfig
from fastface.cosine import normalize_rows
from fastface.impostors import ImpostorDistribution
from fastface.index.anchor_record import Anchor


def cluster_table(
    table: TrackTable,
    corrections: Corrections,
    settings: PeopleConfig,
    threshold: float,
    usual: ImpostorDistribution,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float16]]:
    """Return (t,) the cluster of each track, NO_CLUSTER without a clear face; and (c, D) float16 centroids.

    Args:
        table: All tracks of faces.
        corrections: The user's corrections.
        settings: Rules for joining tracks to persons.
        threshold: Minimum cosine of two clusters of one person.
        usual: Similarities of different persons.
    """
    is_anchored = np.zeros(len(table.tracks), np.bool_)
    is_anchored[list(table.anchored.values())] = True
    kept = np.flatnonzero((table.tracks.quality >= settings.min_quality) | is_anchored)
    place = np.full(len(table.tracks), NO_CLUSTER, np.int64)
    place[kept] = np.arange(len(kept))
    different = [(one, other) for pair in corrections.different for one in pair[0] for other in pair[1]]
    known = ([anchor for anchor in group if anchor in table.anchored] for group in corrections.same)
    same = [(group[0], other) for group in known for other in group[1:]]
    apart = np.concatenate([place[table.meetings.pairs], _pairs(different, table, place)])
    apart = apart[(apart != NO_CLUSTER).all(axis=1)]
    rule = LinkRule(threshold, settings.clear_score, threshold + STRICTER)
    together = _pairs(same, table, place)
    label, centroid = cluster_tracks(table.tracks[kept], rule, apart=apart, together=together)
    if usual.is_measured:
        label, centroid = attach_poor(table.tracks[kept], (label, centroid), rule, apart, usual)
    is_known = np.zeros(len(centroid), np.bool_)
    is_known[label[(table.tracks.det_score[kept] >= settings.clear_score) | is_anchored[kept]]] = True
    number = np.where(is_known, np.cumsum(is_known) - 1, NO_CLUSTER)
    whole = np.full(len(table.tracks), NO_CLUSTER, np.int64)
    whole[kept] = number[label]
    return whole, centroid[is_known]


def _pairs(
    anchors: Sequence[tuple[Anchor, Anchor]], table: TrackTable, place: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return (k, 2) places of the pairs whose tracks both still exist."""
    rows = [(table.anchored.get(one), table.anchored.get(other)) for one, other in anchors]
    known = [pair for pair in rows if None not in pair]
    return place[np.array(known, np.int64).reshape(-1, 2)]


def find_rejected(
    corrections: Corrections,
    table: TrackTable,
    label: npt.NDArray[np.int64],
    centroid: npt.NDArray[np.float16],
    sure: float,
) -> set[int]:
    """Return the clusters to hide: those of rejected tracks, unless many new tracks of another person joined them.

    A rejection survives new tracks if the rejected tracks still match the centroid.

    Args:
        corrections: The user's corrections.
        table: All tracks of faces.
        label: (t,) from `cluster_table`.
        centroid: (c, D) float16.
        sure: Minimum cosine of two clusters that certainly are one person.
    """
    rows = rejected_rows(corrections, table.anchored)
    sizes = np.bincount(label[label != NO_CLUSTER])
    found: set[int] = set()
    for cluster in np.unique(label[rows][label[rows] != NO_CLUSTER]).tolist():
        own = rows[label[rows] == cluster]
        mean = normalize_rows(table.tracks.embedding[own].astype(np.float64).sum(axis=0, keepdims=True))
        is_like = float((mean @ centroid[cluster].astype(np.float32)).item()) >= sure
        if sizes[cluster] <= 2 * len(own) or is_like:
            found.add(cluster)
    return found


def rejected_rows(corrections: Corrections, anchored: dict[Anchor, int]) -> npt.NDArray[np.int64]:
    """Return the rows of the rejected faces or bodies, ascending.

    Args:
        corrections: The user's corrections.
        anchored: {face or body: its row}.
    """
    rows = {anchored[anchor] for group in corrections.rejected for anchor in group if anchor in anchored}
    return np.array(sorted(rows), np.int64)
