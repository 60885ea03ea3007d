"""Films that benchmarks measure on: made of the clips beside the checkout, never kept."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

__all__ = ["TINY_SHARE", "large_film", "mixed_film", "run_ffmpeg", "sparse_film"]

_MIXED = {"street": 4, "friends": 8, "azvi_billhyland": 6, "corridor": 9, "hamilton": 4}
"""{clip: seconds of it}: a street, a sitcom, an interview, a surveillance camera, a stage."""

_SPARSE = {"street": 1, "friends": 3, "azvi_billhyland": 3, "corridor": 34, "hamilton": 2}

_LARGE = {"street": 4, "friends": 6, "azvi_billhyland": 4}

_FIT = "scale={0}:{1}:force_original_aspect_ratio=decrease,pad={0}:{1}:-1:-1,setsar=1,fps=25,format=yuv420p"
_FULL_HD, _UHD = (1920, 1080), (3840, 2160)


TINY_SHARE = 0.0625
"""Of the seconds of each clip, where a script is only tried."""


def mixed_film(clips: Path, path: Path, share: float = 1) -> Path:
    """A film of 1080p at 25 frames a second, H.264, with about two faces a frame; returns its path."""
    return _joined_film({clip: seconds * share for clip, seconds in _MIXED.items()}, clips, path)


def sparse_film(clips: Path, path: Path, share: float = 1) -> Path:
    """As `mixed_film`, with about 0.8 faces a frame: most of it is a surveillance camera."""
    return _joined_film({clip: seconds * share for clip, seconds in _SPARSE.items()}, clips, path)


def large_film(clips: Path, path: Path, share: float = 1) -> Path:
    """A film of 2160p at 25 frames a second: a street, a sitcom and an interview, enlarged."""
    return _joined_film({clip: seconds * share for clip, seconds in _LARGE.items()}, clips, path, _UHD)


def _joined_film(parts: Mapping[str, float], clips: Path, path: Path, size: tuple[int, int] = _FULL_HD) -> Path:
    inputs: list[str] = []
    filters = []
    for number, (clip, seconds) in enumerate(parts.items()):
        inputs += ["-t", str(seconds), "-i", str(clips / f"{clip}.mp4")]
        filters.append(f"[{number}:v]{_FIT.format(*size)}[v{number}]")
    joined = "".join(f"[v{number}]" for number in range(len(parts)))
    graph = ";".join([*filters, f"{joined}concat=n={len(parts)}:v=1[v]"])
    encoder = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "20"]
    run_ffmpeg(*inputs, "-filter_complex", graph, "-map", "[v]", *encoder, str(path))
    return path


def run_ffmpeg(*arguments: str) -> None:
    """Runs ffmpeg; what it says goes to the terminal."""
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *arguments], check=True)
