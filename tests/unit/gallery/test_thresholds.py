"""The thresholds that follow from a risk."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fastface.gallery.thresholds import ComparisonCounts, TrackRule
from fastface.impostors import ImpostorDistribution

USUAL = ImpostorDistribution(0.0, 0.06, 0.1, 0.03, nearest_gain=0.02, film_shift=0.1, film_correlation=0.8)


def test_the_tail_is_an_exponential_one() -> None:
    tail = stats.expon(loc=USUAL.tail_start, scale=USUAL.tail_scale)
    for evidence in (0.1, 0.2, 0.35):
        assert USUAL.rate(evidence) == pytest.approx(0.05 * tail.sf(evidence))
    for rate in (0.05, 1e-3, 1e-6):
        assert USUAL.threshold(rate) == pytest.approx(tail.isf(rate / 0.05))
    assert USUAL.rate(-1.0) == USUAL.rate(0.0) == 0.05
    assert USUAL.threshold(0.5) == USUAL.tail_start


def test_a_tail_of_negative_shape_is_a_bounded_pareto_one() -> None:
    usual = replace(USUAL, tail_shape=-0.2)
    tail = stats.genpareto(-0.2, loc=0.1, scale=0.03 * 1.2)
    assert tail.mean() - 0.1 == pytest.approx(usual.tail_scale)
    for evidence in (0.1, 0.2, 0.25):
        assert usual.rate(evidence) == pytest.approx(0.05 * tail.sf(evidence))
    for rate in (0.05, 1e-3, 1e-6):
        assert usual.threshold(rate) == pytest.approx(tail.isf(rate / 0.05))
    assert usual.rate(tail.support()[1] + 0.01) == 0.0


def test_the_nearest_of_many_gains_as_the_largest_of_normal_numbers_does() -> None:
    assert (USUAL.gain(0), USUAL.gain(1)) == (0.0, 0.0)
    chance = np.random.default_rng(0)
    ratio = [chance.standard_normal((20_000, count)).max(axis=1).mean() / USUAL.gain(count) for count in (4, 16, 64)]
    assert max(ratio) / min(ratio) < 1.45  # √(2 ln k) is the limit law, slowly come to


@given(
    st.floats(1e-4, 10), st.integers(1, 10**8), st.integers(0, 10**6), st.integers(0, 10**4)
)  # fmt: skip
def test_no_more_false_tracks_are_expected_than_were_allowed(
    risk: float, anywhere: int, in_film: int, in_shot: int
) -> None:
    rule = TrackRule.from_risk(USUAL, risk, ComparisonCounts(anywhere, in_film, in_shot))
    assert rule.expected_false <= risk * 1.000001
    assert rule.anywhere >= rule.in_film >= rule.in_shot >= USUAL.tail_start


def test_a_larger_archive_asks_for_more_evidence_and_a_larger_risk_for_less() -> None:
    small, large = (TrackRule.from_risk(USUAL, 0.1, ComparisonCounts(pairs)).anywhere for pairs in (10_000, 1_000_000))
    assert large - small == pytest.approx(0.03 * math.log(100))
    assert TrackRule.from_risk(USUAL, 1.0, ComparisonCounts(10_000)).anywhere == pytest.approx(
        small - 0.03 * math.log(10)
    )
    # What is asked of a small archive is one of many questions: it counts as one of ten thousand comparisons.
    assert TrackRule.from_risk(USUAL, 0.1, ComparisonCounts(7)).anywhere == small
    assert TrackRule.from_risk(USUAL, 0.1, ComparisonCounts(7)).expected_false < 1e-4


def test_a_network_that_was_not_measured_gets_no_lower_thresholds() -> None:
    guess = TrackRule.from_risk(replace(USUAL, is_measured=False), 0.1, ComparisonCounts(10_000, 100, 10))
    assert guess.in_shot == guess.in_film == guess.anywhere


def test_a_given_threshold_moves_all_three() -> None:
    rule = TrackRule.from_risk(USUAL, 0.1, ComparisonCounts(10_000))
    raised = rule.raised_to(USUAL, rule.anywhere + 0.1, ComparisonCounts(10_000))
    assert raised == replace(
        rule,
        anywhere=rule.anywhere + 0.1,
        in_film=pytest.approx(rule.in_film + 0.1),
        in_shot=pytest.approx(rule.in_shot + 0.1),
        expected_false=pytest.approx(10_000 * USUAL.rate(rule.anywhere + 0.1)),
    )
