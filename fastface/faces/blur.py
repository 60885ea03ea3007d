"""Reject frames that are too blurred to search, before the network. Off by default."""

import cv2
import numpy as np
import numpy.typing as npt

from fastface.types import BlurGate, Size

_LEAST_TILE = 8
"""Pixels of a tile's side below which it says nothing: a small picture has fewer tiles."""


def is_blurred(canvas: npt.NDArray[np.uint8], content: Size, gate: BlurGate) -> bool:
    """Return whether too few tiles of a frame are sharp.

    Measured is the variance of the Laplacian of the luma (Pech-Pacheco et al., ICPR 2000), as the detector sees it.

    Args:
        canvas: (H, W, 3) BGR.
        content: (width, height) of the picture in its top left corner; the black rest does not count.
        gate: What is sharp, and how much of the frame must be.
    """
    width, height = content
    edges = cv2.Laplacian(cv2.cvtColor(canvas[:height, :width], cv2.COLOR_BGR2GRAY), cv2.CV_16S)
    numbers = (max(1, min(gate.tiles, side // _LEAST_TILE)) for side in (height, width))
    rows, columns = (np.linspace(0, side, n + 1, dtype=int) for side, n in zip((height, width), numbers, strict=True))
    tiles = [tile for band in np.split(edges, rows[1:-1]) for tile in np.split(band, columns[1:-1], axis=1)]
    sharp = sum(cv2.meanStdDev(tile)[1].item() ** 2 >= gate.threshold for tile in tiles)
    return sharp < gate.share * len(tiles)
