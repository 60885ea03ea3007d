"""Frames in the ring: geometry by hand arithmetic, colours by the equations of BT.601, orientation against ffmpeg."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import video_tools as tools
from media_tools import ffmpeg, run_ffmpeg
from video_tools import EVERY_FRAME, MAX_PIXELS, probed

from fastface.types import Geometry, Unit, VideoInfo
from fastface.video.decode import open_source
from fastface.video.discover import VideoFile
from fastface.video.frames.canvas import choose_geometry
from fastface.video.frames.planes import PlaneWriter, split_i420
from fastface.video.probe import probe

BLUE = "0x3C78C8"  # R 60, G 120, B 200
# BT.601, limited range: Y = 16 + 65.481 R + 128.553 G + 24.966 B; U and V likewise, with R, G, B in 0–1.
BLUE_601 = (111, 172, 96)


@pytest.fixture(autouse=True)
def quiet():
    av.logging.set_level(None)


def info_of(width: int, height: int) -> VideoInfo:
    return replace(probed([], None).info, size=(width, height), coded_size=(width, height))


def written(path: Path, det_size=None, index: int = 0) -> tuple[VideoInfo, Geometry, np.ndarray, np.ndarray]:
    """One frame of a file as it lies in the ring, over memory that was not empty."""
    info = probe(VideoFile(path, "v"), MAX_PIXELS).info
    geometry = choose_geometry(info, det_size)
    planes = np.full(geometry.plane_bytes, 77, np.uint8)
    canvas = np.full((geometry.canvas[1], geometry.canvas[0], 3), 77, np.uint8)
    writer = PlaneWriter(info, geometry)
    for number, frame in enumerate(open_source(info).frames(Unit("v", 0, Fraction(0), None, EVERY_FRAME))):
        writer.write(frame, planes, canvas)
        if number == index:
            break
    return info, geometry, planes, canvas


def seen_by_ffmpeg(path: Path, size: tuple[int, int]) -> np.ndarray:
    """The first frame as ffmpeg shows it: rotated, with square pixels."""
    # With accurate_rnd it would interpolate chroma, which is another picture where there is nothing to scale.
    scaled = "scale={}:{}:flags=bilinear".format(*size)
    raw = run_ffmpeg(["-i", path, "-frames:v", "1", "-vf", scaled, "-f", "rawvideo", "-pix_fmt", "bgr24", "-"])
    return np.frombuffer(raw, np.uint8).reshape(size[1], size[0], 3)


@pytest.mark.parametrize(
    ("size", "canvas", "content"),
    [
        ((1920, 1080), (640, 384), (640, 360)),
        ((1080, 1920), (384, 640), (360, 640)),
        ((640, 480), (640, 480), (640, 480)),
        ((1920, 800), (640, 288), (640, 266)),
        ((320, 180), (640, 384), (640, 360)),
        ((16, 16), (640, 640), (640, 640)),
        ((1, 1), (640, 640), (640, 640)),
        ((10_000, 100), (640, 32), (640, 6)),
    ],
)
def test_the_canvas_follows_the_video(size, canvas, content) -> None:
    geometry = choose_geometry(info_of(*size), None)
    assert (geometry.canvas, geometry.content, geometry.display) == (canvas, content, size)


def test_a_given_canvas_holds_the_whole_picture() -> None:
    geometry = choose_geometry(info_of(1920, 1080), (640, 640))
    assert (geometry.canvas, geometry.content) == ((640, 640), (640, 360))


def test_frames_over_4096_by_2304_are_stored_smaller() -> None:
    geometry = choose_geometry(info_of(7680, 4320), None)
    # 8K has 3.516 times the pixels: each side is divided by its root, 1.875.
    assert geometry.planes == (4096, 2304)
    assert choose_geometry(info_of(4096, 2304), None).planes == (4096, 2304)
    assert choose_geometry(info_of(321, 241), None).planes == (320, 240)


FORMATS = {
    "yuv420p.mkv": "scale=out_color_matrix=bt601:out_range=tv,format=yuv420p -c:v ffv1",
    "yuv422p.mkv": "scale=out_color_matrix=bt601:out_range=tv,format=yuv422p -c:v ffv1",
    "yuv444p.mkv": "scale=out_color_matrix=bt601:out_range=tv,format=yuv444p -c:v ffv1",
    "yuv410p.mkv": "scale=out_color_matrix=bt601:out_range=tv,format=yuv410p -c:v ffv1",
    "yuva420p.mkv": "scale=out_color_matrix=bt601:out_range=tv,format=yuva420p -c:v ffv1",
    "yuv420p10.mkv": "scale=out_color_matrix=bt601:out_range=tv,format=yuv420p10le -c:v ffv1",
    "yuv422p12.mkv": "scale=out_color_matrix=bt601:out_range=tv,format=yuv422p12le -c:v ffv1",
    "yuvj420p.avi": "scale=out_color_matrix=bt601:out_range=pc,format=yuvj420p -c:v mjpeg -q:v 1",
    "full.mp4": "scale=out_color_matrix=bt601:out_range=pc,format=yuv420p -color_range pc -c:v libx264 -crf 1",
    "rgb24.mov": "format=rgb24 -c:v png",
    "rgba.mov": "format=rgba -c:v png",
    "gbrp.mkv": "format=gbrp -c:v ffv1",
    "rgb48.mkv": "format=rgb48le -c:v ffv1",
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_pixel_format_becomes_ordinary(tmp_path, name: str) -> None:
    path = tmp_path / name
    ffmpeg(f"-f lavfi -i color={BLUE}:size=64x48:rate=5:duration=1,format=rgb24 -vf {FORMATS[name]} {{0}}", path)
    _, geometry, planes, canvas = written(path)
    for plane, level in zip(split_i420(planes, geometry.planes), BLUE_601, strict=True):
        assert np.abs(plane.astype(int) - level).max() <= 1
    assert np.abs(canvas[: geometry.content[1]].astype(int) - (200, 120, 60)).max() <= 4


@pytest.mark.parametrize(("name", "options"), [("pal8.gif", "format=pal8"), ("pal8.mov", "format=pal8 -c:v png")])
def test_palettes(tmp_path, name: str, options: str) -> None:
    path = tmp_path / name
    ffmpeg(f"-f lavfi -i color=0xFF0000:size=64x48:rate=5:duration=1,format=rgb24 -vf {options} {{0}}", path)
    _, _, _, canvas = written(path)
    assert np.abs(canvas[10, 10].astype(int) - (0, 0, 255)).max() <= 4


def test_grey_white_and_black_keep_their_range(tmp_path) -> None:
    for level, expected in ((0, 16), (255, 235)):
        path = tmp_path / f"{level}.mkv"
        colour = f"0x{level:02x}{level:02x}{level:02x}"
        ffmpeg(f"-f lavfi -i color={colour}:size=64x48:rate=5:duration=1 -vf format=gray -c:v ffv1 {{0}}", path)
        _, geometry, planes, _ = written(path)
        luma, *chroma = split_i420(planes, geometry.planes)
        assert np.abs(luma.astype(int) - expected).max() <= 1
        assert all((plane == 128).all() for plane in chroma)


@pytest.mark.parametrize("matrix", [3, 8, 11, 14])
def test_tags_that_swscale_refuses_stop_nothing(tmp_path, matrix: int) -> None:
    path = tmp_path / "v.mp4"
    tag = f"-bsf:v h264_metadata=matrix_coefficients={matrix}:transfer_characteristics=30:colour_primaries=40"
    ffmpeg(f"{tools.T} -c:v libx264 -pix_fmt yuv422p {tag} {{0}}", path)
    _, geometry, planes, _ = written(path)
    assert split_i420(planes, geometry.planes)[0].std() > 10


ORIENTED = {
    "upright": "",
    "rotate=90": "-metadata:s:v:0 rotate=90",
    "rotate=180": "-metadata:s:v:0 rotate=180",
    "rotate=270": "-metadata:s:v:0 rotate=270",
}


@pytest.mark.parametrize("name", ORIENTED)
def test_frames_lie_as_ffmpeg_shows_them(tmp_path, name: str) -> None:
    source, path = tmp_path / "s.mp4", tmp_path / "v.mp4"
    ffmpeg(f"{tools.T} {tools.X264} {{0}}", source)
    ffmpeg(f"-i {{0}} -c copy {ORIENTED[name]} {{1}}", source, path)
    check_against_ffmpeg(path)


@pytest.mark.parametrize("recipe", [tools.wide_pixels, tools.odd_size, tools.tiny])
def test_odd_shapes_lie_as_ffmpeg_shows_them(tmp_path, recipe) -> None:
    path = tmp_path / "v.mkv"
    recipe(path)
    check_against_ffmpeg(path)


def test_mirrored_and_rotated_phones(shared_media) -> None:
    for name, rotation, mirrored in [
        ("am_sample_rotate_and_reflect.mp4", 270, True),
        ("am_portrait_4k60.mp4", 90, False),
        ("decord_video_270.mov", 270, False),
    ]:
        info = check_against_ffmpeg(shared_media / "odd" / name)
        assert (info.rotation, info.mirrored) == (rotation, mirrored)


def check_against_ffmpeg(path: Path) -> VideoInfo:
    info, geometry, planes, canvas = written(path)
    reference = seen_by_ffmpeg(path, geometry.planes)
    picture = cv2.cvtColor(planes.reshape(-1, geometry.planes[0]), cv2.COLOR_YUV2BGR_I420)
    # Sharp coloured edges differ a little where chroma is scaled twice; a frame turned wrongly differs by over 60.
    assert np.abs(picture.astype(int) - reference).mean() < 6
    width, height = geometry.content
    small = cv2.resize(reference, (width, height), interpolation=cv2.INTER_LINEAR)
    assert np.abs(canvas[:height, :width].astype(int) - small).mean() < 8
    assert not canvas[height:].any()
    assert not canvas[:, width:].any()
    return info


def test_interlaced_frames_show_one_moment(tmp_path) -> None:
    """A bar that jumps between the fields of a frame is in the first field's place alone."""
    path = tmp_path / "v.mpg"
    place = "if(between(X-if(mod(N,2),200,40),0,39),235,16)"
    bar = f"color=black:size=320x240:rate=50:duration=1,geq=lum='{place}':cb=128:cr=128"
    ffmpeg(
        f"-f lavfi -i {bar} -vf tinterlace=interleave_top,setfield=tff -flags +ildct+ilme "
        "-c:v mpeg2video -qscale:v 2 {0}",
        path,
    )
    info, geometry, planes, _ = written(path)
    luma = split_i420(planes, geometry.planes)[0].astype(int)
    assert info.interlaced
    bars = sorted([float(luma[4:-4, 45:75].mean()), float(luma[4:-4, 205:235].mean())])
    assert bars[1] > 220
    assert bars[0] < 30


def test_a_size_that_changes_is_scaled_to_the_first(tmp_path) -> None:
    path = tmp_path / "v.h264"
    tools.size_change(path)
    _, geometry, first, _ = written(path)
    _, _, later, _ = written(path, index=75)
    assert geometry.planes == (320, 240)
    # The same test card in both sizes, one second on.
    assert np.abs(first[: 320 * 240].astype(int) - later[: 320 * 240]).mean() < 40
    assert later.std() > 10
