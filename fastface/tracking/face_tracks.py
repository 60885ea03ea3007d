"""Faces of one person over consecutive samples of one shot, linked into tracks. Pure array code.

`faces.succession` says which faces may be linked. Nothing is linked across a change of shot: see `video.frames.shots`.
A track whose good faces are two persons' is taken apart: see `tracking.track_cuts`.
"""

import numpy as np
import numpy.typing as npt

from fastface.faces.succession import is_telling, judge_pairs, max_gap_seconds
from fastface.tracking.box_linker import Numbers, link_boxes
from fastface.tracking.track_cuts import cut_contradictions
from fastface.types import Faces


def link_tracks(
    faces: Faces, shot: npt.NDArray[np.int32], period: float, *, is_film: bool = True
) -> npt.NDArray[np.int32]:
    """Numbers the tracks of one video.

    Args:
        faces: Faces of one video, in any order. Stretches in which every frame was looked at may lie between sparse
            samples.
        shot: (n,) the shot of each face; no track goes from one into another.
        period: Seconds between samples where they are sparsest.
        is_film: Whether the frames follow each other. Of pictures that do not, each face is a track of its own.

    Returns:
        (n,) int32: the track of each face, numbered from 0 in order of first appearance, then from left to right. Two
        faces of one frame never share a track.
    """
    is_sure = is_telling(faces)

    def judge(earlier: Numbers, later: Numbers) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
        may, score = judge_pairs(faces, earlier, later, is_sure)
        return may & (shot[earlier] == shot[later]), score

    max_gap = max_gap_seconds(period, is_film=is_film)
    return cut_contradictions(faces, link_boxes(faces.time, faces.boxes, max_gap, judge))
