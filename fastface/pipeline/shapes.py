"""The shapes that networks are given: what TensorRT builds its engines for. Pure."""

from fastface.backends import ShapeRange
from fastface.types import ALIGNED_SIZE, Size
from fastface.video.frames.canvas import PICTURE_CANVAS

GPU_CHUNK = 32
"""Faces embedded at once on a card."""

_LEAST_SIDE = 32
"""Of a canvas: a video of 20:1 has one of 640×32."""


def detector_shapes(batch: int, canvas: Size) -> ShapeRange:
    """The canvases that come: of videos of any aspect, and of photos, in batches up to the usual one.

    Args:
        batch: Frames of a full batch.
        canvas: (width, height) of the usual canvas.
    """
    width, height = canvas
    largest = (max(height, PICTURE_CANVAS), max(width, PICTURE_CANVAS))
    return ShapeRange((1, _LEAST_SIDE, _LEAST_SIDE, 3), (batch, height, width, 3), (batch, *largest, 3))


def recogniser_shapes(most: int = GPU_CHUNK) -> ShapeRange:
    """The aligned faces that come, up to so many at once."""
    side = ALIGNED_SIZE
    return ShapeRange((1, side, side, 3), (GPU_CHUNK, side, side, 3), (max(most, GPU_CHUNK), side, side, 3))
