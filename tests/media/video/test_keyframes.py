"""Keyframes alone: each one is looked at, whatever the group of pictures, and what is lost of them is told."""

import re
import subprocess
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import av
import numpy as np
import pytest
import video_tools as tools

from fastface.types import Sampling
from fastface.video.decode import open_source
from fastface.video.discover import VideoFile
from fastface.video.plan import plan_units
from fastface.video.probe import probe

KEYFRAMES = Sampling(Fraction(1, 5), keyframes=True)
DRAWN = "-f lavfi -i testsrc2=size=160x96:rate=25:duration=6"
OPEN = "open-gop=1:keyint=25:min-keyint=25:scenecut=0:bframes=3"
OPEN_H264 = f"-c:v libx264 -preset fast -pix_fmt yuv420p -x264-params {OPEN}"
FILMS = {
    "open.ts": f"{OPEN_H264} -f mpegts",
    "open.mkv": OPEN_H264,
    "open.mp4": OPEN_H264,
    "open-hevc.mp4": f"-c:v libx265 -preset ultrafast -x265-params log-level=0:{OPEN}",
    "open.mpg": "-c:v mpeg2video -g 25 -bf 2 -q:v 3",
}


@pytest.fixture(autouse=True)
def quiet() -> None:
    av.logging.set_level(None)


def _digest(frame: av.VideoFrame) -> str:
    return sha256(np.ascontiguousarray(frame.to_ndarray(format="yuv420p"))).hexdigest()


def _intra(path: Path) -> list[tuple[int, str]]:
    """(pts, pixels) of each I-picture of a film that is decoded whole."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [(frame.pts, _digest(frame)) for frame in frames if frame.pict_type == av.video.frame.PictureType.I]


@pytest.mark.parametrize("unit_seconds", [60.0, 2.0])
@pytest.mark.parametrize("name", sorted(FILMS))
def test_open_groups_of_pictures_lose_no_keyframe(tmp_path: Path, name: str, unit_seconds: float) -> None:
    """Decoded one after the other without what lies between, half of them changed places or never came out."""
    path = tmp_path / name
    tools.ffmpeg(f"{DRAWN} {FILMS[name]} {{0}}", path)
    found = probe(VideoFile(path, name), tools.MAX_PIXELS)
    samples, reports = [], []
    for unit in plan_units(found, KEYFRAMES, unit_seconds):
        source = open_source(found.info)
        samples += [(frame.pts, _digest(frame.content)) for frame in source.frames(unit)]
        reports.append(source.report)
    assert len(samples) >= 6  # six seconds, a keyframe each, about
    assert samples == _intra(path)
    assert sum(report.errors for report in reports) == 0
    assert float(sum(report.covered for report in reports)) == pytest.approx(6, abs=0.1)


def _packet_keyframes(path: Path) -> list[float]:
    """Times of the packets that ffprobe calls keyframes, from the first one's."""
    asked = ["-select_streams", "v:0", "-show_entries", "packet=pts_time,flags", "-of", "csv=p=0", str(path)]
    found = subprocess.run(["ffprobe", "-v", "quiet", *asked], check=True, capture_output=True, text=True)
    rows = [line.split(",") for line in found.stdout.split()]
    times = [float(row[0]) for row in rows if "K" in row[1]]
    return [time - times[0] for time in times]


@pytest.mark.parametrize("unit_seconds", [60.0, 1.0])
@pytest.mark.parametrize("suffix", ["ts", "mp4", "mkv"])
@pytest.mark.parametrize("options", ["", "-bf 0 -preset ultrafast"], ids=["b", "plain"])
def test_a_gradual_refresh_is_seen_where_it_begins(
    tmp_path: Path, suffix: str, options: str, unit_seconds: float
) -> None:
    """It has one whole picture, the first; its recovery points look like keyframes and cannot be decoded alone."""
    path = tmp_path / f"v.{suffix}"
    tools.ffmpeg(f"{DRAWN} -c:v libx264 {options} -x264-params intra-refresh=1:keyint=25 {{0}}", path)
    expected = _packet_keyframes(path)
    assert len(expected) >= 5
    found = tools.outcome(path, KEYFRAMES, unit_seconds)
    assert (found.state, found.reason, found.flagged) == ("done", "", 0)
    assert [float(time) for time in found.times] == pytest.approx(expected, abs=2e-3)


def _hole(path: Path, encoding: str, *, is_cut_out: bool) -> None:
    """A film without a stretch of its bytes from 45 % to 60 %: zeros, or nothing, in their place."""
    tools.ffmpeg(f"{tools.T} {encoding} {{0}}", path)
    content = path.read_bytes()
    begin, end = len(content) * 45 // 100, len(content) * 60 // 100
    path.write_bytes(content[:begin] + (b"" if is_cut_out else bytes(end - begin)) + content[end:])


VP8 = "-c:v libvpx -b:v 2M -deadline realtime -cpu-used -8 -g 25"


@pytest.mark.parametrize("is_cut_out", [False, True], ids=["zeros", "nothing"])
@pytest.mark.parametrize(("suffix", "encoding"), [("webm", VP8), ("mkv", tools.X264)])
@pytest.mark.parametrize("sampling", [tools.EVERY_FRAME, Sampling(Fraction(1, 5)), KEYFRAMES], ids=str)
def test_a_hole_in_matroska_is_never_done(
    tmp_path: Path, sampling: Sampling, suffix: str, encoding: str, is_cut_out: bool
) -> None:
    """FFmpeg says nothing of a hole; VP8 decodes what comes after it, and 74 of 100 frames were `done`."""
    path = tmp_path / f"v.{suffix}"
    _hole(path, encoding, is_cut_out=is_cut_out)
    for unit_seconds in (60.0, 1.0):
        found = tools.outcome(path, sampling, unit_seconds)
        assert (found.state, found.reason != "") == ("partial", True)
        assert len(found.times) > 0


@pytest.mark.parametrize("clusters", ["", "-f webm -live 1"], ids=["sized", "endless"])
def test_a_hole_that_looks_like_a_frame_beyond_the_end_is_told(tmp_path: Path, clusters: str) -> None:
    """The bytes after the hole are taken for the size of a frame; FFmpeg goes on at the next cluster's keyframe."""
    path = tmp_path / "v.webm"
    tools.ffmpeg(f"{tools.T} {VP8} {clusters} {{0}}", path)
    content = path.read_bytes()
    starts = [match.start() for match in re.finditer(rb"\x1f\x43\xb6\x75", content)]
    begin = content.index(b"\xa3", starts[1] + 1000 if len(starts) > 1 else len(content) // 3)
    while content[begin + 3 : begin + 4] != b"\x81":  # name, two bytes of size, track 1
        begin = content.index(b"\xa3", begin + 1)
    end = next(place for place in range(begin + 20_000, len(content)) if content[place] == 0x0F)  # five bytes of size
    path.write_bytes(content[: begin + 1] + content[end:])
    found = tools.outcome(path)
    assert (found.state, found.reason != "") == ("partial", True)


@pytest.mark.parametrize(("suffix", "encoding"), [("mp4", tools.X264), ("avi", "-c:v mpeg4 -q:v 3 -g 25")])
def test_a_keyframe_lost_in_a_hole_is_told(tmp_path: Path, suffix: str, encoding: str) -> None:
    path = tmp_path / f"v.{suffix}"
    _hole(path, encoding, is_cut_out=False)
    found = tools.outcome(path, KEYFRAMES)
    assert (found.state, len(found.times)) == ("partial", 3)  # of four, a second apart
    assert "declared" in found.reason


def test_whole_files_of_matroska_hang_together(tmp_path: Path) -> None:
    """With attachments, chapters, cues in front, live clusters of no size, and bytes missing at the end only."""
    made = {
        "plain.mkv": tools.X264,
        "front.mkv": f"{tools.X264} -cues_to_front 1 -reserve_index_space 4096",
        "clusters.webm": f"{VP8} -cluster_time_limit 200",
        "live.mkv": f"{tools.X264} -f matroska -live 1",
    }
    for name, encoding in made.items():
        path = tmp_path / name
        tools.ffmpeg(f"{tools.T} {encoding} {{0}}", path)
        found = tools.outcome(path, Sampling(Fraction(1, 5)))
        assert (name, found.state, found.reason) == (name, "done", "")
