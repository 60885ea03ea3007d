"""Odd and broken videos, drawn by ffmpeg, and what the whole chain of the video room makes of a file."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from index_tools import plain_info
from media_tools import ffmpeg

from fastface.errors import VideoError
from fastface.index.records import UnitRecord
from fastface.index.video_state import judge
from fastface.types import DecoderName, Sampling
from fastface.video.decode import open_source
from fastface.video.discover import VideoFile
from fastface.video.plan import plan_units
from fastface.video.probe import Probe, probe

MAX_PIXELS = 100_000_000
X264 = "-c:v libx264 -preset ultrafast -g 25 -pix_fmt yuv420p"
T = "-f lavfi -i testsrc2=size=320x240:rate=25:duration=4"
EVERY_FRAME = Sampling(None)

Recipe = Callable[[Path], None]


@dataclass(frozen=True)
class Outcome:
    """How a file ends, and what was seen of it."""

    state: str
    reason: str
    coverage: float | None = None
    decoded: int = 0
    times: tuple[Fraction, ...] = ()
    flagged: int = 0
    estimated: bool = False


def outcome(
    path: Path, sampling: Sampling = EVERY_FRAME, unit_seconds: float = 60.0, decoder: DecoderName = "pyav"
) -> Outcome:
    """Probes, plans and decodes a file as the pipeline does; a unit that cannot be opened is a lost one."""
    try:
        found = probe(VideoFile(path, "v"), MAX_PIXELS)
    except VideoError as error:
        return Outcome(error.state, error.reason)
    records, frames = [], []
    for unit in plan_units(found, sampling, unit_seconds):
        source = open_source(found.info)
        frames += [(frame.time, frame.flagged) for frame in source.frames(replace(unit, decoder=decoder))]
        report = source.report
        records.append(
            UnitRecord(
                key=unit.key,
                start=unit.start,
                end=unit.end,
                dense=False,
                decoded=report.decoded,
                sampled=report.sampled,
                errors=report.errors,
                covered=report.covered,
            )
        )
    verdict = judge(records, found.info.duration)
    return Outcome(
        verdict.state,
        verdict.reason,
        verdict.coverage,
        sum(record.decoded for record in records),
        tuple(time for time, _ in frames),
        sum(flagged for _, flagged in frames),
        found.info.estimated_times,
    )


def ffprobe_times(path: Path) -> list[Fraction]:
    """Times of all frames from the first one's, as ffprobe has them."""
    found = subprocess.run(
        [
            "ffprobe",
            "-v",
            "quiet",
            "-select_streams",
            "v:0",
            "-show_entries",
            "stream=time_base",
            "-show_entries",
            "frame=best_effort_timestamp",
            "-of",
            "json",
            f"file:{path}",
        ],
        check=True,
        capture_output=True,
    )
    answer = json.loads(found.stdout)
    base = Fraction(answer["streams"][0]["time_base"])
    stamps = [int(frame["best_effort_timestamp"]) for frame in answer["frames"] if "best_effort_timestamp" in frame]
    return [(stamp - stamps[0]) * base for stamp in stamps]


def cut(source: Path, target: Path, share: float) -> None:
    """The first part of a file."""
    content = source.read_bytes()
    target.write_bytes(content[: int(len(content) * share)])


def base_film(path: Path) -> None:
    ffmpeg(f"{T} {X264} {{0}}", path)


def fast_start(path: Path) -> None:
    ffmpeg(f"{T} {X264} -movflags +faststart {{0}}", path)


def no_moov(path: Path) -> None:
    whole = path.with_name("whole.mp4")
    base_film(whole)
    cut(whole, path, 0.6)


def fast_start_cut(path: Path) -> None:
    whole = path.with_name("whole.mp4")
    fast_start(whole)
    cut(whole, path, 0.6)


def fragmented_cut(path: Path) -> None:
    whole = path.with_name("whole.mp4")
    ffmpeg(f"{T} {X264} -movflags frag_keyframe+empty_moov {{0}}", whole)
    cut(whole, path, 0.6)


def header_cut(path: Path) -> None:
    whole = path.with_name("whole.mp4")
    fast_start(whole)
    path.write_bytes(whole.read_bytes()[:400])


def hole_of_zeros(path: Path) -> None:
    fast_start(path)
    with path.open("r+b") as file:
        file.seek(150 * 1024)
        file.write(bytes(60 * 1024))


def _noise(path: Path, option: str) -> None:
    whole = path.with_name("whole.mp4")
    base_film(whole)
    ffmpeg(f"-i {{0}} -c copy -bsf:v noise={option} {{1}}", whole, path)


def corrupt_packets(path: Path) -> None:
    _noise(path, "amount='if(between(n,40,60),1,0)'")


def packets_lost(path: Path) -> None:
    """Every seventh packet is gone, the first keyframe among them."""
    _noise(path, "drop='not(mod(n,7))'")


def no_frames(path: Path) -> None:
    """The header tells of four seconds, and there is not a byte of them."""
    fast_start(path)
    content = path.read_bytes()
    start = content.index(b"mdat") + 4
    path.write_bytes(content[:start] + bytes(len(content) - start))


def variable_rate(path: Path) -> None:
    ffmpeg(f"{T} -vf select='not(between(n,30,60))*not(mod(n,3))' -fps_mode vfr {X264} {{0}}", path)


def raw_h264(path: Path) -> None:
    ffmpeg(f"{T} {X264} -f h264 {{0}}", path)


def negative_pts(path: Path) -> None:
    ffmpeg(f"{T} -c:v libx264 -bf 4 -avoid_negative_ts disabled -output_ts_offset -2 {{0}}", path)


def edit_list(path: Path) -> None:
    whole = path.with_name("whole.mp4")
    base_film(whole)
    ffmpeg("-ss 1.3 -i {0} -c copy {1}", whole, path)


def _offset_ts(path: Path, offset: str) -> None:
    ffmpeg(f"{T} {X264} -muxdelay 0 -output_ts_offset {offset} {{0}}", path)


def late_start(path: Path) -> None:
    _offset_ts(path, "1000")


def pts_wrap(path: Path) -> None:
    _offset_ts(path, "95441.7")


def time_jump(path: Path) -> None:
    ffmpeg(f"{T} -vf setpts='if(gt(N,50),PTS+3600/TB,PTS)' -fps_mode passthrough {X264} {{0}}", path)


def clock_set_back(path: Path) -> None:
    """Two recordings joined byte by byte: the clock begins again in the middle."""
    part = path.with_name("part.ts")
    ffmpeg(f"{T} {X264} {{0}}", part)
    path.write_bytes(part.read_bytes() * 2)


def intra_refresh(path: Path) -> None:
    """Keyframes there are none after the first: the picture is renewed column by column."""
    ffmpeg(f"{T} -c:v libx264 -x264-params intra-refresh=1:keyint=25 {{0}}", path)


def live(path: Path) -> None:
    whole = path.with_name("whole.mkv")
    ffmpeg(f"{T} {X264} -f matroska -live 1 {{0}}", whole)
    path.write_bytes(whole.read_bytes())


def rotated(path: Path) -> None:
    whole = path.with_name("whole.mp4")
    base_film(whole)
    ffmpeg("-i {0} -c copy -metadata:s:v:0 rotate=90 {1}", whole, path)


def odd_size(path: Path) -> None:
    ffmpeg(f"{T} -vf scale=321:241,format=yuv444p -c:v libx264 -preset ultrafast {{0}}", path)


def one_pixel(path: Path) -> None:
    ffmpeg(f"{T} -vf scale=1:1,format=yuv444p -c:v ffv1 {{0}}", path)


def tiny(path: Path) -> None:
    ffmpeg("-f lavfi -i testsrc2=size=16x16:rate=25:duration=1 -c:v ffv1 {0}", path)


def interlaced(path: Path) -> None:
    ffmpeg(
        "-f lavfi -i testsrc2=size=320x240:rate=50:duration=4 -vf tinterlace=interleave_top,setfield=tff "
        "-flags +ildct+ilme -c:v mpeg2video -b:v 2M {0}",
        path,
    )


def size_change(path: Path) -> None:
    parts = []
    for size in ("320x240", "640x480"):
        part = path.with_name(f"{size}.h264")
        ffmpeg(f"-f lavfi -i testsrc2=size={size}:rate=25:duration=2 {X264} {{0}}", part)
        parts.append(part.read_bytes())
    path.write_bytes(b"".join(parts))


def wide_pixels(path: Path) -> None:
    ffmpeg(f"{T} -vf setsar=4/3 {X264} {{0}}", path)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def one_byte(path: Path) -> None:
    path.write_bytes(b"x")


def text(path: Path) -> None:
    path.write_text("Not a film, whatever its name says.\n" * 200)


def random_bytes(path: Path) -> None:
    state, content = 1, bytearray()
    for _ in range(50_000):
        state = state * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
        content.append(state >> 56)
    path.write_bytes(bytes(content))


def audio_only(path: Path) -> None:
    ffmpeg("-f lavfi -i sine=duration=1 -c:a aac {0}", path)


def cover_only(path: Path) -> None:
    cover = path.with_name("cover.jpg")
    ffmpeg("-f lavfi -i testsrc2=size=320x240 -frames:v 1 {0}", cover)
    ffmpeg(
        "-f lavfi -i sine=duration=1 -i {0} -map 0 -map 1 -c:a aac -c:v copy -disposition:v:0 attached_pic {1}",
        cover,
        path,
    )


def huge(path: Path) -> None:
    ffmpeg("-f lavfi -i color=size=16384x8192:rate=1:duration=1 -pix_fmt gray -c:v ffv1 {0}", path)


def hls_playlist(path: Path) -> None:
    base_film(path.with_name("part.mp4"))
    path.write_text("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\npart.mp4\n#EXT-X-ENDLIST\n")


def concat_list(path: Path) -> None:
    base_film(path.with_name("part.mp4"))
    path.write_text("ffconcat version 1.0\nfile part.mp4\n")


def slide_show(path: Path) -> None:
    """Five pictures, two seconds each."""
    ffmpeg(f"-f lavfi -i testsrc2=size=320x240:rate=1/2:duration=10 {X264} {{0}}", path)


def probed(cuts: list[Fraction], duration: Fraction | None) -> Probe:
    info = plain_info(path=Path("v.mp4"), video_id="v", time_base=Fraction(1, 90_000), duration=duration)
    return Probe(info, tuple(cuts))
