"""A video's tracks in one row each, and which of them are on screen together. Pure array code."""

from typing import Any

import numpy as np
import numpy.typing as npt

from fastface.grouping import TrackGroups, group_tracks
from fastface.types import Faces, FloatArray, Size, Tracks

_PLAIN_QUALITY = 0.5
_PLAIN_YAW = 30
"""On films 19 of 20 such faces have a cosine of 0.6 and more to the mean of their track, others only 0.35."""

_BLOCK_PAIRS = 1 << 20


def summarize_video(faces: Faces, period: float, video: int, size: Size, best: int = 3) -> Tracks:
    """The tracks of a video, by number.

    Args:
        faces: Faces of one video, tracks linked; one without a track is a track of its own.
        period: Seconds that each face stands for.
        video: The video's place in a list.
        size: Of its frames as displayed.
        best: How many faces of a track make its embedding: those of the best quality.
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
    """(t,) the mean of a value of each track's best faces: a head from behind is now and then taken for a face."""
    rank = np.arange(len(groups.rows)) - groups.firsts[groups.of]
    top = np.where(rank < best, values[groups.rows], 0).astype(np.float64)
    mean: npt.NDArray[np.float32] = (np.add.reduceat(top, groups.firsts) / np.minimum(groups.sizes, best)).astype(
        np.float32
    )
    return mean


def frame_mates(
    frames: npt.NDArray[np.int64], tracks: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Every two tracks that are seen in one frame, and so are two persons'.

    Args:
        frames: (n,) timestamp of each face or body.
        tracks: (n,) its track.

    Returns:
        (k, 2) their numbers, the smaller first, in order, each pair once; (k,) in how many frames they meet.
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
    """(n,) how near the middle of the frame each box is: 1 in it, 0 in a corner."""
    middle = np.array(size, np.float32) / 2
    away = (boxes[:, :2] + boxes[:, 2:]) / 2 - middle
    share: FloatArray = 1 - np.minimum(np.hypot(*away.T) / np.hypot(*middle), 1)
    return share
