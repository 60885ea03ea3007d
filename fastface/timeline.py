"""Compute with time intervals, and join hits to spans. Pure: no I/O.

Intervals are half-open, [start, end), in seconds from a video's first frame. Times from floating point are compared
with a tolerance of one microsecond: far below the distance of two frames, far above rounding errors, so that 0.3 − 0.1
equals 0.2.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np

from fastface.types import Hits, Span

Interval = tuple[Fraction, Fraction]
"""[start, end) in seconds from the first frame."""

EVERYTHING: tuple[Fraction, None] = (Fraction(0), None)
"""Bounds for `clamp` if the video's length is unknown."""

_TOLERANCE = 1e-6
_EXACT_TOLERANCE = Fraction(1, 1_000_000)


def merge(intervals: Iterable[Interval], gap: Fraction = Fraction(0)) -> tuple[Interval, ...]:
    """Sort intervals; join those that overlap, touch, or lie closer than `gap`. Drop empty ones."""
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if end <= start:
            continue
        if merged and (start <= merged[-1][1] or start - merged[-1][1] < gap):
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
            continue
        merged.append((start, end))
    return tuple(merged)


def clamp(intervals: Iterable[Interval], bounds: tuple[Fraction, Fraction | None] = EVERYTHING) -> tuple[Interval, ...]:
    """Clip intervals to the bounds, in the order given; `None` as the upper bound is no bound."""
    low, high = bounds
    cut = ((max(start, low), end if high is None else min(end, high)) for start, end in intervals)
    return tuple((start, end) for start, end in cut if start < end)


def subtract(intervals: Iterable[Interval], taken: Iterable[Interval]) -> tuple[Interval, ...]:
    """Subtract `taken` from `intervals`; return sorted and merged intervals."""
    holes = merge(taken)
    left: list[Interval] = []
    nearest = 0  # the first hole that ends after the current interval's start
    for begin, end in merge(intervals):
        start = begin
        while nearest < len(holes) and holes[nearest][1] <= start:
            nearest += 1
        hole = nearest
        while hole < len(holes) and holes[hole][0] < end:
            if start < holes[hole][0]:
                left.append((start, holes[hole][0]))
            start = min(holes[hole][1], end)
            hole += 1
        if start < end:
            left.append((start, end))
    return tuple(left)


def intersect(intervals: Iterable[Interval], others: Iterable[Interval]) -> tuple[Interval, ...]:
    """Return the parts that lie in both sets of intervals, sorted and merged."""
    left, right = merge(intervals), merge(others)
    common: list[Interval] = []
    one = other = 0
    while one < len(left) and other < len(right):
        start, end = max(left[one][0], right[other][0]), min(left[one][1], right[other][1])
        if start < end:
            common.append((start, end))
        one, other = (one + 1, other) if left[one][1] < right[other][1] else (one, other + 1)
    return tuple(common)


def split_intervals(intervals: Iterable[Interval], edges: Iterable[Fraction], least: Fraction) -> tuple[Interval, ...]:
    """Return disjoint intervals, cut at those of `edges` that leave at least `least` seconds on both sides."""
    ordered = sorted(edges)
    pieces: list[Interval] = []
    for begin, end in intervals:
        start = begin
        for edge in ordered:
            if start + least <= edge <= end - least:
                pieces.append((start, edge))
                start = edge
        pieces.append((start, end))
    return tuple(pieces)


def group_hits(hits: Hits, merge_gap: float) -> tuple[Hits, ...]:
    """Sort the hits of one target by time, and cut between neighbours at least `merge_gap` seconds apart.

    The order is irrelevant: any permutation of the same hits gives the same groups.
    """
    if not len(hits):
        return ()
    hits = hits[np.lexsort((hits.face, hits.similarity, hits.period, hits.time))]
    cuts = np.flatnonzero(np.diff(hits.time) >= merge_gap - _TOLERANCE) + 1
    edges = [0, *cuts.tolist(), len(hits)]
    return tuple(hits[start:end] for start, end in pairwise(edges))


def build_spans(
    video_id: str,
    target: str,
    hits: Hits,
    *,
    pad: tuple[float, float],
    merge_gap: float,
    min_span: float,
    duration: float | None,
) -> tuple[Span, ...]:
    """Return the spans of one target in one video, in order of time, disjoint.

    Hits closer than `merge_gap` form a group, which lasts from its first hit to its last hit plus that hit's period.
    Groups shorter than `min_span` are dropped first, so that padding never decides which spans remain. The others are
    padded and clamped to the video; groups that then overlap or touch are one span.

    Args:
        video_id: The video.
        target: The target's label.
        hits: Its hits in the video, in any order.
        pad: Seconds added (before, after).
        merge_gap: Seconds; hits exactly this far apart do not join.
        min_span: Seconds; a group of exactly this length stays.
        duration: Length of the video in seconds; None if unknown. A hit at or beyond it proves the header wrong: then
            the span ends with its last hit.
    """
    groups = group_hits(hits, merge_gap)
    stretches = [(float(one.time[0]), float(one.time[-1]), float(one.time[-1] + one.period[-1])) for one in groups]
    padded = pad_stretches(stretches, pad=pad, min_span=min_span, duration=duration)
    joined = ((one, Hits.concatenate([groups[number] for number in one.parts])) for one in padded)
    return tuple(make_span(video_id, target, one.start, one.end, found) for one, found in joined)


@dataclass(frozen=True, slots=True)
class PaddedStretch:
    """A stretch with padding; `parts` are the numbers of the stretches that it joins."""

    start: float
    end: float
    parts: tuple[int, ...]


def pad_stretches(
    stretches: Sequence[tuple[float, float, float]],
    *,
    pad: tuple[float, float],
    min_span: float,
    duration: float | None,
) -> tuple[PaddedStretch, ...]:
    """Drop short stretches, pad and clamp the others, and join those that then overlap or touch.

    Args:
        stretches: (start, time of the last sample, end) in seconds, in order of time.
        pad: See `build_spans`, as `min_span` and `duration`.
        min_span: Seconds.
        duration: Length of the video in seconds; None if unknown.
    """
    padded: list[PaddedStretch] = []
    for number, (first, last, raw_end) in enumerate(stretches):
        if raw_end - first < min_span - _TOLERANCE:
            continue
        start, end = max(0.0, first - pad[0]), raw_end + pad[1]
        if duration is not None:
            end = min(end, duration if last < duration else raw_end)
        if padded and start <= padded[-1].end + _TOLERANCE:
            before = padded[-1]
            padded[-1] = PaddedStretch(before.start, max(before.end, end), (*before.parts, number))
            continue
        padded.append(PaddedStretch(start, end, (number,)))
    return tuple(padded)


def make_span(video_id: str, target: str, start: float, end: float, hits: Hits) -> Span:
    """Make a span with the evidence of its hits, which are in order of time; there is at least one."""
    similarities = hits.similarity[hits.face >= 0].tolist()
    return Span(
        video_id=video_id,
        target=target,
        start=start,
        end=end,
        first_hit=float(hits.time[0]),
        last_hit=float(hits.time[-1]),
        hits=len(similarities),
        best_similarity=max(similarities, default=None),
        mean_similarity=math.fsum(similarities) / len(similarities) if similarities else None,
    )


def boundary_windows(
    groups: Iterable[tuple[float, float]], period: Fraction, duration: Fraction | None = None
) -> tuple[Interval, ...]:
    """Return the stretches to search at every frame so that the bounds of groups of sampled hits are exact.

    A sample is the first frame of its cell [kP, (k+1)P). All frames between a group's first hit, in cell k, and the
    previous sample lie in cell k − 1. All frames between its last hit, in cell m, and the next sample lie in cell m. So
    those two cells are the windows; they lie on the edges of the sampling grid, which units require.

    Args:
        groups: (first hit, last hit) in seconds of groups of hits, of one or more targets of one video.
        period: Seconds between samples.
        duration: Length of the video if known.

    Returns:
        The windows, sorted, merged, inside the video.
    """
    windows: list[Interval] = []
    for first_hit, last_hit in groups:
        first, last = find_cell(first_hit, period), find_cell(last_hit, period)
        windows.append(((first - 1) * period, first * period))
        windows.append((last * period, (last + 1) * period))
    return merge(clamp(windows, (Fraction(0), duration)))


def inner_cells(groups: Iterable[tuple[float, float]], period: Fraction) -> tuple[Interval, ...]:
    """Return the cells from each group's first hit up to its last hit, in which no bound of the group can lie.

    Args:
        groups: (first hit, last hit) in seconds.
        period: Seconds between samples.
    """
    return merge((find_cell(first, period) * period, find_cell(last, period) * period) for first, last in groups)


def find_cell(time: float, period: Fraction) -> int:
    """Return the cell [kP, (k+1)P) of a sample, although float rounding may put its time just below the edge."""
    return int((Fraction(time) + _EXACT_TOLERANCE) // period)
