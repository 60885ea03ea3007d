"""Faces of one person over consecutive samples of one shot, linked into tracks. Pure array code.

Two faces can be one person's a moment later if the boxes overlap and the embeddings do not contradict, or if the
embeddings agree and the face has moved no further than about its own size. Nothing is linked across a change of shot:
see `video.shots`. A track whose good faces are two persons' is taken apart: see `identities.track_cuts`.
"""

import numpy as np
import numpy.typing as npt

from fastface.identities.chains import Numbers, chained, overlaps
from fastface.identities.track_cuts import cut_contradictions, is_telling
from fastface.types import Faces

__all__ = ["GAP_SAMPLES", "GAP_SECONDS", "link_tracks"]

GAP_SAMPLES = 3.5
GAP_SECONDS = 0.5
"""A track bridges two missed samples, or half a second where samples are denser than that."""

_MIN_IOU = 0.3
_MIN_COSINE_OVERLAPPING = 0.2
"""Different persons lie around 0, and 1 pair in 80 above 0.2; one person in two samples above 0.5."""
_MIN_IOU_TURNED = 0.5
_MIN_COSINE_TURNED = 0.1
"""A head that turns away in its place is unlike itself: where one of two faces is poor or turned, place tells more."""
_MIN_COSINE_MOVED = 0.5
_MAX_MOVE = 1.5
"""Distance of the centres in mean face sizes."""
_MAX_SCALE = 1.6
"""Ratio of the two face sizes."""


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
    boxes, is_sure = faces.boxes.astype(np.float64), is_telling(faces)

    def judge(earlier: Numbers, later: Numbers) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
        iou, moved, scale = overlaps(boxes[earlier], boxes[later])
        is_near = (moved <= _MAX_MOVE) & (scale <= _MAX_SCALE)
        cosine = np.full(len(earlier), -1.0)
        possible = np.flatnonzero((is_near | (iou >= _MIN_IOU)) & (shot[earlier] == shot[later]))
        # A product of two float16 is exact in float32, and so is the sum in float64: no order of adding matters.
        products = faces.embedding[earlier[possible]].astype(np.float32)
        products *= faces.embedding[later[possible]].astype(np.float32)
        cosine[possible] = products.sum(axis=1, dtype=np.float64)
        may = (iou >= _MIN_IOU) & (cosine >= _MIN_COSINE_OVERLAPPING)
        is_told_by_place = (iou >= _MIN_IOU_TURNED) & ~(is_sure[earlier] & is_sure[later])
        may |= is_told_by_place & (cosine >= _MIN_COSINE_TURNED)
        return may | (is_near & (cosine >= _MIN_COSINE_MOVED)), iou + cosine

    max_gap = max(GAP_SECONDS, GAP_SAMPLES * period) if is_film else 0.0
    return cut_contradictions(faces, chained(faces.time, faces.boxes, max_gap, judge))
