"""Films whose picture changes its size, turn or aspect in the middle: each frame is read in its own shape."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import video_tools as tools
from media_tools import ffmpeg

from fastface.export.clips.clips import cut_clip
from fastface.types import Sampling, Size, VideoInfo
from fastface.video.decode import open_source
from fastface.video.discover import VideoFile
from fastface.video.frames.canvas import choose_geometry
from fastface.video.frames.display_frames import decode_frames
from fastface.video.frames.frame import SampledFrame
from fastface.video.frames.planes import PlaneWriter
from fastface.video.plan import plan_units
from fastface.video.probe import probe

UPRIGHT, LYING = (120, 160), (160, 120)
FIVE = Sampling(Fraction(1, 5))


@pytest.fixture(autouse=True)
def quiet() -> None:
    av.logging.set_level(None)


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second upright, then two seconds lying, in one stream; and the second part alone beside it."""
    folder, parts = tmp_path_factory.mktemp("turned"), []
    for (width, height), seconds in ((UPRIGHT, 1), (LYING, 2)):
        part = folder / f"{width}.h264"
        drawn = f"-f lavfi -i testsrc2=size={width}x{height}:rate=25:duration={seconds}"
        ffmpeg(f"{drawn} -c:v libx264 -preset ultrafast -g 25 -pix_fmt yuv420p {{0}}", part)
        parts.append(part.read_bytes())
    whole = folder / "whole.h264"
    whole.write_bytes(b"".join(parts))
    ffmpeg("-r 25 -i {0} -c copy {1}", whole, folder / "turned.mkv")
    ffmpeg("-r 25 -i {0} -c copy {1}", folder / "160.h264", folder / "second.mkv")
    return folder / "turned.mkv"


def _info(path: Path) -> VideoInfo:
    return probe(VideoFile(path, "v"), tools.MAX_PIXELS).info


def _samples(path: Path, sampling: Sampling, unit_seconds: float = 60) -> Iterator[tuple[VideoInfo, SampledFrame]]:
    found = probe(VideoFile(path, "v"), tools.MAX_PIXELS)
    for unit in plan_units(found, sampling, unit_seconds):
        yield from ((found.info, frame) for frame in open_source(found.info).frames(unit))


def _in_ring(samples: Iterator[tuple[VideoInfo, SampledFrame]]) -> list[tuple[Size, bytes, bytes]]:
    """Size as displayed, planes and canvas of each sample as a decoder process writes them."""
    written = []
    for _, frame in samples:
        assert frame.info is not None
        geometry = choose_geometry(frame.info, None)
        planes = np.empty(geometry.plane_bytes, np.uint8)
        canvas = np.empty((*geometry.canvas[::-1], 3), np.uint8)
        PlaneWriter(frame.info, geometry).write(frame, planes, canvas)
        written.append((geometry.display, planes.tobytes(), canvas.tobytes()))
    return written


@pytest.mark.parametrize("unit_seconds", [60.0, 1.0])
def test_frames_after_a_turn_are_those_of_the_second_part_alone(turned: Path, unit_seconds: float) -> None:
    found = _in_ring(_samples(turned, FIVE, unit_seconds))
    alone = _in_ring(_samples(turned.with_name("second.mkv"), FIVE))
    assert [size for size, _, _ in found] == 5 * [UPRIGHT] + 10 * [LYING]
    assert len(alone) == 10
    assert found[5:] == alone


def test_the_sizes_that_a_unit_met_are_reported(turned: Path) -> None:
    found = probe(VideoFile(turned, "v"), tools.MAX_PIXELS)
    (unit,) = plan_units(found, FIVE, 60)
    source = open_source(found.info)
    assert len(list(source.frames(unit))) == 15
    assert (found.info.size, source.report.sizes) == (UPRIGHT, (LYING,))


def test_pictures_of_a_turned_film_have_their_own_size(turned: Path) -> None:
    info = _info(turned)
    pictures = dict(decode_frames(info, [0, 520, 1200, 2000]))
    assert {pts: picture.shape[1::-1] for pts, picture in pictures.items()} == {
        0: UPRIGHT,
        520: UPRIGHT,
        1200: LYING,
        2000: LYING,
    }


def test_a_broadcast_that_goes_over_to_wide_pixels_is_shown_wide(tmp_path: Path) -> None:
    """The coded size stays; only the header of the sequence says that pixels are wider (ISO 13818-2, 6.3.3)."""
    parts = []
    for begin, aspect in ((0, "4/3"), (2, "16/9")):
        part = tmp_path / f"{begin}.ts"
        drawn = "-f lavfi -i testsrc2=size=180x144:rate=25:duration=2"
        ffmpeg(f"{drawn} -vf setdar={aspect} -c:v mpeg2video -g 10 -output_ts_offset {begin} {{0}}", part)
        parts.append(part.read_bytes())
    path = tmp_path / "v.ts"
    path.write_bytes(b"".join(parts))
    sizes = {}
    for _, frame in _samples(path, FIVE):
        assert frame.info is not None
        sizes[float(frame.time)] = frame.info.size
    assert len(sizes) == 20
    assert {size for time, size in sizes.items() if time < 1.8} == {(192, 144)}
    assert {size for time, size in sizes.items() if time > 2.2} == {(256, 144)}


def test_the_shape_of_pixels_that_a_container_gives_holds(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    encoded = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -bsf:v h264_metadata=sample_aspect_ratio=1/1"
    ffmpeg(f"-f lavfi -i testsrc2=size=160x120:rate=25:duration=1 {encoded} -aspect 16:9 {{0}}", path)
    sizes = {frame.info.size for _, frame in _samples(path, FIVE) if frame.info is not None}
    assert sizes == {_info(path).size} == {(213, 120)}


def test_a_precise_clip_shows_each_part_with_its_own_aspect(tmp_path: Path) -> None:
    parts = []
    for (width, height), seconds in ((UPRIGHT, 1), (LYING, 2)):
        part = tmp_path / f"{width}.h264"
        drawn = f"-f lavfi -i color=white:size={width}x{height}:rate=25:duration={seconds}"
        ffmpeg(f"{drawn} -c:v libx264 -preset ultrafast -g 25 -pix_fmt yuv420p {{0}}", part)
        parts.append(part.read_bytes())
    (tmp_path / "v.h264").write_bytes(b"".join(parts))
    ffmpeg("-r 25 -i {0} -c copy {1}", tmp_path / "v.h264", tmp_path / "v.mkv")
    info = replace(_info(tmp_path / "v.mkv"), other_sizes=(LYING,))
    clip = cut_clip(info, 0.4, 2.6, tmp_path / "clip.mp4", "precise")
    assert clip.num_frames == 55
    with av.open(str(clip.path)) as container:
        frames = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert {frame.shape for frame in frames} == {LYING[::-1]}
    bright = [(frame > 128).sum(axis=1) for frame in frames]
    # 120 × 160 in 160 × 120: 90 × 120.
    assert all(abs(int(width) - 90) <= 2 for rows in bright[:15] for width in rows[2:-2])
    assert all(int(width) == 160 for rows in bright[15:] for width in rows)
