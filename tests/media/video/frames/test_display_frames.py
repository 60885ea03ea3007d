"""Whole frames: colours by hand, for each way in which a file tells its own."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import video_tools as tools
from media_tools import ffmpeg
from video_tools import EVERY_FRAME, MAX_PIXELS

from fastface.types import Unit, VideoInfo
from fastface.video.decode import open_source
from fastface.video.discover import VideoFile
from fastface.video.frames.display_frames import decode_frames
from fastface.video.probe import probe

COLOURS = {"0x3C78C8": (200, 120, 60), "0xC83C28": (40, 60, 200), "0xE0E0E0": (224, 224, 224)}
X264 = "-c:v libx264 -crf 1 -preset ultrafast"
TAGGED = {
    "709": (f"scale=out_color_matrix=bt709:out_range=tv,format=yuv420p -colorspace bt709 {X264}", 64),
    "601": (f"scale=out_color_matrix=bt601:out_range=tv,format=yuv420p -colorspace smpte170m {X264}", 64),
    "709 full": (
        f"scale=out_color_matrix=bt709:out_range=pc,format=yuv420p -colorspace bt709 -color_range pc {X264}",
        64,
    ),
    "2020": (f"scale=out_color_matrix=bt2020:out_range=tv,format=yuv420p10le -colorspace bt2020nc {X264}", 64),
    "untagged and small": (f"scale=out_color_matrix=bt601:out_range=tv,format=yuv420p {X264}", 64),
    "untagged and large": (f"scale=out_color_matrix=bt709:out_range=tv,format=yuv420p {X264}", 720),
    "RGB": ("format=rgb24 -c:v libx264rgb -crf 0", 64),
}


@pytest.fixture(autouse=True)
def quiet():
    av.logging.set_level(None)


def facts(path: Path) -> VideoInfo:
    return probe(VideoFile(path, "v"), MAX_PIXELS).info


@pytest.mark.parametrize("name", TAGGED)
@pytest.mark.parametrize("colour", COLOURS)
def test_colours_are_those_that_were_encoded(tmp_path, name: str, colour: str) -> None:
    path = tmp_path / "v.mp4"
    options, height = TAGGED[name]
    ffmpeg(f"-f lavfi -i color={colour}:size=96x{height}:rate=5:duration=0.4,format=rgb24 -vf {options} {{0}}", path)
    info = facts(path)
    ((_, picture),) = decode_frames(info, [info.start_pts])
    assert picture.shape == (height, 96, 3)
    assert np.abs(picture.astype(int) - COLOURS[colour]).max() <= 4


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_high_dynamic_range_is_shown_with_ordinary_colours(tmp_path, transfer: str) -> None:
    path = tmp_path / "v.mp4"
    tag = f"-x265-params log-level=none:colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc"
    source = "color=0x808080:size=64x64:rate=5:duration=0.4"
    ffmpeg(f"-f lavfi -i {source} -vf format=yuv420p10le -c:v libx265 {tag} {{0}}", path)
    info = facts(path)
    ((_, picture),) = decode_frames(info, [info.start_pts])
    middle = picture[32, 32].astype(int)
    # Grey stays grey. A PQ code of one half is 92 cd/m² (SMPTE ST 2084); on a screen whose white is 203 cd/m²
    # (ITU-R BT.2408) that is 0.45 of linear light, a bright grey of about 0.72. HLG is shown as it is.
    assert np.ptp(middle) <= 3
    expected = 184 if transfer == "smpte2084" else 128
    assert abs(int(middle.mean()) - expected) <= 12


def test_frames_come_in_order_once_each_and_are_those_of_the_scan(tmp_path) -> None:
    path = tmp_path / "v.mkv"
    ffmpeg("-f lavfi -i testsrc2=size=64x48:rate=5:duration=70 -c:v libx264 -g 25 -bf 3 {0}", path)
    info = facts(path)
    lumas = {
        frame.pts: int(np.frombuffer(frame.content.planes[0], np.uint8)[:64].astype(int).sum())
        for frame in open_source(info).frames(Unit("v", 0, Fraction(0), None, EVERY_FRAME))
    }
    stamps = sorted(lumas)
    wanted = [stamps[300], stamps[3], stamps[3], stamps[4], stamps[349], stamps[150]]
    found = list(decode_frames(info, [*wanted, stamps[-1] + 10_000]))
    assert [pts for pts, _ in found] == sorted(set(wanted))
    pictures = dict(found)
    whole = dict(decode_frames(info, stamps))
    assert len(whole) == 350
    for pts, picture in pictures.items():
        np.testing.assert_array_equal(picture, whole[pts])


def test_pictures_are_as_displayed(tmp_path) -> None:
    for recipe, shape in ((tools.rotated, (320, 240, 3)), (tools.wide_pixels, (240, 427, 3))):
        path = tmp_path / f"{recipe.__name__}.mp4"
        recipe(path)
        info = facts(path)
        ((_, picture),) = decode_frames(info, [info.start_pts])
        assert picture.shape == shape == (info.size[1], info.size[0], 3)
        assert picture.flags.c_contiguous


def test_a_frame_that_cannot_be_converted_costs_no_other(tmp_path, monkeypatch) -> None:
    path = tmp_path / "v.mp4"
    ffmpeg("-f lavfi -i testsrc2=size=64x48:rate=5:duration=1 -c:v libx264 {0}", path)
    info = facts(path)
    source = open_source(info)
    frames = list(source.frames(Unit("v", 0, Fraction(0), None, EVERY_FRAME)))
    assert len(frames) == 5
    # A format that swscale refuses.
    frames[2] = replace(frames[2], content=av.VideoFrame(64, 48, "gray32le"))
    monkeypatch.setattr(source, "frames", lambda _unit: iter(frames))
    monkeypatch.setattr("fastface.video.frames.display_frames.open_source", lambda _info, alive: source)
    stamps = [frame.pts for frame in frames]
    assert [pts for pts, _ in decode_frames(info, stamps)] == [*stamps[:2], *stamps[3:]]
