"""Summarise each track of a video in one row, and find tracks in the same frames. Pure array code for the census."""

from typing import Any

import numpy as np
import numpy.typing as npt

from fastface.grouping import TrackGroups, group_tracks
from fastface.types import Faces, FloatArray, Size, Tracks

_PLAIN_QUALITY = 0.5
_PLAIN_YAW = 30
"""Minimum quality (0–1) and maximum yaw (degrees) of a plain face. In films 19 of 20 such faces reach a cosine of 0.6
to their track's mean; others reach only 0.35."""

_BLOCK_PAIRS = 1 << 20


def summarize_video(faces: Faces, period: float, video: int, size: Size, best: int = 3) -> Tracks:
    """Summarise the tracks of a video, by number.

    Args:
        faces: Faces of one video, tracks linked; a face without a track is a track of its own.
        period: Seconds that each face stands for.
        video: Index of the video in a list.
        size: (width, height) of its frames as displayed.
        best: Number of faces, of the best quality, that make a track's embedding.
    """
    if not len(faces):
        return Tracks.empty(faces.embedding.shape[1])
    groups = group_tracks(faces, np.arange(len(faces)), best)
    rows, firsts = groups.rows, groups.firsts
    return Tracks(
        video=np.full(len(firsts), video, np.int32),
        number=faces.tracks[rows[firsts]],
        start=np.minimum.reduceat(faces.time[rows], firsts),
        end=np.maximum.reduceat(faces.time[rows], firsts),
        seconds=groups.sizes * np.float64(period),
        faces=groups.sizes,
        best=rows[firsts],
        quality=faces.quality[rows[firsts]],
        det_score=_best_mean(faces.det_score, groups, best),
        plain=_best_mean((faces.quality >= _PLAIN_QUALITY) & (np.abs(faces.yaw) <= _PLAIN_YAW), groups, best),
        centrality=(np.add.reduceat(centrality(faces.boxes, size)[rows], firsts) / groups.sizes).astype(np.float32),
        embedding=groups.mean,
    )


def _best_mean(values: npt.NDArray[Any], groups: TrackGroups, best: int) -> npt.NDArray[np.float32]:
    """Return (t,) the mean of a value over each track's best faces: a detection may be a head from behind."""
    rank = np.arange(len(groups.rows)) - groups.firsts[groups.of]
    top = np.where(rank < best, values[groups.rows], 0).astype(np.float64)
    mean: npt.NDArray[np.float32] = (np.add.reduceat(top, groups.firsts) / np.minimum(groups.sizes, best)).astype(
        np.float32
    )
    return mean


def frame_mates(
    frames: npt.NDArray[np.int64], tracks: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Find all pairs of tracks in the same frame; they are two persons.

    Args:
        frames: (n,) timestamp of each face or body.
        tracks: (n,) its track.

    Returns:
        (k, 2) track numbers, the smaller first, in order, each pair once; (k,) number of shared frames.
    """
    order = np.lexsort((tracks, frames))
    pts, track = frames[order], tracks[order]
    pairs, counts = np.empty((0, 2), np.int64), np.empty(0, np.int64)
    for step in range(1, len(pts)):
        left = np.flatnonzero(pts[step:] == pts[:-step])
        if not len(left):
            break
        for begin in range(0, len(left), _BLOCK_PAIRS):
            rows = left[begin : begin + _BLOCK_PAIRS]
            met = np.concatenate([pairs, np.stack([track[rows], track[rows + step]], axis=1)])
            pairs, place = np.unique(met, axis=0, return_inverse=True)
            weights = np.concatenate([counts, np.ones(len(rows), np.int64)])
            counts = np.bincount(place.ravel(), weights, len(pairs)).astype(np.int64)
    return pairs, counts


def centrality(boxes: FloatArray, size: Size) -> FloatArray:
    """Return (n,) the closeness of each box to the middle of the frame: 1 in the middle, 0 in a corner."""
    middle = np.array(size, np.float32) / 2
    away = (boxes[:, :2] + boxes[:, 2:]) / 2 - middle
    share: FloatArray = 1 - np.minimum(np.hypot(*away.T) / np.hypot(*middle), 1)
    return share
