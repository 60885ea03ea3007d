"""Crops of a target: which faces, what of the frame, and the file."""

from bisect import bisect_left, insort
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from fastface.errors import ExportError
from fastface.faces.align import align_picture
from fastface.files import atomic_path, private_folder
from fastface.types import Faces, Hits, Image

__all__ = ["CropStyle", "choose_crops", "cut_crop", "save_picture"]

_JPEG_QUALITY = 95


@dataclass(frozen=True, slots=True)
class CropStyle:
    """How a crop is cut.

    Attributes:
        kind: `face`: a square of the frame around the face; `aligned`: turned upright by the landmarks and scaled.
        margin: Room on each side, as a share of the face's size.
        size: Side of an aligned crop in pixels; a `face` crop keeps the frame's pixels.
    """

    kind: Literal["face", "aligned"]
    margin: float
    size: int


def choose_crops(faces: Faces, hits: Hits, gap: float) -> npt.NDArray[np.int64]:
    """Which hits are worth a crop: the best ones, any two at least `gap` seconds apart.

    Args:
        faces: The video's faces.
        hits: Hits of one target in them.
        gap: Seconds.

    Returns:
        Rows of `hits`, ascending. Of equal quality the earlier one goes first.
    """
    times = hits.time.tolist()
    best_first = np.lexsort((hits.time, -faces.quality[hits.face])).tolist()
    taken: list[float] = []
    chosen = []
    for row in best_first:
        place = bisect_left(taken, times[row])
        if any(abs(other - times[row]) < gap for other in taken[max(0, place - 1) : place + 1]):
            continue
        insort(taken, times[row])
        chosen.append(row)
    return np.array(sorted(chosen), np.int64)


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
