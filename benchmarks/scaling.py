"""How time and memory grow with the length of a video, the number of videos, and the size of a frame.

    python benchmarks/scaling.py [--shared ../shared] [--write]

* Length: one clip of 640x360 repeated to 10 and to 60 minutes, a sample a second.
* Number: 10 and 1,000 files of one second. What a video costs beyond its frames is the difference of two whole runs,
  divided by the videos between them.
* Size: three seconds of 1080p, 4K and 8K, every frame, in a ring as it is chosen without being asked.

Each is `fastface scan` with buffalo_s; memory is the peak of what its processes hold together, by Linux (PSS).
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from films import run_ffmpeg
from results import add_tiny, machine, write_section

from fastface.runtime.resources import tree_memory

CLIP = "azvi_billhyland"
ENCODER = ("-an", "-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-pix_fmt", "yuv420p")
LENGTHS = (10.0, 60.0)
NUMBERS = (10, 1000)
SIZES = {"1080p": (1920, 1080), "4K": (3840, 2160), "8K": (7680, 4320)}
TINY_LENGTHS, TINY_NUMBERS = (0.1,), (1, 5)


@dataclass(frozen=True)
class Scan:
    """What one scan took: seconds, peak bytes, videos that are done."""

    seconds: float
    peak: int
    done: int
    faces: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    add_tiny(parser)
    options = parser.parse_args()
    source = options.shared / "media" / "clips" / f"{CLIP}.mp4"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = [
            *by_length(source, folder, options.shared, TINY_LENGTHS if options.tiny else LENGTHS),
            "",
            *by_number(source, folder, options.shared, TINY_NUMBERS if options.tiny else NUMBERS),
            "",
            *by_size(source, folder, options.shared, list(SIZES)[: 1 if options.tiny else None]),
        ]
    text = "\n".join([machine(), "", "`python benchmarks/scaling.py`", "", *tables])
    print(text)
    if options.write:
        write_section("Scaling", text)


def by_length(source: Path, folder: Path, shared: Path, lengths: tuple[float, ...]) -> list[str]:
    """The table of lengths."""
    rows = ["| length | seconds | seconds a minute of video | peak memory, MB |", "|---|---|---|---|"]
    for minutes in lengths:
        film = folder / "long.mp4"
        small = folder / "small.mp4"
        run_ffmpeg("-i", str(source), "-vf", "scale=640:360,fps=25", *ENCODER, str(small))
        run_ffmpeg("-stream_loop", "-1", "-i", str(small), "-t", str(60 * minutes), "-c", "copy", str(film))
        found = scan(film, folder / "out", shared, "--sample-fps", "1")
        assert found.done == 1
        rows.append(
            f"| {minutes:g} min | {found.seconds:.1f} | {found.seconds / minutes:.2f} | {found.peak / 1e6:.0f} |"
        )
    return rows


def by_number(source: Path, folder: Path, shared: Path, numbers: tuple[int, int]) -> list[str]:
    """The table of numbers, and the share of one video."""
    rows = ["| videos of one second | seconds | again, nothing new | peak memory, MB |", "|---|---|---|---|"]
    one = folder / "one.mp4"
    run_ffmpeg("-i", str(source), "-t", "1", "-vf", "scale=320:180,fps=5", *ENCODER, str(one))
    whole = {}
    for number in numbers:
        films = folder / f"films{number}"
        films.mkdir()
        for index in range(number):
            shutil.copy(one, films / f"{index:04d}.mp4")
        # Without a face the networks cost the same for every frame: what is left is the video's own share.
        first = scan(films, folder / f"out{number}", shared)
        again = scan(films, folder / f"out{number}", shared, keep=True)
        assert first.done == again.done == number
        whole[number] = first.seconds
        rows.append(f"| {number} | {first.seconds:.1f} | {again.seconds:.1f} | {first.peak / 1e6:.0f} |")
    few, many = numbers
    each = (whole[many] - whole[few]) / (many - few) * 1000
    film = folder / "all.mp4"
    run_ffmpeg("-stream_loop", str(many // 5 - 1), "-i", str(one), "-c", "copy", str(film))
    alone = scan(film, folder / "out", shared).seconds
    frames = (alone - whole[few]) / (many // 5) * 1000
    rows += ["", f"A video of one second costs {each:.0f} ms more; a second of one long film, {frames:.0f} ms: what a "
                 f"video costs beyond its frames is {each - frames:.0f} ms."]  # fmt: skip
    return rows


def by_size(source: Path, folder: Path, shared: Path, names: list[str]) -> list[str]:
    """The table of frame sizes."""
    rows = ["| frame | frames a second | peak memory, MB |", "|---|---|---|"]
    for name in names:
        width, height = SIZES[name]
        film = folder / "large.mp4"
        run_ffmpeg("-i", str(source), "-t", "3", "-vf", f"scale={width}:{height},fps=25", *ENCODER, str(film))
        found = scan(film, folder / "out", shared, "--every-frame")
        assert found.done == 1
        assert found.faces > 0
        rows.append(f"| {name} | {75 / found.seconds:.1f} | {found.peak / 1e6:.0f} |")
    return rows


def scan(inputs: Path, out: Path, shared: Path, *more: str, keep: bool = False) -> Scan:
    """One scan into a folder that is emptied first, unless it is to be asked again."""
    if not keep:
        shutil.rmtree(out, ignore_errors=True)
    models = shared / "models" / "buffalo_s"
    command = [Path(sys.executable).with_name("fastface"), "scan", inputs, "--models", models, "-o", out, "-q", *more]
    command += ["-s", "scan.copies=true"]
    peak, began = 0, time.perf_counter()
    with subprocess.Popen([str(part) for part in command]) as process:
        while process.poll() is None:
            peak = max(peak, tree_memory(process.pid))
            time.sleep(0.1)
    seconds = time.perf_counter() - began
    report = json.loads((out / "run.json").read_text())
    done = sum(video["state"] == "done" for video in report["videos"])
    return Scan(seconds, peak, done, report["counts"]["faces"])


if __name__ == "__main__":
    main()
