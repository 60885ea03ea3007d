"""Decide if two faces in two samples of one shot can be one person. Pure array code.

They can if the boxes overlap and the embeddings do not contradict. They also can if the embeddings agree and the face
has moved at most about its own size. `tracking.face_tracks` links tracks by this rule, within shots.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fastface.types import Faces

GAP_SAMPLES = 3.5
GAP_SECONDS = 0.5
"""Seconds; a track bridges two missed samples, or half a second if samples are denser."""

_MIN_IOU = 0.3
_MIN_COSINE_OVERLAPPING = 0.2
"""Different persons have cosines around 0, 1 pair in 80 above 0.2; one person in two samples above 0.5."""
_MIN_IOU_TURNED = 0.5
_MIN_COSINE_TURNED = 0.1
"""A head that turns away in place differs from itself: if one face is poor or turned, the place decides."""
_MIN_COSINE_MOVED = 0.5
_MAX_MOVE = 1.5
"""Maximum distance of the centres in mean face sizes."""
_MAX_SCALE = 1.6
"""Maximum ratio of the two face sizes."""

_FRONTAL_YAW = 30.0
"""Degrees; beyond this yaw an embedding differs from that of the frontal face."""

_GOOD_QUALITY = 0.3
"""Minimum quality for which an embedding reliably differs from another person's."""

_BLOCK_PAIRS = 1 << 18
"""Number of pairs that are judged together, to bound the memory."""

_Floats = npt.NDArray[np.float64]
_Numbers = npt.NDArray[np.int64]


def max_gap_seconds(period: float, *, is_film: bool) -> float:
    """Return the maximum time that a track bridges, in seconds.

    Args:
        period: Maximum time between samples in seconds.
        is_film: True if the frames follow each other. In unrelated pictures each face is a track of its own.
    """
    return max(GAP_SECONDS, GAP_SAMPLES * period) if is_film else 0.0


def is_telling(faces: Faces) -> npt.NDArray[np.bool_]:
    """Return (n,) flags of good frontal faces: if two of them contradict each other, they are two persons."""
    found: npt.NDArray[np.bool_] = (np.abs(faces.yaw) <= _FRONTAL_YAW) & (faces.quality >= _GOOD_QUALITY)
    return found


def judge_pairs(
    faces: Faces, earlier: _Numbers, later: _Numbers, is_sure: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.bool_], _Floats]:
    """Decide if each pair of rows can be one person, and rate that link.

    Args:
        faces: Faces of one video.
        earlier: (k,) rows.
        later: (k,) rows.
        is_sure: (n,) from `is_telling`.
    """
    boxes = faces.boxes
    iou, moved, scale = compare_boxes(boxes[earlier].astype(np.float64), boxes[later].astype(np.float64))
    is_near = (moved <= _MAX_MOVE) & (scale <= _MAX_SCALE)
    cosine = np.full(len(earlier), -1.0)
    possible = np.flatnonzero(is_near | (iou >= _MIN_IOU))
    # A product of two float16 is exact in float32, and their sum in float64: the order of additions is irrelevant.
    products = faces.embedding[earlier[possible]].astype(np.float32)
    products *= faces.embedding[later[possible]].astype(np.float32)
    cosine[possible] = products.sum(axis=1, dtype=np.float64)
    may = (iou >= _MIN_IOU) & (cosine >= _MIN_COSINE_OVERLAPPING)
    is_told_by_place = (iou >= _MIN_IOU_TURNED) & ~(is_sure[earlier] & is_sure[later])
    may |= is_told_by_place & (cosine >= _MIN_COSINE_TURNED)
    return may | (is_near & (cosine >= _MIN_COSINE_MOVED)), iou + cosine


class BoxComparison(NamedTuple):
    """Comparison of k pairs of boxes. A box's size is the root of its area."""

    iou: _Floats
    distance: _Floats  # distance of the centres, in mean sizes
    scale: _Floats  # ratio of the larger to the smaller size


def compare_boxes(left: _Floats, right: _Floats) -> BoxComparison:
    """Compare each pair of boxes.

    Args:
        left: (k, 4) x1, y1, x2, y2.
        right: (k, 4) boxes to compare with.
    """
    tiny = np.finfo(np.float64).tiny
    left_sides, right_sides = left[:, 2:] - left[:, :2], right[:, 2:] - right[:, :2]
    common = np.minimum(left[:, 2:], right[:, 2:]) - np.maximum(left[:, :2], right[:, :2])
    intersection = common.clip(0).prod(axis=1)
    areas = left_sides.prod(axis=1), right_sides.prod(axis=1)
    iou = intersection / np.maximum(areas[0] + areas[1] - intersection, tiny)
    sizes = np.sqrt(areas[0]), np.sqrt(areas[1])
    moved = np.linalg.norm((left[:, :2] + left[:, 2:] - right[:, :2] - right[:, 2:]) / 2, axis=1)
    mean_size = np.maximum((sizes[0] + sizes[1]) / 2, tiny)
    return BoxComparison(iou, moved / mean_size, np.maximum(*sizes) / np.maximum(np.minimum(*sizes), tiny))


def is_continued(
    faces: Faces, worth: npt.NDArray[np.float32], max_gap: float, cuts: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Find the faces that surely continue an equally good face of the previous sample.

    "Surely" means three things. Neither face can be linked to any other face of the two samples. They are as similar as
    only faces of one person are. No cut lies between them. Such a pair is always in one track. So neither the first
    face of a track nor its first face of its best class is continued.

    The result depends only on the face's own sample and the previous one. So a batch can be judged by itself: no face
    of its first sample is then continued.

    Args:
        faces: Faces of one unit or of a part of it, in order of time.
        worth: (n,) from `portraits.portrait_worth`; below 0 if a face must get no picture. Whole numbers are classes.
        max_gap: Maximum time between two samples of a track, in seconds.
        cuts: (c,) timestamps of the first frames after a cut, rising.

    Returns:
        (n,) bool.
    """
    continued, is_sure = np.zeros(len(faces), np.bool_), is_telling(faces)
    shot = np.searchsorted(cuts, faces.pts, "right")
    class_of = np.floor(worth)
    for pairs in _neighbours(faces, max_gap):
        may, _ = judge_pairs(faces, *pairs, is_sure)
        earlier, later = (rows[may] for rows in pairs)
        is_only = (np.bincount(earlier)[earlier] == 1) & (np.bincount(later)[later] == 1)
        is_only &= shot[earlier] == shot[later]
        pair = faces.embedding[earlier].astype(np.float64), faces.embedding[later].astype(np.float64)
        is_only &= np.einsum("ij,ij->i", *pair) >= _MIN_COSINE_MOVED
        continued[later[is_only]] = class_of[earlier[is_only]] >= class_of[later[is_only]]
    return continued


def _neighbours(faces: Faces, max_gap: float) -> Iterator[tuple[_Numbers, _Numbers]]:
    """Yield all pairs of faces of a sample and the next sample with faces, in blocks of whole samples."""
    starts = np.append(np.flatnonzero(np.diff(faces.pts, prepend=faces.pts[:1] - 1)), len(faces))
    counts = np.diff(starts)
    gaps = np.diff(faces.time[starts[:-1]])
    pairs = np.where(gaps <= max_gap, counts[:-1] * counts[1:], 0)
    totals = np.cumsum(pairs)
    begin = 0
    while begin < len(pairs):
        done = totals[begin - 1] if begin else 0
        stop = max(begin + 1, int(np.searchsorted(totals, done + _BLOCK_PAIRS, "right")))
        sample = np.repeat(np.arange(begin, stop), pairs[begin:stop])
        place = np.arange(len(sample)) - np.repeat(totals[begin:stop] - pairs[begin:stop] - done, pairs[begin:stop])
        row, column = np.divmod(place, counts[sample + 1])
        yield starts[sample] + row, starts[sample + 1] + column
        begin = stop
