"""Faces by track: the rows of each, and the mean of its best ones. Pure array code."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastface.types import Faces, FaceTracks, SampledFrames

TRACK_FACES = 8
"""Faces of a track that make its mean: those of the best quality. More add what is turned or blurred."""

_LEAST_WEIGHT = 1e-3
"""A face of no quality counts a little, so that a track of such faces has a mean."""


@dataclass(frozen=True, slots=True)
class TrackGroups:
    """m rows of faces, of t tracks, in order of their numbers.

    Attributes:
        rows: (m,) rows of the video's faces, by track, then from the best quality down.
        of: (m,) the place of each row's track, 0 to t - 1, rising.
        firsts: (t,) where each track begins in `rows`.
        sizes: (t,) faces of each.
        mean: (t, D) float16, L2-normalised mean of its best faces, weighted by quality.
    """

    rows: npt.NDArray[np.int64]
    of: npt.NDArray[np.int64]
    firsts: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    mean: npt.NDArray[np.float16]


def group_tracks(faces: Faces, rows: npt.NDArray[np.int64], best: int) -> TrackGroups:
    """Groups some rows of a video's faces by track.

    Args:
        faces: Faces of one video; one without a track is a track of its own.
        rows: Which of them, at least one; all faces of a track, or none.
        best: How many faces of a track make its mean: those of the best quality.
    """
    number = faces.tracks
    rows = rows[np.lexsort((rows, faces.time[rows], -faces.quality[rows], number[rows]))]
    _, firsts, of, sizes = np.unique(number[rows], return_index=True, return_inverse=True, return_counts=True)
    rank = np.arange(len(rows)) - firsts[of]
    top = rows[rank < best]
    weights = np.maximum(faces.quality[top], _LEAST_WEIGHT).astype(np.float64)
    begins = np.cumsum([0, *np.minimum(sizes, best)[:-1]])
    sums = np.add.reduceat(faces.embedding[top].astype(np.float64) * weights[:, None], begins)
    # Halves, as the faces' own: so the cosines are exact whatever the machine adds first.
    mean = (sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)).astype(np.float16)
    return TrackGroups(rows, of, firsts, sizes, mean)


def summarize_tracks(faces: Faces, frames: SampledFrames) -> FaceTracks:
    """The tracks of one video.

    Args:
        faces: All faces of the video; one without a track is a track of its own.
        frames: Its sampled frames with their shots; those of closer looks need not be among them.
    """
    if not len(faces):
        return FaceTracks.empty(faces.embedding.shape[1])
    groups = group_tracks(faces, np.arange(len(faces)), TRACK_FACES)
    number = faces.tracks[groups.rows[groups.firsts]]
    time = faces.time[groups.rows]
    start = np.minimum.reduceat(time, groups.firsts)
    place = np.searchsorted(frames.time, start, "right") - 1
    shot = frames.shot[np.maximum(place, 0)] if len(frames) else np.full(len(number), -1, np.int32)
    return FaceTracks(
        number=number,
        shot=shot,
        start=start,
        end=np.maximum.reduceat(time, groups.firsts),
        faces=groups.sizes.astype(np.int32),
        embedding=groups.mean,
    )
