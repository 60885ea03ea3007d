"""From known comparisons to a threshold and a margin, with the errors to expect and how sure that is.

The words are those of ISO/IEC 19795-1: the false match rate is the share of comparisons of a face with a person whom it
does not show that reach the threshold; the false non-match rate is the share of comparisons of a face with its own
person that do not, or that lead by less than the margin.

What was counted has an interval by Wilson ("Probable inference, the law of succession, and statistical inference", JASA
1927); where nothing was counted, the upper end is 3/n ("If nothing goes wrong, is everything all right?", Hanley and
Lippman-Hand, JAMA 1983). Rates smaller than what can be counted are estimates: the highest twentieth of the
strangers' cosines is taken as an exponential tail (peaks over a threshold: Coles, "An Introduction to Statistical
Modeling of Extreme Values", 2001, chapter 4, with shape 0). Of 600 comparisons among six persons, two of them alike,
a free shape went from -0.5 to 0.1 with the share that counts as tail; shape 0 errs to the safe side, as cosines end.

All of it takes comparisons as independent. Those that share a face are not quite, so true intervals are wider.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from fastface.gallery.trials import PhotoTrials, Trials
from fastface.names import counted
from fastface.types import FloatArray

__all__ = [
    "LEAST_STRANGERS",
    "Rate",
    "Tail",
    "contradictions",
    "counted_rate",
    "fit_tail",
    "judged_kinds",
    "shortages",
    "suggest_margin",
    "suggest_threshold",
]

_LEAST_PERSONS = 2
_LEAST_MATES = 10
LEAST_STRANGERS = 20
"""Fewer comparisons have no tail that could be told from chance."""

_Z = 1.959963984540054
"""Standard normal deviate of a 95 % interval."""

_TAIL_SHARE, _TAIL_LEAST = 0.05, 10
_STEP = 0.01
_LARGEST_MARGIN = 0.3
_WRONG_WEIGHT = 10
"""A wrong name costs as much as so many missed faces."""


@dataclass(frozen=True, slots=True)
class Rate:
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
class Tail:
    """Cosines of strangers above a floor, taken as exponential.

    Attributes:
        floor: Where the tail begins.
        share: Of all cosines, those above it.
        count: How many those are.
        scale: Their mean excess over the floor.
    """

    floor: float
    share: float
    count: int
    scale: float

    def rate(self, threshold: float) -> Rate:
        """The estimated share of cosines that reach a threshold; no more than `share` can be told.

        The interval is that of the logarithm, by the delta method: its variance is that of the share, and that of the
        scale, which is scale²/count.
        """
        reach = max(0.0, threshold - self.floor) / self.scale
        value = self.share * math.exp(-reach)
        spread = math.exp(_Z * math.sqrt((1 - self.share) / self.count + reach**2 / self.count))
        return Rate(value, value / spread, min(1.0, value * spread), "exponential tail")

    def quantile(self, rate: float) -> float:
        """The cosine that an estimated share of `rate` reaches; the floor for larger ones."""
        return self.floor + self.scale * max(0.0, math.log(self.share / rate))


def counted_rate(errors: int, total: int) -> Rate:
    """The rate of errors that were counted among `total` comparisons, at least one."""
    if not errors:
        return Rate(0.0, 0.0, min(1.0, 3 / total), "rule of three")
    share, square = errors / total, _Z**2
    centre = (share + square / (2 * total)) / (1 + square / total)
    half = _Z * math.sqrt(share * (1 - share) / total + square / (4 * total**2)) / (1 + square / total)
    return Rate(share, max(0.0, centre - half), min(1.0, centre + half), "Wilson")


def fit_tail(similarity: FloatArray) -> Tail:
    """The tail of at least `LEAST_STRANGERS` cosines: the highest twentieth of them, or ten."""
    ranked = np.sort(similarity.astype(np.float64))
    count = max(_TAIL_LEAST, math.ceil(len(ranked) * _TAIL_SHARE))
    floor = float(ranked[-count - 1])
    # Equal cosines have no excess; a tail of no length would claim a certainty that nobody has.
    scale = max(float((ranked[-count:] - floor).mean()), _STEP / 10)
    return Tail(floor, count / len(ranked), count, scale)


def shortages(num_persons: int, photos: PhotoTrials | None) -> list[str]:
    """What is missing for a suggestion; a line each.

    Args:
        num_persons: With usable photos.
        photos: Their comparisons; None where there are too few persons for any.
    """
    if num_persons < _LEAST_PERSONS or photos is None:
        persons = counted(num_persons, "person")
        return [f"too little to calibrate with: {persons} with usable photos, {_LEAST_PERSONS} are needed"]
    missing = []
    if len(photos.mates) < _LEAST_MATES:
        missing.append(
            f"too little to calibrate with: {len(photos.mates)} photos have another one of the same person beside"
            f" them, {_LEAST_MATES} are needed; give each person a folder of several photos"
        )
    if len(photos.strangers) < LEAST_STRANGERS:
        missing.append(
            f"too little to calibrate with: {len(photos.strangers)} comparisons of a photo with another person,"
            f" {LEAST_STRANGERS} are needed; give more persons or photos"
        )
    return missing


def judged_kinds(strangers: Mapping[str, Trials], wanted: float, together: str) -> dict[str, Trials]:
    """The comparisons that the threshold is judged by: all together, and each kind that is large enough by itself.

    The tail of a smaller kind is a dozen comparisons: of 155, the interval of an estimate spanned a factor of 200.

    Args:
        strangers: Kinds of comparisons; all of them together are at least `LEAST_STRANGERS`.
        wanted: The false match rate; a kind is large enough if it has as many comparisons as one error may be among.
        together: The name of all together, where there are several kinds.
    """
    if len(strangers) == 1:
        return dict(strangers)
    everything = max(strangers.values(), key=lambda trials: float(trials.similarity.max()))
    joined = Trials(np.concatenate([trials.similarity for trials in strangers.values()]), everything.extreme)
    least = max(LEAST_STRANGERS, 1 / wanted)
    return {together: joined, **{kind: trials for kind, trials in strangers.items() if len(trials) >= least}}


def suggest_threshold(judged: Iterable[Trials], wanted: float) -> float:
    """The smallest threshold, in steps of 0.01, that is enough against strangers.

    Enough is where no more than the wanted share was seen to reach it, and none more is estimated to.

    Args:
        judged: Groups of comparisons, each with at least `LEAST_STRANGERS`; it is enough against each of them.
        wanted: The false match rate.
    """
    needed = []
    for trials in judged:
        allowed = int(len(trials) * wanted)
        seen = float(np.sort(trials.similarity)[-1 - allowed])
        # 0.64 as float32 is a little less than 0.64, and reaches a threshold of 0.64 all the same.
        needed.append(math.floor(seen / _STEP + 1e-4) * _STEP + _STEP)
        needed.append(math.ceil(fit_tail(trials.similarity).quantile(wanted) / _STEP - 1e-6) * _STEP)
    return round(min(max(needed), 1.0), 2)


def contradictions(strangers: Mapping[str, Trials], mates: Trials, wanted: float) -> dict[str, float]:
    """The kinds of strangers that are as alike as mates, each with the threshold that it would need.

    A threshold that more than half of the mates miss is of no use. What asks for one are no strangers: a mirror or a
    poster shows a person twice in a frame, and blurred faces are alike, whosever they are.

    Args:
        strangers: Kinds of comparisons.
        mates: Photos of the persons, compared with other photos of the same person.
        wanted: The false match rate.
    """
    largest = float(np.median(mates.similarity))
    found = {}
    for kind, trials in strangers.items():
        if len(trials) >= LEAST_STRANGERS:
            needed = suggest_threshold([trials], wanted)
        else:
            needed = float(trials.similarity.max(initial=-1))
        if needed > largest:
            found[kind] = needed
    return found


def suggest_margin(photos: PhotoTrials, threshold: float) -> float:
    """The middle of the margins, in steps of 0.01, that separate the photos' own persons from the next ones best.

    A margin is too large for a photo whose lead is smaller, and too small for one that another person leads by as much.
    """
    reach, lead = photos.mates.similarity >= threshold, photos.lead
    wrong = photos.mates.similarity - lead >= threshold
    margins = np.arange(round(_LARGEST_MARGIN / _STEP) + 1) * _STEP
    costs = [(reach & (lead < m)).sum() + _WRONG_WEIGHT * (wrong & (-lead >= m) & (lead < 0)).sum() for m in margins]
    best = margins[np.array(costs) == min(costs)]
    middle = float(best[0] + best[-1]) / 2
    return round(math.floor(middle / _STEP + 1e-6) * _STEP, 2)
