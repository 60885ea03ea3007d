"""Group faces by track: the rows of each track, and the mean of its best faces. Pure array code.

Index, census and search use it. The mean is a float16, so that cosines with it are exact.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastface.types import Faces, FaceTracks, SampledFrames

TRACK_FACES = 8
"""Number of best faces of a track that make its mean. Further faces are mostly turned or blurred."""

_LEAST_WEIGHT = 1e-3
"""Minimum weight of a face, so that a track of faces of quality 0 has a mean."""


@dataclass(frozen=True, slots=True)
class TrackGroups:
    """m rows of faces, of t tracks, in order of their numbers.

    Attributes:
        rows: (m,) rows of the video's faces, by track, then by falling quality.
        of: (m,) the place of each row's track, 0 to t - 1, rising.
        firsts: (t,) start of each track in `rows`.
        sizes: (t,) number of faces of each track.
        mean: (t, D) float16, L2-normalised mean of its best faces, weighted by quality.
    """

    rows: npt.NDArray[np.int64]
    of: npt.NDArray[np.int64]
    firsts: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    mean: npt.NDArray[np.float16]


def group_tracks(faces: Faces, rows: npt.NDArray[np.int64], best: int) -> TrackGroups:
    """Group some rows of a video's faces by track.

    Args:
        faces: Faces of one video; a face without a track is a track of its own.
        rows: Selected rows, at least one; all faces of a track, or none.
        best: Number of best faces of a track that make its mean.
    """
    number = faces.tracks
    rows = rows[np.lexsort((rows, faces.time[rows], -faces.quality[rows], number[rows]))]
    _, firsts, of, sizes = np.unique(number[rows], return_index=True, return_inverse=True, return_counts=True)
    rank = np.arange(len(rows)) - firsts[of]
    top = rows[rank < best]
    weights = np.maximum(faces.quality[top], _LEAST_WEIGHT).astype(np.float64)
    begins = np.cumsum([0, *np.minimum(sizes, best)[:-1]])
    sums = np.add.reduceat(faces.embedding[top].astype(np.float64) * weights[:, None], begins)
    # float16 like the faces' own, so that cosines are exact on every machine.
    mean = (sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)).astype(np.float16)
    return TrackGroups(rows, of, firsts, sizes, mean)


def summarize_tracks(faces: Faces, frames: SampledFrames) -> FaceTracks:
    """Return the tracks of one video.

    Args:
        faces: All faces of the video; a face without a track is a track of its own.
        frames: Its sampled frames with their shots; frames of closer searches may be missing.
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
