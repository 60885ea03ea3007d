"""Compute the input shapes of networks, for which TensorRT builds its engines. Pure.

Engines and workers use the same functions, so that an engine accepts every shape that a worker sends.
"""

from fastface.backends import ShapeRange
from fastface.types import Size
from fastface.video.frames.canvas import PICTURE_CANVAS

GPU_CHUNK = 32
"""Number of faces embedded at once on a card."""

_LEAST_SIDE = 32
"""Shorter side of a canvas in pixels: a video of 20:1 has a canvas of 640×32."""


def detector_shapes(batch: int, canvas: Size) -> ShapeRange:
    """Return the range of detector canvases: of videos of any aspect and of photos, in batches up to the usual one.

    Args:
        batch: Number of frames of a full batch.
        canvas: (width, height) of the usual canvas.
    """
    width, height = canvas
    largest = (max(height, PICTURE_CANVAS), max(width, PICTURE_CANVAS))
    return ShapeRange((1, _LEAST_SIDE, _LEAST_SIDE, 3), (batch, height, width, 3), (batch, *largest, 3))


def recogniser_shapes(side: int, most: int = GPU_CHUNK) -> ShapeRange:
    """Return the range of recogniser batches: up to `most` aligned faces of one side at once."""
    return ShapeRange((1, side, side, 3), (GPU_CHUNK, side, side, 3), (max(most, GPU_CHUNK), side, side, 3))
