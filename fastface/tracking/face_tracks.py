"""Link the faces of one person over consecutive samples of one shot into tracks. Pure array code.

The index writer, the searcher and the audit call `link_tracks`. `faces.succession` decides which faces may be linked.
No track crosses a change of shot: see `video.frames.shots`. A track with good faces of two persons is cut: see
`tracking.track_cuts`.
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
    """Number the tracks of one video.

    Args:
        faces: Faces of one video, in any order. Stretches with every frame may lie between sparse samples.
        shot: (n,) number of the shot of each face.
        period: Seconds between samples where they are sparsest.
        is_film: True if the frames are consecutive; in unrelated pictures each face is a track of its own.

    Returns:
        (n,) int32: track of each face, numbered from 0 by first appearance, then from left to right. Two faces of one
        frame never share a track.
    """
    is_sure = is_telling(faces)

    def judge(earlier: Numbers, later: Numbers) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
        may, score = judge_pairs(faces, earlier, later, is_sure)
        return may & (shot[earlier] == shot[later]), score

    max_gap = max_gap_seconds(period, is_film=is_film)
    return cut_contradictions(faces, link_boxes(faces.time, faces.boxes, max_gap, judge))
