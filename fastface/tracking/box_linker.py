"""Link boxes of consecutive samples into chains. Pure array code; the caller's `judge` decides which pairs may link.

`face_tracks` and `body_tracks` call `link_boxes`. Links are made greedily, best first: between neighbouring samples,
then over increasing gaps, from boxes without a successor to boxes without a predecessor. So each box has at most one of
each, and no chain has two boxes in one frame.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_BLOCK_PAIRS = 1 << 18

Numbers = npt.NDArray[np.int64]

Judge = Callable[[Numbers, Numbers], tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]]
"""Function of (k,) earlier rows and (k,) later rows; it returns which pairs may be linked, and each link's score."""


def link_boxes(
    times: npt.NDArray[np.float64], boxes: npt.NDArray[np.float32], max_gap: float, judge: Judge
) -> npt.NDArray[np.int32]:
    """Number the chains of one video.

    Args:
        times: (n,) seconds, of boxes in any order.
        boxes: (n, 4) x1, y1, x2, y2.
        max_gap: Maximum seconds that a link may bridge.
        judge: Function called for pairs at most about four times the longer side of the earlier box apart.

    Returns:
        (n,) int32: chain of each box, numbered from 0 by first appearance, then from left to right.
    """
    order = np.lexsort((*boxes.T[::-1], times))
    samples, frame = np.unique(times[order], return_inverse=True)
    place = _Places(frame, boxes[order].astype(np.float64))
    predecessor = np.full(len(order), -1, np.int64)
    is_open = np.ones(len(order), bool)
    for lag in range(1, len(samples)):
        near = samples[lag:] - samples[:-lag] <= max_gap
        if not near.any():
            break
        ends = np.flatnonzero(is_open & np.append(near, np.zeros(lag, bool))[frame])
        starts = np.flatnonzero(predecessor < 0)
        for earlier, later in _best_first(_pairs(place, ends, starts, lag), order, judge):
            if is_open[earlier] and predecessor[later] < 0:
                predecessor[later] = earlier
                is_open[earlier] = False
    chains = np.empty(len(order), np.int32)
    chains[order] = _number(predecessor)
    return chains


class _Places:
    """Frame and left edge of each box in one sorted number, to find nearby boxes of a frame by bisection.

    Without it, a crowd of 100 faces a frame costs 10,000 pairs for every two frames.
    """

    def __init__(self, frame: Numbers, boxes: npt.NDArray[np.float64]) -> None:
        sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
        # A box with an IoU of 0.3 begins at most 3.3 widths before this one; after a movement, less than 4 sides.
        lowest, highest = boxes[:, 0] - 4 * sides, boxes[:, 2] + 2 * sides
        self.width = float(np.ceil(highest.max(initial=0) - lowest.min(initial=0))) + 1
        base = frame * self.width - lowest.min(initial=0)
        self.left = base + boxes[:, 0]
        self.lowest = base + lowest
        self.highest = base + highest


def _pairs(place: _Places, ends: Numbers, starts: Numbers, lag: int) -> Iterator[tuple[Numbers, Numbers]]:
    """Yield the pairs of a nearby end and start that are `lag` frames apart, in bounded blocks."""
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


def _best_first(pairs: Iterable[tuple[Numbers, Numbers]], order: Numbers, judge: Judge) -> list[tuple[int, int]]:
    """Return the pairs that may be linked, the best link first."""
    kept = [_select_possible(earlier, later, order, judge) for earlier, later in pairs]
    if not kept:
        return []
    earlier, later, score = (np.concatenate(column) for column in zip(*kept, strict=True))
    turn = np.lexsort((later, earlier, -score))
    return list(zip(earlier[turn].tolist(), later[turn].tolist(), strict=True))


class _Pairs(NamedTuple):
    earlier: Numbers
    later: Numbers
    score: npt.NDArray[np.float64]


def _select_possible(earlier: Numbers, later: Numbers, order: Numbers, judge: Judge) -> _Pairs:
    may, score = judge(order[earlier], order[later])
    return _Pairs(earlier[may], later[may], score[may])


def _number(predecessor: Numbers) -> list[int]:
    """Number the chains by their first boxes."""
    chains: list[int] = []
    count = 0
    for row in predecessor.tolist():
        if row >= 0:
            chains.append(chains[row])
            continue
        chains.append(count)
        count += 1
    return chains
