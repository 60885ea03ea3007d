"""Reject frames that are too blurred to search, before the network runs. Off by default.

Inference workers call it; the `BlurGate` of the settings gives its limits.
"""

import cv2
import numpy as np
import numpy.typing as npt

from fastface.types import BlurGate, Size

_LEAST_TILE = 8
"""Minimum side of a tile in pixels: smaller tiles measure nothing, so a small picture has fewer tiles."""


def is_blurred(canvas: npt.NDArray[np.uint8], content: Size, gate: BlurGate) -> bool:
    """Return whether too few tiles of a frame are sharp.

    The measure is the variance of the Laplacian of the luma (Pech-Pacheco et al., ICPR 2000), at the detector's scale.

    Args:
        canvas: (H, W, 3) BGR.
        content: (width, height) of the picture in its top left corner; the black rest does not count.
        gate: Minimum sharpness of a tile, and minimum share of sharp tiles.
    """
    width, height = content
    edges = cv2.Laplacian(cv2.cvtColor(canvas[:height, :width], cv2.COLOR_BGR2GRAY), cv2.CV_16S)
    numbers = (max(1, min(gate.tiles, side // _LEAST_TILE)) for side in (height, width))
    rows, columns = (np.linspace(0, side, n + 1, dtype=int) for side, n in zip((height, width), numbers, strict=True))
    tiles = [tile for band in np.split(edges, rows[1:-1]) for tile in np.split(band, columns[1:-1], axis=1)]
    sharp = sum(cv2.meanStdDev(tile)[1].item() ** 2 >= gate.threshold for tile in tiles)
    return sharp < gate.share * len(tiles)
