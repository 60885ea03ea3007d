"""How far a scan is, and how long it will take: counted in seconds of video, from outside of any clock."""

from fractions import Fraction

import pytest

from fastface.runtime.events.progress import ScanProgress, VideoProgress, clock_text, speed_text


def _scan(num_videos: int, **videos: VideoProgress) -> ScanProgress:
    return ScanProgress(num_videos, started=100.0, videos=videos)


def test_the_share_moves_within_one_long_video() -> None:
    scan = _scan(1, long=VideoProgress(7200.0))
    assert scan.share == 0
    scan.videos["long"].done = 1800.0
    assert scan.share == 0.25
    assert scan.text(now=400.0) == "0 of 1 videos, 6.0 times real time, about 15:00 left"


def test_videos_that_are_not_opened_count_as_the_mean_of_the_others() -> None:
    scan = _scan(4, a=VideoProgress(60.0, 60.0, is_finished=True), b=VideoProgress(120.0, 30.0))
    # 60 + 30 of 60 + 120 + 2 × 90
    assert scan.share == 0.25
    assert scan.num_finished == 1


def test_videos_of_earlier_runs_are_no_work_but_are_counted() -> None:
    scan = _scan(3, a=VideoProgress(100.0, 50.0))
    scan.num_kept = 2
    assert scan.share == 0.5
    assert scan.text(now=110.0) == "2 of 3 videos, 5.0 times real time, about 0:10 left"


def test_what_an_earlier_run_did_of_a_video_is_no_speed() -> None:
    scan = _scan(1, a=VideoProgress(100.0, 60.0, before=50.0))
    assert scan.share == 0.6
    assert scan.measure_speed(now=110.0) == 1.0
    assert scan.seconds_left(now=110.0) == 40.0


@pytest.mark.parametrize("video", [VideoProgress(100.0), VideoProgress(None)])
def test_nothing_is_estimated_before_anything_is_known(video: VideoProgress) -> None:
    scan = _scan(1, a=video)
    assert (scan.seconds_left(now=150.0), scan.measure_speed(now=150.0)) == (None, None)
    assert scan.text(now=150.0) == "0 of 1 videos"
    video.done = 1.0
    assert scan.seconds_left(now=100.5) is None


def test_a_video_without_a_length_never_makes_more_than_all() -> None:
    scan = _scan(1, live=VideoProgress(None, 500.0))
    assert 0 < scan.share <= 1
    scan.videos["live"].is_finished = True
    assert scan.share == 1
    assert scan.text(now=200.0) == "1 of 1 videos, 5.0 times real time"


def test_a_scan_of_nothing_new_is_complete() -> None:
    scan = _scan(2)
    scan.num_kept = 2
    assert scan.share == 1


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (3599, "59:59"), (7265.2, "2:01:05")])
def test_times_are_written_as_clocks(seconds: float, text: str) -> None:
    assert clock_text(seconds) == text


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        (80, "3 of 4 videos, 4.0 times real time, about 1:20 left"),
        (50, "3 of 4 videos, about 1:20 left"),
        (29, "3 of 4, about 1:20 left"),
        (20, "about 1:20 left"),
        (5, "about 1:20 left"),
    ],
)
def test_a_narrow_terminal_gets_the_time_left_first(columns: int, text: str) -> None:
    scan = _scan(4, long=VideoProgress(720.0, 400.0))
    scan.num_kept = 3
    assert scan.text(now=200.0, columns=columns) == text


@pytest.mark.parametrize(
    ("columns", "text"),
    [(80, "30 of 60 s, 8 faces, 1 hit"), (26, "30 of 60 s, 8 faces, 1 hit"), (25, "8 faces, 1 hit")],
)
def test_a_video_line_keeps_its_own_counts(columns: int, text: str) -> None:
    assert VideoProgress(60.0, 30.0, faces=8, hits=1).text(columns) == text
    assert VideoProgress(None, 30.0, faces=1).text() == "30 s, 1 face"


@pytest.mark.parametrize(("speed", "text"), [(12.34, "12.3"), (1.0, "1.0"), (0.96, "0.96"), (0.0351, "0.035")])
def test_a_slow_scan_is_not_told_as_zero(speed: float, text: str) -> None:
    assert speed_text(speed) == f"{text} times real time"


def test_the_speed_is_measured_from_the_first_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks load for 40 s after the start, which says nothing about the time left."""
    monkeypatch.setattr("fastface.runtime.events.progress.monotonic", lambda: 140.0)
    scan = _scan(1)
    scan.begin_video("a", Fraction(100), 0.0)
    scan.advance("a", 10.0, 1)
    assert (scan.seconds_scanned, scan.measure_speed(150.0)) == (10.0, None)
    scan.advance("a", 20.0, 2)
    assert (scan.seconds_scanned, scan.videos["a"].faces) == (30.0, 3)
    assert scan.measure_speed(150.0) == 2.0
    assert scan.seconds_left(150.0) == 35.0
