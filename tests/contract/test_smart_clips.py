"""A smart clip shows the frames of the precise clip, and its copied frames are those of the film, bit by bit.

Frame n of the film is shown at n / 25 s and carries n as a barcode; a beep begins at each whole second. What is equal
is decided by checksums that the ffmpeg program computes of the frames that it decodes, of film and clip.
"""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
from clip_tools import FRAME, beeps_of, draw_numbered_film, frames_of
from media_tools import ffmpeg, ffmpeg_command

from fastface.export.clips.clips import cut_clip
from fastface.types import VideoInfo
from fastface.video.discover import VideoFile
from fastface.video.probe import probe

X264 = "-c:v libx264 -preset veryfast -crf 20 -pix_fmt yuv420p"
X265 = "-c:v libx265 -preset ultrafast -crf 20 -pix_fmt yuv420p -x265-params log-level=0:keyint=20:min-keyint=20"
OPEN = "-x264-params open-gop=1:keyint=20:min-keyint=20:scenecut=0"
START, END = 1.24, 2.72
"""Frames 31 to 67; keyframes of most streams are 20, 40 and 60."""


@dataclass(frozen=True)
class Kind:
    """One way to store the film.

    Attributes:
        options: Options of ffmpeg.
        name: Name of the file.
        copied: Fewest frames of START to END that must be copied.
    """

    options: str
    name: str
    copied: int


KINDS = {
    "h264": Kind(f"{X264} -g 20 -bf 3 -c:a aac", "a.mp4", 24),
    "h264 without b": Kind(f"{X264} -g 20 -bf 0 -c:a aac", "a.mp4", 28),
    "h264 intra": Kind(f"{X264} -g 1 -c:a aac", "a.mp4", 37),
    "h264 baseline": Kind(f"{X264} -profile:v baseline -g 20 -c:a aac", "a.mp4", 28),
    "h264 main, fields of cabac off": Kind(f"{X264} -profile:v main -x264-params cabac=0 -g 20 -c:a aac", "a.mkv", 24),
    "h264 open": Kind(f"{X264} -g 20 -bf 3 {OPEN} -c:a aac", "a.mp4", 24),
    "h264 open, cavlc": Kind(f"{X264} -bf 3 {OPEN}:cabac=0 -c:a aac", "a.mkv", 24),
    "h264 open, no pyramid": Kind(f"{X264} -bf 2 {OPEN}:b-pyramid=none -c:a mp2", "a.ts", 24),
    "h264 open, slices": Kind(f"{X264} -bf 3 {OPEN}:slices=3 -c:a aac", "a.mp4", 24),
    "h264 of varying rate": Kind(
        f"-vf select=not(mod(n\\,3))+gt(n\\,60) -fps_mode passthrough {X264} -g 12 -bf 3 -sc_threshold 0 -c:a aac",
        "a.mkv",
        10,
    ),
    "h264 transport": Kind(f"{X264} -g 20 -bf 3 -c:a ac3 -muxdelay 0 -output_ts_offset 1000", "a.ts", 24),
    "h264 in fragments": Kind(f"{X264} -g 20 -bf 3 -c:a alac -movflags +frag_keyframe+empty_moov", "a.mp4", 24),
    "hevc": Kind(f"{X265}:open-gop=0:bframes=2 -c:a aac", "a.mp4", 24),
    "hevc without b": Kind(f"{X265}:bframes=0 -c:a flac", "a.mkv", 28),
    "hevc open": Kind(f"{X265}:open-gop=1:bframes=4:scenecut=0 -tag:v hvc1 -c:a aac", "a.mp4", 24),
    "hevc open transport": Kind(f"{X265}:open-gop=1:bframes=4:scenecut=0 -c:a mp2", "a.ts", 24),
}

REFUSED = {
    "codec": ("-c:v mpeg4 -q:v 3 -g 20", "a.mp4", "codec is mpeg4"),
    "one group": (f"{X264} -g 400", "a.mp4", "no keyframe in the span"),
    "refresh": (f"{X264} -x264-params intra-refresh=1:keyint=20:bframes=0", "a.mp4", "no keyframe in the span"),
    "fields": (f"{X264} -flags +ildct+ilme -g 20", "a.mp4", "interlaced"),
    "ten bits": ("-c:v libx264 -preset veryfast -pix_fmt yuv420p10le -g 20", "a.mp4", "pixels are yuv420p10le"),
    "full range": ("-c:v libx264 -preset veryfast -pix_fmt yuvj420p -g 20", "a.mp4", "pixels"),
    "no times": (f"{X264} -g 20 -f h264", "a.h264", "no times"),
}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("smart") / "film.nut"
    draw_numbered_film(path)
    return path


@pytest.fixture(scope="module")
def stored(film: Path) -> Callable[[str], Path]:
    """The film stored as a kind says; each once."""
    made: dict[str, Path] = {}

    def store(name: str) -> Path:
        if name not in made:
            folder = film.with_name(name.replace(" ", "_"))
            folder.mkdir()
            made[name] = folder / KINDS[name].name
            ffmpeg(f"-i {{0}} {KINDS[name].options} {{1}}", film, made[name])
        return made[name]

    return store


def probed(path: Path) -> VideoInfo:
    return probe(VideoFile(path, "v"), 10**8).info


def checksums(path: Path, *before: str) -> list[str]:
    """The MD5 of each frame that the ffmpeg program shows."""
    words = [*before, "-i", path, "-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framemd5", "-"]
    command = ffmpeg_command(words)
    shown = subprocess.run(command, check=True, capture_output=True, text=True)
    return [line.split(",")[-1].strip() for line in shown.stdout.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("span", [(START, END), (0.0, 1.9), (0.04, 4.0)], ids=str)
def test_a_smart_clip_equals_the_precise_one_and_copies_the_middle(
    tmp_path: Path, stored: Callable[[str], Path], name: str, span: tuple[float, float]
) -> None:
    source = stored(name)
    info = probed(source)
    smart = cut_clip(info, *span, tmp_path / "smart.mp4", "smart")
    precise = cut_clip(info, *span, tmp_path / "precise.mp4", "precise")
    assert (smart.mode, smart.reason) == ("smart", "")
    assert (smart.start, smart.num_frames) == (precise.start, precise.num_frames)
    assert smart.end == pytest.approx(precise.end, abs=0.0021)

    shown, wanted = frames_of(smart.path), frames_of(precise.path)
    assert len(shown) > 10
    assert [number for _, number in shown] == [number for _, number in wanted]
    assert [time for time, _ in shown] == pytest.approx([time for time, _ in wanted], abs=1e-4)

    film_sums = dict(zip((number for _, number in frames_of(source)), checksums(source), strict=True))
    clip_sums = checksums(smart.path)
    equal = [film_sums[number] == one for (_, number), one in zip(shown, clip_sums, strict=True)]
    assert sum(equal) >= (KINDS[name].copied if span == (START, END) else 1)
    first, last = equal.index(True), len(equal) - equal[::-1].index(True)
    assert all(equal[first:last])
    assert mean_errors(smart.path, source, shown) < 4


def mean_errors(clip: Path, source: Path, shown: list[tuple[float, int]]) -> float:
    """The largest mean difference of luma between a frame of the clip and the same frame of the film."""
    with av.open(str(source)) as film, av.open(str(clip)) as cut:
        numbers = [number for _, number in frames_of(source)]
        kept = {
            number: frame.to_ndarray(format="gray").astype(int)
            for number, frame in zip(numbers, film.decode(video=0), strict=True)
        }
        pairs = zip(shown, cut.decode(video=0), strict=True)
        return max(float(np.abs(kept[number] - one.to_ndarray(format="gray")).mean()) for (_, number), one in pairs)


@pytest.mark.parametrize("name", KINDS)
def test_sound_begins_where_it_does_in_the_film(tmp_path: Path, stored: Callable[[str], Path], name: str) -> None:
    clip = cut_clip(probed(stored(name)), START, END, tmp_path / "smart.mp4", "smart")
    heard = [beep for beep in beeps_of(clip.path) if beep > 0.02]
    assert heard == pytest.approx([2 - clip.start], abs=0.02)


@pytest.mark.parametrize("name", ["h264", "h264 open", "hevc", "hevc open"])
def test_a_player_may_start_at_each_keyframe(tmp_path: Path, stored: Callable[[str], Path], name: str) -> None:
    clip = cut_clip(probed(stored(name)), 0.2, 3.9, tmp_path / "smart.mp4", "smart")
    whole = checksums(clip.path)
    with av.open(str(clip.path)) as container:
        base = container.streams.video[0].time_base
        assert base is not None
        keys = sorted(
            float(one.pts * base) for one in container.demux(video=0) if one.is_keyframe and one.pts is not None
        )
    assert len(keys) >= 4
    for time in keys:
        place = round(time / FRAME)
        assert checksums(clip.path, "-ss", f"{time:.6f}") == whole[place:]


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_joined_is_encoded_as_a_whole_with_the_reason(tmp_path: Path, film: Path, name: str) -> None:
    options, file, reason = REFUSED[name]
    ffmpeg(f"-i {{0}} -an {options} {{1}}", film, tmp_path / file)
    clip = cut_clip(probed(tmp_path / file), START, END, tmp_path / "clip.mp4", "smart")
    assert clip.mode == "precise"
    assert reason in clip.reason
    assert [number for _, number in frames_of(clip.path)] == list(range(31, 68))


def test_a_turned_film_is_encoded_as_a_whole(tmp_path: Path, film: Path) -> None:
    ffmpeg(f"-i {{0}} -an {X264} -g 20 {{1}}", film, tmp_path / "flat.mp4")
    ffmpeg("-i {0} -c copy -metadata:s:v rotate=90 {1}", tmp_path / "flat.mp4", tmp_path / "turned.mp4")
    clip = cut_clip(probed(tmp_path / "turned.mp4"), START, END, tmp_path / "clip.mp4", "smart")
    assert (clip.mode, clip.reason) == ("precise", "its picture is turned for display")


def test_a_damaged_film_is_encoded_as_a_whole(tmp_path: Path, stored: Callable[[str], Path]) -> None:
    clip = cut_clip(probed(stored("h264")), START, END, tmp_path / "clip.mp4", "smart", is_damaged=True)
    assert (clip.mode, clip.reason) == ("precise", "some of its packets are damaged or missing")


def test_two_takes_with_other_parameters_are_encoded_as_a_whole(tmp_path: Path, film: Path) -> None:
    """The second take begins inside the span, and a transport stream changes its parameters without a word."""
    ffmpeg(f"-i {{0}} -an -t 2 {X264} -g 20 -bf 0 {{1}}", film, tmp_path / "one.ts")
    ffmpeg(f"-ss 2 -i {{0}} -an {X264} -g 20 -bf 0 -refs 5 -output_ts_offset 2 {{1}}", film, tmp_path / "two.ts")
    (tmp_path / "both.ts").write_bytes((tmp_path / "one.ts").read_bytes() + (tmp_path / "two.ts").read_bytes())
    clip = cut_clip(probed(tmp_path / "both.ts"), START, END, tmp_path / "clip.mp4", "smart")
    assert clip.mode == "precise"
    assert clip.reason
    assert [number for _, number in frames_of(clip.path)] == list(range(31, 68))


def test_all_sound_and_texts_stay(tmp_path: Path, film: Path) -> None:
    texts = tmp_path / "texts.srt"
    texts.write_text("1\n00:00:01,500 --> 00:00:02,500\nhello\n")
    ffmpeg(
        f"-i {{0}} -i {{1}} -map 0:v -map 0:a -map 0:a -map 1 {X264} -g 20 -c:a:0 aac -c:a:1 flac -c:s srt "
        "-metadata:s:a:1 language=fra {2}",
        film, texts, tmp_path / "a.mkv",
    )  # fmt: skip
    clip = cut_clip(probed(tmp_path / "a.mkv"), START, END, tmp_path / "clip.mp4", "smart")
    assert (clip.mode, clip.left_out) == ("smart", ())
    with av.open(str(clip.path)) as container:
        codecs = [(stream.type, stream.codec_context.name) for stream in container.streams]
        assert codecs == [("video", "h264"), ("audio", "aac"), ("audio", "flac"), ("subtitle", "mov_text")]
        assert container.streams.audio[1].metadata["language"] == "fra"
    for number in (0, 1):
        assert [beep for beep in beeps_of(clip.path, number) if beep > 0.02] == pytest.approx(
            [2 - clip.start], abs=0.02
        )
