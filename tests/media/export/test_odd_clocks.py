"""Clips of films with an odd clock show the frames of their span, and no other."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import pytest
import video_tools
from export_tools import numbered_frames

from fastface.demo.film import Encoding, draw_film
from fastface.demo.script import Script
from fastface.export.clips.clips import cut_clip
from fastface.export.plan import ClipMode
from fastface.video.discover import VideoFile
from fastface.video.probe import probe

SCRIPT = Script(90, (), size=(320, 176), barcode=True)
FRAME = Fraction(1, 25)


@pytest.fixture(autouse=True)
def quiet() -> None:
    av.logging.set_level(None)


def _wrapped(source: Path, path: Path) -> None:
    """The 33 bits of its clock run over 2 seconds after the beginning."""
    video_tools.ffmpeg("-i {0} -c copy -muxdelay 0 -output_ts_offset 95441.7 {1}", source, path)


def _jumped(source: Path, path: Path) -> None:
    """After frame 50 the clock is an hour later."""
    jump = "setpts='if(gt(N,50),PTS+3600/TB,PTS)'"
    video_tools.ffmpeg(f"-i {{0}} -vf {jump} -fps_mode passthrough {video_tools.X264} -bf 0 -g 20 {{1}}", source, path)


@pytest.mark.parametrize("mode", ["copy", "precise"])
@pytest.mark.parametrize(
    ("remake", "start", "end", "numbers"),
    [
        (_wrapped, 1.0, 3.0, range(25, 75)),
        (_wrapped, 2.4, 3.2, range(60, 80)),
        (_jumped, 0.4, 1.6, range(10, 40)),
        (_jumped, 3600 + 2.4, 3600 + 3.2, range(60, 80)),
    ],
    ids=["over the wrap", "after the wrap", "before the jump", "after the jump"],
)
def test_the_frames_of_the_span_are_in_its_clip(
    tmp_path: Path, *, remake: Callable[[Path, Path], None], start: float, end: float, numbers: range, mode: ClipMode
) -> None:
    draw_film(tmp_path / "plain.mp4", SCRIPT, Encoding(gop=20))
    remake(tmp_path / "plain.mp4", tmp_path / "v.ts")
    info = probe(VideoFile(tmp_path / "v.ts", "v"), video_tools.MAX_PIXELS).info
    clip = cut_clip(info, start, end, tmp_path / "clip.mp4", mode)
    shown = [number for _, number in numbered_frames(clip.path)]
    if clip.mode == "precise":
        assert shown == list(numbers)
    else:  # from the keyframe before, sometimes with a few frames that the last ones refer to
        assert set(numbers) <= set(shown)
        assert len(shown) <= len(numbers) + 25
    assert clip.end - clip.start < 4
