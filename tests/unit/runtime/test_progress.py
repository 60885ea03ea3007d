"""How far a scan is, and how long it will take: counted in seconds of video, from outside of any clock."""

import os
import pty
import re
import subprocess
import sys

import pytest

from fastface.runtime.progress import ScanProgress, VideoProgress, clock_text


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
    assert scan.speed(now=110.0) == 1.0
    assert scan.seconds_left(now=110.0) == 40.0


@pytest.mark.parametrize("video", [VideoProgress(100.0), VideoProgress(None)])
def test_nothing_is_estimated_before_anything_is_known(video: VideoProgress) -> None:
    scan = _scan(1, a=video)
    assert (scan.seconds_left(now=150.0), scan.speed(now=150.0)) == (None, None)
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


_SCAN = """
from fractions import Fraction
from fastface.runtime.observer import BarObserver
bars = BarObserver()
bars.begin(2)
bars.video_begun("long.mp4", Fraction(60), 0.0)
bars.video_begun("live.mkv", None, 0.0)
for step in range(12):
    bars.moved("long.mp4", 5.0, 2)
    bars.moved("live.mkv", 1.0, 1)
    if step == 5:
        bars.found("long.mp4", 3)
        bars.note("a line above the bars")
    for bar in bars._bars.values():
        bar.refresh()
    bars._total.refresh()
bars.video_finished("long.mp4", "done", "")
bars.video_finished("live.mkv", "failed", "no frames")
bars.end()
"""


def _drawn(read: int) -> str:
    parts = []
    while True:
        try:
            part = os.read(read, 65536)
        except OSError:  # the other side of a terminal was closed
            return b"".join(parts).decode()
        parts.append(part)


def test_a_terminal_shows_one_bar_of_all_and_the_counts_of_each_video() -> None:
    """On a terminal that does not say how large it is, as those of recorders."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", _SCAN], stderr=theirs, close_fds=True)
    os.close(theirs)
    drawn = _drawn(ours)
    os.close(ours)
    assert process.wait(timeout=60) == 0
    assert "a line above the bars" in drawn
    assert "live.mkv: failed: no frames" in drawn
    frames = [line for line in re.split(r"[\r\n]|\x1b\[A", drawn) if line.strip()]
    shares = [int(share) for share in re.findall(r"^all +(\d+)%", "\n".join(frames), re.MULTILINE)]
    assert len(set(shares)) > 5  # it moves within one film
    assert shares == sorted(shares)
    assert any("35 of 60 s, 14 faces, 3 hits" in line for line in frames)
    assert any(re.match(r"live.mkv 6 s, 6 faces$", line.strip()) for line in frames)  # its own, not the other film's
    assert not re.search(r"\?x|x/s|s/x|it/s", drawn)
