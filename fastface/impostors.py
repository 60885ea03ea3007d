"""Model the similarity of different persons: the distribution that gives the threshold for a risk.

The thresholds of `gallery` follow from it. Different persons have cosines that are nearly normal around zero; the upper
tail decides. Above a level that one comparison in twenty reaches, the exceedances follow a generalized Pareto law, the
limit law of extremes (Pickands 1975; Coles, "An Introduction to Statistical Modeling of Extreme Values", 2001, chapter
4). Its shape 0 is the exponential law, which is never too lenient if the true tail is bounded, like that of a cosine.
For a network whose strangers are spread so widely that the exponential law asks for cosines above 1, the shape is below
0: the tail ends at `tail_start` − scale / shape.
"""

import math
from dataclasses import dataclass

_TAIL_SHARE = 0.05
"""Share of the comparisons that reach `tail_start`."""


@dataclass(frozen=True, slots=True)
class ImpostorDistribution:
    """Evidence between a track and a different person; `gallery.track_voting` defines evidence.

    The figures come from `benchmarks/decision.py`, for one recogniser.
    """

    mean: float  # of the evidence
    deviation: float  # standard deviation of the evidence
    tail_start: float  # evidence that 5 % of the comparisons reach
    tail_scale: float  # mean exceedance of `tail_start`
    nearest_gain: float  # excess of the nearest of k references over their centroid, divided by √(2 ln k)
    film_shift: float  # additional evidence against references from the same film
    film_correlation: float  # correlation of evidence against photos with evidence against references from the film
    tail_shape: float = 0.0  # of the generalized Pareto law; at most 0
    is_measured: bool = True  # False: a careful guess for a network that was not measured

    def rate(self, evidence: float) -> float:
        """Return the share of comparisons of different persons that reach an evidence; 0.05 below the tail."""
        exceedance = max(0.0, evidence - self.tail_start)
        if self.tail_shape == 0:
            return _TAIL_SHARE * math.exp(-exceedance / self.tail_scale)
        left = max(0.0, 1 + self.tail_shape * exceedance / self._pareto_scale)
        return _TAIL_SHARE * math.pow(left, -1 / self.tail_shape)

    def threshold(self, rate: float) -> float:
        """Return the evidence that this share of comparisons of different persons reaches.

        Args:
            rate: Above 0; shares above 0.05 give the start of the tail.
        """
        rarity = _TAIL_SHARE / min(rate, _TAIL_SHARE)
        if self.tail_shape == 0:
            return self.tail_start + self.tail_scale * math.log(rarity)
        return self.tail_start + self._pareto_scale / self.tail_shape * (math.pow(rarity, self.tail_shape) - 1)

    @property
    def _pareto_scale(self) -> float:
        """Return the scale of the law whose mean is `tail_scale`."""
        return self.tail_scale * (1 - self.tail_shape)

    def gain(self, references: int) -> float:
        """Return the expected lead of the nearest of k references over their centroid, by chance alone.

        The largest of k independent normal numbers grows as √(2 ln k).
        """
        return self.nearest_gain * math.sqrt(2 * math.log(references)) if references > 1 else 0.0
