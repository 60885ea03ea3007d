"""Which moments are drawn: how many of each stratum, and each as likely as another."""

from collections import Counter

import pytest

from fastface.errors import ConfigError
from fastface.review.sampling import Role, Stratum, allocate, choose_rows


def _stratum(role: Role, moments: int, target: int | None = None) -> Stratum:
    return Stratum(role, "face" if role == "hit" else "", target, moments, moments * 0.2)


STRATA = [
    _stratum("hit", 10_000, 0),
    _stratum("hit", 100, 1),
    _stratum("hit", 3, 2),
    _stratum("face", 400),
    _stratum("empty", 40_000),
]


def test_half_goes_to_hits_and_large_strata_get_the_root() -> None:
    drawn = allocate(STRATA, 200)
    assert sum(drawn) == 200
    assert sum(drawn[:3]) == 100
    assert drawn[2] == 3
    assert drawn[0] / drawn[1] == pytest.approx(10, rel=0.15)
    assert drawn[4] / drawn[3] == pytest.approx(10, rel=0.15)


def test_each_stratum_gets_five_or_what_it_has_or_one() -> None:
    assert min(allocate([_stratum("hit", 10**6, 0), _stratum("near", 20, 0), _stratum("face", 50)], 40)) >= 5
    assert allocate(STRATA, 5) == [1, 1, 1, 1, 1]
    with pytest.raises(ConfigError, match="-n 4 is too few"):
        allocate(STRATA, 4)


def test_no_more_is_drawn_than_there_is() -> None:
    strata = [_stratum("hit", 7, 0), _stratum("face", 9)]
    assert allocate(strata, 1000) == [7, 9]
    assert allocate([_stratum("face", 50)], 20) == [20]


def test_each_moment_is_as_likely_and_the_seed_decides() -> None:
    stratum = _stratum("face", 20)
    counts = Counter(row for seed in range(2000) for row in choose_rows(stratum, 5, seed))
    assert len(counts) == 20
    assert all(count == pytest.approx(500, abs=5 * 20) for count in counts.values())  # five standard deviations
    assert choose_rows(stratum, 5, 1) == choose_rows(stratum, 5, 1) != choose_rows(stratum, 5, 2)
    assert choose_rows(stratum, 20, 1) == list(range(20))
