"""How long does a question to a large index take, and how does it grow?

    python benchmarks/find_scale.py [--faces 250000,500000,1000000] [--models ../shared/models/buffalo_s] [--write]

Draws an index of random faces (10,000 faces a video, in tracks of ten; each target has three tracks in every fifth
video), and asks it for 20 targets out of a bank, with no clips and crops, without growth of the references and with it.
Time is that of the whole command; memory is what its processes hold at their peak beyond the mapped files of the index
(anonymous memory alone).
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from results import machine, write_section

from fastface.config import load_config
from fastface.cosine import normalize_rows
from fastface.distribution import read_version
from fastface.gallery.photo_set.photos import Reference
from fastface.gallery.references import GalleryReport, save_gallery
from fastface.index.ledger import Ledger
from fastface.index.records import UnitRecord, VideoRecord
from fastface.index.store import VideoIndex
from fastface.runtime.index_settings import build_index_settings
from fastface.runtime.networks import open_networks
from fastface.runtime.output_folder import OutputFolder
from fastface.types import SIGNATURE_SIZE, Faces, Gallery, SampledFrames, Target, VideoInfo

NUM_TARGETS = 20
FACES_A_VIDEO = 10_000
"""About half an hour of five samples a second with a face in each."""

FACES_A_TRACK = 10
TRACKS_OF_TARGET = 3
FIFTH = 5
"""A target is in every so many-th video."""

NOISE_OF_TRACK, NOISE_OF_FACE = 1.0, 0.6
"""Length of what is drawn beside a target for each of its tracks, and beside a track for each of its faces: the cosine
of a track to the photo is then 0.7, and of two faces of a track 0.75, as they are in films."""


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
        f"`python benchmarks/find_scale.py`: {NUM_TARGETS} targets, medians of {options.repeats} (and the least);"
        f" load average when it began: {os.getloadavg()[0]:.1f}.",
        "",
        "| faces | videos | growth | references | hits | seconds, whole command | CPU seconds "
        "| microseconds a face beyond an index of one video | anonymous memory, MB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    least = {question.grows: question.seconds for question in ask(options, FACES_A_VIDEO)}
    for count in map(int, options.faces.split(",")):
        for asked in ask(options, count):
            each = (asked.seconds - least[asked.grows]) / (count - FACES_A_VIDEO) * 1e6
            lines.append(
                f"| {count} | {count // FACES_A_VIDEO} | {'on' if asked.grows else 'off'} | {asked.references} "
                f"| {asked.hits} | {asked.seconds:.2f} ({asked.fastest:.2f}) | {asked.cpu:.2f} | {each:.2f} "
                f"| {asked.memory / 1e6:.0f} |"
            )
    text = "\n".join(lines)
    print(text)
    if options.write:
        write_section("Questions to a large index", text)


@dataclass(frozen=True)
class Question:
    """What one question to an index gave and took."""

    grows: bool
    references: int  # photos, and faces out of the films
    hits: int
    seconds: float  # median
    fastest: float
    cpu: float  # median seconds of CPU
    memory: int  # peak bytes of anonymous memory


def ask(options: argparse.Namespace, count: int) -> list[Question]:
    """The question to an index of so many faces, without and with growth."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        out = folder / "out"
        bank = draw_index(out, folder / "bank.npz", options.models, count)
        fixed = ["--models", options.models, "-t", bank, "-o", out, "--clips", "none", "--crops", "none"]
        asked = []
        for flag in ("--no-grow", "--grow"):
            command = [Path(sys.executable).with_name("fastface"), "find", *fixed, flag, "-q"]
            turns = [measure([str(part) for part in command]) for _ in range(options.repeats)]
            memory = peak_memory([str(part) for part in command])
            growth = out / "bank_growth.csv"
            assert num_rows(out / "hits.csv") >= least_hits(count), num_rows(out / "hits.csv")
            question = Question(
                grows=flag == "--grow",
                references=NUM_TARGETS + (num_rows(growth) if growth.exists() else 0),
                hits=num_rows(out / "hits.csv"),
                seconds=statistics.median(turn.seconds for turn in turns),
                fastest=min(turn.seconds for turn in turns),
                cpu=statistics.median(turn.cpu for turn in turns),
                memory=memory,
            )
            asked.append(question)
        return asked


def least_hits(count: int) -> int:
    """Half of the targets' faces in an index of so many faces."""
    return count // FACES_A_VIDEO * (NUM_TARGETS // FIFTH) * TRACKS_OF_TARGET * FACES_A_TRACK // 2


def num_rows(table: Path) -> int:
    """Rows of a table below its header."""
    with table.open() as lines:
        return sum(1 for _ in lines) - 1


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
    recipe = build_index_settings(config.scan, networks, read_version())
    folder = OutputFolder(out)
    with Ledger(folder.ledger) as ledger:
        for number in range(count // FACES_A_VIDEO):
            video_id = f"video-{number:04d}.mp4"
            present = targets[number % FIFTH :: FIFTH]
            faces, metadata = draw_faces(chance, present), {**recipe.metadata, "fingerprint": "drawn"}
            pts, first = np.unique(faces.pts, return_index=True)
            signature = np.zeros((len(pts), SIGNATURE_SIZE), np.uint8)
            frames = SampledFrames(faces.time[first], pts, np.zeros(len(pts), np.int32), signature)
            index = VideoIndex(folder.index, video_id)
            index.write_frames(frames, metadata)
            index.write_faces([faces], networks.dimension, metadata, lambda found: found.track)
            info = drawn_info(video_id)
            record = VideoRecord(video_id, info.path, "drawn", recipe.key, "done", info=info, num_units=1)
            ledger.put_video(record, searched_unit(FACES_A_VIDEO))
    return bank


def unrated_faces(chance: np.random.Generator, embedding: np.ndarray, faces_a_track: int) -> Faces:
    """Faces with these embeddings, five a second, in tracks of equal length; boxes and ratings are random."""
    count = len(embedding)
    seconds = np.arange(count) / 5
    return Faces(
        time=seconds,
        pts=(seconds * 1000).astype(np.int64),
        boxes=chance.random((count, 4), np.float32) * 100,
        landmarks=chance.random((count, 5, 2), np.float32) * 100,
        det_score=chance.random(count, np.float32),
        quality=chance.random(count, np.float32),
        sharpness=chance.random(count, np.float32),
        yaw=chance.random(count, np.float32),
        track=(np.arange(count) // faces_a_track).astype(np.int32),
        damaged=np.zeros(count, np.bool_),
        embedding=embedding.astype(np.float16),
    )


def draw_faces(chance: np.random.Generator, present: np.ndarray) -> Faces:
    """The faces of one video, in tracks; some are of the targets that are in it."""
    dimension = present.shape[1]
    tracks = unit_rows(chance, FACES_A_VIDEO // FACES_A_TRACK, dimension)
    own = np.repeat(present, TRACKS_OF_TARGET, axis=0)
    places = chance.choice(len(tracks), len(own), replace=False)
    tracks[places] = normalize_rows(own + NOISE_OF_TRACK * tracks[places])
    looks = np.repeat(tracks, FACES_A_TRACK, axis=0)
    embedding = normalize_rows(looks + NOISE_OF_FACE * unit_rows(chance, FACES_A_VIDEO, dimension))
    return unrated_faces(chance, embedding, FACES_A_TRACK)


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


def searched_unit(num_frames: int) -> UnitRecord:
    """A whole video of five samples a second with a face in each; without it the video counts as not searched."""
    return UnitRecord(
        "whole", Fraction(0), None, dense=False, decoded=num_frames, covered=Fraction(num_frames, 5),
        sampled=num_frames, inferred=num_frames, faces=num_frames, decoder="pyav",
    )  # fmt: skip


@dataclass(frozen=True)
class Turn:
    """What one run of a command took."""

    seconds: float
    cpu: float


def measure(command: list[str]) -> Turn:
    """Runs a command."""
    began, before = time.perf_counter(), children_cpu()
    subprocess.run(command, check=True)
    return Turn(time.perf_counter() - began, children_cpu() - before)


def peak_memory(command: list[str]) -> int:
    """Runs a command: the peak of anonymous bytes of the process and its children. Asking for it slows them down."""
    peak = 0
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            peak = max(peak, anonymous_memory(process.pid))
            time.sleep(0.02)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return peak


def children_cpu() -> float:
    """Seconds of CPU of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def anonymous_memory(pid: int) -> int:
    """Bytes of a process and its children that are no file's."""
    total = 0
    members = [str(pid)]
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # a thread that has just ended
            members += path.read_text().split()
    for member in members:
        try:
            lines = Path(f"/proc/{member}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss_Anon:"))
    return total


if __name__ == "__main__":
    main()
