"""Draw the moments of an audit: strata, sizes, and the sample. No I/O; `audit` calls it.

A stratum is a set of moments with probably similar answers. Half of the sample goes to reported hits, half to moments
in which a person may be missed. Within each half, strata get numbers in proportion to the square root of their moments
(M. D. Bankier, "Power allocations", Am. Stat. 42 (1988) 174–177). So the sample includes rare kinds and persons.

Each stratum gets at least five moments, or all if it has fewer. If the sample is too small for that, the minimum is
lowered, down to one. Moments that one half cannot use go to the other.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from fastface.errors import ConfigError

Role = Literal["hit", "near", "face", "beside", "empty"]
"""`hit`: a reported hit. `near`: a face of a near miss (review.csv). `face`: any other face without a hit. `beside`: a
sample with faces or hits; the question is about persons without any of them. `empty`: a sample without either."""

_LEAST = 5


@dataclass(frozen=True, slots=True)
class Stratum:
    """A set of moments.

    Attributes:
        role: Kind of its moments, see `Role`.
        kind: Value of the column `by` of hits.csv, for hits; else empty.
        target: Place of the target among all targets, for hits and near misses; else None.
        moments: Number of moments.
        seconds: Seconds that the moments stand for.
    """

    role: Role
    kind: str
    target: int | None
    moments: int
    seconds: float

    @property
    def key(self) -> str:
        """Return a unique name of the stratum."""
        return "/".join((self.role, self.kind, "" if self.target is None else str(self.target)))


def allocate(strata: Sequence[Stratum], count: int) -> list[int]:
    """Return the number of moments to draw from each stratum, `count` in all or as many as exist.

    Raises:
        ConfigError: There are more strata than `count`.
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
    """Increase `drawn` by `count`, one by one, where it is farthest below the proportion to the square root."""
    weights = np.sqrt(sizes)
    for _ in range(count):
        free = np.flatnonzero(among & (drawn < sizes))
        if not len(free):
            return
        drawn[free[np.argmin((drawn[free] + 1) / weights[free])]] += 1


def stream(seed: int, *names: str) -> random.Random:
    """Return a separate random generator for each use, so that the strata are drawn independently."""
    return random.Random("/".join((str(seed), *names)))  # noqa: S311 - a sample, not a secret


def choose_rows(stratum: Stratum, count: int, seed: int) -> list[int]:
    """Choose `count` different places among the stratum's moments, ascending; each set is equally likely."""
    return sorted(stream(seed, stratum.key).sample(range(stratum.moments), count))
