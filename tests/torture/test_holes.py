"""Holes at random in films whose containers declare no index: a film with a hole is never `done`.

The truth is ffprobe's: it lists where in the whole file each packet of video begins. A hole over the beginnings of two
packets or more takes at least two frames away.
"""

import json
import os
import random
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import pytest
import video_tools as tools
from media_tools import FAST_VP8
from torture_tools import Torture

from fastface.types import Sampling

SEED = int(os.environ.get("FASTFACE_TEST_SEED", "20270114"))
"""Another one places other holes."""

PICTURE = "-f lavfi -i testsrc2=size=160x120:rate=25:duration=4"
SOUND = "-f lavfi -i sine=duration=4"
ENCODED = "-cpuflags 0 -threads 1 -bitexact"
H264 = f"-c:v libx264 -x264-params asm=0 -preset veryfast -g 25 -pix_fmt yuv420p {ENCODED}"
PLAIN = f"-c:v libx264 -x264-params asm=0 -preset ultrafast -g 25 -pix_fmt yuv420p {ENCODED}"
X265 = "log-level=0:keyint=25:min-keyint=25:bframes=3:asm=0:pools=1:frame-threads=1"
MPEG2 = f"-c:v mpeg2video -q:v 3 -g 25 -bf 2 -sc_threshold 1000000000 {ENCODED}"
MPEG4 = f"-c:v mpeg4 -q:v 3 -g 25 {ENCODED}"
FILMS = {
    "b.flv": f"{PICTURE} {H264}",
    "sound.flv": f"{PICTURE} {SOUND} {H264} -c:a aac",
    "sorenson.flv": f"{PICTURE} -c:v flv -g 25 {ENCODED}",
    "b.ts": f"{PICTURE} {H264}",
    "sound.ts": f"{PICTURE} {SOUND} {MPEG2} -c:a mp2",
    "disc.m2ts": f"{PICTURE} {H264} -mpegts_m2ts_mode 1",
    "b.mpg": f"{PICTURE} {H264}",
    "sound.mpg": f"{PICTURE} {SOUND} {MPEG2} -c:a mp2",
    "mpeg1.mpg": f"{PICTURE} {MPEG2.replace('mpeg2video', 'mpeg1video')} -f mpeg",
    "b.nut": f"{PICTURE} {H264}",
    "sound.nut": f"{PICTURE} {SOUND} {PLAIN} -c:a mp2",
    "mpeg4.avi": f"{PICTURE} {SOUND} {MPEG4} -c:a mp2",
    "no index.avi": f"{PICTURE} {SOUND} {MPEG4} -c:a mp2",
    "mpeg2.mxf": f"{PICTURE} {SOUND} {MPEG2} -c:a pcm_s16le -ar 48000",
    "sound.wmv": f"{PICTURE} {SOUND} -c:v wmv2 -q:v 3 -g 25 {ENCODED} -c:a wmav2",
    "b.mkv": f"{PICTURE} {SOUND} {H264} -c:a aac",
    "live.mkv": f"{PICTURE} {H264} -f matroska -live 1",
    "vp8.webm": f"{PICTURE} -c:v libvpx {' '.join(FAST_VP8)} -g 25 {ENCODED}",
    "theora.ogv": f"{PICTURE} -c:v libtheora -q:v 6 -g 25 -page_duration 40000 {ENCODED}",
    "b.h264": f"{PICTURE} {H264}",
    "b.hevc": f"{PICTURE} -c:v libx265 -preset ultrafast -x265-params {X265} -pix_fmt yuv420p {ENCODED}",
}
RAW = {"b.h264", "b.hevc"}
"""No header of these shows where the next packet begins: only zeros that end within a packet are certain to show."""
SAMPLINGS = {
    "keyframes": Sampling(Fraction(1, 5), keyframes=True),
    "five": Sampling(Fraction(1, 5)),
    "every": tools.EVERY_FRAME,
}


def _zeros(content: bytes, begin: int, end: int, chance: random.Random) -> bytes:
    return content[:begin] + bytes(end - begin) + content[end:]


def _noise(content: bytes, begin: int, end: int, chance: random.Random) -> bytes:
    return content[:begin] + chance.randbytes(end - begin) + content[end:]


def _nothing(content: bytes, begin: int, end: int, chance: random.Random) -> bytes:
    return content[:begin] + content[end:]


KINDS: tuple[Callable[[bytes, int, int, random.Random], bytes], ...] = (_zeros, _noise, _nothing)


@dataclass(frozen=True)
class Film:
    content: bytes
    begins: list[int]
    """Where packets of video begin, in the order of the file."""


def _film(folder: Path, name: str) -> Film:
    path = folder / name.replace(" ", "_")
    tools.ffmpeg(f"{FILMS[name]} {{0}}", path)
    content = path.read_bytes()
    if name.startswith("no index"):
        content = content[: content.rindex(b"idx1")]
        path.write_bytes(content)
    command = ["ffprobe", "-v", "quiet", "-select_streams", "v:0", "-show_entries", "packet=pos", "-of", "json"]
    answer = json.loads(subprocess.run([*command, f"file:{path}"], check=True, capture_output=True).stdout)
    begins = sorted({int(packet["pos"]) for packet in answer["packets"] if "pos" in packet})
    assert len(begins) >= 20
    return Film(content, begins)


def _hole(film: Film, chance: random.Random) -> tuple[int, int]:
    """From anywhere in a packet to anywhere in a later one; two or more begin between, one more begins after."""
    last = len(film.begins) - 2
    first = chance.randrange(2, last - 2)
    count = min(int(2 ** chance.uniform(1, 6)), last - first)
    begin = chance.randrange(film.begins[first - 1] + 1, film.begins[first] + 1)
    end = chance.randrange(film.begins[first + count - 1] + 1, film.begins[first + count] + 1)
    return begin, end


@pytest.mark.parametrize("name", sorted(FILMS))
def test_no_film_with_a_hole_is_done(tmp_path: Path, name: str, torture: Torture) -> None:
    av.logging.set_level(None)
    film = _film(tmp_path, name)
    path = tmp_path / f"v{Path(name).suffix}"
    path.write_bytes(film.content)
    for sampling in SAMPLINGS.values():
        assert tools.outcome(path, sampling).state == "done"
    chance = random.Random(f"{SEED} {name}")
    wanted = torture.count(2 * len(KINDS) * len(SAMPLINGS), 1000)
    wrong = []
    for turn in range(wanted):
        begin, end = _hole(film, chance)
        change = KINDS[turn % len(KINDS)]
        if name in RAW:
            change = _zeros
            while film.content[end:].lstrip(b"\0")[0] == 1:  # with the zeros before it, the beginning of a packet
                end += 1
        path.write_bytes(change(film.content, begin, end, chance))
        # The quick share tries each kind of hole with each sampling in turn.
        tried = SAMPLINGS if torture.whole else [list(SAMPLINGS)[turn // len(KINDS) % len(SAMPLINGS)]]
        for sampling in tried:
            if tools.outcome(path, SAMPLINGS[sampling]).state == "done":
                wrong.append((change.__name__, begin, end, sampling))
        torture.progress(turn, f"holes in {name}: {turn} of {wanted}")
    assert wrong == []
