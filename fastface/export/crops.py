"""Crops of a target: what of the frame, and the file."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from fastface.errors import ExportError
from fastface.export.plans import CropStyle
from fastface.faces.align import align_picture
from fastface.files import atomic_path, private_folder
from fastface.types import Image

__all__ = ["cut_crop", "save_picture"]

_JPEG_QUALITY = 95


def cut_crop(
    picture: Image, box: npt.NDArray[np.float32], landmarks: npt.NDArray[np.float32], style: CropStyle
) -> Image:
    """One crop of a frame.

    Args:
        picture: (H, W, 3) BGR as displayed.
        box: (4,) x1, y1, x2, y2 in its pixels.
        landmarks: (5, 2) in its pixels.
        style: How to cut.
    """
    if style.kind == "aligned":
        return align_picture(picture, landmarks, style.size, style.margin, cv2.INTER_LANCZOS4)
    left, top, side = _square(box, style.margin, picture.shape[1], picture.shape[0])
    return picture[top : top + side, left : left + side]


def _square(box: npt.NDArray[np.float32], margin: float, width: int, height: int) -> tuple[int, int, int]:
    """(left, top, side) of the square around a box: moved inside the frame, and smaller only where it must be."""
    x1, y1, x2, y2 = box.tolist()
    side = max(1, min(round(max(x2 - x1, y2 - y1) * (1 + 2 * margin)), width, height))
    left = min(max(0, round((x1 + x2 - side) / 2)), width - side)
    top = min(max(0, round((y1 + y2 - side) / 2)), height - side)
    return left, top, side


def save_picture(path: Path, picture: Image) -> None:
    """Writes a picture of a person: whole or not at all, for its owner's eyes only.

    Args:
        path: `.jpg` or `.png`.
        picture: (H, W, 3) BGR.

    Raises:
        ExportError: The picture cannot be encoded.
        SpaceError: No space is left.
    """
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if path.suffix == ".jpg" else []
    encoded, content = cv2.imencode(path.suffix, picture, options)
    if not encoded:
        raise ExportError(f"cannot encode {str(path)!r}")
    private_folder(path.parent)
    with atomic_path(path, private=True) as part:
        part.write_bytes(content.tobytes())
