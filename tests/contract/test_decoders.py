"""The contract of all decoders: what one gives, another gives too, and where it cannot, it says why."""

import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import video_tools as tools
from media_tools import ffmpeg
from places import FAKE_NVDEC
from video_tools import EVERY_FRAME, MAX_PIXELS

from fastface.types import DecoderName, Sampling, Unit
from fastface.video import nvdec
from fastface.video.decode import open_source
from fastface.video.discover import VideoFile
from fastface.video.frames.canvas import choose_geometry
from fastface.video.frames.frame import UnitReport
from fastface.video.frames.planes import PlaneWriter
from fastface.video.plan import plan_units
from fastface.video.probe import Probe, probe

FILM = "-f lavfi -i testsrc2=size=320x180:rate=25:duration=6"
BY_THE_CARD = {
    "h264.mp4": "-c:v libx264 -pix_fmt yuv420p -g 25 -bf 3",
    "open.mp4": "-c:v libx264 -pix_fmt yuv420p -g 25 -bf 3 -x264-params open-gop=1",
    "open.ts": "-c:v libx264 -pix_fmt yuv420p -g 25 -bf 3 -x264-params open-gop=1",
    "h264.mkv": "-c:v libx264 -pix_fmt yuv420p -g 25 -bf 3",
    "hevc.mp4": "-c:v libx265 -pix_fmt yuv420p -x265-params open-gop=1:keyint=25:log-level=none",
    "late.ts": "-c:v libx264 -pix_fmt yuv420p -g 25 -muxdelay 0 -output_ts_offset 1000",
    "uneven.mkv": "-vf select='not(between(n,30,60))*mod(n,7)' -fps_mode vfr -c:v libx264 -pix_fmt yuv420p -g 25",
}
BY_PYAV = {
    "vp8.webm": ("-c:v libvpx -deadline realtime -cpu-used -8 -g 25 -b:v 500k", "codec vp8 is left to PyAV"),
    "ten.mp4": ("-c:v libx264 -pix_fmt yuv420p10le -g 25", "pixel format yuv420p10le is left to PyAV"),
    "full.mp4": ("-c:v libx264 -pix_fmt yuvj420p -color_range pc -g 25", "pixel format yuvj420p is left to PyAV"),
    "fields.mp4": ("-c:v libx264 -pix_fmt yuv420p -g 25 -flags +ildct+ilme", "an interlaced video is left to PyAV"),
    "raw.h264": ("-c:v libx264 -pix_fmt yuv420p -g 25 -f h264", "timestamps are missing"),
}
SAMPLINGS = (EVERY_FRAME, Sampling(Fraction(1, 3)))
Samples = list[tuple[int, Fraction, bool, bytes]]


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The library as it would be found beside a card."""
    monkeypatch.syspath_prepend(FAKE_NVDEC)
    monkeypatch.setattr(nvdec, "_require_card", lambda: None)
    nvdec._library.cache_clear()
    fake = importlib.import_module("PyNvVideoCodec")
    yield fake
    nvdec._library.cache_clear()
    del sys.modules["PyNvVideoCodec"]


def drawn(folder: Path, name: str, arguments: str) -> Path:
    ffmpeg(f"{FILM} {arguments} {{0}}", folder / name)
    return folder / name


def decoded(found: Probe, units: tuple[Unit, ...], decoder: DecoderName) -> tuple[Samples, list[UnitReport]]:
    """The samples with their pixels as they lie in the ring, and the report of each unit."""
    geometry = choose_geometry(found.info, None)
    writer = PlaneWriter(found.info, geometry)
    planes = np.empty(geometry.plane_bytes, np.uint8)
    canvas = np.empty((geometry.canvas[1], geometry.canvas[0], 3), np.uint8)
    samples, reports = [], []
    for unit in units:
        source = open_source(found.info)
        for frame in source.frames(replace(unit, decoder=decoder)):
            writer.write(frame, planes, canvas)
            samples.append((frame.pts, frame.time, frame.flagged, planes.tobytes()))
        reports.append(source.report)
    return samples, reports


def counts(report: UnitReport) -> tuple[object, ...]:
    """What must not depend on the decoder. How many frames are decoded may: PyAV leaves out what no sample needs."""
    return report.sampled, report.errors, report.covered


@pytest.mark.parametrize("unit_seconds", [1000.0, 1.0])
@pytest.mark.parametrize("name", BY_THE_CARD)
def test_the_card_gives_what_pyav_gives(card: ModuleType, tmp_path: Path, name: str, unit_seconds: float) -> None:
    found = probe(VideoFile(drawn(tmp_path, name, BY_THE_CARD[name]), "v"), MAX_PIXELS)
    for sampling in SAMPLINGS:
        units = plan_units(found, sampling, unit_seconds)
        assert len(units) == 1 if unit_seconds > 100 else len(units) >= 3
        expected, expected_reports = decoded(found, units, "pyav")
        card.calls.decoders = 0
        samples, reports = decoded(found, units, "nvdec")
        assert len(expected) >= 15
        assert samples == expected
        assert [counts(report) for report in reports] == [counts(report) for report in expected_reports]
        assert {(report.decoder, report.decoder_reason) for report in reports} == {("nvdec", "")}
        assert {(report.decoder, report.decoder_reason) for report in expected_reports} == {("pyav", "")}
        assert card.calls.decoders == len(units)


@pytest.mark.parametrize("name", BY_PYAV)
def test_what_the_card_is_not_sure_of_is_left_to_pyav_with_the_reason(
    card: ModuleType, tmp_path: Path, name: str
) -> None:
    arguments, reason = BY_PYAV[name]
    found = probe(VideoFile(drawn(tmp_path, name, arguments), "v"), MAX_PIXELS)
    units = plan_units(found, Sampling(Fraction(1, 3)), 2)
    expected, _ = decoded(found, units, "pyav")
    card.calls.decoders = 0
    for asked in ("nvdec", "auto"):
        samples, reports = decoded(found, units, asked)
        assert len(samples) == 18
        assert samples == expected
        assert {report.decoder for report in reports} == {"pyav"}
        assert all(reason in report.decoder_reason for report in reports)
    assert card.calls.decoders == 0


@pytest.mark.parametrize("after", [0, 1, 40])
def test_where_the_card_fails_pyav_goes_on_and_no_frame_is_lost_or_twice(
    card: ModuleType, tmp_path: Path, after: int
) -> None:
    found = probe(VideoFile(drawn(tmp_path, "v.mp4", BY_THE_CARD["h264.mp4"]), "v"), MAX_PIXELS)
    units = plan_units(found, EVERY_FRAME, 1000)
    expected, _ = decoded(found, units, "pyav")
    card.calls.packets, card.fail_after = 0, after
    samples, (report,) = decoded(found, units, "nvdec")
    assert samples == expected
    assert (report.sampled, report.decoder) == (150, "pyav")
    assert report.decoder_reason == "the card failed: cuvidDecodePicture failed"


def test_keyframes_alone_are_left_to_pyav(card: ModuleType, tmp_path: Path) -> None:
    found = probe(VideoFile(drawn(tmp_path, "v.mp4", BY_THE_CARD["h264.mp4"]), "v"), MAX_PIXELS)
    units = plan_units(found, Sampling(Fraction(1, 5), keyframes=True), 2)
    expected, _ = decoded(found, units, "pyav")
    samples, reports = decoded(found, units, "nvdec")
    assert len(samples) == 6
    assert samples == expected
    assert {report.decoder for report in reports} == {"pyav"}
    assert all(report.decoder_reason.startswith("keyframes only") for report in reports)


def test_a_gradual_refresh_is_left_to_pyav(card: ModuleType, tmp_path: Path) -> None:
    """The first picture of a stream that is cut out of a longer one is damaged: PyAV waits, the card would not."""
    path = tmp_path / "v.ts"
    whole = drawn(tmp_path, "whole.ts", "-c:v libx264 -pix_fmt yuv420p -x264-params intra-refresh=1:keyint=25")
    content = whole.read_bytes()
    path.write_bytes(content[len(content) // 2 // 188 * 188 :])
    found = probe(VideoFile(path, "v"), MAX_PIXELS)
    units = plan_units(found, EVERY_FRAME, 1000)
    expected, _ = decoded(found, units, "pyav")
    samples, (report,) = decoded(found, units, "nvdec")
    assert len(samples) > 5
    assert samples == expected
    assert report.decoder_reason in ("it does not begin with a whole picture", "its container calls a packet corrupt")


@pytest.mark.parametrize(
    "recipe",
    [
        tools.fast_start_cut,
        tools.fragmented_cut,
        tools.negative_pts,
        tools.edit_list,
        tools.pts_wrap,
        tools.time_jump,
        tools.clock_set_back,
        tools.live,
        tools.rotated,
        tools.size_change,
        tools.odd_size,
        tools.slide_show,
        tools.no_frames,
    ],
)
def test_odd_videos_end_alike(card: ModuleType, tmp_path: Path, recipe: Callable[[Path], None]) -> None:
    suffix = ".ts" if recipe in (tools.pts_wrap, tools.clock_set_back) else ".mkv" if recipe is tools.live else ".mp4"
    path = tmp_path / f"v{'.h264' if recipe is tools.size_change else suffix}"
    recipe(path)
    expected = tools.outcome(path, unit_seconds=1)
    assert tools.outcome(path, unit_seconds=1, decoder="nvdec") == expected


def test_who_stops_in_the_middle_leaves_no_file_open(card: ModuleType, tmp_path: Path) -> None:
    path = drawn(tmp_path, "v.mp4", BY_THE_CARD["h264.mp4"])
    found = probe(VideoFile(path, "v"), MAX_PIXELS)
    (unit,) = plan_units(found, EVERY_FRAME, 1000)
    for decoder in ("pyav", "nvdec"):
        frames = open_source(found.info).frames(replace(unit, decoder=decoder))
        assert [next(frames).time for _ in range(3)] == [Fraction(n, 25) for n in range(3)]
        assert str(path) in open_files()
        frames.close()
        assert str(path) not in open_files()


def open_files() -> set[str]:
    return {str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.exists()}


def test_every_packet_is_a_sign_of_life(card: ModuleType, tmp_path: Path) -> None:
    found = probe(VideoFile(drawn(tmp_path, "v.mp4", BY_THE_CARD["h264.mp4"]), "v"), MAX_PIXELS)
    (unit,) = plan_units(found, Sampling(Fraction(1)), 1000)
    signs: list[int] = []
    source = open_source(found.info, alive=lambda: signs.append(1))
    assert len(list(source.frames(replace(unit, decoder="nvdec")))) == 6
    assert len(signs) >= 151  # 150 frames and the end
    assert source.report.decoder == "nvdec"


def test_the_card_that_was_named_decodes(card: ModuleType, tmp_path: Path) -> None:
    found = probe(VideoFile(drawn(tmp_path, "v.mp4", BY_THE_CARD["h264.mp4"]), "v"), MAX_PIXELS)
    (unit,) = plan_units(found, Sampling(Fraction(1)), 1000)
    assert len(list(open_source(found.info, card=3).frames(replace(unit, decoder="nvdec")))) == 6
    assert card.calls.card == 3


def test_without_the_library_it_says_so_unless_it_may_choose(tmp_path: Path) -> None:
    nvdec._library.cache_clear()
    found = probe(VideoFile(drawn(tmp_path, "v.mp4", BY_THE_CARD["h264.mp4"]), "v"), MAX_PIXELS)
    units = plan_units(found, Sampling(Fraction(1)), 1000)
    if nvdec.is_installed():
        pytest.skip("PyNvVideoCodec is installed here")
    _, (asked,) = decoded(found, units, "nvdec")
    assert (asked.decoder, asked.sampled) == ("pyav", 6)
    assert asked.decoder_reason == (
        "PyNvVideoCodec is not installed; in fastface's clone: make env EXTRA=nvdec, or pip install '.[nvdec]'"
    )
    _, (free,) = decoded(found, units, "auto")
    assert (free.decoder, free.decoder_reason) == ("pyav", "")


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="there is a card")
def test_without_a_card_the_library_is_not_even_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """PyNvVideoCodec 2.2.4 ends the whole process where CUDA fails."""
    monkeypatch.syspath_prepend(FAKE_NVDEC)
    nvdec._library.cache_clear()
    found = probe(VideoFile(drawn(tmp_path, "v.mp4", BY_THE_CARD["h264.mp4"]), "v"), MAX_PIXELS)
    _, (report,) = decoded(found, plan_units(found, Sampling(Fraction(1)), 1000), "auto")
    assert report.decoder == "pyav"
    assert report.decoder_reason.startswith("no card")
    assert "PyNvVideoCodec" not in sys.modules


@pytest.mark.parametrize(
    ("data", "clean"),
    [
        (b"\0\0\0\1\x09\xf0\0\0\0\1\x67\x64\0\0\0\1\x65\x88", True),  # IDR
        (b"\0\0\1\x06\x06\x01\x84\x80\0\0\1\x41\x9a", True),  # recovery_frame_cnt 0: its first bit is 1
        (b"\0\0\1\x06\x06\x01\x2c\x80\0\0\1\x41\x9a", False),  # recovery_frame_cnt above 0
        (b"\0\0\1\x06\x05\x01\x84\x80\0\0\1\x41\x9a", False),  # no recovery point
        (b"", False),
    ],
)
def test_where_h264_can_begin_is_read_from_its_units(data: bytes, clean: bool) -> None:
    assert nvdec._is_clean(data) == clean
