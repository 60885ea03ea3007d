"""Faces of one person over consecutive samples of one shot, linked into tracks by the rule of `faces.succession`."""

import numpy as np
import numpy.typing as npt

from fastface.faces.succession import judge_pairs, max_gap_seconds
from fastface.identities.chains import Numbers, chained
from fastface.types import Faces

__all__ = ["link_tracks"]


def link_tracks(faces: Faces, period: float, *, is_film: bool = True) -> npt.NDArray[np.int32]:
    """Numbers the tracks of one video.

    Args:
        faces: Faces of one video, in any order. Stretches in which every frame was looked at may lie between sparse
            samples.
        period: Seconds between samples where they are sparsest.
        is_film: Whether the frames follow each other. Of pictures that do not, each face is a track of its own.

    Returns:
        (n,) int32: the track of each face, numbered from 0 in order of first appearance, then from left to right. Two
        faces of one frame never share a track.
    """

    def judge(earlier: Numbers, later: Numbers) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
        return judge_pairs(faces, earlier, later)

    return chained(faces.time, faces.boxes, max_gap_seconds(period, is_film=is_film), judge)
