"""Find faces that one detection misses: close-ups, small faces in large pictures, lying and upside-down heads.

SCRFD learned upright faces between 1/64 and 2/3 of its canvas. Measured with det_500m on 28 portraits, each cut so that
its face has a given share of a square frame: at 60 % of the frame's height it finds 28, at 70 % 19, from 80 % on none;
on a canvas of half the size it finds all 28 at every share from 60 to 140 %. Turned heads: see `faces.turning`.

`analyse` calls it. The result for a frame depends on that frame alone, not on batches, workers or restarts.
"""

from collections.abc import Iterator
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from fastface.faces.scrfd import Detections, Detector
from fastface.faces.turning import CANDIDATE_SCORE, CLEAR_SCORE, NUM_TURNS, turn_back, turn_doubtful, turn_picture
from fastface.suppression import suppress
from fastface.types import Image, SecondLooks, Size
from fastface.video.frames.canvas import PICTURE_CANVAS

_LARGE_SHARE = 0.55
"""Share of the canvas' longer side from which a face is searched on half the canvas too."""

_TILE_OVERLAP = 96
_TILES_LONG = (2, 4, 8)
"""Tiles along the longer side of a picture, at each finer scale. A face larger than the overlap is whole at a coarser
scale."""

_SMALL_SIDE = 48
"""Pixels of the scaled picture below which a face is small: smaller ones may exist, so the next scale is searched."""

_HINTS = 3
"""Minimum number of candidates for a search at the finest scale, if the coarser scales gave no face."""

_INSIDE = 0.6
"""Minimum share of a box inside a larger face's box for which it is a part of that face."""


def least_score(detector: Detector) -> float:
    """Return the minimum score of a candidate that a further detection checks."""
    return min(CANDIDATE_SCORE, detector.det_threshold)


def find_in_frames(
    detector: Detector, canvases: npt.NDArray[np.uint8], count: int, content: Size, looks: SecondLooks
) -> tuple[Detections, npt.NDArray[np.int64]]:
    """Find the faces in a film's frames.

    Args:
        detector: Network that finds faces.
        canvases: (m, H, W, 3) BGR; those from `count` on only fill the batch up.
        count: Number of frames.
        content: (width, height) of the picture in each canvas.
        looks: Further detections after the first one.

    Returns:
        Faces in canvas pixels by frame and then by falling score, and (n,) the frame number of each face.

    Raises:
        BackendError: The runtime failed.
    """
    least = least_score(detector) if looks.turned else detector.det_threshold
    found, frame = detector.detect_all(canvases, least)
    found, frame = found[frame < count], frame[frame < count]
    if looks.close_ups:
        missing = _frames_to_halve(detector, canvases, count, found, frame)
        if len(missing):
            closer, place = _look_halved(detector, canvases[missing], content, len(canvases), least)
            found, frame = Detections.concatenate([found, closer]), np.concatenate([frame, missing[place]])
    if looks.turned:
        pictures = [canvas[: content[1], : content[0]] for canvas in canvases[:count]]
        found = turn_doubtful(detector, pictures, found, frame, len(canvases))
    return _settle(detector, found, frame)


def find_in_picture(detector: Detector, picture: Image, first: Detections | None = None) -> Detections:
    """Find the faces in one picture, of any size in it, upright or turned.

    Search the whole picture at 640 and at 320 pixels on its longer side. Search a larger picture also in overlapping
    tiles, at finer scales as long as small faces, or none, are found. Search doubtful faces turned. If no clear face is
    found, search the whole picture in the three other quarter turns.

    Args:
        detector: Network that finds faces.
        picture: (H, W, 3) BGR.
        first: Result of the detection at 640 with scores from `least_score` on, in pixels of the picture; None to run
            it here.

    Returns:
        Faces in pixels of the picture by falling score; the landmarks of a turned face are turned too.

    Raises:
        BackendError: The runtime failed.
    """
    found = _look_whole(detector, picture, PICTURE_CANVAS) if first is None else first
    found = Detections.concatenate([found, _look_whole(detector, picture, PICTURE_CANVAS // 2)])
    for num_tiles, factor in _finer_scales(max(picture.shape[:2])):
        sure = found[found.det_score >= detector.clear_score]
        sides = (sure.boxes[:, 2:] - sure.boxes[:, :2]).max(axis=1)
        is_small = (sides * factor < 2 * _SMALL_SIDE).any()
        may_be_empty = not len(sure) and (num_tiles < _TILES_LONG[-1] or len(found) >= _HINTS)
        if num_tiles > _TILES_LONG[0] and not is_small and not may_be_empty:
            break
        found = Detections.concatenate([found, _look_at_tiles(detector, picture, factor)])
    found = turn_doubtful(detector, [picture], found, np.zeros(len(found), np.int64), 1)
    if not (found.det_score >= CLEAR_SCORE).any():
        found = Detections.concatenate(
            [found, *(_look_turned(detector, picture, quarters) for quarters in range(1, NUM_TURNS))]
        )
    found, _ = _settle(detector, found, np.zeros(len(found), np.int64))
    return found[~_is_part(found.boxes)]


def letterbox(picture: Image, side: int, content: int | None = None) -> tuple[Image, float]:
    """Scale a picture into the top left corner of a black square canvas, like insightface's SCRFD.

    Args:
        picture: (H, W, 3) BGR.
        side: Width and height of the canvas in pixels.
        content: Longer side of the picture in the canvas; None for `side`.

    Returns:
        (side, side, 3) BGR, and the factor from the picture's pixels to the canvas pixels.
    """
    height, width = picture.shape[:2]
    longer = content or side
    ratio = height / width
    size = (int(longer / ratio), longer) if ratio > 1 else (longer, int(longer * ratio))
    size = (max(size[0], 1), max(size[1], 1))
    canvas = np.zeros((side, side, 3), np.uint8)
    canvas[: size[1], : size[0]] = cv2.resize(picture, size)
    return canvas, size[1] / height


# ── further detections ──────────────────────────────────────────────────────────────────────────────────────────────


def _frames_to_halve(
    detector: Detector,
    canvases: npt.NDArray[np.uint8],
    count: int,
    found: Detections,
    frame: npt.NDArray[np.int64],
) -> npt.NDArray[np.intp]:
    """Return the frames without a face, or with a face that is nearly too large for its canvas."""
    is_sure = found.det_score >= detector.clear_score
    sides = (found.boxes[:, 2:] - found.boxes[:, :2]).max(axis=1)
    is_large = is_sure & (sides > _LARGE_SHARE * max(canvases.shape[1:3]))
    numbers = np.arange(count)
    return np.flatnonzero(~np.isin(numbers, frame[is_sure]) | np.isin(numbers, frame[is_large]))


def _look_halved(
    detector: Detector, canvases: npt.NDArray[np.uint8], content: Size, batch: int, least: float
) -> tuple[Detections, npt.NDArray[np.int64]]:
    """Find faces in canvases scaled to half their size; return them in canvas pixels, with each canvas number."""
    width, height = content[0] // 2, content[1] // 2
    sides = [-(-side // 64) * 32 for side in canvases.shape[1:3]]
    halved = np.zeros((len(canvases), *sides, 3), np.uint8)
    for canvas, half in zip(canvases, halved, strict=True):
        half[:height, :width] = cv2.resize(
            canvas[: content[1], : content[0]], (width, height), interpolation=cv2.INTER_AREA
        )
    found, place = detector.detect_in_batches(halved, batch, least)
    scale = np.array([content[0] / width, content[1] / height], np.float32)
    return found.scale(scale), place


def _look_whole(detector: Detector, picture: Image, content: int) -> Detections:
    canvas, factor = letterbox(picture, PICTURE_CANVAS, content)
    found, _ = detector.detect_all(canvas[None], least_score(detector))
    return found.scale(np.full(2, 1 / factor, np.float32))


def _finer_scales(longer: int) -> Iterator[tuple[int, float]]:
    """Yield (tiles along the longer side, factor from picture pixels) for each scale finer than the whole picture's."""
    before = PICTURE_CANVAS
    for num_tiles in _TILES_LONG:
        if before >= longer:
            return
        before = min(longer, num_tiles * (PICTURE_CANVAS - _TILE_OVERLAP) + _TILE_OVERLAP)
        yield num_tiles, before / longer


def _look_at_tiles(detector: Detector, picture: Image, factor: float) -> Detections:
    """Find faces in a picture scaled by a factor of at most 1, in overlapping tiles of one canvas each."""
    height, width = picture.shape[:2]
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    scaled = cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if factor < 1 else picture
    parts = []
    for top in _tile_starts(size[1]):
        for left in _tile_starts(size[0]):
            tile = scaled[top : top + PICTURE_CANVAS, left : left + PICTURE_CANVAS]
            canvas = np.zeros((1, PICTURE_CANVAS, PICTURE_CANVAS, 3), np.uint8)
            canvas[0, : tile.shape[0], : tile.shape[1]] = tile
            found, _ = detector.detect_all(canvas, least_score(detector))
            # A face that an inner edge of the tile cuts is whole in the next tile, or at a coarser scale.
            low = np.array([left and 1, top and 1]) * 2.0
            high = np.array([tile.shape[1], tile.shape[0]], np.float64) - 2
            high[np.array([left + tile.shape[1] == size[0], top + tile.shape[0] == size[1]])] = np.inf
            low[low == 0] = -np.inf
            is_whole = np.all(found.boxes[:, :2] > low, axis=1) & np.all(found.boxes[:, 2:] < high, axis=1)
            found = found[is_whole]
            offset = np.array([left, top], np.float32)
            parts.append(found.shift(offset))
    return Detections.concatenate(parts).scale(np.array([width / size[0], height / size[1]], np.float32))


def _tile_starts(side: int) -> list[int]:
    count = max(1, -(-(side - _TILE_OVERLAP) // (PICTURE_CANVAS - _TILE_OVERLAP)))
    return [round(start) for start in np.linspace(0, max(0, side - PICTURE_CANVAS), count)]


def _look_turned(detector: Detector, picture: Image, quarters: int) -> Detections:
    """Find the clear faces in a picture turned by some quarters, in pixels of the original picture."""
    other = turn_picture(picture, quarters)
    both = [_look_whole(detector, other, content) for content in (PICTURE_CANVAS, PICTURE_CANVAS // 2)]
    found = Detections.concatenate(both)
    size = picture.shape[1], picture.shape[0]
    return turn_back(found[found.det_score >= CLEAR_SCORE], size, quarters)


# ── merging detections ──────────────────────────────────────────────────────────────────────────────────────────────


def _settle(
    detector: Detector, found: Detections, frame: npt.NDArray[np.int64]
) -> tuple[Detections, npt.NDArray[np.int64]]:
    """Merge the faces of all detections that reach the threshold, each once, by frame and then by falling score."""
    order = np.lexsort((-found.det_score, frame))
    order = order[found.det_score[order] >= detector.det_threshold]
    found, frame = found[order], frame[order]
    begins = np.flatnonzero(np.diff(frame, prepend=-1))
    kept = [
        begin + suppress(found.boxes[begin:end], detector.nms_iou) for begin, end in pairwise([*begins, len(frame)])
    ]
    rows = np.concatenate(kept) if kept else np.empty(0, np.int64)
    return found[rows], frame[rows]


def _is_part(boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Return (n,) flags of boxes that lie mostly in a larger face's box: an eye or a mouth taken for a face."""
    sides = (boxes[:, 2:] - boxes[:, :2]).clip(1e-6)
    areas = sides.prod(axis=1)
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    inside = (high - low).clip(0).prod(axis=2) / areas[:, None]
    is_larger = areas[None] > areas[:, None]
    part: npt.NDArray[np.bool_] = ((inside > _INSIDE) & is_larger).any(axis=1)
    return part
