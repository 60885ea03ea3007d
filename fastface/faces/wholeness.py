"""Decide which faces are whole: the one definition for portraits, crops and curated sets. Pure geometry.

A face is whole if the frame shows enough of it and all five landmarks. Also, the yaw must not hide half of the face.
"""

import numpy as np
import numpy.typing as npt

from fastface.types import PROFILE_YAW, FloatArray, Size

LEAST_SHOWN = 0.75
"""Minimum visible share of a face that is not cut off."""

_FACE_ASPECT = 0.71
"""Width over height of a detector's box: the median of 284 faces of a film, half of which lie from 0.67 to 0.74."""
_EDGE_SHARE = 0.05
"""A box touches an edge of the frame if their distance is less than this share of the box's longer side."""

_HAIR = 1 / 3
"""Margin above a box, as a share of its height: a detector's box, hairline to chin, is 0.75 of a head."""
_EARS = 0.2
"""Margin on either side of a box, as a share of its width."""

_Floats = npt.NDArray[np.float64]
_Flags = npt.NDArray[np.bool_]


def shown_shares(boxes: FloatArray, frame: Size) -> _Floats:
    """Return the share of each face's area that the frame shows.

    A detector's box ends with the frame, or near its edge. So a box that touches an edge may be too narrow, or too low,
    for a face. Then the face is assumed to continue beyond that edge, in a face's usual proportion.

    Args:
        boxes: (n, 4) x1, y1, x2, y2 in pixels of the frame.
        frame: (width, height) of the frame.

    Returns:
        (n,) 0–1.
    """
    x1, y1, x2, y2 = boxes.astype(np.float64).T
    width, height = frame
    wide, high = x2 - x1, y2 - y1
    near = _EDGE_SHARE * np.maximum(wide, high)
    is_beside = (x1 < near) | (x2 > width - near)
    is_at_end = (y1 < near) | (y2 > height - near)
    whole_wide = np.where(is_beside, np.maximum(wide, high * _FACE_ASPECT), wide)
    whole_high = np.where(is_at_end, np.maximum(high, wide / _FACE_ASPECT), high)
    shares: _Floats = _common_areas(boxes, frame) / np.maximum(whole_wide * whole_high, 1e-9)
    return shares


def head_shares(boxes: FloatArray, frame: Size) -> _Floats:
    """Return the share of the head around each face that the frame shows: the box with hair and ears.

    Args:
        boxes: (n, 4) x1, y1, x2, y2 in pixels of the frame.
        frame: (width, height) of the frame.

    Returns:
        (n,) 0–1.
    """
    x1, y1, x2, y2 = boxes.astype(np.float64).T
    beside, above = _EARS * (x2 - x1), _HAIR * (y2 - y1)
    heads = np.stack([x1 - beside, y1 - above, x2 + beside, y2], axis=1)
    shares: _Floats = _common_areas(heads, frame) / np.maximum((heads[:, 2:] - heads[:, :2]).prod(axis=1), 1e-9)
    return shares


def is_uncut(boxes: FloatArray, landmarks: FloatArray, frame: Size, least: float = LEAST_SHOWN) -> _Flags:
    """Find the faces that the frame does not cut off: enough of each and all its landmarks are visible.

    Args:
        boxes: (n, 4) x1, y1, x2, y2 in pixels of the frame.
        landmarks: (n, 5, 2) in the same pixels.
        frame: (width, height) of the frame.
        least: Minimum visible share of a face, 0–1; 0 takes all faces.
    """
    if least <= 0:
        return np.ones(len(boxes), np.bool_)
    inside = ((landmarks >= 0) & (landmarks <= np.array(frame))).all(axis=(1, 2))
    uncut: _Flags = inside & (shown_shares(boxes, frame) >= least)
    return uncut


def is_facing(yaw: FloatArray) -> _Flags:
    """Find the heads, turned by `yaw` degrees, that are not profiles."""
    facing: _Flags = np.abs(yaw) < PROFILE_YAW
    return facing


def _common_areas(boxes: npt.NDArray[np.floating], frame: Size) -> _Floats:
    x1, y1, x2, y2 = boxes.astype(np.float64).T
    width, height = frame
    wide, high = np.minimum(x2, width) - np.maximum(x1, 0), np.minimum(y2, height) - np.maximum(y1, 0)
    areas: _Floats = np.maximum(wide, 0) * np.maximum(high, 0)
    return areas
