"""Compute a coarse signature of a sampled frame, for the detection of shots.

The decoder processes call it; `shots` compares the results. Another layout needs a new `SCHEMA_VERSION` of the index.
"""

import numpy as np
import numpy.typing as npt

from fastface.types import SIGNATURE_SIZE, Image

SIDE = 8
FIELDS = 3 * SIDE * SIDE
"""Luma, red difference and blue difference of each field."""

_MIDDLE = (64, 64)
"""(width, height) of the picture that gives fields and histogram, at a tenth of the cost of the whole canvas."""

_BINS = (8, 4, 4)
"""Number of bins of luma, red difference and blue difference."""

_LEVELS = np.empty((1, 256, 3), np.uint8)
"""Bin of each level. Colours of films lie near grey: levels outside 80–175 belong to the outer bins."""
_LEVELS[0, :, 0] = np.arange(256) // 32
_LEVELS[0, :, 1:] = ((np.arange(256).clip(80, 175) - 80) // 24)[:, None]


def compute_signature(picture: Image) -> npt.NDArray[np.uint8]:
    """Compute a coarse signature of a sampled frame.

    Args:
        picture: (H, W, 3) BGR, the part of the detector's canvas that shows the frame.

    Returns:
        (SIGNATURE_SIZE,) uint8: luma, red and blue difference of 8 × 8 fields. Then the roots of the shares of 128
        colours, 0–255.
    """
    import cv2  # noqa: PLC0415 - the main process numbers shots, and loads no picture library

    middle = cv2.cvtColor(cv2.resize(picture, _MIDDLE, interpolation=cv2.INTER_LINEAR), cv2.COLOR_BGR2YCrCb)
    signature = np.empty(SIGNATURE_SIZE, np.uint8)
    signature[:FIELDS] = cv2.resize(middle, (SIDE, SIDE), interpolation=cv2.INTER_AREA).reshape(-1)
    ranges = [edge for bins in _BINS for edge in (0, bins)]
    counts = cv2.calcHist([cv2.LUT(middle, _LEVELS)], [0, 1, 2], None, _BINS, ranges)
    signature[FIELDS:] = np.sqrt(counts.reshape(-1) / (_MIDDLE[0] * _MIDDLE[1])) * 255 + 0.5
    return signature
