from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from video_tools import probed

from fastface.types import Sampling
from fastface.video.plan import plan_units

times = st.fractions(0, 5000, max_denominator=90_000)
periods = st.one_of(st.none(), st.fractions(Fraction(1, 240), 30, max_denominator=1000))


@given(st.sets(times, max_size=40), st.one_of(st.none(), times), periods, st.floats(1, 600))
def test_units_partition_time_on_cell_edges(
    cuts: set[Fraction], duration: Fraction | None, period: Fraction | None, seconds: float
) -> None:
    units = plan_units(probed(sorted(cuts), duration), Sampling(period), seconds)
    assert units[0].start == 0
    assert units[-1].end is None
    assert [unit.index for unit in units] == list(range(len(units)))
    for unit, following in pairwise(units):
        assert unit.end == following.start
        assert following.start - unit.start >= Fraction(seconds).limit_denominator(1000)
        assert any(cut <= following.start for cut in cuts)
        assert period is None or (following.start / period).denominator == 1
        assert period is not None or following.start in cuts


def test_units_begin_at_the_first_cell_edge_after_a_keyframe() -> None:
    cuts = [Fraction(n * 4) + Fraction(1, 10) for n in range(1, 40)]
    units = plan_units(probed(cuts, Fraction(160)), Sampling(Fraction(1, 5)), 60)
    # Keyframes at 60.1 and 120.1; a grid of 0.2 s has its next edges at 60.2 and 120.2.
    assert [unit.start for unit in units] == [0, Fraction(301, 5), Fraction(601, 5)]


def test_one_unit_where_only_the_beginning_is_safe_or_the_rest_is_short() -> None:
    assert len(plan_units(probed([], Fraction(3600)), Sampling(None), 60)) == 1
    assert len(plan_units(probed([Fraction(61)], Fraction(89)), Sampling(None), 60)) == 1
    assert len(plan_units(probed([Fraction(61)], Fraction(92)), Sampling(None), 60)) == 2
