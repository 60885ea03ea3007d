"""Running ffmpeg: always an argument list, never longer than it gets on, never longer than its parent lives.

ffmpeg works in its own process group, so that Ctrl-C of a terminal reaches only fastface, which then ends it.
"""

import ctypes
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from fastface.errors import ExportError, SpaceError

__all__ = [
    "READ_FILES_ONLY",
    "STALL_SECONDS",
    "StallError",
    "find_ffmpeg",
    "literal_file",
    "require_reader",
    "run_ffmpeg",
]

STALL_SECONDS = 60.0
READ_FILES_ONLY = ("-protocol_whitelist", "file,pipe")
"""Goes before each input: a playlist in disguise opens nothing from the network."""

_OLDEST = (5, 1)
"""The first version that knows `-fps_mode`."""

_ENHANCED_FLV = frozenset({"av1", "hevc", "vp8", "vp9", "vvc"})
_FIRST_WITH_ENHANCED_FLV = (6, 1)
_FIRST_WITH_CODEC = {"apv": (8, 0), "evc": (6, 1), "vvc": (7, 1)}
_FIRST_WITH_FORMAT = {"hxvs": (8, 1), "iv8": (4, 3), "apv": (8, 0), "evc": (6, 1), "vvc": (7, 1), "usm": (6, 1)}
"""First versions of ffmpeg that read what the libraries of PyAV read (FFmpeg's Changelog)."""

_VERSION_SECONDS = 20.0
_NO_ENCODER = (
    "put an ffmpeg that has it first in PATH, or remove this one from PATH so that the one of the Python package "
    "imageio-ffmpeg is used, or run with --clips copy"
)
_POLL_SECONDS = 0.2
_TAIL_BYTES = 4096
_PROGRESS_KEYS = (b"frame=", b"total_size=", b"out_time_us=")
_PR_SET_PDEATHSIG = 1
# Looked up once: between fork and exec, a child of a process with threads must not load libraries.
_LIBC = ctypes.CDLL(None, use_errno=True)


class StallError(ExportError):
    """ffmpeg got nowhere and was ended; asking it in another way would only take as long again."""


def find_ffmpeg() -> Path:
    """The `ffmpeg` of PATH if it is new enough, else the one that the package imageio-ffmpeg brings.

    Raises:
        ExportError: There is neither.
    """
    found = shutil.which("ffmpeg")
    if found and _is_new_enough(found):
        return Path(found)
    import imageio_ffmpeg  # noqa: PLC0415 - only a machine without a new ffmpeg pays for it

    # Where the package brings none for this machine, it raises, or gives back the one of PATH.
    with suppress(RuntimeError):
        packaged = shutil.which(imageio_ffmpeg.get_ffmpeg_exe())
        if packaged and _is_new_enough(packaged):
            return Path(packaged)
    oldest = ".".join(map(str, _OLDEST))
    fault = f"{found!r} is older than {oldest}, or does not start" if found else "no ffmpeg found"
    raise ExportError(
        f"{fault}: install ffmpeg {oldest} or newer (Debian: apt install ffmpeg) or run with --clips none"
    )


def require_reader(format_name: str, codec: str) -> None:
    """Make sure that ffmpeg is new enough to read a video that was scanned with newer libraries.

    Args:
        format_name: FFmpeg's name of the container's format.
        codec: FFmpeg's name of the codec.

    Raises:
        ExportError: It is too old, or there is none.
    """
    wanted = max(_FIRST_WITH_CODEC.get(codec, _OLDEST), _FIRST_WITH_FORMAT.get(format_name, _OLDEST))
    if format_name == "flv" and codec in _ENHANCED_FLV:
        wanted = max(wanted, _FIRST_WITH_ENHANCED_FLV)
    found = _version_of(str(find_ffmpeg())) if wanted > _OLDEST else None
    if found is not None and found < wanted:
        raise ExportError(
            f"this ffmpeg is too old ({_text_of(found)}) for {codec} in {format_name}: put {_text_of(wanted)} or newer "
            "first in PATH, or remove this one from PATH so that the one of the Python package imageio-ffmpeg is used"
        )


def _text_of(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


def _is_new_enough(program: str) -> bool:
    version = _version_of(program)
    return version is None or version >= _OLDEST


@cache
def _version_of(program: str) -> tuple[int, int] | None:
    """The version of a program, (0, 0) if it does not start; builds between versions (`N-12345-g…`) tell none."""
    command = [program, "-hide_banner", "-nostdin", "-version"]
    try:
        said = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_VERSION_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return 0, 0
    version = re.match(rb"ffmpeg version n?(\d+)\.(\d+)", said.stdout)
    return None if version is None else (int(version[1]), int(version[2]))


def literal_file(path: Path) -> str:
    """The path as ffmpeg takes it for a file and nothing else, even when it is named `-y.mp4` or `concat:x.mp4`."""
    return f"file:{path.absolute()}"


def run_ffmpeg(
    arguments: Sequence[str],
    *,
    check_stop: Callable[[], None] = lambda: None,
    stall_seconds: float = STALL_SECONDS,
    executable: Path | None = None,
) -> None:
    """Runs ffmpeg to its end.

    It is ended when neither its frame count, its output time, its output size nor the bytes that it has read change
    for `stall_seconds`: a fixed time would end the work on long spans, and a decoder that is far from the span's start
    writes nothing for long. Call it from the main thread: the kernel ends ffmpeg when the *thread* that made it ends.

    Args:
        arguments: What stands after the program's name; files through `literal_file`.
        check_stop: Called a few times a second; what it raises ends ffmpeg and goes on to the caller.
        stall_seconds: Longest time without progress.
        executable: The program; default: `find_ffmpeg()`.

    Raises:
        ExportError: ffmpeg failed; has the command and the end of its messages.
        StallError: It made no progress.
        SpaceError: ffmpeg met a full disk.
    """
    program = executable or find_ffmpeg()
    command = [str(program), "-hide_banner", "-nostdin", "-loglevel", "error", "-progress", "pipe:1", *arguments]
    try:
        process = _started(command)
    except OSError as error:
        raise ExportError(f"cannot start {str(program)!r}: {error.strerror}", command) from error
    with process:
        try:
            said = _followed(process, command, check_stop, stall_seconds)
        finally:
            _end(process)
    if any(full in said for full in ("No space left on device", "Disk quota exceeded")):
        raise SpaceError(f"no space left while ffmpeg wrote; free some and run the same command again: {said}")
    if "Unknown encoder 'libx264'" in said:
        raise ExportError(f"{str(program)!r} has no libx264: {_NO_ENCODER}", command, said)
    if process.returncode != 0:
        raise ExportError(f"ffmpeg ended with {process.returncode}", command, said)


@dataclass(slots=True)
class _Progress:
    """The newest figures of `-progress`, put together from chunks that may end anywhere."""

    figures: dict[bytes, bytes] = field(default_factory=dict)
    rest: bytes = b""

    def feed(self, chunk: bytes) -> None:
        *lines, self.rest = (self.rest + chunk).split(b"\n")
        for line in lines:
            if line.startswith(_PROGRESS_KEYS):
                key, _, value = line.partition(b"=")
                self.figures[key] = value


def _started(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "LC_ALL": "C"},
        process_group=0,
        preexec_fn=_dying_with(os.getpid()),  # noqa: PLW1509 - it makes two system calls and takes no lock
    )


def _dying_with(parent: int) -> Callable[[], None] | None:
    """What a child calls before exec, so that the kernel kills it when its parent is gone (Linux only)."""
    if sys.platform != "linux":
        return None

    def ask_kernel() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the kernel was asked
            os._exit(1)

    return ask_kernel


def _followed(
    process: subprocess.Popen[bytes], command: list[str], check_stop: Callable[[], None], stall_seconds: float
) -> str:
    """Waits for the end of both pipes; returns the last lines of stderr."""
    assert process.stdout and process.stderr
    tail, progress, before = bytearray(), _Progress(), None
    deadline = time.monotonic() + stall_seconds
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        selector.register(process.stderr, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select(_POLL_SECONDS):
                chunk = os.read(key.fd, 65536)
                if not chunk:
                    selector.unregister(key.fileobj)
                (tail.extend if key.fileobj is process.stderr else progress.feed)(chunk)
            del tail[:-_TAIL_BYTES]
            check_stop()
            now = dict(progress.figures), _bytes_read(process.pid)
            if now != before:
                before, deadline = now, time.monotonic() + stall_seconds
            elif time.monotonic() > deadline:
                raise StallError(f"ffmpeg made no progress for {stall_seconds:g} s", command, _text(tail))
    with suppress(subprocess.TimeoutExpired):
        process.wait(stall_seconds)
    return _text(tail)


def _bytes_read(pid: int) -> int:
    """What the process has read so far; 0 where the kernel does not tell."""
    try:
        first_line = Path(f"/proc/{pid}/io").read_bytes().partition(b"\n")[0]
    except OSError:
        return 0
    return int(first_line.removeprefix(b"rchar: "))


def _text(tail: bytes | bytearray) -> str:
    return "\n".join(tail.decode(errors="replace").split("\n")[-8:]).strip()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kills the whole group where it still runs. What it wrote is thrown away, so there is nothing to finish."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
