"""What becomes of each odd or broken video: its state, its reason, and the times of its frames."""

import os

import av
import pytest
import video_tools as tools
from video_tools import MAX_PIXELS, Recipe, ffprobe_times, outcome

from fastface.errors import VideoError
from fastface.video.discover import VideoFile
from fastface.video.probe import probe


@pytest.fixture(autouse=True)
def quiet():
    av.logging.set_level(None)


def named(value: object) -> str:
    return getattr(value, "__name__", "")


REFUSED = [
    (tools.no_moov, "mp4", "failed", "no index"),
    (tools.header_cut, "mp4", "failed", "a damaged header"),
    (tools.no_frames, "mp4", "failed", "no frames"),
    (tools.empty, "mp4", "failed", "not a video: the file is empty"),
    (tools.one_byte, "mp4", "failed", "not a video"),
    (tools.text, "mp4", "failed", "not a video"),
    (tools.random_bytes, "mp4", "failed", "not a video"),
    (tools.huge, "mkv", "failed", "above max_pixels"),
    (tools.hls_playlist, "mp4", "failed", "not a video"),
    (tools.concat_list, "mp4", "failed", "not a video"),
    (tools.audio_only, "mp4", "no_video", "no video stream"),
    (tools.cover_only, "mp4", "no_video", "no video stream"),
]


@pytest.mark.parametrize(("recipe", "suffix", "state", "reason"), REFUSED, ids=named)
def test_refused(tmp_path, recipe: Recipe, suffix: str, state: str, reason: str) -> None:
    path = tmp_path / f"v.{suffix}"
    recipe(path)
    with pytest.raises(VideoError) as caught:
        probe(VideoFile(path, "v"), MAX_PIXELS)
    assert caught.value.state == state
    assert reason in caught.value.reason
    assert "\n" not in caught.value.reason


# Frames and coverage by hand: 25 frames a second, a keyframe each second, four seconds.
DAMAGED = [
    (tools.fast_start_cut, "mp4", 61, 0.61),
    (tools.fragmented_cut, "mp4", 61, 61 / 75),  # the third fragment's header is there, its end is not
    (tools.hole_of_zeros, "mp4", 84, 0.84),
    (tools.corrupt_packets, "mp4", 76, 0.76),
    (tools.packets_lost, "mp4", 57, 57 / 99),  # of 3.96 s that ffprobe gives
]


@pytest.mark.parametrize(("recipe", "suffix", "frames", "coverage"), DAMAGED, ids=named)
def test_damaged(tmp_path, recipe: Recipe, suffix: str, frames: int, coverage: float) -> None:
    path = tmp_path / f"v.{suffix}"
    recipe(path)
    for unit_seconds in (60.0, 1.0):
        found = outcome(path, unit_seconds=unit_seconds)
        assert found.state == "partial"
        assert found.reason
        assert found.decoded == frames
        assert list(found.times) == ffprobe_times(path)
        # Gaps are measured by the average rate, which is too low where packets are missing all through.
        tolerance = 0.04 if recipe is tools.packets_lost else 0.01
        assert found.coverage == pytest.approx(coverage, abs=tolerance)


def test_frames_after_a_damaged_packet_are_flagged_up_to_the_next_keyframe(tmp_path) -> None:
    path = tmp_path / "v.mp4"
    tools.corrupt_packets(path)
    # Packets 40–60 are noise; the next keyframe after them is 75, so that frames 61–74 are not to be trusted.
    assert outcome(path).flagged == pytest.approx(14, abs=3)


WHOLE = [
    (tools.base_film, "mp4"),
    (tools.variable_rate, "mp4"),
    (tools.edit_list, "mp4"),
    (tools.late_start, "ts"),
    (tools.pts_wrap, "ts"),
    (tools.time_jump, "ts"),
    (tools.live, "mkv"),
    (tools.rotated, "mp4"),
    (tools.odd_size, "mp4"),
    (tools.one_pixel, "mkv"),
    (tools.tiny, "mkv"),
    (tools.interlaced, "mpg"),
    (tools.wide_pixels, "mp4"),
    (tools.slide_show, "mp4"),
    (tools.intra_refresh, "mp4"),
]


@pytest.mark.parametrize(("recipe", "suffix"), WHOLE, ids=named)
def test_whole(tmp_path, recipe: Recipe, suffix: str) -> None:
    path = tmp_path / f"v.{suffix}"
    recipe(path)
    for unit_seconds in (60.0, 1.0):
        found = outcome(path, unit_seconds=unit_seconds)
        assert (found.state, found.reason) == ("done", "")
        assert found.coverage is None or found.coverage >= 0.98
        assert list(found.times) == ffprobe_times(path)
        assert not found.estimated
        assert found.flagged == 0


# ffprobe leaves the times out, or sets them back; 25 frames a second are 0.04 s each.
COUNTED = [
    (tools.raw_h264, "h264", 100),
    (tools.size_change, "h264", 100),
    (tools.negative_pts, "mkv", 100),
    (tools.clock_set_back, "ts", 200),
]


@pytest.mark.parametrize(("recipe", "suffix", "frames"), COUNTED, ids=named)
def test_times_that_are_counted_say_so(tmp_path, recipe: Recipe, suffix: str, frames: int) -> None:
    path = tmp_path / f"v.{suffix}"
    recipe(path)
    found = outcome(path, unit_seconds=1.0)
    assert found.state == "done"
    assert found.estimated
    assert [float(time) for time in found.times] == pytest.approx([n / 25 for n in range(frames)], abs=1e-3)


def test_names_that_ffmpeg_would_read_as_something_else_are_files(tmp_path, monkeypatch) -> None:
    source = tmp_path / "v.mp4"
    tools.base_film(source)
    monkeypatch.chdir(tmp_path)
    names = ["a%03d.mp4", "concat:x", "-y.mp4", "http:example", "subfile,,start,0,end,9,,:v.mp4", "pipe:0"]
    for name in [*names, b"caf\xe9\xff.mp4", "new\nline.mp4"]:
        path = tmp_path / name if isinstance(name, str) else tmp_path / name.decode("utf-8", "surrogateescape")
        path.write_bytes(source.read_bytes())
        relative = path.relative_to(tmp_path)
        assert outcome(relative).decoded == 100, name
    # With the suffix of a picture, FFmpeg takes it for a sequence and nothing else: refused, and no other file opened.
    (tmp_path / "a%03d.png").write_bytes(source.read_bytes())
    (tmp_path / "a001.png").write_bytes(source.read_bytes())
    assert outcome(tmp_path / "a%03d.png").state == "failed"


def test_what_is_no_regular_file_is_refused_without_opening_it(tmp_path) -> None:
    os.mkfifo(tmp_path / "v.mp4")
    for path in (tmp_path / "v.mp4", tmp_path, tmp_path / "gone.mp4"):
        with pytest.raises(VideoError) as caught:
            probe(VideoFile(path, "v"), MAX_PIXELS)
        assert caught.value.state == "failed"


def test_friends_starts_at_zero(shared_media) -> None:
    found = probe(VideoFile(shared_media / "clips/friends.mp4", "v"), MAX_PIXELS)
    assert float(found.info.start_pts * found.info.time_base) == pytest.approx(1.704)
    assert found.info.frame_time(found.info.start_pts) == 0
