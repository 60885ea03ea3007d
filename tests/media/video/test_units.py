"""Units decoded apart give the frames of one pass over the whole video, pixel for pixel, in every container."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import video_tools as tools
from media_tools import ffmpeg
from video_tools import EVERY_FRAME, MAX_PIXELS, ffprobe_times

from fastface.types import Sampling, Unit
from fastface.video.decode import open_source
from fastface.video.discover import VideoFile
from fastface.video.frames.display_frames import decode_frames
from fastface.video.plan import plan_units
from fastface.video.probe import Probe, probe

FILM = "-f lavfi -i testsrc2=size=160x120:rate=25:duration=8"
CONTAINERS = {
    "h264.mp4": "-c:v libx264 -g 25 -bf 3",
    "open.mp4": "-c:v libx264 -g 25 -bf 3 -x264-params open-gop=1",
    "open.ts": "-c:v libx264 -g 25 -bf 3 -x264-params open-gop=1",
    "refresh.mp4": "-c:v libx264 -x264-params intra-refresh=1:keyint=25",
    "hevc.mp4": "-c:v libx265 -x265-params open-gop=1:keyint=25:log-level=none",
    "h264.mkv": "-c:v libx264 -g 25 -bf 3",
    "vp8.webm": "-c:v libvpx -deadline realtime -cpu-used -8 -g 25 -b:v 500k",
    "mpeg2.mpg": "-c:v mpeg2video -g 15 -bf 2",
    "mpeg2.ts": "-c:v mpeg2video -g 15 -bf 2",
    "mpeg4.avi": "-c:v mpeg4 -g 25 -bf 2",
    "flv1.flv": "-c:v flv -g 25",
    "wmv2.wmv": "-c:v wmv2 -g 25",
    "theora.ogv": "-c:v libtheora -g 25",
}


@pytest.fixture(autouse=True)
def quiet():
    av.logging.set_level(None)


def luma(frame) -> np.ndarray:
    plane = frame.planes[0]
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width].copy()


def decoded(found: Probe, units: tuple[Unit, ...], threads: int = 1) -> list[tuple[int, bytes]]:
    source = open_source(found.info, threads)
    return [(f.pts, luma(f.content).tobytes()) for unit in units for f in source.frames(unit)]


@pytest.fixture(scope="module", params=CONTAINERS)
def film(request, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("film") / request.param
    ffmpeg(f"{FILM} {CONTAINERS[request.param]} {{0}}", path)
    return path


def test_units_apart_are_the_whole(film) -> None:
    found = probe(VideoFile(film, "v"), MAX_PIXELS)
    for sampling, expected in ((EVERY_FRAME, 200), (Sampling(Fraction(1, 3)), 24)):
        whole = decoded(found, plan_units(found, sampling, 1000))
        units = plan_units(found, sampling, 1)
        assert len(units) >= 3
        assert len(whole) == expected
        assert decoded(found, units) == whole


def test_samples_are_the_first_frames_of_their_cells(film) -> None:
    found = probe(VideoFile(film, "v"), MAX_PIXELS)
    period = Fraction(1, 7)
    first: dict[int, Fraction] = {}
    for time in ffprobe_times(film):
        first.setdefault(int(time // period), time)
    source = open_source(found.info)
    times = [f.time for unit in plan_units(found, Sampling(period), 1) for f in source.frames(unit)]
    assert times == list(first.values())


def test_two_threads_give_the_same_frames(tmp_path) -> None:
    path = tmp_path / "v.mp4"
    ffmpeg(f"{FILM} {CONTAINERS['h264.mp4']} {{0}}", path)
    found = probe(VideoFile(path, "v"), MAX_PIXELS)
    units = plan_units(found, EVERY_FRAME, 1)
    assert decoded(found, units, threads=2) == decoded(found, units)


def test_a_unit_anywhere_gives_its_frames_and_its_account(tmp_path) -> None:
    path = tmp_path / "v.ts"
    ffmpeg(f"{FILM} {CONTAINERS['open.ts']} {{0}}", path)
    found = probe(VideoFile(path, "v"), MAX_PIXELS)
    source = open_source(found.info)
    unit = Unit("v", -1, Fraction(301, 100), Fraction(511, 100), EVERY_FRAME)
    # Frames at multiples of 0.04 s from 3.04 to 5.08.
    assert [frame.time for frame in source.frames(unit)] == [Fraction(n, 25) for n in range(76, 128)]
    report = source.report
    assert (report.decoded, report.sampled, report.errors) == (52, 52, 0)
    assert report.covered == Fraction(210, 100)


def test_counted_times_hold_in_the_middle_too(tmp_path) -> None:
    path = tmp_path / "v.ts"
    tools.clock_set_back(path)
    found = probe(VideoFile(path, "v"), MAX_PIXELS)
    source = open_source(found.info)
    unit = Unit("v", -1, Fraction(5), Fraction(6), EVERY_FRAME)
    assert [frame.time for frame in source.frames(unit)] == [Fraction(n, 25) for n in range(125, 150)]
    wanted = [found.info.to_pts(Fraction(1)), found.info.to_pts(Fraction(5))]
    pictures = list(decode_frames(found.info, wanted))
    assert [pts for pts, _ in pictures] == wanted
    # The second recording is the first again: its frame at 5 s is the first's at 1 s.
    np.testing.assert_array_equal(pictures[0][1], pictures[1][1])


def test_units_beyond_the_cut_are_lost_without_decoding_what_is_before(tmp_path) -> None:
    path = tmp_path / "v.mp4"
    whole = tmp_path / "whole.mp4"
    ffmpeg(f"{FILM} {CONTAINERS['h264.mp4']} -movflags +faststart {{0}}", whole)
    tools.cut(whole, path, 0.4)
    found = probe(VideoFile(path, "v"), MAX_PIXELS)
    units = plan_units(found, EVERY_FRAME, 1)
    source = open_source(found.info)
    covered = []
    for unit in units:
        assert len(list(source.frames(unit))) == source.report.decoded
        covered.append(source.report.covered)
    assert len(units) >= 7
    assert covered[0] == units[0].end
    assert covered[-3:] == [0, 0, 0]


def test_the_length_of_the_last_picture_counts(tmp_path) -> None:
    path = tmp_path / "v.mp4"
    tools.slide_show(path)
    found = probe(VideoFile(path, "v"), MAX_PIXELS)
    # A header that tells nothing of the rate leaves the picture's own duration: two seconds.
    source = open_source(replace(found.info, rate=None))
    assert len(list(source.frames(plan_units(found, EVERY_FRAME, 60)[0]))) == 5
    assert source.report.covered == 10
