"""The one place where tests start ffmpeg: its bytes are the same on all processors of an architecture.

libx264, libx265, libvpx and FFmpeg's own filters and encoders choose code by the processor's extensions (AVX2,
AVX-512 …), and not all variants give the same bytes; threads divide the picture by the number of cores. Tests that
damage a file at a fixed place would then fail on one machine only.
"""

import itertools
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

Word = str | bytes | Path
FAST_VP8 = ("-deadline", "realtime", "-cpu-used", "-8")
"""Negative: at a positive one, libvpx lowers its quality when the clock demands it."""
VORBIS = ("-c:a", "libvorbis")
"""Not libopus, which uses instructions with approximate results: those of Intel and of AMD differ."""

_GLOBAL = ("-v", "error", "-y", "-nostdin", "-cpuflags", "0", "-filter_threads", "1", "-filter_complex_threads", "1")
_INPUT = ("-threads", "1")
_OUTPUT = ("-bitexact", "-threads", "1", "-sws_flags", "+accurate_rnd+bitexact")
_ENCODERS = {"-x264-params": "asm=0", "-x265-params": "asm=0:pools=none:frame-threads=1"}

VARIABLES = {"VPX_SIMD_CAPS": "0", "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX2,-FMA,-FMA4"}
"""libvpx has no option for it; glibc rounds sines and logarithms differently where it can multiply and add at once."""


def ffmpeg_command(words: Sequence[Word]) -> list[Word]:
    """Build an ffmpeg command line without processor-specific code and with one thread.

    Args:
        words: Options and inputs, then the only output at the end; parameters of libx264 and libx265 are kept.

    Raises:
        ValueError: The output would depend on the machine all the same.
    """
    *options, output = words
    _check_encoders(options)
    given = dict.fromkeys(_ENCODERS, "")
    kept: list[Word] = []
    while options:
        word = options.pop(0)
        if isinstance(word, str) and word in _ENCODERS:
            given[word] = f"{os.fsdecode(options.pop(0))}:"
            continue
        if word == "-i":
            kept += _INPUT
        kept.append(word)
    encoders = [word for name, value in _ENCODERS.items() for word in (name, given[name] + value)]
    return ["ffmpeg", *_GLOBAL, *kept, *_OUTPUT, *encoders, output]


def _check_encoders(options: Sequence[Word]) -> None:
    """Refuse encoders that cannot be made independent of the machine: see `FAST_VP8` and `VORBIS`."""
    values = dict(itertools.pairwise(options))
    if "libvpx" in options and values.get("-deadline") == "realtime" and int(str(values.get("-cpu-used", 1))) >= 0:
        raise ValueError("libvpx's VP8 in real time depends on the clock: give it a negative -cpu-used")
    if "libopus" in options:
        raise ValueError("libopus depends on the processor: use libvorbis")


def run_ffmpeg(words: Sequence[Word]) -> bytes:
    """Run ffmpeg reproducibly; return what it writes to its standard output."""
    command = ffmpeg_command(words)
    environment = {**os.environ, **VARIABLES}
    done = subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment)
    return done.stdout


def ffmpeg(arguments: str, *paths: Path) -> None:
    """Run ffmpeg reproducibly; `{0}`, `{1}` … in the arguments are paths."""
    run_ffmpeg([word.format(*map(str, paths)) for word in arguments.split()])


def find_version(program: str = "ffmpeg") -> str:
    """Return the version that ffmpeg prints, such as 5.1.9-0+deb12u1."""
    said = subprocess.run([program, "-version"], capture_output=True, text=True, check=True).stdout
    return said.split()[2]
