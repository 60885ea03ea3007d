"""How much memory a run needs at its peak: all its processes and the ring.

    python benchmarks/memory.py [--shared ../shared] [--write]

Runs `fastface run` over a 1080p and a 720p clip with six photos, every frame and by default, and adds up what Linux
says that its processes hold (PSS: what they share is counted once) twenty times a second.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from results import add_tiny, machine, write_section

from fastface.runtime.resources import tree_memory

MODES = {"every frame": ["--every-frame"], "default": [], "default, --exact": ["--exact"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    add_tiny(parser)
    options = parser.parse_args()
    lines = [
        machine(),
        "",
        "`python benchmarks/memory.py`: street.mp4 (1080p) and friends.mp4 (720p), six photos, clips and crops.",
        "",
        "| | peak, MB | of it the ring, MB | without the ring, MB |",
        "|---|---|---|---|",
    ]
    for name in ["default"] if options.tiny else MODES:
        with tempfile.TemporaryDirectory() as folder:
            peak, ring = measure(options.shared, Path(folder) / "out", MODES[name])
        lines.append(f"| {name} | {peak / 1e6:.0f} | {ring / 1e6:.0f} | {(peak - ring) / 1e6:.0f} |")
    text = "\n".join(lines)
    print(text)
    if options.write:
        write_section("Memory", text)


def measure(shared: Path, out: Path, more: list[str]) -> tuple[int, int]:
    """(peak, ring) of one run, in bytes."""
    media = shared / "media"
    films = [media / "clips" / name for name in ("street.mp4", "friends.mp4")]
    fixed = ["-t", media / "photos" / "friends", "--models", shared / "models" / "buffalo_s", "-o", out]
    command = [Path(sys.executable).with_name("fastface"), "run", *films, *fixed, *more]
    peak = 0
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said) as process,
    ):
        while process.poll() is None:
            peak = max(peak, tree_memory(process.pid))
            time.sleep(0.05)
        said.seek(0)
        header = next(line for line in said if line.startswith("processes:"))
    assert json.loads((out / "run.json").read_text())["counts"]["hits"] > 0
    return peak, int(header.split("ring ")[1].split()[0]) << 20


if __name__ == "__main__":
    main()
