"""How long does a question to a large index take, and how does it grow?

    python benchmarks/find_scale.py [--faces 250000,500000,1000000] [--models ../shared/models/buffalo_s] [--write]

Draws an index of random faces (10,000 faces a video, six of a thousand near a target), and asks it for
20 targets out of a bank, with no clips and crops. Time is that of the whole command; memory is what its processes hold
at their peak beyond the mapped files of the index (anonymous memory alone).
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
from results import machine, write_section

from fastface.config import load_config
from fastface.gallery.photos import Reference
from fastface.gallery.references import GalleryReport, save_gallery
from fastface.index.ledger import Ledger
from fastface.index.records import VideoRecord
from fastface.index.store import VideoIndex
from fastface.types import SIGNATURE_SIZE, Faces, Gallery, SampledFrames, Target, VideoInfo
from fastface.workflows.desk import VERSION
from fastface.workflows.networks import open_networks
from fastface.workflows.output import OutputFolder
from fastface.workflows.recipe import recipe_of

NUM_TARGETS = 20
FACES_A_VIDEO = 10_000
"""About half an hour of five samples a second with a face in each."""

NEAR_SHARE = 0.006


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", default="250000,500000,1000000")
    parser.add_argument("--models", type=Path, default=Path("../shared/models/buffalo_s"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="replace this section of RESULTS.md")
    options = parser.parse_args()
    lines = [
        machine(),
        "",
        f"`python benchmarks/find_scale.py`: {NUM_TARGETS} targets, medians of {options.repeats}.",
        "",
        "| faces | videos | hits | seconds, whole command | microseconds a face beyond an index of one video "
        "| anonymous memory, MB |",
        "|---|---|---|---|---|---|",
    ]
    least = ask(options, FACES_A_VIDEO)[0]
    for count in map(int, options.faces.split(",")):
        seconds, hits, memory = ask(options, count)
        each = (seconds - least) / (count - FACES_A_VIDEO) * 1e6
        row = f"| {count} | {count // FACES_A_VIDEO} | {hits} | {seconds:.2f} | {each:.2f} | {memory / 1e6:.0f} |"
        lines.append(row)
    text = "\n".join(lines)
    print(text)
    if options.write:
        write_section("Questions to a large index", text)


def ask(options: argparse.Namespace, count: int) -> tuple[float, int, int]:
    """(median seconds, hits, peak of anonymous memory) of a question to an index of so many faces."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bank = draw_index(folder / "out", folder / "bank.npz", options.models, count)
        fixed = ["--models", options.models, "-t", bank, "-o", folder / "out", "--clips", "none", "--crops", "none"]
        command = [Path(sys.executable).with_name("fastface"), "find", *fixed, "-q"]
        turns = [measure([str(part) for part in command]) for _ in range(options.repeats)]
        hits = sum(1 for _ in (folder / "out" / "hits.csv").open()) - 1
        return statistics.median(seconds for seconds, _ in turns), hits, max(memory for _, memory in turns)


def draw_index(out: Path, bank: Path, models: Path, count: int) -> Path:
    """An index as a scan leaves it, and a bank of the targets; returns the bank's path."""
    config = load_config(flags={"models": {"dir": models}})
    networks = open_networks(config)
    chance = np.random.default_rng(7)
    targets = unit_rows(chance, NUM_TARGETS, networks.dimension)
    persons = tuple(Target(f"person-{n:02d}", targets[n : n + 1], (f"{n}.jpg",)) for n in range(NUM_TARGETS))
    references = {
        person.label: (Reference(f"{n}.jpg", targets[n], 100.0, 500.0, 0.9),) for n, person in enumerate(persons)
    }
    save_gallery(bank, Gallery(persons, (), networks.contract), GalleryReport((), (), references))
    recipe = recipe_of(config.scan, networks, VERSION)
    folder = OutputFolder(out)
    with Ledger(folder.ledger) as ledger:
        for number in range(count // FACES_A_VIDEO):
            video_id = f"video-{number:04d}.mp4"
            faces, metadata = draw_faces(chance, targets), {**recipe.metadata, "fingerprint": "drawn"}
            pts, first = np.unique(faces.pts, return_index=True)
            signature = np.zeros((len(pts), SIGNATURE_SIZE), np.uint8)
            frames = SampledFrames(faces.time[first], pts, np.zeros(len(pts), np.int32), signature)
            index = VideoIndex(folder.index, video_id)
            index.write_frames(frames, metadata)
            index.write_faces([faces], networks.dimension, metadata, lambda found: found.track)
            info = drawn_info(video_id)
            record = VideoRecord(video_id, info.path, "drawn", recipe.key, "done", info=info)
            ledger.put_video(record)
    return bank


def draw_faces(chance: np.random.Generator, targets: np.ndarray) -> Faces:
    """The faces of one video, in tracks of ten; some near a target."""
    embedding = unit_rows(chance, FACES_A_VIDEO, targets.shape[1])
    near = chance.random(FACES_A_VIDEO) < NEAR_SHARE
    embedding[near] += 0.8 * targets[chance.integers(0, NUM_TARGETS, near.sum())]
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    time_of_face = np.arange(FACES_A_VIDEO) / 5
    return Faces(
        time=time_of_face,
        pts=(time_of_face * 1000).astype(np.int64),
        boxes=chance.random((FACES_A_VIDEO, 4), np.float32) * 100,
        landmarks=chance.random((FACES_A_VIDEO, 5, 2), np.float32) * 100,
        det_score=chance.random(FACES_A_VIDEO, np.float32),
        quality=chance.random(FACES_A_VIDEO, np.float32),
        sharpness=chance.random(FACES_A_VIDEO, np.float32),
        yaw=chance.random(FACES_A_VIDEO, np.float32),
        track=(np.arange(FACES_A_VIDEO) // 10).astype(np.int32),
        damaged=np.zeros(FACES_A_VIDEO, np.bool_),
        embedding=embedding.astype(np.float16),
    )


def unit_rows(chance: np.random.Generator, count: int, dimension: int) -> np.ndarray:
    """(count, dimension) float32 rows of length one, in directions of chance."""
    rows = chance.standard_normal((count, dimension), np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def drawn_info(video_id: str) -> VideoInfo:
    """The facts of a video that does not exist."""
    return VideoInfo(
        path=Path("drawn") / video_id,
        video_id=video_id,
        size=(1920, 1080),
        coded_size=(1920, 1080),
        rotation=0,
        mirrored=False,
        pixel_aspect=Fraction(1),
        interlaced=False,
        time_base=Fraction(1, 1000),
        rate=Fraction(25),
        start_pts=0,
        duration=Fraction(FACES_A_VIDEO, 5),
        codec="h264",
        pixel_format="yuv420p",
    )


def measure(command: list[str]) -> tuple[float, int]:
    """(seconds, peak bytes of anonymous memory of the process and its children)."""
    began = time.perf_counter()
    peak = 0
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            peak = max(peak, anonymous_memory(process.pid))
            time.sleep(0.02)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return time.perf_counter() - began, peak


def anonymous_memory(pid: int) -> int:
    """Bytes of a process and its children that are no file's."""
    total = 0
    children = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    for member in [str(pid), *" ".join(children).split()]:
        try:
            lines = Path(f"/proc/{member}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss_Anon:"))
    return total


if __name__ == "__main__":
    main()
