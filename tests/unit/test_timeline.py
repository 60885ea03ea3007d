"""Spans by hand arithmetic, and what must hold for any hits."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastface.timeline import (
    boundary_windows,
    build_spans,
    clamp,
    group_hits,
    intersect,
    merge,
    split_intervals,
    subtract,
)
from fastface.types import Hits, Span

PERIOD = 0.2


def hits_at(*times: float, similarity: list[float] | None = None, period: float = PERIOD) -> Hits:
    count = len(times)
    return Hits(
        face=np.arange(count, dtype=np.int64),
        time=np.array(times, np.float64),
        pts=np.zeros(count, np.int64),
        period=np.full(count, period),
        similarity=np.array(similarity or [0.5] * count, np.float32),
        margin=np.ones(count, np.float32),
        by=np.zeros(count, np.int8),
    )


def spans_of(
    hits: Hits, pad=(0.0, 0.0), merge_gap=2.0, min_span=0.0, duration: float | None = None
) -> tuple[Span, ...]:
    return build_spans("v", "Ann", hits, pad=pad, merge_gap=merge_gap, min_span=min_span, duration=duration)


def bounds(spans: tuple[Span, ...]) -> list[tuple[float, float]]:
    return [(round(span.start, 9), round(span.end, 9)) for span in spans]


def test_a_span_lasts_from_the_first_hit_to_the_end_of_the_last_sample():
    (span,) = spans_of(hits_at(1.0, 1.2, 1.4, similarity=[0.5, 0.75, 0.25]), pad=(0.5, 1.0))
    assert span == Span("v", "Ann", 0.5, pytest.approx(2.6), 1.0, 1.4, 3, 0.75, 0.5)


def test_no_hits_give_no_spans():
    assert spans_of(hits_at()) == ()


@pytest.mark.parametrize(
    ("times", "merge_gap", "expected"),
    [
        ((1.0, 2.999), 2.0, 1),
        ((1.0, 3.0), 2.0, 2),
        ((1.0, 3.001), 2.0, 2),
        # 0.3 - 0.1 is 0.19999999999999998 in floating point, and still not closer than 0.2.
        ((0.1, 0.3), 0.2, 2),
        ((0.1, 0.3), 0.201, 1),
    ],
)
def test_a_gap_of_exactly_the_tolerance_does_not_join(times, merge_gap, expected):
    assert len(spans_of(hits_at(*times, period=0.01), merge_gap=merge_gap)) == expected


def test_padding_is_clamped_to_the_video():
    assert bounds(spans_of(hits_at(0.4, 9.8), pad=(1.0, 1.0), duration=10.0)) == [(0.0, 1.6), (8.8, 10.0)]
    assert bounds(spans_of(hits_at(9.8), pad=(1.0, 1.0), duration=None)) == [(8.8, 11.0)]


def test_a_hit_beyond_a_lying_duration_keeps_its_evidence_and_gets_no_padding():
    assert bounds(spans_of(hits_at(5.0, 12.0), pad=(1.0, 1.0), duration=10.0)) == [(4.0, 6.2), (11.0, 12.2)]


def test_padded_spans_that_overlap_are_one_with_the_mean_of_all_hits():
    # Groups 1.0–1.4 and 5.0–5.2 are padded to [-1, 3.4) and [3, 7.2): they overlap.
    hits = hits_at(1.0, 1.2, 5.0, similarity=[0.5, 0.75, 1.0])
    (span,) = spans_of(hits, pad=(2.0, 2.0))
    assert span == Span("v", "Ann", 0.0, pytest.approx(7.2), 1.0, 5.0, 3, 1.0, 0.75)


def test_padded_spans_that_only_touch_are_one():
    # [0, 1.2 + 0.9) and [3 - 0.9, …): both edges are 2.1.
    assert len(spans_of(hits_at(1.0, 3.0), pad=(0.9, 0.9))) == 1
    assert len(spans_of(hits_at(1.0, 3.0), pad=(0.89, 0.9))) == 2


def test_the_shortest_length_is_measured_before_padding():
    hits = hits_at(1.0, 10.0, 10.2, 10.4)
    assert bounds(spans_of(hits, pad=(5.0, 3.0), min_span=0.6)) == [(5.0, 13.6)]
    assert bounds(spans_of(hits, pad=(5.0, 3.0), min_span=0.61)) == []


def test_padding_does_not_save_what_is_too_short():
    # Two flickers 2.1 s apart would overlap once padded; each alone is 0.2 s long.
    assert spans_of(hits_at(1.0, 3.1), pad=(1.0, 1.0), min_span=0.5) == ()


def test_the_last_hits_own_period_ends_the_span():
    hits = Hits(
        face=np.arange(2),
        time=np.array([1.0, 1.2]),
        pts=np.zeros(2, np.int64),
        period=np.array([0.2, 0.04]),
        similarity=np.full(2, 0.5, np.float32),
        margin=np.ones(2, np.float32),
        by=np.zeros(2, np.int8),
    )
    assert bounds(spans_of(hits)) == [(1.0, 1.24)]


TIMES = st.lists(st.integers(0, 3000).map(lambda tick: tick / 100), min_size=1, max_size=40, unique=True)
PADS = st.tuples(st.integers(0, 30), st.integers(0, 30)).map(lambda pair: (pair[0] / 10, pair[1] / 10))


@given(TIMES, PADS, st.integers(0, 30).map(lambda t: t / 10), st.randoms(use_true_random=False))
def test_the_order_of_hits_does_not_matter(times, pad, merge_gap, random):
    hits = hits_at(*sorted(times), similarity=[((7 * i) % 11) / 11 for i in range(len(times))])
    shuffled = np.array(random.sample(range(len(times)), len(times)))
    assert spans_of(hits[shuffled], pad=pad, merge_gap=merge_gap) == spans_of(hits, pad=pad, merge_gap=merge_gap)


@given(TIMES, PADS, st.integers(0, 30).map(lambda t: t / 10))
def test_spans_are_disjoint_and_hold_every_hit_once(times, pad, merge_gap):
    hits = hits_at(*times)
    spans = spans_of(hits, pad=pad, merge_gap=merge_gap, duration=30.1)
    assert sum(span.hits for span in spans) == len(times)
    for earlier, later in itertools.pairwise(spans):
        assert earlier.end < later.start
        assert later.first_hit - earlier.last_hit >= merge_gap - 1e-6
    for span in spans:
        assert 0 <= span.start <= span.first_hit <= span.last_hit < span.end <= 30.1
        assert sum(span.start <= time < span.end for time in times) == span.hits


@given(TIMES, st.integers(1, 300))
def test_groups_are_cut_at_exactly_the_gaps_that_are_not_smaller(times, gap_ticks):
    ticks = sorted(round(time * 100) for time in times)
    expected = 1 + sum(b - a >= gap_ticks for a, b in itertools.pairwise(ticks))
    assert len(group_hits(hits_at(*times), gap_ticks / 100)) == expected


INTERVALS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda p: (Fraction(p[0]), Fraction(p[1]))), max_size=12
)


def cells(intervals) -> set[int]:
    return {cell for start, end in intervals for cell in range(int(start), int(end))}


@given(INTERVALS)
def test_merging_keeps_the_union_and_is_idempotent(intervals):
    merged = merge(intervals)
    assert cells(merged) == cells(intervals)
    assert merge(merged) == merged == merge(reversed(intervals))
    assert all(a[1] < b[0] for a, b in itertools.pairwise(merged))


@given(INTERVALS, st.integers(1, 10))
def test_merging_with_a_gap_leaves_no_smaller_gap(intervals, gap):
    merged = merge(intervals, Fraction(gap))
    assert cells(merged) >= cells(intervals)
    assert merge(merged, Fraction(gap)) == merged
    assert all(b[0] - a[1] >= gap for a, b in itertools.pairwise(merged))


def test_intervals_exactly_a_gap_apart_stay_two():
    assert merge([(Fraction(0), Fraction(1)), (Fraction(3), Fraction(4))], Fraction(2)) == ((0, 1), (3, 4))
    assert merge([(Fraction(0), Fraction(1)), (Fraction(3), Fraction(4))], Fraction(2) + Fraction(1, 1000)) == ((0, 4),)


@given(INTERVALS, INTERVALS)
def test_subtracting_leaves_exactly_what_was_not_taken(intervals, taken):
    left = subtract(intervals, taken)
    assert cells(left) == cells(intervals) - cells(taken)
    assert merge(left) == left


def test_clamping_drops_what_is_outside():
    assert clamp(
        [(Fraction(-1), Fraction(2)), (Fraction(3), Fraction(9)), (Fraction(10), Fraction(11))],
        (Fraction(0), Fraction(5)),
    ) == ((0, 2), (3, 5))
    assert clamp([(Fraction(-2), Fraction(-1)), (Fraction(3), Fraction(9))]) == ((3, 9),)


def test_exact_windows_are_the_cells_before_the_first_and_of_the_last_hit():
    # At 5 samples a second: first hit at 1.0 (cell 5), last hit at 1.4 (cell 7).
    assert boundary_windows([(1.0, 1.4)], Fraction(1, 5)) == (
        (Fraction(4, 5), Fraction(1)),
        (Fraction(7, 5), Fraction(8, 5)),
    )


def test_exact_windows_merge_and_stay_inside_the_video():
    groups = [(0.0, 0.0), (1.0, 1.2)]
    # Group 0.0: cell −1 (outside) and cell 0. Group 1.0–1.2: cell 4 and cell 6, of which half is in the video.
    assert boundary_windows(groups, Fraction(1, 5), Fraction(13, 10)) == (
        (Fraction(0), Fraction(1, 5)),
        (Fraction(4, 5), Fraction(1)),
        (Fraction(6, 5), Fraction(13, 10)),
    )
    assert boundary_windows([(0.6, 0.6)], Fraction(1, 5)) == ((Fraction(2, 5), Fraction(4, 5)),)


@given(
    st.integers(0, 100_000), st.sampled_from([Fraction(1, 5), Fraction(1, 3), Fraction(1001, 30000), Fraction(7, 13)])
)
def test_a_sample_on_its_cells_edge_is_found_there_though_its_time_was_rounded(cell, period):
    time = float(cell * period)
    assert boundary_windows([(time, time)], period)[-1][1] == (cell + 1) * period


@given(INTERVALS, st.lists(st.integers(0, 60), max_size=8), st.integers(1, 5))
def test_split_intervals_are_the_same_seconds_in_pieces_that_pay(intervals, edges, least):
    whole = merge(intervals)
    pieces = split_intervals(whole, map(Fraction, edges), Fraction(least))
    assert sum(end - start for start, end in pieces) == sum(end - start for start, end in whole)
    assert cells(pieces) == cells(whole)
    bounds = {edge for interval in whole for edge in interval}
    assert {edge for piece in pieces for edge in piece} <= bounds | set(map(Fraction, edges))
    assert all(end - start >= least or (start, end) in whole for start, end in pieces)


def test_intervals_are_split_at_edges():
    pieces = split_intervals([(Fraction(0), Fraction(10))], map(Fraction, (7, 3, 9, 20)), Fraction(2))
    assert pieces == ((0, 3), (3, 7), (7, 10))


CELLS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 6)), max_size=8)


@given(CELLS, CELLS)
def test_differences_and_common_parts_agree_with_each_cell_by_itself(left, right):
    def intervals(stretches):
        return [(Fraction(start), Fraction(start + length)) for start, length in stretches]

    def cells(stretches):
        return {cell for start, length in stretches for cell in range(start, start + length)}

    def joined(found):
        return merge((Fraction(cell), Fraction(cell + 1)) for cell in found)

    assert subtract(intervals(left), intervals(right)) == joined(cells(left) - cells(right))
    assert intersect(intervals(left), intervals(right)) == joined(cells(left) & cells(right))
