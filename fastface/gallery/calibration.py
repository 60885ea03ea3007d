"""Estimate error rates from labelled comparisons, and choose the evidence threshold for a risk. `calibrate` calls it.

The terms are those of ISO/IEC 19795-1. The false match rate is the share of non-mated comparisons that reach the
threshold; the false non-match rate is the share of mated comparisons that do not.

Counted rates have an interval by Wilson ("Probable inference, the law of succession, and statistical inference", JASA
1927). Without a counted error, the upper end is 3/n ("If nothing goes wrong, is everything all right?", Hanley and
Lippman-Hand, JAMA 1983). Rates below what can be counted are estimates: the highest twentieth of the strangers'
evidence is fitted as an exponential tail (peaks over a threshold: Coles, "An Introduction to Statistical Modeling of
Extreme Values", 2001, chapter 4, with shape 0). Among 600 comparisons of six persons, two of them similar, a free shape
varied from -0.5 to 0.1 with the tail's share. Shape 0 is on the safe side, because cosines have an upper limit.

Comparisons of one face with several persons are not independent: the number of different faces in a tail determines its
confidence.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastface.gallery.trials import PhotoTrials, Trials
from fastface.types import FloatArray

_LEAST_MATES = 10
"""Minimum number of photos with another photo of the same person."""

LEAST_IN_TAIL = 100
"""Minimum number of different faces in the tail for a suggestion. The threshold lies four decades beyond the counted
rates: a tail of 30 faces only places it between 0.53 and 0.88."""

LEAST_STRANGERS = 20
"""Minimum number of comparisons to fit a tail."""

_Z = 1.959963984540054
"""Standard normal deviate of a 95 % interval."""

_TAIL_SHARE, _TAIL_LEAST = 0.05, 10
_STEP = 0.01
_LARGEST_MARGIN = 0.3
_WRONG_WEIGHT = 10
"""Number of missed faces with the same cost as one wrong name."""


@dataclass(frozen=True, slots=True)
class RateEstimate:
    """A share between 0 and 1, with its 95 % interval.

    Attributes:
        value: The share.
        low: Lower end.
        high: Upper end.
        method: `Wilson`, `rule of three`, or `exponential tail`, which is an estimate.
    """

    value: float
    low: float
    high: float
    method: str


@dataclass(frozen=True, slots=True)
class ExponentialTail:
    """Exponential tail of the strangers' evidence above a floor."""

    floor: float  # evidence at which the tail begins
    share: float  # share of all comparisons above the floor, 0–1
    count: int  # number of different faces in the tail
    scale: float  # mean excess over the floor

    def rate(self, threshold: float) -> RateEstimate:
        """Estimate the share of comparisons that reach a threshold; at most `share`.

        The interval is computed for the logarithm, by the delta method. Its variance is that of the share plus that of
        the scale, which is scale²/count.
        """
        reach = max(0.0, threshold - self.floor) / self.scale
        value = self.share * math.exp(-reach)
        spread = math.exp(_Z * math.sqrt((1 - self.share) / self.count + reach**2 / self.count))
        return RateEstimate(value, value / spread, min(1.0, value * spread), "exponential tail")

    def quantile(self, rate: float) -> float:
        """Return the evidence that an estimated share of `rate` reaches; the floor for larger rates."""
        return self.floor + self.scale * max(0.0, math.log(self.share / rate))


def counted_rate(errors: int, total: int) -> RateEstimate:
    """Return the rate of errors that were counted among `total` comparisons, at least one."""
    if not errors:
        return RateEstimate(0.0, 0.0, min(1.0, 3 / total), "rule of three")
    share, square = errors / total, _Z**2
    centre = (share + square / (2 * total)) / (1 + square / total)
    half = _Z * math.sqrt(share * (1 - share) / total + square / (4 * total**2)) / (1 + square / total)
    return RateEstimate(share, max(0.0, centre - half), min(1.0, centre + half), "Wilson")


def fit_tail(evidence: FloatArray, face: npt.NDArray[np.int64] | None = None) -> ExponentialTail:
    """Fit the tail of more than ten comparisons: the highest twentieth of them, or ten.

    Args:
        evidence: (n,) evidence of each comparison.
        face: (n,) number of the face in each comparison; None if all faces are different.
    """
    order = np.argsort(evidence, kind="stable")
    ranked = evidence[order].astype(np.float64)
    count = max(_TAIL_LEAST, math.ceil(len(ranked) * _TAIL_SHARE))
    floor = float(ranked[-count - 1])
    # Equal evidence has no excess; a tail of length 0 would claim an unjustified certainty.
    scale = max(float((ranked[-count:] - floor).mean()), _STEP / 10)
    different = count if face is None else len(np.unique(face[order[-count:]]))
    return ExponentialTail(floor, count / len(ranked), different, scale)


@dataclass(frozen=True, slots=True)
class RequiredThreshold:
    """Threshold that one kind of strangers requires.

    Attributes:
        low: Smallest threshold that the comparisons allow, with 95 % confidence.
        value: Estimated threshold.
        high: Largest required threshold, with 95 % confidence.
        faces: Number of different faces in the tail.
        extreme: The closest strangers.
    """

    low: float
    value: float
    high: float
    faces: int
    extreme: str


def needed_threshold(trials: Trials, rate: float) -> RequiredThreshold:
    """Estimate the threshold that keeps a false match rate, in steps of 0.01.

    Args:
        trials: Comparisons with strangers, more than ten.
        rate: Maximum share of comparisons that may reach the threshold.
    """
    tail = fit_tail(trials.evidence, trials.face)
    steps = np.arange(round(tail.floor / _STEP), 101) * _STEP
    found = []
    for bound in ("low", "value", "high"):
        reached = [step for step in steps.tolist() if getattr(tail.rate(step), bound) <= rate]
        found.append(round(min(reached, default=1.0), 2))
    return RequiredThreshold(found[0], found[1], found[2], tail.count, trials.extreme)


def shortages(mates: Trials, strangers: Trials) -> list[str]:
    """List the missing data for a suggestion, one line each.

    Args:
        mates: Comparisons of photos with the other photos of their persons.
        strangers: Comparisons with other persons.
    """
    missing = []
    if len(mates) < _LEAST_MATES:
        missing.append(
            f"{len(mates)} photos have another one of the same person beside them, {_LEAST_MATES} are needed: give"
            " each person a folder of several photos"
        )
    faces = fit_tail(strangers.evidence, strangers.face).count if len(strangers) >= LEAST_STRANGERS else 0
    if faces < LEAST_IN_TAIL:
        missing.append(
            f"of {len(strangers)} comparisons with another person the highest twentieth has {faces} different faces,"
            f" {LEAST_IN_TAIL} are needed: give more persons and photos, or a larger archive (--index)"
        )
    return missing


def choose_threshold(in_use: float, mates: Trials, strangers: Trials, rate: float) -> tuple[float, list[str]]:
    """Choose the threshold that the comparisons support, or keep the current one; return it with the reasons.

    Args:
        in_use: Current threshold, from the risk or from the settings.
        mates: Comparisons of photos with the other photos of their persons.
        strangers: Comparisons with other persons.
        rate: Maximum share of comparisons of different persons that may reach the threshold.
    """
    if missing := shortages(mates, strangers):
        return in_use, [
            f"keep the threshold in use, since there are too few comparisons to judge it: {line}" for line in missing
        ]
    need, typical = needed_threshold(strangers, rate), float(np.median(mates.evidence))
    asked = f"{need.value:.2f} ({need.low:.2f} to {need.high:.2f})"
    if need.low <= in_use <= need.high:
        return in_use, [f"keep the threshold in use: the comparisons agree with it; they give {asked}"]
    if need.low > in_use and need.value > typical:
        return in_use, [
            f"keep the threshold in use: the comparisons give {asked}, but half of the photos reach only {typical:.2f}"
            f" with their own person. No threshold separates them. Look for a person under two names, or a blurred"
            f" photo: {need.extreme}"
        ]
    if need.low > in_use:
        return need.value, [
            f"other persons are more similar here than usual: use the threshold {asked} instead of {in_use:.2f} "
            f"({need.extreme})"
        ]
    return need.high, [f"other persons are less similar here than usual: {asked} is enough for the risk"]


def suggest_margin(photos: PhotoTrials, threshold: float, in_use: float) -> float:
    """Return the current margin unless another one better separates the photos' own persons from the next ones.

    A margin is too large for a photo with a smaller lead. It is too small for a photo that another person leads by as
    much. Of the best margins, in steps of 0.01, the nearest to the current one is returned.
    """
    reach, lead = photos.mates.evidence >= threshold, photos.lead
    wrong = photos.mates.evidence - lead >= threshold
    margins = np.append(np.arange(round(_LARGEST_MARGIN / _STEP) + 1) * _STEP, in_use).astype(np.float32)
    costs = [(reach & (lead < m)).sum() + _WRONG_WEIGHT * (wrong & (-lead >= m) & (lead < 0)).sum() for m in margins]
    best = margins[np.array(costs) == min(costs)]
    return round(float(best[np.abs(best - in_use).argmin()]), 4)
