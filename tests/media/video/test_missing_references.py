"""Pictures that a recorder lost: what builds on them is marked, in each container and in bare streams."""

import random
from fractions import Fraction
from pathlib import Path

import av
import pytest
import video_tools as tools
from media_tools import ffmpeg

from fastface.types import Sampling
from fastface.video.codecs.bits import Bits, unescape
from fastface.video.decode import open_source
from fastface.video.discover import VideoFile
from fastface.video.plan import plan_units
from fastface.video.probe import probe

FIVE = Sampling(Fraction(1, 5))
PICTURE = "-f lavfi -i testsrc2=size=160x120:rate=25:duration=4"
ENCODERS = {
    "h264": "-c:v libx264 -preset veryfast -pix_fmt yuv420p -x264-params keyint=50:min-keyint=50:scenecut=0:bframes=0",
    "hevc": "-c:v libx265 -preset ultrafast -x265-params log-level=0:keyint=50:min-keyint=50:scenecut=0:bframes=0",
}


@pytest.fixture(autouse=True)
def quiet() -> None:
    av.logging.set_level(None)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Four seconds whose every frame refers to the one before it; keyframes at 0 and 2 s."""
    folder = tmp_path_factory.mktemp("films")
    for codec, encoder in ENCODERS.items():
        ffmpeg(f"{PICTURE} {encoder} {{0}}", folder / f"{codec}.mp4")
    return {codec: folder / f"{codec}.mp4" for codec in ENCODERS}


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("codec", sorted(ENCODERS))
def test_frames_after_lost_ones_are_marked_up_to_the_next_keyframe(
    films: dict[str, Path], tmp_path: Path, codec: str, suffix: str
) -> None:
    """Or the decoder leaves them out, as FFmpeg does where each refers to the one before it."""
    whole, lossy = tmp_path / f"whole.{suffix}", tmp_path / f"lossy.{suffix}"
    ffmpeg("-i {0} -c copy {1}", films[codec], whole)
    ffmpeg("-i {0} -c copy -bsf:v noise=drop='between(n,20,23)' {1}", films[codec], lossy)
    for sampling in (FIVE, tools.EVERY_FRAME):
        found = tools.outcome(whole, sampling)
        assert (found.state, found.flagged) == ("done", 0)
    for sampling in (FIVE, tools.EVERY_FRAME):
        assert tools.outcome(lossy, sampling).state == "partial"
        found = probe(VideoFile(lossy, "v"), tools.MAX_PIXELS)
        (unit,) = plan_units(found, sampling, 60)
        samples = list(open_source(found.info).frames(unit))
        whole_times = {float(frame.time) for frame in samples if not frame.flagged}
        assert len(whole_times) >= (70 if sampling.period is None else 14)
        assert [time for time in whole_times if 0.95 < time < 1.99] == []


@pytest.mark.parametrize("codec", sorted(ENCODERS))
def test_a_lost_end_of_a_group_of_pictures_marks_nothing(films: dict[str, Path], tmp_path: Path, codec: str) -> None:
    lossy = tmp_path / "v.mp4"
    ffmpeg("-i {0} -c copy -bsf:v noise=drop='between(n,46,49)' {1}", films[codec], lossy)
    assert tools.outcome(lossy).flagged == 0


@pytest.mark.parametrize("codec", sorted(ENCODERS))
def test_most_holes_in_a_bare_stream_show(films: dict[str, Path], tmp_path: Path, codec: str) -> None:
    """Only one that ends where a keyframe begins cannot: nothing of it is named by what follows."""
    path, chance = tmp_path / f"v.{codec}", random.Random(f"20270301 {codec}")
    ffmpeg("-i {0} -c copy {1}", films[codec], path)
    content, missed = path.read_bytes(), 0
    assert tools.outcome(path).state == "done"
    for turn in range(12):
        begin = chance.randrange(len(content) // 10, len(content) * 8 // 10)
        end = begin + chance.randrange(2000, len(content) // 6)
        between = chance.randbytes(end - begin) if turn % 2 else b""
        path.write_bytes(content[:begin] + between + content[end:])
        missed += tools.outcome(path, FIVE if turn % 4 < 2 else tools.EVERY_FRAME).state == "done"
    assert missed <= 2


@pytest.mark.parametrize(
    "encoder",
    [
        "-c:v libx264 -preset veryfast -x264-params keyint=25:bframes=8:b-pyramid=normal:ref=8:open-gop=1",
        "-c:v libx264 -preset veryfast -flags +ildct+ilme -x264-params tff=1:keyint=25:slices=3",
        "-c:v libx265 -preset ultrafast -x265-params log-level=0:keyint=25:open-gop=1:bframes=4:b-pyramid=1:ref=4",
        "-c:v libx265 -preset ultrafast -x265-params log-level=0:keyint=30:temporal-layers=3:scaling-list=default",
    ],
)
def test_encoders_of_all_kinds_miss_nothing(tmp_path: Path, encoder: str) -> None:
    path = tmp_path / "v.ts"
    ffmpeg(f"{PICTURE} {encoder} -pix_fmt yuv420p {{0}}", path)
    for unit_seconds in (60.0, 1.0):
        found = tools.outcome(path, FIVE, unit_seconds)
        assert (found.state, found.flagged) == ("done", 0)


def test_numbers_of_the_standard_are_read() -> None:
    """ITU-T H.264, tables 9-2 and 9-3."""
    bits = Bits(bytes([0b10100110, 0b01000010, 0b10011000, 0b11100010, 0b00000000]))
    assert [bits.number() for _ in range(7)] == [0, 1, 2, 3, 4, 5, 6]
    assert [Bits(bytes([value])).read_signed() for value in (0x80, 0x40, 0x60, 0x20, 0x28)] == [0, 1, -1, 2, -2]
    short = Bits(b"\x80")
    assert (short.take(8), short.is_over, short.take(1), short.is_over) == (128, False, 0, True)
    assert unescape(b"\1\0\0\3\1\0\0\3") == b"\1\0\0\1\0\0"
