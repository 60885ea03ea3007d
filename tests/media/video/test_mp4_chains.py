"""Files whose elements follow on each other, in the ways of many writers, have no holes."""

import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import av
import pytest
import video_tools as tools

from fastface.video.containers.mp4_chains import is_whole

SMALL = "-f lavfi -i testsrc2=size=160x120:rate=25:duration=2 -f lavfi -i sine=duration=2"
LARGE = "-f lavfi -i testsrc2=size=1280x720:rate=25:duration=1 -f lavfi -i sine=duration=1"
H264 = "-c:v libx264 -preset ultrafast -g 25 -pix_fmt yuv420p"
MPEG2 = "-c:v mpeg2video -q:v 2 -g 25"
FILMS = {
    "small.flv": f"{SMALL} {H264} -c:a aac",
    "large.flv": f"{LARGE} {H264} -qp 5 -c:a aac",
    "small.ts": f"{SMALL} {H264} -c:a aac",
    "disc.m2ts": f"{SMALL} {H264} -c:a aac -mpegts_m2ts_mode 1",
    "large.mpg": f"{LARGE} {MPEG2} -c:a mp2 -f vob -muxrate 40M",
    "first.mpg": f"{SMALL} -c:v mpeg1video -c:a mp2 -f mpeg",
    "disc.mpg": f"{SMALL} -c:v mpeg1video -c:a mp2 -f vcd",
    "small.nut": f"{SMALL} {H264} -c:a mp2",
    "large.nut": f"{LARGE} {H264} -qp 5 -c:a mp2",
    "huge.nut": f"{LARGE} -frames:v 5 -c:v rawvideo -c:a pcm_s16le",
    "broadcast.nut": f"{LARGE} {H264} -c:a mp2 -syncpoints none -strict -2",
    "small.avi": f"{SMALL} -c:v mpeg4 -c:a mp3",
    "large.avi": f"{LARGE} -c:v mjpeg -q:v 2 -c:a pcm_s16le",
    "small.mxf": f"{SMALL} {MPEG2} -c:a pcm_s16le -ar 48000",
    "large.mxf": f"{LARGE} {MPEG2} -c:a pcm_s16le -ar 48000",
    "small.mkv": f"{SMALL} {H264} -c:a aac",
    "live.mkv": f"{SMALL} {H264} -c:a aac -f matroska -live 1",
    "small.ogv": f"{SMALL} -c:v libtheora -c:a libvorbis",
    "large.ogv": f"{LARGE} -frames:v 5 -c:v libtheora -q:v 10 -c:a libvorbis",
    "small.h264": f"{SMALL} {H264} -map 0:v",
    "small.hevc": f"{SMALL} -c:v libx265 -x265-params log-level=0 -map 0:v",
}


@pytest.fixture(scope="module", params=sorted(FILMS))
def film(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("chains") / request.param
    tools.ffmpeg(f"{FILMS[request.param]} {{0}}", path)
    return path


def test_a_whole_film_has_no_hole(film: Path) -> None:
    assert is_whole(film)


def test_an_interrupted_recording_has_no_hole(film: Path, tmp_path: Path) -> None:
    """Wherever it ends. What of its length is declared and missing, its coverage shows."""
    content, path = film.read_bytes(), tmp_path / film.name
    chance = random.Random(f"20270115 {film.name}")
    for _ in range(60):
        path.write_bytes(content[: chance.randrange(len(content))])
        assert is_whole(path), path.stat().st_size


@pytest.mark.parametrize("name", ["small.flv", "small.ts", "first.mpg", "small.avi", "small.mxf", "small.ogv"])
def test_a_last_block_that_is_filled_up_is_no_hole(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    tools.ffmpeg(f"{FILMS[name]} {{0}}", path)
    with path.open("ab") as file:
        file.write(bytes(32 << 10))
    assert is_whole(path)


@pytest.mark.parametrize(
    "name", ["small.flv", "small.ts", "disc.m2ts", "first.mpg", "live.mkv", "small.ogv", "small.h264"]
)
def test_recordings_joined_byte_by_byte_have_no_hole(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    tools.ffmpeg(f"{FILMS[name]} {{0}}", path)
    path.write_bytes(path.read_bytes() * 2)
    assert is_whole(path)


def test_a_recording_that_was_cut_within_a_packet_and_joined_has_no_hole(tmp_path: Path) -> None:
    whole, path = tmp_path / "whole.ts", tmp_path / "v.ts"
    tools.ffmpeg(f"{FILMS['small.ts']} {{0}}", whole)
    content = whole.read_bytes()
    for length in (188 * 60 + 1, 188 * 70 + 100, 188 * 80 + 187):
        path.write_bytes(content[:length] + content)
        assert is_whole(path)


def _tags(content: bytes) -> list[bytes]:
    """An FLV file's tags without the lengths after them."""
    found, place = [], 13
    while place < len(content):
        length = 11 + int.from_bytes(content[place + 1 : place + 4])
        found.append(content[place : place + length])
        place += length + 4
    assert len(found) > 100
    return found


@pytest.mark.parametrize("tell", [lambda _: 0, lambda length: length - 11, lambda length: length + 7])
def test_recorders_that_write_other_lengths_after_tags(tmp_path: Path, tell: Callable[[int], int]) -> None:
    path = tmp_path / "v.flv"
    tools.ffmpeg(f"{FILMS['small.flv']} {{0}}", path)
    content = path.read_bytes()
    path.write_bytes(content[:13] + b"".join(tag + tell(len(tag)).to_bytes(4) for tag in _tags(content)))
    assert is_whole(path)


def test_script_tags_and_steps_in_time_of_a_live_recording(tmp_path: Path) -> None:
    path = tmp_path / "v.flv"
    tools.ffmpeg(f"{FILMS['small.flv']} {{0}}", path)
    content = path.read_bytes()
    parts = []
    for number, tag in enumerate(_tags(content)):
        time = int.from_bytes(tag[4:7]) + (90_000 if number > 60 else 0)
        parts.append(tag[:4] + time.to_bytes(3) + tag[7:])
        if number % 10 == 0:
            parts.append(b"\x12" + (13).to_bytes(3) + time.to_bytes(3) + bytes(4) + b"\x02\x00\x0aonCuePoint")
    path.write_bytes(content[:13] + b"".join(part + len(part).to_bytes(4) for part in parts))
    assert is_whole(path)


def test_chunks_that_are_not_filled_up_to_an_even_length(tmp_path: Path) -> None:
    path = tmp_path / "v.avi"
    tools.ffmpeg(f"{FILMS['small.avi']} {{0}}", path)
    content = path.read_bytes()
    place = content.index(b"movi") + 4
    end = content.rindex(b"idx1")
    parts, odd = [content[:place]], 0
    while place < end:
        size = int.from_bytes(content[place + 4 : place + 8], "little")
        parts.append(content[place : place + 8 + size])
        odd += size % 2
        place += 8 + size + size % 2
    assert odd >= 5
    path.write_bytes(b"".join(parts) + content[end:])
    assert is_whole(path)


def test_a_live_ogg_stream_that_was_joined_late(tmp_path: Path) -> None:
    path = tmp_path / "v.ogv"
    source = "-f lavfi -i testsrc2=size=160x120:rate=25:duration=2"
    tools.ffmpeg(f"{source} -c:v libtheora -page_duration 40000 {{0}}", path)
    pages = [b"OggS\0" + page for page in path.read_bytes().split(b"OggS\0")[1:]]
    assert len(pages) > 40
    headers = sum(page[6:14] == bytes(8) for page in pages)
    assert 0 < headers < 5
    path.write_bytes(b"".join(pages[:headers] + pages[headers + 20 :]))
    assert is_whole(path)
    path.write_bytes(b"".join(pages[: headers + 10] + pages[headers + 20 :]))
    assert not is_whole(path)


def test_damage_that_looks_like_another_stream_ends_the_packets_and_no_more(tmp_path: Path) -> None:
    """PyAV fails with IndexError at the end of a file that got streams while it was read."""
    path = tmp_path / "v.flv"
    tools.ffmpeg(f"{tools.T} {H264} {{0}}", path)
    content = path.read_bytes()
    tags = _tags(content)
    sound = b"\x08" + (5).to_bytes(3) + tags[40][4:8] + bytes(3) + b"\x2e" + bytes(4)
    tags[40:40] = [sound] * 4
    path.write_bytes(content[:13] + b"".join(tag + len(tag).to_bytes(4) for tag in tags))
    av.logging.set_level(None)
    shown = subprocess.run(
        [
            "ffprobe",
            "-v",
            "quiet",
            "-count_frames",
            "-select_streams",
            "v",
            "-show_entries",
            "stream=nb_read_frames",
            "-of",
            "csv=p=0",
            str(path),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    assert int(shown.stdout) == 100
    found = tools.outcome(path)
    assert (found.state, len(found.times)) == ("done", 100)
