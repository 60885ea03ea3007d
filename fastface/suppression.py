"""Suppress overlapping boxes. Pure array code.

The detectors of faces and persons call it.
"""

import numpy as np
import numpy.typing as npt


def suppress(boxes: npt.NDArray[np.float32], max_iou: float) -> npt.NDArray[np.int64]:
    """Run greedy non-maximum suppression as in insightface's SCRFD, with sides counted in whole pixels (+ 1).

    Args:
        boxes: (n, 4) by falling score.
        max_iou: Maximum overlap with a kept box.

    Returns:
        Rows that stay, rising.
    """
    if not len(boxes):
        return np.empty(0, np.int64)
    first, last = boxes[:, :2], boxes[:, 2:] + np.float32(1)
    areas = (last - first).prod(axis=1)
    corner = np.maximum(first[:, None], first[None])
    sides = np.maximum(np.minimum(last[:, None], last[None]) - corner, 0)
    overlap = sides.prod(axis=2)
    clash = overlap / (areas[:, None] + areas[None] - overlap) > max_iou
    alive = np.ones(len(boxes), np.bool_)
    for row in range(len(boxes)):
        if alive[row]:
            alive[row + 1 :] &= ~clash[row, row + 1 :]
    return np.flatnonzero(alive)
