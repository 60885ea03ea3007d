"""Draw the moments of an audit: strata, sizes, and the sample. Pure.

A stratum is a set of moments whose answers are likely alike. Half of the sample goes to what the answer reports, half
to where it may have missed a person; within each half in proportion to the square root of a stratum's moments (M. D.
Bankier, "Power allocations", Am. Stat. 42 (1988) 174–177), so that rare kinds and persons are not lost among frequent
ones. Each stratum gets five moments at least, or as many as it has; fewer, down to one, where the sample is too small
for that. What one half cannot use goes to the other.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from fastface.errors import ConfigError

Role = Literal["hit", "near", "face", "beside", "empty"]
"""`hit`: a reported hit. `near`: a face of a near miss (review.csv). `face`: any other face that is no hit. `beside`: a
sample with faces or hits, asked for persons who have none of them. `empty`: a sample with neither."""

_LEAST = 5


@dataclass(frozen=True, slots=True)
class Stratum:
    """A set of moments.

    Attributes:
        role: What its moments are.
        kind: Of hits, the column `by` of hits.csv; else empty.
        target: Place of the target among all targets, of hits and near misses; else None.
        moments: Their number.
        seconds: Seconds that they stand for.
    """

    role: Role
    kind: str
    target: int | None
    moments: int
    seconds: float

    @property
    def key(self) -> str:
        """Names the stratum."""
        return "/".join((self.role, self.kind, "" if self.target is None else str(self.target)))


def allocate(strata: Sequence[Stratum], count: int) -> list[int]:
    """How many moments to draw of each stratum, `count` in all or as many as there are.

    Raises:
        ConfigError: There are more strata than that.
    """
    sizes = np.array([one.moments for one in strata], np.int64)
    if count < len(strata):
        raise ConfigError(
            f"-n {count} is too few: there are {len(strata)} kinds of moments (by target), one of each at least"
        )
    floor = next(least for least in range(_LEAST, 0, -1) if np.minimum(sizes, least).sum() <= count)
    drawn = np.minimum(sizes, floor)
    is_hit = np.array([one.role == "hit" for one in strata], bool)
    for part in (is_hit, ~is_hit):
        _share_out(drawn, sizes, part, min(count - int(drawn.sum()), count // 2 - int(drawn[part].sum())))
    _share_out(drawn, sizes, np.ones(len(strata), bool), count - int(drawn.sum()))
    return [int(number) for number in drawn]


def _share_out(
    drawn: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64], among: npt.NDArray[np.bool_], count: int
) -> None:
    """Raises `drawn` by `count`, one at a time, where it is farthest below the proportion to the square root."""
    weights = np.sqrt(sizes)
    for _ in range(count):
        free = np.flatnonzero(among & (drawn < sizes))
        if not len(free):
            return
        drawn[free[np.argmin((drawn[free] + 1) / weights[free])]] += 1


def stream(seed: int, *names: str) -> random.Random:
    """Random numbers of their own for each use, so that one stratum's draw does not depend on another's."""
    return random.Random("/".join((str(seed), *names)))  # noqa: S311 - a sample, no secret


def choose_rows(stratum: Stratum, count: int, seed: int) -> list[int]:
    """`count` different places among the stratum's moments, rising; each set is equally likely."""
    return sorted(stream(seed, stratum.key).sample(range(stratum.moments), count))
