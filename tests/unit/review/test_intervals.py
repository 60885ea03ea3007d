"""Intervals of an audit against SciPy, against published examples, and in the limit."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest, chi2

from fastface.review.intervals import (
    AnsweredStratum,
    Estimate,
    add_estimates,
    estimate_share,
    share_of_sum,
    wilson,
    wilson_rare,
)


@pytest.mark.parametrize("count", [1, 2, 7, 50, 1000])
def test_wilson_is_scipys(count: int) -> None:
    for cases in {0, 1, count // 2, count - 1, count}:
        expected = binomtest(cases, count).proportion_ci(0.95, method="wilson")
        found = wilson(cases / count, count)
        assert (found.low, found.high) == (pytest.approx(expected.low, abs=1e-12), pytest.approx(expected.high))


@pytest.mark.parametrize(
    ("cases", "count", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_is_that_of_newcombe_1998(cases: int, count: int, low: float, high: float) -> None:
    # R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Stat. Med. 17 (1998), table I
    found = wilson(cases / count, count)
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_a_sum_is_newcombes_interval_of_a_difference() -> None:
    # R. G. Newcombe, "Interval estimation for the difference between independent proportions", Stat. Med. 17 (1998),
    # table II, contrast (a), method 10: 56/70 − 48/80 lies in 0.0524 to 0.3339. A difference is p + (1 − q) − 1.
    found = add_estimates([wilson(56 / 70, 70), wilson(32 / 80, 80)])
    assert (found.low - 1, found.high - 1) == (pytest.approx(0.0524, abs=5e-5), pytest.approx(0.3339, abs=5e-5))


@pytest.mark.parametrize("cases", range(1, 10))
def test_the_lower_limit_of_few_cases_is_poissons(cases: int) -> None:
    found = wilson_rare(cases / 10_000, 10_000)
    assert found.low * 10_000 == pytest.approx(chi2.ppf(0.025, 2 * cases) / 2, rel=1e-6)
    assert found.high == wilson(cases / 10_000, 10_000).high


def test_of_many_cases_and_of_none_the_limits_are_wilsons() -> None:
    for share in (0.0, 0.3, 1.0):
        assert wilson_rare(share, 100) == wilson(share, 100)


def _sampled(moments: int, *values: float, period: float = 0.2) -> AnsweredStratum:
    return AnsweredStratum(moments, moments * period, np.full(len(values), period), np.array(values))


def test_one_large_stratum_is_plain_wilson() -> None:
    found = estimate_share([_sampled(10**9, *[1.0] * 45, *[0.0] * 5)])
    expected = binomtest(45, 50).proportion_ci(0.95, method="wilson")
    assert found.value == pytest.approx(0.9)
    assert (found.low, found.high) == (pytest.approx(expected.low), pytest.approx(expected.high))


def test_a_stratum_that_was_drawn_whole_is_exact() -> None:
    assert estimate_share([_sampled(4, 1.0, 1.0, 1.0, 0.0)]) == Estimate(0.75, 0.75, 0.75)


def test_strata_count_by_their_seconds() -> None:
    found = estimate_share([_sampled(900, 1.0, 1.0), _sampled(100, 0.0, 0.0)])
    assert found.value == pytest.approx(0.9)
    # Kish's size of weights 0.45, 0.45, 0.05, 0.05 is 1 / 0.41 = 2.44; the population is 500 times as large.
    wide = estimate_share([_sampled(9 * 10**8, 1.0, 1.0), _sampled(10**8, 0.0, 0.0)])
    assert (wide.low, wide.high) == (
        pytest.approx(wilson(0.9, 1 / 0.41).low),
        pytest.approx(wilson(0.9, 1 / 0.41).high),
    )


def test_without_an_answer_nothing_is_known() -> None:
    assert estimate_share([_sampled(10)]) == Estimate(0.0, 0.0, 1.0)
    assert estimate_share([_sampled(10), _sampled(10, 1.0, 0.0)]).value == 0.5


def test_several_persons_at_a_moment_count_each() -> None:
    found = estimate_share([_sampled(10**9, 2.0, 1.0, 0.0, 1.0)])
    assert found.value == pytest.approx(1.0)
    assert 0 < found.low < 1 < found.high < 2


def test_a_share_of_a_known_and_an_unknown_part() -> None:
    found = share_of_sum(Estimate(30, 30, 30), Estimate(10, 5, 20))
    assert found is not None
    assert (found.value, found.low, found.high) == (0.75, pytest.approx(30 / 50), pytest.approx(30 / 35))
    found = share_of_sum(Estimate(30, 15, 60), Estimate(10, 10, 10))
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(15 / 25), pytest.approx(60 / 70))


def test_the_ends_of_a_share() -> None:
    assert share_of_sum(Estimate(0, 0, 0), Estimate(0, 0, 5)) is None
    assert share_of_sum(Estimate(0, 0, 0), Estimate(5, 1, 9)) == Estimate(0, 0, 0)
    found = share_of_sum(Estimate(10, 10, 10), Estimate(0, 0, 10))
    assert found == Estimate(1.0, 0.5, 1.0)
    nothing = share_of_sum(Estimate(10, 0, 20), Estimate(10, 0, 20))
    assert nothing is not None
    assert (nothing.low, nothing.high) == (0.0, 1.0)
    assert all(math.isfinite(value) for value in (nothing.value, nothing.low, nothing.high))
