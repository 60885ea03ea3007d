"""A clip shows what it says: containers × codecs × kinds of groups of pictures, each cut in both ways and read back.

Frame n of the film is shown at n / 25 s and carries n as a barcode in its lowest 16 rows; a beep begins at each whole
second. Both are drawn and encoded by ffmpeg, so that what is right does not come from the code that is tested.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from clip_tools import FRAME, SECONDS, beeps_of, draw_numbered_film, frames_of
from media_tools import FAST_VP8, ffmpeg

from fastface.export.clips.clips import cut_clip
from fastface.export.plan import ClipMode
from fastface.video.discover import VideoFile
from fastface.video.probe import probe

START, END = 1.24, 2.72
"""Frames 31 to 67, and the beep at 2 s; no keyframe of most streams lies at either end."""

CODES = {
    "h264": "-c:v libx264 -preset veryfast -crf 20 -pix_fmt yuv420p",
    "hevc": "-c:v libx265 -preset ultrafast -crf 20 -pix_fmt yuv420p -x265-params log-level=0:",
    "mpeg1": "-c:v mpeg1video -q:v 3",
    "mpeg2": "-c:v mpeg2video -q:v 3",
    "mpeg4": "-c:v mpeg4 -q:v 3",
    "vp8": f"-c:v libvpx -b:v 1M {' '.join(FAST_VP8)}",
    "vp9": "-c:v libvpx-vp9 -cpu-used 8 -deadline realtime -b:v 1M",
    "mjpeg": "-c:v mjpeg -q:v 3 -pix_fmt yuvj420p",
    "prores": "-c:v prores -pix_fmt yuv422p10le",
    "ffv1": "-c:v ffv1",
    "theora": "-c:v libtheora -q:v 8",
    "wmv2": "-c:v wmv2 -q:v 3",
    "flv1": "-c:v flv -q:v 3",
}


@dataclass(frozen=True)
class Stream:
    """One encoding of the film.

    Attributes:
        codec: A key of `CODES`.
        options: More options of the encoder.
        copies: Whether a copied clip must be one, where the container allows it.
        first: The first frame that the file shows.
        lead: Most seconds before the span at which a copied clip may begin.
    """

    codec: str
    options: str
    copies: bool = True
    first: int = 0
    lead: float = 1.0


STREAMS = {
    "h264 intra": Stream("h264", "-g 1", lead=0.04),
    "h264 no b": Stream("h264", "-g 20 -bf 0"),
    "h264 b": Stream("h264", "-g 20 -bf 3"),
    "h264 open": Stream("h264", "-g 20 -bf 3 -x264-params open-gop=1:keyint=20:min-keyint=20:scenecut=0", lead=1.2),
    "h264 one gop": Stream("h264", "-g 400 -bf 2", lead=1.4),
    "h264 refresh": Stream("h264", "-x264-params intra-refresh=1:keyint=20:bframes=0", lead=1.4),
    "h264 vfr": Stream(
        "h264", "-vf select=not(mod(n\\,3))+gt(n\\,60) -fps_mode passthrough -g 12 -bf 3 -sc_threshold 0", lead=1.3
    ),
    "h264 ntsc field": Stream("h264", "-flags +ildct+ilme -g 20 -bf 2"),
    "hevc closed": Stream("hevc", "-x265-params keyint=20:min-keyint=20:bframes=2:open-gop=0"),
    "hevc open": Stream("hevc", "-x265-params keyint=20:min-keyint=20:bframes=4:open-gop=1:scenecut=0", lead=1.4),
    "hevc no b": Stream("hevc", "-x265-params keyint=20:min-keyint=20:bframes=0"),
    "mpeg1 b": Stream("mpeg1", "-g 15 -bf 2"),
    "mpeg2 intra": Stream("mpeg2", "-g 1", lead=0.04),
    "mpeg2 no b": Stream("mpeg2", "-g 15"),
    "mpeg2 open": Stream("mpeg2", "-g 15 -bf 2"),
    "mpeg2 closed": Stream("mpeg2", "-g 15 -bf 2 -flags +cgop -sc_threshold 1000000000"),
    "mpeg2 field": Stream("mpeg2", "-g 15 -bf 2 -flags +ildct+ilme -top 1"),
    "mpeg4 no b": Stream("mpeg4", "-g 20"),
    "mpeg4 b": Stream("mpeg4", "-g 20 -bf 2"),
    "vp8": Stream("vp8", "-g 20", copies=False),
    "vp9": Stream("vp9", "-g 20"),
    "mjpeg": Stream("mjpeg", "", copies=False),
    "prores": Stream("prores", "", copies=False),
    "ffv1": Stream("ffv1", "-g 20", copies=False),
    "theora": Stream("theora", "-g 20", copies=False),
    "wmv2": Stream("wmv2", "-g 20", copies=False),
    "flv1": Stream("flv1", "-g 20", copies=False),
}

PACKED = {
    "mp4": ("a.mp4", "-c:a aac"),
    "mp4, fast start": ("a.mp4", "-c:a aac -movflags +faststart"),
    "mp4, fragments": ("a.mp4", "-c:a alac -movflags +frag_keyframe+empty_moov"),
    "mp4, late": ("a.mp4", "-c:a aac -output_ts_offset 3.5"),
    "mov": ("a.mov", "-c:a pcm_s16le"),
    "mkv": ("a.mkv", "-c:a flac"),
    "mkv, live": ("a.mkv", "-c:a aac -f matroska -live 1"),
    "mkv, late": ("a.mkv", "-c:a mp2 -output_ts_offset 1000"),
    "webm": ("a.webm", "-c:a libvorbis"),
    "ts": ("a.ts", "-c:a mp2"),
    "ts, late": ("a.ts", "-c:a ac3 -muxdelay 0 -output_ts_offset 1000"),
    "ts, wraps": ("a.ts", "-c:a mp2 -muxdelay 0 -output_ts_offset 95441.7"),
    "m2ts": ("a.m2ts", "-c:a ac3 -f mpegts -mpegts_m2ts_mode 1"),
    "vob": ("a.vob", "-c:a mp2 -f vob"),
    "avi": ("a.avi", "-c:a pcm_s16le"),
    "flv": ("a.flv", "-c:a pcm_s16le -ar 44100"),
    "nut": ("a.nut", "-c:a pcm_s16le"),
    "mxf": ("a.mxf", "-c:a pcm_s16le"),
    "ogg": ("a.ogv", "-c:a libvorbis"),
    "asf": ("a.wmv", "-c:a mp2"),
    "3gp": ("a.3gp", "-c:a aac"),
}
ALL = ("mp4", "mp4, fast start", "mp4, fragments", "mp4, late", "mov", "mkv", "mkv, live", "mkv, late")
TS = ("ts", "ts, late", "m2ts")
HELD = {
    "h264 intra": (*ALL, *TS, "flv", "avi", "nut"),
    "h264 no b": (*ALL, *TS, "flv", "avi", "nut", "3gp"),
    "h264 b": (*ALL, *TS, "ts, wraps", "flv", "avi", "nut", "3gp"),
    "h264 open": (*ALL, *TS, "flv", "nut"),
    "h264 one gop": ("mp4", "mkv", "ts", "flv"),
    "h264 refresh": ("mp4", "mkv", "ts"),
    "h264 vfr": ("mp4", "mp4, fragments", "mkv", "ts"),
    "h264 ntsc field": ("mp4", "mkv", "ts"),
    "hevc closed": ("mp4", "mp4, fragments", "mov", "mkv", *TS),
    "hevc open": ("mp4", "mp4, fragments", "mov", "mkv", *TS, "nut"),
    "hevc no b": ("mp4", "mkv", "ts"),
    "mpeg1 b": ("mkv", "ts", "vob", "avi"),
    "mpeg2 intra": ("mov", "mkv", "ts", "mxf", "avi"),
    "mpeg2 no b": ("mov", "mkv", "ts", "vob", "avi"),
    "mpeg2 open": ("mp4", "mov", "mkv", "ts", "ts, wraps", "vob", "avi", "nut"),
    "mpeg2 closed": ("mp4", "mkv", "ts", "vob"),
    "mpeg2 field": ("mov", "mkv", "ts", "vob"),
    "mpeg4 no b": ("mp4", "mov", "mkv", "avi", "nut", "3gp"),
    "mpeg4 b": ("mp4", "mov", "mkv", "avi", "nut"),
    "vp8": ("webm", "mkv"),
    "vp9": ("webm", "mkv", "mp4"),
    "mjpeg": ("mov", "avi", "mkv"),
    "prores": ("mov", "mkv"),
    "ffv1": ("mkv", "avi", "nut"),
    "theora": ("ogg", "mkv"),
    "wmv2": ("asf", "avi"),
    "flv1": ("flv",),
}
COMBINATIONS = [(stream, held) for stream, containers in HELD.items() for held in containers]


def test_there_are_enough_combinations() -> None:
    assert len(COMBINATIONS) >= 120
    assert len(set(COMBINATIONS)) == len(COMBINATIONS)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The film without loss."""
    path = tmp_path_factory.mktemp("film") / "film.nut"
    draw_numbered_film(path)
    return path


@pytest.fixture(scope="module")
def encoded(film: Path) -> Callable[[str], Path]:
    """The film encoded as a stream says; each once."""
    made: dict[str, Path] = {}

    def encode(name: str) -> Path:
        if name not in made:
            made[name] = film.with_name(f"{name.replace(' ', '_')}.nut")
            ffmpeg(f"-i {{0}} {encoder_of(name)} -c:a copy {{1}}", film, made[name])
        return made[name]

    return encode


def encoder_of(name: str) -> str:
    """ffmpeg's options for a stream."""
    code, options = CODES[STREAMS[name].codec], STREAMS[name].options
    if "-x265-params" not in options:
        return f"{code} {options}"
    return code.replace("log-level=0:", "log-level=0:" + options.split()[-1])


@pytest.mark.parametrize(("name", "held"), COMBINATIONS, ids=lambda value: value.replace(", ", "-").replace(" ", "-"))
def test_a_clip_shows_what_it_says(
    tmp_path: Path, film: Path, encoded: Callable[[str], Path], name: str, held: str
) -> None:
    file, options = PACKED[held]
    # A copy into AVI counts in fields, and puts an empty one in.
    source, code = (film, encoder_of(name)) if held == "avi" else (encoded(name), "-c:v copy")
    ffmpeg(f"-i {{0}} {code} {options} {{1}}", source, tmp_path / file)
    info = probe(VideoFile(tmp_path / file, "v"), 10**8).info
    for mode in ("copy", "precise"):
        clip = cut_clip(info, START, END, tmp_path / "clip.mp4", mode)
        if mode == "copy":
            stream = STREAMS[name]
            assert clip.mode == ("copy" if stream.copies and not _lacks_times(held, stream) else "precise")
        shown = frames_of(clip.path)
        assert clip.num_frames == len(shown) > 10
        assert not clip.left_out
        check_frames(shown, clip.start, clip.end, clip.mode, STREAMS[name].lead)
        check_sound(beeps_of(clip.path), clip.start, clip.end)


def _lacks_times(held: str, stream: Stream) -> bool:
    """AVI has no presentation times: a copy of pictures that change places would have none either.

    A VOB as FFmpeg writes it has times for every eighth picture only, which those of MPEG-2 do not need to be decoded.
    """
    changes_places = "-bf" in stream.options and "-bf 0" not in stream.options
    return (held == "avi" and changes_places) or (held == "vob" and stream.codec == "mpeg2")


def check_frames(shown: list[tuple[float, int]], start: float, end: float, mode: ClipMode, lead: float) -> None:
    """The clip begins and ends with the frames that it names, each at its time, and holds all of the span's."""
    times = [time for time, _ in shown]
    assert times[0] == 0
    assert all(before < after for before, after in pairwise(times))
    for time, number in shown:
        assert start + time == pytest.approx(number * FRAME, abs=0.0025)  # FLV and Matroska count milliseconds
    assert end == pytest.approx((shown[-1][1] + 1) * FRAME, abs=FRAME + 0.0025)
    if mode == "precise":
        assert start >= START - 0.0025
        assert end <= END + FRAME
    assert START - lead <= start <= START + 0.09
    assert shown[-1][1] * FRAME >= END - 0.05


def check_sound(beeps: list[float], start: float, end: float) -> None:
    """A beep begins at each whole second of the film that lies in the clip."""
    wanted = [second - start for second in range(SECONDS) if start + 0.02 < second < end - 0.12]
    assert wanted
    heard = [beep for beep in beeps if beep > 0.02]
    assert heard == pytest.approx(wanted, abs=0.02)
