"""Choose the faces to picture during a scan, and rate the pictures. Pure; `faces.thumbnails` draws them.

The rating of a face depends on its frame alone. The choice depends on the frame and the previous one. So the first face
of a track always gets a picture: see `choose_portraits`.
"""

import numpy as np
import numpy.typing as npt

from fastface.faces.succession import is_continued
from fastface.faces.wholeness import head_shares, is_facing, is_uncut
from fastface.types import Faces, Size

LEAST_QUALITY = 0.35
"""Minimum quality: below it a face is too small, blurred or turned to recognise; 1 in 100 of a television clip."""

MOST_A_FRAME = 8
"""Maximum number of pictures of a due frame: the best faces of a crowd; others get one when they appear or improve."""

BLURRED = 25.0
"""Variance of the Laplacian below which a face is blurred: it counts a fifth in `quality`."""

_CLASSES = np.array([0, 3, 2, 6, 1, 5, 4, 7], np.float32)
"""Class of a face by 1 if it is not cut off + 2 if it faces the camera + 4 if it is sharp. The fewest faults come
first; with equal counts a blur is milder than a turned head, and a turned head is milder than a cut-off face."""


def portrait_worth(faces: Faces, frame: Size) -> npt.NDArray[np.float32]:
    """Rate the picture of each face: first whole, facing and sharp, then by quality.

    The whole part is the class: 7 for a face without a fault, 0 for a face that is cut off, a profile, and blurred. The
    rest is the face's quality times the share of the head that the frame shows.

    Args:
        faces: Faces in frames of one size.
        frame: (width, height) of these frames.

    Returns:
        (n,) float32, from 0 to below 8.
    """
    flags = is_uncut(faces.boxes, faces.landmarks, frame) + 2 * is_facing(faces.yaw) + 4 * (faces.sharpness >= BLURRED)
    within = np.minimum(faces.quality * head_shares(faces.boxes, frame), 0.999)
    worth: npt.NDArray[np.float32] = (_CLASSES[flags] + within).astype(np.float32)
    return worth


def choose_portraits(
    faces: Faces,
    worth: npt.NDArray[np.float32],
    due: npt.NDArray[np.bool_],
    max_gap: float,
    cuts: npt.NDArray[np.int64],
) -> npt.NDArray[np.bool_]:
    """Choose the faces to picture: those that do not continue an equally good face, and the best of due frames.

    Args:
        faces: Faces of one unit or of a part of it, in order of time. In a part, all faces of its first frame with
            faces are chosen, since the previous frame is unknown.
        worth: (n,) from `portrait_worth`; below 0 if a face must get no picture.
        due: (n,) flags of the faces whose frame is due.
        max_gap: Maximum time between two samples of a track, in seconds.
        cuts: (c,) timestamps of the first frames after a cut, rising.
    """
    chosen = ~is_continued(faces, worth, max_gap, cuts)
    best_first = np.lexsort((-worth, faces.pts))
    place = np.arange(len(faces)) - np.searchsorted(faces.pts[best_first], faces.pts[best_first], "left")
    is_best = np.empty(len(faces), np.bool_)
    is_best[best_first] = place < MOST_A_FRAME
    return (worth >= 0) & (chosen | (due & is_best & (faces.quality >= LEAST_QUALITY)))
