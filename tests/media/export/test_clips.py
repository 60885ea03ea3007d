"""Clips hold exactly the frames they should: every frame of the sources carries its number as a barcode."""

import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import pytest
from export_tools import has_sound, keyframes, numbered_frames
from media_tools import FAST_VP8, VORBIS, run_ffmpeg

from fastface.demo.film import Encoding, draw_film, read_barcode
from fastface.demo.script import Script
from fastface.errors import ExportError, InterruptError
from fastface.export.clips.clips import Clip, cut_clip
from fastface.export.plan import clip_name
from fastface.types import Sampling, Unit, VideoInfo
from fastface.video.decode import open_source
from fastface.video.discover import VideoFile
from fastface.video.probe import probe

NUM_FRAMES = 90
SCRIPT = Script(NUM_FRAMES, (), size=(320, 176), barcode=True)
NTSC = Fraction(30000, 1001)


def _drawn(name: str, encoding: Encoding) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        draw_film(folder / name, SCRIPT, encoding)
        return folder / name

    return make


def _remade(name: str, before: list[str], after: list[str]) -> Callable[[Path], Path]:
    """A plain film that ffmpeg has written again."""

    def make(folder: Path) -> Path:
        draw_film(folder / "plain.mp4", SCRIPT, Encoding(gop=20, sound=True))
        run_ffmpeg([*before, "-i", folder / "plain.mp4", *after, folder / name])
        (folder / "plain.mp4").unlink()
        return folder / name

    return make


SOURCES = {
    "plain": _drawn("a.mp4", Encoding(gop=20, sound=True)),
    "ntsc": _drawn("a.mp4", Encoding(gop=20, rate=NTSC, sound=True)),
    "late": _drawn("a.mp4", Encoding(gop=20, start=Fraction(7, 2), sound=True)),
    "gaps": _drawn("a.mp4", Encoding(gop=20, skipped=frozenset({*range(30, 45), 60, 62}), sound=True)),
    "silent": _drawn("a.mp4", Encoding(gop=20)),
    "mkv": _drawn("a.mkv", Encoding(gop=20, rate=NTSC, start=Fraction(2), sound=True)),
    "edit-list": _remade("a.mp4", ["-ss", "1.3"], ["-c", "copy"]),
    "transport": _remade("a.ts", [], ["-c", "copy", "-muxdelay", "0", "-output_ts_offset", "1000"]),
    "below-zero": _remade("a.mkv", [], ["-c", "copy", "-avoid_negative_ts", "disabled", "-output_ts_offset", "-2"]),
    "vp8": _remade("a.webm", [], ["-c:v", "libvpx", "-b:v", "1M", *FAST_VP8, *VORBIS]),
    "mpeg4-avi": _remade("a.avi", [], ["-c:v", "mpeg4", "-q:v", "3", "-c:a", "mp3"]),
    "hevc": _remade("a.mp4", [], ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=0"]),
}
COPIED = sorted(set(SOURCES) - {"below-zero", "edit-list", "vp8"})


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], VideoInfo]:
    """The probed source of a name, drawn once."""
    made: dict[str, VideoInfo] = {}

    def source(name: str) -> VideoInfo:
        if name not in made:
            made[name] = probed(SOURCES[name](tmp_path_factory.mktemp(name)))
        return made[name]

    return source


def probed(path: Path) -> VideoInfo:
    return probe(VideoFile(path, path.name), 10**8).info


def _inside(source: list[tuple[Fraction, int]], start: Fraction | float, end: Fraction | float) -> list[int]:
    return [number for time, number in source if start <= time < end]


def _with_times(path: Path, start: float) -> list[tuple[int, float]]:
    """(number, seconds in the source) of each frame of a clip that begins at `start` there."""
    return [(number, start + float(time)) for time, number in numbered_frames(path)]


def _agrees(clip: Clip, source: list[tuple[Fraction, int]]) -> None:
    """Each frame of the clip lies where the source has it, and the bounds are those of the frames."""
    times = {number: float(time) for time, number in source}
    shown = _with_times(clip.path, clip.start)
    assert clip.num_frames == len(shown) > 0
    for number, time in shown:
        assert time == pytest.approx(times[number], abs=0.0021)  # Matroska's clock ticks in milliseconds
    assert shown[-1][1] < clip.end <= shown[-1][1] + 0.7


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_a_precise_clip_shows_exactly_the_frames_of_its_span(
    tmp_path: Path, sources: Callable[[str], VideoInfo], name: str
) -> None:
    info = sources(name)
    frames = numbered_frames(info.path)
    assert len(frames) > 50
    # Between frames; from the very time of a frame to the very time of another; all from the beginning.
    spans = [(0.81, 1.93), (float(frames[25][0]), float(frames[41][0])), (0.0, 0.5)]
    for start, end in spans:
        wanted = _inside(frames, Fraction(start).limit_denominator(10**6), Fraction(end).limit_denominator(10**6))
        clip = cut_clip(info, start, end, tmp_path / "clip.mp4", "precise")
        assert [number for _, number in numbered_frames(clip.path)] == wanted
        assert clip.mode == "precise"
        assert numbered_frames(clip.path, from_first=False)[0][0] == 0
        _agrees(clip, frames)
        assert has_sound(clip.path) == clip.has_audio == (name not in {"silent", "below-zero"})


@pytest.mark.parametrize("name", COPIED)
def test_a_copied_clip_begins_at_the_keyframe_and_says_so(
    tmp_path: Path, sources: Callable[[str], VideoInfo], name: str
) -> None:
    info = sources(name)
    frames, keys = numbered_frames(info.path), keyframes(info.path)
    start, end = Fraction("1.21"), Fraction("2.03")
    clip = cut_clip(info, float(start), float(end), tmp_path / "clip.mp4", "copy")
    assert clip.mode == "copy"
    wanted, shown = _inside(frames, start, end), [number for _, number in numbered_frames(clip.path)]
    key = max(time for time, _ in frames if time in keys and time <= start)
    assert shown[0] == dict(frames)[key]
    assert set(wanted) <= set(shown)
    # Only frames that the last wanted one refers to may follow it.
    assert shown[-1] - wanted[-1] <= 3
    assert clip.start == pytest.approx(float(key), abs=1e-6)
    _agrees(clip, frames)
    assert has_sound(clip.path) == clip.has_audio == (name != "silent")


@pytest.mark.parametrize("mode", ["copy", "precise"])
def test_sound_stays_with_the_picture(tmp_path: Path, sources: Callable[[str], VideoInfo], mode: str) -> None:
    """Both streams of a clip begin and end together."""
    clip = cut_clip(sources("plain"), 1.21, 2.6, tmp_path / "clip.mp4", mode)  # type: ignore[arg-type]
    with av.open(str(clip.path)) as container:
        sound = [frame for frame in container.decode(audio=0) if frame.pts >= 0]
    assert float(sound[0].time) == pytest.approx(0, abs=0.05)
    end = float(sound[-1].time) + sound[-1].samples / sound[-1].sample_rate
    assert end == pytest.approx(clip.end - clip.start, abs=0.1)


@pytest.mark.parametrize("mode", ["copy", "precise"])
@pytest.mark.parametrize("name", ["plain", "transport"])
def test_nothing_is_left_of_a_span_past_the_end(
    tmp_path: Path, sources: Callable[[str], VideoInfo], name: str, mode: str
) -> None:
    with pytest.raises(ExportError, match="no frame"):
        cut_clip(sources(name), 60.0, 62.0, tmp_path / "clip.mp4", mode)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_span_that_goes_on_after_the_end_is_cut_to_the_last_frame(
    tmp_path: Path, sources: Callable[[str], VideoInfo]
) -> None:
    clip = cut_clip(sources("plain"), 3.0, 100.0, tmp_path / "clip.mp4", "precise")
    assert [number for _, number in numbered_frames(clip.path)] == list(range(75, NUM_FRAMES))
    assert clip.end == pytest.approx(3.6)


@pytest.mark.parametrize(
    "name", ["-y.mp4", "concat:x.mp4", "a%03d.mp4", "http:x.mp4", "caf\udce9.mp4", "two\nlines.mp4", "it's [1];,.mp4"]
)
def test_names_are_literal(
    tmp_path: Path, sources: Callable[[str], VideoInfo], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(sources("plain").path, Path(name).absolute())
    info = probed(Path(name))
    destination = Path("out") / name
    for mode, first in (("copy", 20), ("precise", 25)):
        clip = cut_clip(info, 1.0, 1.2, destination, mode)  # type: ignore[arg-type]
        assert clip.mode == mode
        assert numbered_frames(clip.path)[0][1] == first
    assert sorted(tmp_path.rglob("*.mp4")) == sorted([tmp_path / name, tmp_path / destination])


def _scanned(info: VideoInfo) -> list[tuple[Fraction, int]]:
    """(time, number in its barcode) of each frame as a scan sees it."""
    frames = open_source(info).frames(Unit(info.video_id, 0, Fraction(0), None, Sampling(None)))
    yuv = ((frame.time, frame.content.to_ndarray(format="yuv420p")) for frame in frames)
    return [(time, read_barcode(cv2.cvtColor(picture, cv2.COLOR_YUV2BGR_I420))) for time, picture in yuv]


def _joined(folder: Path, *encodings: Encoding) -> Path:
    """Recordings of the same script joined byte by byte: the clock begins again with each."""
    content = b""
    for encoding in encodings:
        draw_film(folder / "part.ts", SCRIPT, encoding)
        content += (folder / "part.ts").read_bytes()
    (folder / "part.ts").unlink()
    (folder / "joined.ts").write_bytes(content)
    return folder / "joined.ts"


def test_where_the_clock_is_set_back_a_clip_shows_the_frames_that_were_scanned(tmp_path: Path) -> None:
    """Frames 30 to 59 of the first recording were lost, so that counting at the header's rate would be 1.2 s late."""
    lossy = Encoding(gop=20, skipped=frozenset(range(30, 60)))
    info = probed(_joined(tmp_path, lossy, Encoding(gop=20)))
    assert info.estimated_times
    scanned = _scanned(info)
    assert len(scanned) == 150
    # By hand: 25 frames a second; the second recording begins at 3.6 s, where the first one ends.
    for start, end, wanted in ((2.5, 2.9, range(63, 73)), (3.4, 3.8, [*range(85, 90), *range(5)])):
        clip = cut_clip(info, start, end, tmp_path / "clip.mp4", "copy")
        shown = [number for _, number in numbered_frames(clip.path)]
        assert shown == [*wanted] == _inside(scanned, Fraction(str(start)), Fraction(str(end)))
        assert clip.mode == "precise"
        assert (clip.start, clip.end) == (pytest.approx(wanted_start(start)), pytest.approx(end, abs=0.04))
    with pytest.raises(ExportError, match="no frame"):
        cut_clip(info, 1.5, 1.9, tmp_path / "none.mp4", "precise")
    assert not (tmp_path / "none.mp4").exists()


def wanted_start(time: float) -> float:
    """When the first frame at or after a time is shown, at 25 frames a second."""
    return -(-round(time * 100) // 4) / 25


def test_a_stream_without_times_is_cut_by_counting(tmp_path: Path, sources: Callable[[str], VideoInfo]) -> None:
    run_ffmpeg(["-i", sources("silent").path, "-c", "copy", "-f", "h264", tmp_path / "raw.h264"])
    clip = cut_clip(probed(tmp_path / "raw.h264"), 1.0, 1.4, tmp_path / "clip.mp4", "copy")
    assert [number for _, number in numbered_frames(clip.path)] == [*range(25, 35)]
    assert [round(float(time) * 25, 2) for time, _ in numbered_frames(clip.path)] == [*range(10)]
    assert (clip.start, clip.end, clip.num_frames) == (1.0, pytest.approx(1.4), 10)


@pytest.mark.parametrize("mode", ["copy", "precise"])
def test_of_two_video_streams_the_scanned_one_is_cut(
    tmp_path: Path, sources: Callable[[str], VideoInfo], mode: str
) -> None:
    """The first stream is a preview of another size and clock; the second is marked as the one to be shown."""
    preview = ["-f", "lavfi", "-i", "color=size=96x64:rate=10:duration=3.6", "-i", sources("plain").path]
    streams = ["-map", "0:v", "-map", "1:v", "-c:v:0", "mpeg4", "-c:v:1", "copy"]
    shown = ["-disposition:v:0", "0", "-disposition:v:1", "default"]
    run_ffmpeg([*preview, *streams, *shown, tmp_path / "two.mp4"])
    info = probed(tmp_path / "two.mp4")
    assert info.size == SCRIPT.size
    clip = cut_clip(info, 0.8, 1.2, tmp_path / "clip.mp4", mode)  # type: ignore[arg-type]
    assert clip.mode == mode
    # Frame 20 is a keyframe, and 29 the last one before 1.2 s; a copy may show some that 29 refers to.
    assert [number for _, number in numbered_frames(clip.path)][:10] == [*range(20, 30)]


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_metadata_in_another_encoding_does_no_harm(
    tmp_path: Path, sources: Callable[[str], VideoInfo], suffix: str
) -> None:
    path = tmp_path / f"titled.{suffix}"
    run_ffmpeg(["-i", sources("plain").path, "-c", "copy", "-metadata", b"title=caf\xe9", path])
    info = probed(path)
    for mode, first in (("copy", 20), ("precise", 25)):
        clip = cut_clip(info, 1.0, 1.2, tmp_path / "clip.mp4", mode)  # type: ignore[arg-type]
        assert clip.mode == mode
        with av.open(str(clip.path), metadata_errors="replace") as container:
            frame = next(container.decode(video=0)).to_ndarray(format="yuv420p")
        assert read_barcode(cv2.cvtColor(frame, cv2.COLOR_YUV2BGR_I420)) == first


def test_what_mp4_cannot_hold_is_encoded(tmp_path: Path, sources: Callable[[str], VideoInfo]) -> None:
    clip = cut_clip(sources("vp8"), 1.0, 2.0, tmp_path / "clip.mp4", "copy")
    assert clip.mode == "precise"
    with av.open(str(clip.path)) as container:
        assert container.format.name.startswith("mov,mp4")
        assert [stream.codec_context.name for stream in container.streams] == ["h264", "aac"]


def test_the_user_can_stop_it(tmp_path: Path, sources: Callable[[str], VideoInfo]) -> None:
    def stop() -> None:
        raise InterruptError(2)

    with pytest.raises(InterruptError):
        cut_clip(sources("plain"), 0.0, 3.0, tmp_path / "clip.mp4", "precise", check_stop=stop)
    assert list(tmp_path.iterdir()) == []


def test_the_clip_of_a_span_has_always_the_same_name() -> None:
    assert clip_name("Ann", (), 1.23449, 20.0) == "Ann_1.234-20.000.mp4"
    assert "/" not in clip_name("../Ann", (), 0, 1)


@pytest.mark.parametrize("mode", ["copy", "precise"])
def test_a_real_clip(tmp_path: Path, shared_media: Path, mode: str) -> None:
    info = probed(shared_media / "clips" / "friends.mp4")
    clip = cut_clip(info, 5.0, 6.5, tmp_path / "clip.mp4", mode)  # type: ignore[arg-type]
    with av.open(str(info.path)) as container:
        source = [frame.time for frame in container.decode(video=0)]
    inside = [time for time in source if clip.start - 1e-4 <= time - source[0] < clip.end - 1e-4]
    with av.open(str(clip.path)) as container:
        shown = [frame.time for frame in container.decode(video=0)]
    assert len(shown) == len(inside) == clip.num_frames
    assert has_sound(clip.path) == has_sound(info.path)
    assert clip.start <= min(time - source[0] for time in source if time - source[0] >= 5.0)
    assert clip.end >= max(time - source[0] for time in source if time - source[0] < 6.5)
