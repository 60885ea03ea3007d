from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from video_tools import probed

from fastface.video.clock import Clock

INFO = replace(probed([], None).info, time_base=Fraction(1, 1000), rate=Fraction(30000, 1001), start_pts=7)


def stamps(raw: list[int | None]) -> list[int]:
    clock = Clock(INFO)
    return [clock.stamp(pts) for pts in raw]


def test_growing_stamps_are_kept() -> None:
    assert stamps([7, 40, 5000, 5001]) == [7, 40, 5000, 5001]


def test_missing_stamps_are_counted_without_drift() -> None:
    # 1000 frames at 30000/1001 a second end at 999 · 33.3667 ms; rounding each step would lose 0.37 s.
    assert stamps([None] * 1000)[-1] == 7 + round(999 * 1001 / 30)
    assert stamps([100, None, None, 200]) == [100, 133, 167, 200]


def test_a_frame_out_of_its_place_shifts_no_other() -> None:
    assert stamps([7, 40, 40, 73, 70, 106]) == [7, 40, 41, 73, 74, 106]


def test_time_goes_on_where_the_clock_is_set_back() -> None:
    assert stamps([7, 40, 4000, 7, 40, 73]) == [7, 40, 4000, 4033, 4066, 4099]


def test_a_clock_that_is_known_to_be_set_back_goes_on_after_less_than_a_second() -> None:
    """As where a second recording joins, that begins only 0.6 s before the first one's end."""
    clock = Clock(replace(INFO, estimated_times=True))
    assert [clock.stamp(pts) for pts in (7, 40, 740, 140, 173, 206)] == [7, 40, 740, 773, 806, 839]
    assert [clock.stamp(pts) for pts in (239, 270, 270, 306)] == [872, 903, 904, 939]  # one frame out of its place


@given(st.lists(st.one_of(st.none(), st.integers(-(10**6), 10**6))))
def test_stamps_always_grow(raw: list[int | None]) -> None:
    found = stamps(raw)
    assert all(earlier < later for earlier, later in pairwise(found))


def test_the_last_frames_of_a_film_with_decoding_times_alone_go_on_by_its_steps() -> None:
    """One that leaves out two of three frames at 25 a second; the decoder gives the last two without a time."""
    info = replace(INFO, time_base=Fraction(1, 25), rate=Fraction(25), start_pts=6, estimated_times=True, uses_dts=True)
    clock = Clock(info)
    assert [clock.stamp(dts) for dts in (6, 9, 12, None, None)] == [6, 9, 12, 15, 18]
    over_a_gap = Clock(info)
    assert [over_a_gap.stamp(dts) for dts in (6, 9, 60, None, None)] == [6, 9, 60, 63, 66]
