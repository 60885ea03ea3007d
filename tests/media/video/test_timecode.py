"""The timecode of a video's first frame, and whether it has sound, as ffmpeg wrote them."""

from fractions import Fraction
from pathlib import Path

import pytest
from media_tools import ffmpeg

from fastface.index.records import info_from_text, info_to_text
from fastface.video.discover import VideoFile
from fastface.video.probe import probe

PICTURE = "-f lavfi -i testsrc2=size=64x48:rate={rate}:duration=0.4"


@pytest.mark.parametrize(
    ("name", "options", "rate", "timecode"),
    [
        ("a.mov", "-c:v libx264 -preset ultrafast -timecode 10:00:00:05", "25", "10:00:00:05"),
        ("a.mp4", "-c:v libx264 -preset ultrafast -timecode 01:00:00;02", "30000/1001", "01:00:00;02"),
        ("a.mxf", "-c:v mpeg2video -timecode 02:03:04:05", "25", "02:03:04:05"),
        ("a.mkv", "-c:v libx264 -preset ultrafast -timecode 09:59:59:24", "25", "09:59:59:24"),
        ("b.mp4", "-c:v libx264 -preset ultrafast", "25", ""),
    ],
)
def test_the_timecode_of_a_file_is_known(tmp_path: Path, name: str, options: str, rate: str, timecode: str) -> None:
    ffmpeg(f"{PICTURE.format(rate=rate)} {options} {{0}}", tmp_path / name)
    info = probe(VideoFile(tmp_path / name, name), 10_000).info
    assert info.timecode == timecode
    assert info.rate == Fraction(rate)
    assert info_from_text(info_to_text(info)) == info


@pytest.mark.parametrize("has_sound", [True, False])
def test_whether_a_file_has_sound_is_known(tmp_path: Path, has_sound: bool) -> None:
    sound = "-f lavfi -i sine=duration=0.4 -c:a aac" if has_sound else ""
    ffmpeg(f"{PICTURE.format(rate=25)} {sound} -c:v libx264 -preset ultrafast {{0}}", tmp_path / "a.mp4")
    info = probe(VideoFile(tmp_path / "a.mp4", "a.mp4"), 10_000).info
    assert info.has_sound is has_sound
    assert info_from_text(info_to_text(info)) == info
