"""How do planning, status and questions grow with the number of videos in one output folder?

    python benchmarks/library_scale.py [--videos 10000,100000] [--models ../shared/models/buffalo_s] [--write]

Draws a library: a tree of small files, and the index as a scan leaves it, by the package's own writers. Each video has
20 drawn faces in four tracks. Each of 20 targets has a track in every thousandth video. The index folders of 2,000
videos are drawn, all others are copies of them. Then whole commands run:

* `scan` of the whole tree, when all is up to date: discovery, names, copies, admission, and run.json;
* `status`;
* `find` for one target and for 20, without exports. Only the first one makes the file of all tracks.

CPU is that of the command and its children; memory is the peak of its largest process. The files that the commands
read are in the system's cache. Sizes of the files differ, as those of films do: no two could be copies.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
from find_scale import drawn_info, num_rows, searched_unit, unit_rows, unrated_faces
from results import add_tiny, machine, write_section

from fastface.config import load_config
from fastface.cosine import normalize_rows
from fastface.distribution import read_version
from fastface.gallery.photo_set.photos import Reference
from fastface.gallery.references import GalleryReport, save_gallery
from fastface.index.ledger import Ledger
from fastface.index.records import UnitRecord, VideoRecord
from fastface.index.store import VideoIndex
from fastface.index.track_archive import remove_track_archive
from fastface.runtime.index_settings import IndexSettings, build_index_settings
from fastface.runtime.networks import Networks, open_networks
from fastface.runtime.output_folder import OutputFolder
from fastface.types import SIGNATURE_SIZE, Faces, Gallery, SampledFrames, Target
from fastface.video.identity.disks import find_disk
from fastface.video.identity.fingerprint import fingerprint, read_stamp

FACES_A_VIDEO, FACES_A_TRACK = 20, 5
NUM_TARGETS = 20
VIDEOS_A_TARGET = 1000
"""A target is in every so many-th video."""

DISTINCT = 2000
"""Index folders that are drawn; those of later videos are copies, because a folder takes longer to draw than to use."""

FILES_A_FOLDER = 250
LEAST_BYTES = 4096
"""Size of the first file; every next one has a byte more."""

VIDEOS_A_JOB = 500


@dataclass(frozen=True)
class Library:
    """A drawn library."""

    films: Path
    out: Path
    banks: tuple[Path, ...]  # of one target, and of all
    commits: float  # a second, of one writer to the ledger; 0 if it was not drawn now


@dataclass(frozen=True)
class Turn:
    """What one command took."""

    seconds: float
    cpu: float
    peak: int  # bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", default="1000,10000")
    parser.add_argument("--models", type=Path, default=Path("../shared/models/buffalo_s"))
    parser.add_argument("--folder", type=Path, help="draw here, and keep what is drawn for another call")
    add_tiny(parser)
    options = parser.parse_args()
    counts = [150] if options.tiny else [int(count) for count in options.videos.split(",")]
    lines = [
        machine(),
        "",
        f"`python benchmarks/library_scale.py --videos {','.join(map(str, counts))}`: {FACES_A_VIDEO} faces in "
        f"{FACES_A_VIDEO // FACES_A_TRACK} tracks a video, once each; load average when it began: "
        f"{os.getloadavg()[0]:.1f}.",
        "",
        "| videos | command | seconds | CPU seconds | peak memory, MB |",
        "|---|---|---|---|---|",
    ]
    for count in counts:
        with tempfile.TemporaryDirectory() as name:
            library = draw_library(options.folder or Path(name), options.models, count)
            for what, turn in ask(library, options.models, count):
                line = f"| {count:,} | {what} | {turn.seconds:.2f} | {turn.cpu:.2f} | {turn.peak / 1e6:.0f} |"
                print(line, file=sys.stderr, flush=True)  # such a run takes minutes
                lines.append(line)
            rate = f"One writer commits {library.commits:,.0f} finished videos a second to the ledger." * bool(
                library.commits
            )
    text = "\n".join([*lines, "", rate])
    print(text)
    if options.write:
        write_section("Many videos in one folder", text)


def ask(library: Library, models: Path, count: int) -> Iterable[tuple[str, Turn]]:
    """Run the commands on a library; yield the name of each and what it took."""
    out, common = library.out, ["-o", library.out, "--models", models, "-q"]
    yield "scan, all up to date", measure(["scan", library.films, *common])
    yield "status", measure(["status", "-o", out])
    one, every = library.banks
    questions = {"find, 1 target, first": (one, 1), "find, 1 target": (one, 1)}
    questions[f"find, {NUM_TARGETS} targets"] = (every, NUM_TARGETS)
    remove_track_archive(OutputFolder(out).index)
    for name, (bank, num_targets) in questions.items():
        yield name, measure(["find", "-t", bank, *common, "--clips", "none", "--crops", "none"])
        num_present = sum(number % VIDEOS_A_TARGET < num_targets for number in range(count))
        assert num_rows(out / "hits.csv") >= num_present * FACES_A_TRACK, num_rows(out / "hits.csv")


def draw_library(folder: Path, models: Path, count: int) -> Library:
    """Draw a library, or take the one that an earlier call has kept."""
    networks = open_networks(config := load_config(flags={"models": {"dir": models}}))
    films, out = folder / "films", OutputFolder(folder / "out")
    targets = unit_rows(np.random.default_rng(7), NUM_TARGETS, networks.dimension)
    banks = (folder / "one.npz", folder / "all.npz")
    for bank, some in zip(banks, (targets[:1], targets), strict=True):
        save_targets(bank, some, networks)
    settings = build_index_settings(config.scan, networks, read_version())
    seconds = 0.0
    if not out.ledger.exists():
        jobs = [range(first, min(first + VIDEOS_A_JOB, count)) for first in range(0, count, VIDEOS_A_JOB)]
        num_drawn = DISTINCT // VIDEOS_A_JOB
        work = partial(draw_videos, films, out.index, settings, targets)
        # The writers run in other processes than the commands that are measured.
        with ProcessPoolExecutor(os.cpu_count()) as pool, Ledger(out.ledger) as ledger:
            for some in (jobs[:num_drawn], jobs[num_drawn:]):
                for records in pool.map(work, some):
                    began = time.perf_counter()
                    for record, unit in records:
                        ledger.put_video(record, unit)
                    seconds += time.perf_counter() - began
    return Library(films, out.root, banks, count / seconds if seconds else 0.0)


def save_targets(bank: Path, targets: np.ndarray, networks: Networks) -> None:
    """Write a bank of one photo a target."""
    persons = tuple(Target(f"person-{n:02d}", row[None], (f"{n}.jpg",)) for n, row in enumerate(targets))
    references = {
        person.label: (Reference(f"{n}.jpg", targets[n], 100.0, 500.0, 0.9),) for n, person in enumerate(persons)
    }
    save_gallery(bank, Gallery(persons, (), networks.contract), GalleryReport((), (), references))


def draw_videos(
    films: Path, index: Path, settings: IndexSettings, targets: np.ndarray, numbers: Iterable[int]
) -> list[tuple[VideoRecord, UnitRecord]]:
    """Write files and index folders of some videos; return the rows of the ledger."""
    rows = []
    # What is drawn need not survive a power cut.
    with patch("os.fsync"):
        for number in numbers:
            path = place_film(films, number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(number.to_bytes(8, "big"))
            os.truncate(path, LEAST_BYTES + number)
            video_id, own = name_video(path), fingerprint(path)
            if number < DISTINCT:
                draw_index(index, video_id, settings, own, draw_faces(number, targets))
            else:
                shutil.copytree(index / name_video(place_film(films, number % DISTINCT)), index / video_id)
            seconds = Fraction(FACES_A_VIDEO, 5)
            info = replace(drawn_info(video_id), path=path, duration=seconds)
            record = VideoRecord(
                video_id, path, own, settings.key, "done", "", 1.0, info, 1, read_stamp(path), find_disk(path)
            )
            rows.append((record, searched_unit(FACES_A_VIDEO)))
    return rows


def place_film(films: Path, number: int) -> Path:
    """The file of a video."""
    return films / f"{number // FILES_A_FOLDER:04d}" / f"film {number:06d}.mp4"


def name_video(path: Path) -> str:
    """The name that a scan of the tree gives a file."""
    return f"{path.parent.name}__{path.name}"


def draw_index(index: Path, video_id: str, settings: IndexSettings, own: str, faces: Faces) -> None:
    """Write the index folder of one video."""
    metadata = {**settings.metadata, "fingerprint": own}
    pts, first = np.unique(faces.pts, return_index=True)
    signature = np.zeros((len(pts), SIGNATURE_SIZE), np.uint8)
    video = VideoIndex(index, video_id)
    video.write_frames(SampledFrames(faces.time[first], pts, np.zeros(len(pts), np.int32), signature), metadata)
    video.write_faces([faces], settings.dimension, metadata, lambda found: found.track)


def draw_faces(number: int, targets: np.ndarray) -> Faces:
    """The faces of one video, in tracks; the first track is that of the target that is in it, if there is one."""
    chance = np.random.default_rng((number, 1))  # another stream than that of the targets
    present, dimension = targets[number % VIDEOS_A_TARGET :][:1], targets.shape[1]
    tracks = unit_rows(chance, FACES_A_VIDEO // FACES_A_TRACK, dimension)
    tracks[: len(present)] = normalize_rows(present + tracks[: len(present)])
    looks = np.repeat(tracks, FACES_A_TRACK, axis=0)
    embedding = normalize_rows(looks + 0.6 * unit_rows(chance, FACES_A_VIDEO, dimension))
    return unrated_faces(chance, embedding, FACES_A_TRACK)


def measure(arguments: Iterable[object]) -> Turn:
    """Run a command of fastface."""
    command = [str(Path(sys.executable).with_name("fastface")), *map(str, arguments)]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Turn(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss << 10)


if __name__ == "__main__":
    main()
