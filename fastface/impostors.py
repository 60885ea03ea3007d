"""How alike different persons are: the distribution from which the threshold for a risk follows.

Different persons have cosines that are nearly normal around zero. What decides is the upper tail: above a level that
one comparison in twenty reaches, exceedances of it are taken as exponentially distributed, which is the limit law of
extremes for light tails (Pickands 1975; Coles, "An Introduction to Statistical Modeling of Extreme Values", 2001,
chapter 4), and never too lenient where the true tail is bounded, as that of a cosine is.
"""

import math
from dataclasses import dataclass

_TAIL_SHARE = 0.05
"""Share of the comparisons that reach `tail_start`."""


@dataclass(frozen=True, slots=True)
class ImpostorDistribution:
    """Evidence between a track and a person who is another: see `gallery.track_voting` for what evidence is.

    The figures come from `benchmarks/decision.py`, for one recogniser.
    """

    mean: float  # of the evidence
    deviation: float  # its standard deviation
    tail_start: float  # the evidence that 5 % of the comparisons reach
    tail_scale: float  # mean exceedance of `tail_start`
    nearest_gain: float  # by how much the nearest of k references exceeds their centroid, over √(2 ln k)
    film_shift: float  # by how much more the evidence is against references out of the same film
    film_correlation: float  # of evidence against photos with evidence against references out of the film
    is_measured: bool = True  # False: a careful guess for a network that was not measured

    def rate(self, evidence: float) -> float:
        """Share of comparisons of different persons that reach an evidence; 0.05 below the start of the tail."""
        return _TAIL_SHARE * math.exp(min(0.0, (self.tail_start - evidence) / self.tail_scale))

    def threshold(self, rate: float) -> float:
        """The evidence that this share of comparisons of different persons reaches.

        Args:
            rate: Above 0; shares above 0.05 give the start of the tail.
        """
        return self.tail_start + self.tail_scale * math.log(_TAIL_SHARE / min(rate, _TAIL_SHARE))

    def gain(self, references: int) -> float:
        """Return the expected lead of the nearest of so many references over their centroid, by chance alone.

        The largest of k independent normal numbers grows as √(2 ln k).
        """
        return self.nearest_gain * math.sqrt(2 * math.log(references)) if references > 1 else 0.0
