"""Faces of one person over consecutive samples of one shot, linked into tracks. Pure array code.

Two faces can be one person's a moment later if the boxes overlap and the embeddings do not contradict, or if the
embeddings agree and the face has moved no further than about its own size. A change of shot fails both: other persons
have other embeddings, and the same person in another framing is elsewhere or of another size.

Links are taken greedily, best first, between neighbouring samples, then over ever longer gaps between faces that are
still without a successor and a predecessor. So each face has at most one of each, and tracks are chains.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from fastface.types import Faces

__all__ = ["link_tracks"]

_MIN_IOU = 0.3
_MIN_COSINE_OVERLAPPING = 0.2
"""Different persons in one place, before and after a cut, lie around 0; one person in two samples above 0.5."""
_MIN_COSINE_MOVED = 0.5
_MAX_MOVE = 1.5
"""Distance of the centres in mean face sizes."""
_MAX_SCALE = 1.6
"""Ratio of the two face sizes."""
_GAP_SAMPLES = 3.5
_GAP_SECONDS = 0.5
"""A track bridges two missed samples, or half a second where samples are denser than that."""
_BLOCK_PAIRS = 1 << 18

_Rows = npt.NDArray[np.int64]


def link_tracks(faces: Faces, period: float, *, is_film: bool = True) -> npt.NDArray[np.int32]:
    """Numbers the tracks of one video.

    Args:
        faces: Faces of one video, in any order. Stretches in which every frame was looked at may lie between sparse
            samples.
        period: Seconds between samples where they are sparsest.
        is_film: Whether the frames follow each other. Of pictures that do not, each face is a track of its own.

    Returns:
        (n,) int32: the track of each face, numbered from 0 in order of first appearance, then from left to right. Two
        faces of one frame never share a track.
    """
    order = np.lexsort((*faces.boxes.T[::-1], faces.time))
    if not is_film:
        alone = np.empty(len(order), np.int32)
        alone[order] = np.arange(len(order))
        return alone
    times, frame = np.unique(faces.time[order], return_inverse=True)
    boxes = faces.boxes[order].astype(np.float64)
    place = _Places(frame, boxes)
    embeddings = faces.embedding[order]
    predecessor = np.full(len(order), -1, np.int64)
    is_open = np.ones(len(order), bool)
    max_gap = max(_GAP_SECONDS, _GAP_SAMPLES * period)
    for lag in range(1, len(times)):
        near = times[lag:] - times[:-lag] <= max_gap
        if not near.any():
            break
        ends = np.flatnonzero(is_open & np.append(near, np.zeros(lag, bool))[frame])
        starts = np.flatnonzero(predecessor < 0)
        for earlier, later in _best_first(_pairs(place, ends, starts, lag), boxes, embeddings):
            if is_open[earlier] and predecessor[later] < 0:
                predecessor[later] = earlier
                is_open[earlier] = False
    tracks = np.empty(len(order), np.int32)
    tracks[order] = _numbered(predecessor)
    return tracks


class _Places:
    """Frame and left edge of each face in one sorted number, to find the faces near a place of a frame by bisection.

    Without it a crowd of 100 faces a frame costs 10,000 pairs for each two frames.
    """

    def __init__(self, frame: _Rows, boxes: npt.NDArray[np.float64]) -> None:
        sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
        # A face with an IoU of 0.3 begins at most 3.3 widths before this one; one that moved, less than 4 sides.
        lowest, highest = boxes[:, 0] - 4 * sides, boxes[:, 2] + 2 * sides
        self.width = float(np.ceil(highest.max(initial=0) - lowest.min(initial=0))) + 1
        base = frame * self.width - lowest.min(initial=0)
        self.left = base + boxes[:, 0]
        self.lowest = base + lowest
        self.highest = base + highest


def _pairs(place: _Places, ends: _Rows, starts: _Rows, lag: int) -> Iterator[tuple[_Rows, _Rows]]:
    """Every pair of an end and a start that lie `lag` frames apart and not far from each other, in bounded blocks."""
    left = place.left[starts]
    low = np.searchsorted(left, place.lowest[ends] + lag * place.width, "left")
    counts = np.searchsorted(left, place.highest[ends] + lag * place.width, "right") - low
    totals = np.cumsum(counts)
    begin = 0
    while begin < len(ends):
        done = totals[begin - 1] if begin else 0
        stop = max(begin + 1, int(np.searchsorted(totals, done + _BLOCK_PAIRS, "right")))
        count = counts[begin:stop]
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        yield np.repeat(ends[begin:stop], count), starts[np.repeat(low[begin:stop], count) + within]
        begin = stop


def _best_first(
    pairs: Iterable[tuple[_Rows, _Rows]], boxes: npt.NDArray[np.float64], embeddings: npt.NDArray[np.float16]
) -> list[tuple[int, int]]:
    """The pairs that may be one person, most alike in place and embedding first."""
    kept = [_plausible(earlier, later, boxes, embeddings) for earlier, later in pairs]
    if not kept:
        return []
    earlier, later, score = (np.concatenate(column) for column in zip(*kept, strict=True))
    order = np.lexsort((later, earlier, -score))
    return list(zip(earlier[order].tolist(), later[order].tolist(), strict=True))


def _plausible(
    earlier: _Rows, later: _Rows, boxes: npt.NDArray[np.float64], embeddings: npt.NDArray[np.float16]
) -> tuple[_Rows, _Rows, npt.NDArray[np.float64]]:
    """The pairs (earlier, later) that may be one person, each with IoU + cosine."""
    overlap, is_near = _overlap(boxes[earlier], boxes[later])
    possible = is_near | (overlap >= _MIN_IOU)
    earlier, later, overlap, is_near = earlier[possible], later[possible], overlap[possible], is_near[possible]
    # A product of two float16 is exact in float32, and so is the sum in float64: no order of adding matters.
    products = embeddings[earlier].astype(np.float32) * embeddings[later].astype(np.float32)
    cosine = products.sum(axis=1, dtype=np.float64)
    linked = (overlap >= _MIN_IOU) & (cosine >= _MIN_COSINE_OVERLAPPING)
    linked |= is_near & (cosine >= _MIN_COSINE_MOVED)
    return earlier[linked], later[linked], (overlap + cosine)[linked]


def _overlap(
    left: npt.NDArray[np.float64], right: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """(n,) IoU of each pair of boxes, and whether the faces are of like size and near each other."""
    left_sides, right_sides = left[:, 2:] - left[:, :2], right[:, 2:] - right[:, :2]
    common = np.minimum(left[:, 2:], right[:, 2:]) - np.maximum(left[:, :2], right[:, :2])
    intersection = common.clip(0).prod(axis=1)
    areas = left_sides.prod(axis=1), right_sides.prod(axis=1)
    iou = intersection / np.maximum(areas[0] + areas[1] - intersection, np.finfo(np.float64).tiny)
    sizes = np.sqrt(areas[0]), np.sqrt(areas[1])
    moved = np.linalg.norm((left[:, :2] + left[:, 2:] - right[:, :2] - right[:, 2:]) / 2, axis=1)
    is_near = (moved <= _MAX_MOVE * (sizes[0] + sizes[1]) / 2) & (np.maximum(*sizes) <= _MAX_SCALE * np.minimum(*sizes))
    return iou, is_near


def _numbered(predecessor: _Rows) -> list[int]:
    """Track numbers in order of each track's first face."""
    tracks: list[int] = []
    num_tracks = 0
    for row in predecessor.tolist():
        if row >= 0:
            tracks.append(tracks[row])
            continue
        tracks.append(num_tracks)
        num_tracks += 1
    return tracks
