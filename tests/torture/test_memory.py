"""Thousands of videos in one run: memory, descriptors and processes do not grow with their number."""

import json
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
from cartoon_tools import Cartoon
from media_tools import ffmpeg
from run_tools import COMMAND, children
from torture_tools import Torture

from fastface.runtime.resources import tree_memory

MOST_BYTES_A_THOUSAND = 1 << 20
SETTLED_SHARE = 0.3
"""Of the videos, until networks, caches and allocators have what they want."""

LOOKED_SECONDS = 0.5


def _finished(log: Path) -> int:
    return sum('"event": "video"' in line for line in log.read_text().splitlines()) if log.exists() else 0


def test_memory_does_not_grow_with_the_number_of_videos(cartoon: Cartoon, tmp_path: Path, torture: Torture) -> None:
    films, out, count = tmp_path / "films", tmp_path / "out", torture.count(150, 5000)
    films.mkdir()
    small = tmp_path / "small.mp4"
    ffmpeg("-i {0} -t 0.4 -c:v libx264 -preset veryfast {1}", cartoon.films / "film3.mp4", small)
    for number in range(count):
        shutil.copy(small, films / f"{number:05d}.mp4")
    command = [*COMMAND, "scan", str(films), "--models", str(cartoon.models), "-o", str(out), "-q", "--every-frame"]
    command += ["-s", "scan.copies=true"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    seen: list[tuple[int, int, int, int]] = []
    while process.poll() is None:
        try:
            descriptors = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
            seen.append(
                (
                    _finished(out / ".fastface" / "log.jsonl"),
                    tree_memory(process.pid),
                    descriptors,
                    len(children(process.pid)),
                )
            )
        except FileNotFoundError:
            break
        torture.progress(len(seen), f"many videos: {seen[-1][0]} of {count}")
        time.sleep(LOOKED_SECONDS)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert len(json.loads((out / "run.json").read_text())["videos"]) == count
    settled = np.array([row for row in seen if SETTLED_SHARE * count < row[0] < count], np.float64)
    assert len(settled) >= 5
    slope = float(np.polyfit(settled[:, 0], settled[:, 1], 1)[0]) * 1000
    assert settled[:, 2].max() <= settled[0, 2] + 5
    assert settled[:, 3].max() <= settled[0, 3]
    if torture.whole:  # a hundred videos are too few for a slope
        assert slope < MOST_BYTES_A_THOUSAND
    else:
        assert settled[-1, 1] < settled[0, 1] + 32 * MOST_BYTES_A_THOUSAND
    torture.note(
        "Many videos",
        videos=count,
        KiB_more_for_1000_videos=f"{slope / 1024:.0f}",
        peak_MB=f"{max(row[1] for row in seen) / 1e6:.0f}",
        descriptors=f"{settled[:, 2].min():.0f} to {settled[:, 2].max():.0f}",
    )
