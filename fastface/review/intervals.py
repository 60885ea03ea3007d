"""Compute confidence intervals of shares, totals and ratios from a stratified sample. Pure.

`review.estimates` calls it for the precision and recall of an audit. The methods and their sources:

* A share: the score interval of E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
  J. Am. Stat. Assoc. 22 (1927) 209–212.
* A rare share, such as of moments with a missed person: below ten cases the lower limit is that of a Poisson count
  (F. Garwood, "Fiducial limits for the Poisson distribution", Biometrika 28 (1936) 437–442). For one to three cases
  Wilson's interval is too narrow: L. D. Brown, T. T. Cai and A. DasGupta, "Interval estimation for a binomial
  proportion", Stat. Sci. 16 (2001) 101–133.
* A share of several strata: Wilson's interval at the weighted share, with an effective sample size in place of the
  count: the smaller of Kish's, (Σw)² / Σw² (L. Kish, "Survey Sampling", 1965), and that of E. L. Korn and B. I.
  Graubard, "Confidence intervals for proportions with small expected number of positive counts estimated from survey
  data", Survey Methodology 24 (1998) 193–201, which is p(1 − p) / variance. Both with the finite population
  correction, so that the share of a stratum that was drawn whole is exact.
* A sum of independent estimates: the limits' squared distances add up (G. Y. Zou, W. Huang and X. Zhang, "A note on
  confidence interval estimation for a linear function of binomial proportions", Comput. Stat. Data Anal. 53 (2009)
  1080–1085).
* A ratio of two independent estimates: A. Donner and G. Y. Zou, "Closed-form confidence intervals for functions of the
  normal mean and standard deviation", Stat. Methods Med. Res. 21 (2012) 347–359.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

_Z = 1.959963984540054
"""Quantile of the normal distribution for 95 % intervals."""


_RARE = (
    0.0,
    0.0253178,
    0.2422093,
    0.6186721,
    1.0898654,
    1.6234864,
    2.2018943,
    2.8143631,
    3.4538322,
    4.1153731,
    4.7953887,
)
"""Means of Poisson distributions that reach 0, 1, 2 … cases with a probability of 2.5 %."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimate and its 95 % interval."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> Self:
        """Multiply the estimate by a known number."""
        return type(self)(self.value * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True, slots=True)
class AnsweredStratum:
    """The answered moments of one stratum.

    Attributes:
        moments: Moments of the stratum.
        seconds: Seconds that all moments of the stratum stand for.
        periods: (n,) seconds that each answered moment stands for.
        values: (n,) count at each answered moment: 0 or 1, or a number of persons.
    """

    moments: int
    seconds: float
    periods: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]


def wilson(share: float, count: float) -> Estimate:
    """Compute Wilson's interval of a share.

    Args:
        share: Observed share, 0–1.
        count: Size or effective size of the sample; 0 gives the interval 0–1, infinity an exact value.
    """
    if math.isinf(count):
        return Estimate(share, share, share)
    if count <= 0:
        return Estimate(share, 0.0, 1.0)
    middle = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    half = _Z / (1 + _Z**2 / count) * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    return Estimate(share, max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))


def wilson_rare(share: float, count: float) -> Estimate:
    """Compute Wilson's interval, with the lower limit of a Poisson count if the cases are few; same arguments."""
    found = wilson(share, count)
    cases = share * count
    if not 0 < cases < len(_RARE) - 1:
        return found
    low = float(np.interp(cases, np.arange(len(_RARE)), _RARE)) / count
    return Estimate(share, min(found.low, low), found.high)


def estimate_share(strata: Sequence[AnsweredStratum], *, is_rare: bool = False) -> Estimate:
    """Estimate the mean value of all moments of some strata, weighted by the seconds of the moments.

    A stratum without an answer gets the mean of the others. Without any answer the estimate is 0, from 0 to 1. Values
    above 1 are divided by the largest value before the interval is computed, and multiplied by it afterwards.

    Args:
        strata: The strata.
        is_rare: True to use `wilson_rare` instead of `wilson`.
    """
    answered = [one for one in strata if len(one.values)]
    if not answered:
        return Estimate(0.0, 0.0, 1.0)
    largest = max(1.0, *(float(one.values.max()) for one in answered))
    whole = sum(one.seconds for one in answered)
    mean = squares = variance = 0.0
    for one in answered:
        weights = one.seconds / whole * one.periods / one.periods.sum()
        values = one.values / largest
        inside = float(weights @ values / weights.sum())
        unseen = 1 - len(values) / one.moments
        mean += float(weights @ values)
        squares += unseen * float(weights @ weights)
        if len(values) > 1:
            spread = float((weights * (values - inside)) @ (weights * (values - inside)))
            variance += unseen * spread * len(values) / (len(values) - 1)
    mean = min(1.0, mean)
    sizes = [1 / squares if squares > 0 else math.inf]
    if variance > 0 and len(answered) > 1:  # for one stratum, Kish's size is the count itself
        sizes.append(mean * (1 - mean) / variance)
    return (wilson_rare if is_rare else wilson)(mean, min(sizes)).times(largest)


def add_estimates(parts: Sequence[Estimate]) -> Estimate:
    """Add independent estimates, none of which is below 0."""
    value = sum(part.value for part in parts)
    below = math.sqrt(sum((part.value - part.low) ** 2 for part in parts))
    above = math.sqrt(sum((part.high - part.value) ** 2 for part in parts))
    return Estimate(value, max(0.0, value - below), value + above)


def share_of_sum(part: Estimate, rest: Estimate) -> Estimate | None:
    """Estimate the share `part / (part + rest)` of two independent estimates of at least 0; None if both are 0."""
    if part.value + rest.value <= 0:
        return None
    low = _odds_limit(part.value - part.low, rest.high - rest.value, part.value, rest.value, is_high=True)
    high = _odds_limit(part.high - part.value, rest.value - rest.low, part.value, rest.value, is_high=False)
    return Estimate(part.value / (part.value + rest.value), 1 / (1 + low), 1 / (1 + high))


def _odds_limit(part_gap: float, rest_gap: float, part: float, rest: float, *, is_high: bool) -> float:
    """Compute a limit of rest / part: a root of (part² − gap²) x² − 2 part·rest x + (rest² − gap²)."""
    square = (part - part_gap) * (part + part_gap)
    constant = (rest - rest_gap) * (rest + rest_gap)
    root = math.sqrt(max(0.0, (part * rest) ** 2 - square * constant))
    if is_high:
        return (part * rest + root) / square if square > 0 else math.inf
    return max(0.0, constant) / (part * rest + root) if part * rest + root > 0 else (0.0 if part > 0 else math.inf)
