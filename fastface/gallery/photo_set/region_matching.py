"""Find the detected face of each named region of a photo. Pure array code; `enroll` calls `match_regions`.

Programs draw regions in the picture as stored or as displayed, and few say which. So all turns that fit the size of the
picture are tried, for all regions of a photo together; the turn with the best overlap counts.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fastface.gallery.photo_set.xmp_regions import Region
from fastface.types import Faces, Size

_LEAST_OVERLAP = 0.15
"""Minimum intersection over union of a region and a face; some programs draw whole heads, some only the face."""

_BETTER = 0.1
"""Minimum gain in overlap, per region, for another turn than the displayed one."""

_Boxes = npt.NDArray[np.float64]


def match_regions(regions: Sequence[Region], faces: Faces, size: Size) -> list[int | None]:
    """Return the row of the face of each region; None without a face at its place. No face is taken twice.

    Args:
        regions: All named regions of the photo.
        faces: All faces of the photo.
        size: Width and height of the picture as displayed, in pixels.
    """
    if not len(faces) or not regions:
        return [None] * len(regions)
    detected = faces.boxes.astype(np.float64) / np.array([*size, *size])
    drawn = np.array([region.box for region in regions])
    overlaps = [_overlap(_turn(drawn, quarters), detected) for quarters in _plausible_turns(regions, size)]
    totals = [float(one.max(axis=1).sum()) for one in overlaps]
    best = int(np.argmax(totals))
    if totals[best] - totals[0] < _BETTER * len(regions):
        best = 0
    return _assign(overlaps[best])


def _plausible_turns(regions: Sequence[Region], size: Size) -> tuple[int, ...]:
    """Return the clockwise quarter turns from the drawn picture to the displayed one that its size allows."""
    applied_to = regions[0].applied_to
    if applied_to is None or applied_to[0] == applied_to[1] or size[0] == size[1]:
        return 0, 1, 2, 3
    is_turned = (applied_to[0] > applied_to[1]) != (size[0] > size[1])
    return (1, 3) if is_turned else (0, 2)


def _turn(boxes: _Boxes, quarters: int) -> _Boxes:
    """Turn boxes, as a share of the picture, clockwise."""
    for _ in range(quarters):
        x1, y1, x2, y2 = boxes.T
        boxes = np.stack([1 - y2, x1, 1 - y1, x2], axis=1)
    return boxes


def _overlap(regions: _Boxes, faces: _Boxes) -> _Boxes:
    """Return (regions, faces) the intersection over union; 0 if the face's centre is outside the region."""
    one, other = regions[:, None], faces[None]
    common = (np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])).clip(0).prod(axis=2)
    areas = (one[..., 2:] - one[..., :2]).prod(axis=2) + (other[..., 2:] - other[..., :2]).prod(axis=2)
    centre = (other[..., :2] + other[..., 2:]) / 2
    is_inside = ((centre >= one[..., :2]) & (centre <= one[..., 2:])).all(axis=2)
    iou: _Boxes = np.where(is_inside, common / np.maximum(areas - common, np.finfo(np.float64).tiny), 0.0)
    return iou


def _assign(overlap: _Boxes) -> list[int | None]:
    """Give each region a face, the best overlap first."""
    found: list[int | None] = [None] * len(overlap)
    taken: set[int] = set()
    for flat in np.argsort(-overlap, axis=None, kind="stable").tolist():
        region, face = divmod(flat, overlap.shape[1])
        if overlap[region, face] < _LEAST_OVERLAP:
            break
        if found[region] is None and face not in taken:
            found[region] = face
            taken.add(face)
    return found
