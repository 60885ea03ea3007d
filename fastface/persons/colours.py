"""Describe the clothes of a body by colour histograms, enough to recognise it within a shot.

`bodies` calls it. The result must stay comparable by a plain product.
"""

import cv2
import numpy as np
import numpy.typing as npt

from fastface.types import NUM_COLOURS, Image

_SIDE = 16
"""Rows and columns of pixels to which each half of a body is averaged."""

_LEVELS = 4
"""Levels of blue, green and red: the histogram has 4 × 4 × 4 bins."""

_NARROWER = 0.15
"""Share of a box's width that is left out on either side, since it shows the background."""


def describe_colours(picture: Image, boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.float16]:
    """Compute colour histograms of the upper and the lower half of each box.

    They are square roots of shares. So the product of two is the mean of the halves' Bhattacharyya coefficients
    (Comaniciu, Ramesh and Meer, "Kernel-based object tracking", 2003).

    Args:
        picture: (H, W, 3) BGR.
        boxes: (n, 4), x1, y1, x2, y2 in its pixels, within it, none empty.

    Returns:
        (n, 128) float16, L2-normalised.
    """
    found = np.empty((len(boxes), NUM_COLOURS), np.float16)
    for row, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
        inset = (x2 - x1) * _NARROWER
        left, right = _whole(x1 + inset, x2 - inset, picture.shape[1])
        top, bottom = _whole(y1, y2, picture.shape[0])
        small = cv2.resize(picture[top:bottom, left:right], (_SIDE, 2 * _SIDE), interpolation=cv2.INTER_AREA)
        bins = (small // (256 // _LEVELS)).reshape(2, -1, 3) @ np.array([_LEVELS**2, _LEVELS, 1])
        bins[1] += _LEVELS**3
        found[row] = np.sqrt(np.bincount(bins.ravel(), minlength=NUM_COLOURS) / bins.size)
    return found


def _whole(low: float, high: float, size: int) -> tuple[int, int]:
    """Return the pixels between two edges, at least one."""
    first = min(int(low), size - 1)
    return first, max(first + 1, min(round(high), size))
