"""Place pictures into the canvas of a person network, with the layout of the family's training.

`yolo` calls it. Sizes must round like the family's own code, or boxes shift by a pixel.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fastface.models.facts import PersonFamily
from fastface.types import Image

_GREY = 114
"""Colour around a picture in both families' training."""

_HALF_DOWN = 0.1
"""Ultralytics subtracts this before it rounds, so that an odd pixel goes to the right and to the bottom."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Place of a picture in its canvas: canvas = picture × factor + (left, top), in pixels.

    Attributes:
        factor: Canvas pixels per pixel of the picture.
        left: Canvas pixels left of the picture.
        top: Canvas pixels above the picture.
    """

    factor: float
    left: int
    top: int

    def in_picture(self, boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Convert boxes (n, 4) from canvas pixels to pixels of the picture."""
        corner = np.array([self.left, self.top] * 2, np.float32)
        return (boxes - corner) / np.float32(self.factor)


def place(picture: Image, canvas: Image, family: PersonFamily) -> Placement:
    """Scale a picture into a canvas: into its middle for `yolo`, into its top left corner for `yolox`.

    Sizes round as in the families' own code (ultralytics' LetterBox, YOLOX's preproc).

    Args:
        picture: (H, W, 3) BGR, no side empty.
        canvas: (h, w, 3), which is overwritten.
        family: The network's family.
    """
    height, width = canvas.shape[:2]
    factor = min(width / picture.shape[1], height / picture.shape[0])
    sides = (picture.shape[1] * factor, picture.shape[0] * factor)
    columns, rows = (max(1, round(side) if family == "yolo" else int(side)) for side in sides)
    left, top = 0, 0
    if family == "yolo":
        left, top = (round(room / 2 - _HALF_DOWN) for room in (width - columns, height - rows))
    canvas[:] = _GREY
    canvas[top : top + rows, left : left + columns] = cv2.resize(
        picture, (columns, rows), interpolation=cv2.INTER_LINEAR
    )
    return Placement(factor, left, top)
