"""Progress in a terminal: one bar for all videos, and the counts of each."""

import os
import pty
import re
import subprocess
import sys

_SCAN = """
from fractions import Fraction
from fastface.runtime.events.observer import BarObserver
bars = BarObserver()
bars.begin(2)
bars.video_begun("long.mp4", Fraction(60), 0.0)
bars.video_begun("live.mkv", None, 0.0)
for step in range(12):
    bars.add_progress("long.mp4", 5.0, 2)
    bars.add_progress("live.mkv", 1.0, 1)
    if step == 5:
        bars.add_hits("long.mp4", 3)
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
