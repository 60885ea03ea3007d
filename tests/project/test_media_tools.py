"""The media that tests make are the same bytes on every machine."""

import ast
import hashlib
import itertools
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import media_tools
import pytest
from media_tools import FAST_VP8, ffmpeg_command, find_version, run_ffmpeg
from places import SUPPORT, TESTS

DRAWN = "-f lavfi -i testsrc2=size=160x96:rate=25:duration=1"
TONE = "-f lavfi -i sine=duration=1"
RECIPES = {
    "x264.mp4": f"{DRAWN} -c:v libx264 -preset fast -bf 3 -g 12 -pix_fmt yuv420p",
    "x264.ts": f"{DRAWN} -c:v libx264 -preset ultrafast -pix_fmt yuv420p -x264-params intra-refresh=1:keyint=12",
    "x265.mp4": f"{DRAWN} -c:v libx265 -preset ultrafast -x265-params log-level=0",
    "vp8.webm": f"{DRAWN} -c:v libvpx {' '.join(FAST_VP8)} -b:v 1M",
    "vp9.ivf": f"{DRAWN} -c:v libvpx-vp9 -cpu-used 8",
    "mpeg2.mpg": f"{DRAWN} -vf tinterlace=interleave_top,setfield=tff -flags +ildct+ilme -c:v mpeg2video",
    "mpeg4.avi": f"{DRAWN} -c:v mpeg4 -q:v 3",
    "scaled.mkv": f"{DRAWN} -vf gblur=sigma=1.6,scale=101:67,format=yuv444p -c:v ffv1",
    "picture.jpg": f"{DRAWN} -frames:v 1",
    "aac.mp4": f"{TONE} -c:a aac",
    "mp3.avi": f"{TONE} -c:a mp3",
    "vorbis.webm": f"{TONE} -c:a libvorbis",
}
PINNED_FFMPEG = "5.1.9-0+deb12u1"
"""Debian 12's. The digests were also found on an emulated Nehalem (SSE4.2) and an emulated Haswell (AVX2)."""
PINNED = {
    "x264.mp4": "f52ffbc2123103ff",
    "x264.ts": "3f87e2e77ad14030",
    "x265.mp4": "730093ab15bc2e1f",
    "vp8.webm": "a78b181e43ef8a02",
    "vp9.ivf": "64b7798b8c26707c",
    "mpeg2.mpg": "210904e53a1760e7",
    "mpeg4.avi": "612c89988fdca592",
    "scaled.mkv": "803f56f2691c6109",
    "picture.jpg": "be5e8a20c8309b1f",
    "aac.mp4": "b34820c0a9407970",
    "mp3.avi": "90386c00242b7e97",
    "vorbis.webm": "313710cb47838b89",
}
PINNED_AV = "18.1.0"
PINNED_FILMS = ["0f5681a197f58285", "9efffdccc1425d41", "b436b0ea49688656"]
FILMS = """
import hashlib, json, sys
from pathlib import Path
from fastface.demo.film import Encoding, draw_film
from fastface.demo.scripts import random_script

digests = []
for name, seed, encoding in (("a.mp4", 1, Encoding(gop=25)), ("b.mkv", 2, Encoding(zoom=2)), ("c.ts", 3, Encoding())):
    path = Path(sys.argv[1]) / name
    draw_film(path, random_script(seed, 20), encoding)
    digests.append(hashlib.sha256(path.read_bytes()).hexdigest()[:16])
print(json.dumps(digests))
"""
WEAK = {
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4",
    "OPENCV_CPU_DISABLE": "AVX512-SKX,AVX2,FP16,FMA3,AVX,SSE4.2,SSE4.1",
}
"""NumPy's and OpenCV's functions in the variants of an older processor."""


@pytest.fixture
def one_core() -> Iterator[None]:
    """Encoders count the cores that they may use."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    yield
    os.sched_setaffinity(0, cores)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_recipe_gives_the_same_bytes_again(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """The second time on one core, and with the C library's own choice of sines; known digests are of one version."""
    first, second = tmp_path / f"first-{name}", tmp_path / f"second-{name}"
    run_ffmpeg([*RECIPES[name].split(), first])
    request.getfixturevalue("one_core")
    monkeypatch.delitem(media_tools.VARIABLES, "GLIBC_TUNABLES")
    run_ffmpeg([*RECIPES[name].split(), second])
    assert first.stat().st_size > 500
    assert digest(first) == digest(second)
    if (find_version(), platform.machine()) == (PINNED_FFMPEG, "x86_64"):
        assert digest(first) == PINNED[name]


def drawn_films(folder: Path, **variables: str) -> list[str]:
    folder.mkdir()
    command = [sys.executable, "-c", FILMS, str(folder)]
    environment = {**os.environ, **variables}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return json.loads(done.stdout)


def test_drawn_films_are_the_same_bytes_on_every_machine(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    digests = drawn_films(tmp_path / "usual")
    assert len(digests) == 3
    request.getfixturevalue("one_core")
    assert drawn_films(tmp_path / "weak", **WEAK, GLIBC_TUNABLES="glibc.cpu.hwcaps=-AVX2,-FMA") == digests
    if (av.__version__, platform.machine()) == (PINNED_AV, "x86_64"):
        assert digests == PINNED_FILMS


def test_a_command_has_what_makes_it_independent() -> None:
    words = ["-ss", "1", "-i", "a.mp4", "-i", "b.mp4", "-x264-params", "keyint=25", "-c:v", "libx264", "c.mp4"]
    command = ffmpeg_command(words)
    assert command[command.index("-cpuflags") + 1] == "0"
    assert command.index("-cpuflags") < command.index("-ss")
    first = command.index("-ss")
    assert command[first : first + 8] == ["-ss", "1", "-threads", "1", "-i", "a.mp4", "-threads", "1"]
    output = command[command.index("b.mp4") + 1 :]
    assert output[:2] == ["-c:v", "libx264"]
    assert output[-1] == "c.mp4"
    assert "-bitexact" in output
    options = dict(itertools.pairwise(output))
    assert options["-threads"] == "1"
    assert options["-sws_flags"] == "+accurate_rnd+bitexact"
    assert options["-x264-params"] == "keyint=25:asm=0"
    assert options["-x265-params"] == "asm=0:pools=none:frame-threads=1"
    assert output.count("-x264-params") == 1
    assert media_tools.VARIABLES["VPX_SIMD_CAPS"] == "0"


def test_encoders_that_depend_on_the_machine_are_refused() -> None:
    for speed in ([], ["-cpu-used", "8"]):
        with pytest.raises(ValueError, match="depends on the clock"):
            ffmpeg_command(["-i", "a.mp4", "-c:v", "libvpx", "-deadline", "realtime", *speed, "b.webm"])
    with pytest.raises(ValueError, match="depends on the processor"):
        ffmpeg_command(["-i", "a.mp4", "-c:a", "libopus", "b.webm"])


def test_nothing_else_in_the_tests_encodes() -> None:
    """No other module starts ffmpeg by its name, and none opens an encoder of PyAV or OpenCV."""
    sources = [path for path in TESTS.rglob("*.py") if path not in (SUPPORT / "media_tools.py", Path(__file__))]
    assert len(sources) > 100
    found = []
    for path in sources:
        for node in ast.walk(ast.parse(path.read_text())):
            first = node.elts[0] if isinstance(node, ast.List | ast.Tuple) and node.elts else None
            starts = isinstance(first, ast.Constant) and first.value == "ffmpeg" and not _is_table(node)
            encodes = isinstance(node, ast.Attribute) and node.attr in ("add_stream", "VideoWriter")
            if starts or encodes:
                found.append(f"{path.name}:{node.lineno}")
    assert found == []


def _is_table(node: ast.expr) -> bool:
    """Whether a list starting with "ffmpeg" has no option in it, so that it is no command line."""
    return not any(
        isinstance(one, ast.Constant) and isinstance(one.value, str) and one.value.startswith("-")
        for one in ast.walk(node)
    )
