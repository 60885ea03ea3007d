"""What the ring of shared memory costs: frames copied into it, and messages about them.

    python benchmarks/ring.py [--shared ../shared] [--repeats 3] [--write]

First, piece by piece: the copy of the planes into a ring (the canvas beside them is made in any design and is not
counted), and the messages of a batch (`Grant`, `SlotFilled`, `InferFrames`, `Inferred`) between three processes, with
as many faces as a batch of the film has. Messages are counted in CPU seconds, the copy by the clock of the one thread
that copies. Both times the counts of a real `fastface scan` of the mixed film, as shares of that scan's CPU seconds
(all processes; the start, a film of one second, taken off both).

Second, as a whole: the same film searched by one process without a ring (frames → planes and canvases in plain arrays
→ faces) against `scan` with one decoder and one worker. The scan also links tracks and writes the index.
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import numpy as np
from films import TINY_SHARE, mixed_film, run_ffmpeg
from results import add_tiny, machine, write_section

from fastface.config import load_config
from fastface.pipeline.inference.analyser import open_analyser
from fastface.pipeline.messages import Grant, InferFrames, Inferred, SlotFilled, WorkerSettings
from fastface.pipeline.ring import Ring, RingShape
from fastface.runtime.networks import open_networks
from fastface.types import SIGNATURE_SIZE, Faces, Geometry, Sampling, Unit
from fastface.video.decode import open_source
from fastface.video.discover import VideoFile
from fastface.video.frames.canvas import USUAL_CANVAS, choose_geometry
from fastface.video.frames.planes import PlaneWriter
from fastface.video.probe import probe

TARGET = 0.05
"""The share that the ring may cost."""

ROUNDS = 2000
DIMENSION = 512
SAMPLINGS = {"every frame": ["--every-frame"], "default": []}
ALONE = {"every frame": Sampling(None), "default": Sampling(Fraction(1, 5))}


@dataclass(frozen=True)
class Scan:
    """CPU seconds of a search, and how much it searched."""

    cpu: float
    frames: int
    faces: int

    def without(self, start: "Scan") -> "Scan":
        """What is left once the search of a short film is taken off."""
        return Scan(self.cpu - start.cpu, self.frames - start.frames, self.faces - start.faces)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--repeats", type=int, default=3)
    add_tiny(parser)
    parser.add_argument("--alone", nargs=2, metavar=("SAMPLING", "FILM"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        search_alone(options.shared, ALONE[options.alone[0]], Path(options.alone[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        text = measure(options, Path(folder))
    print(text)
    if options.write:
        write_section("What the ring costs", text)


def measure(options: argparse.Namespace, folder: Path) -> str:
    """The section of RESULTS.md."""
    share = TINY_SHARE if options.tiny else 1
    film, short = mixed_film(options.shared / "media" / "clips", folder / "mixed.mp4", share), folder / "short.mp4"
    run_ffmpeg("-i", str(film), "-c", "copy", "-an", "-t", "1", str(short))
    batch = worker_settings(options.shared).ring.batch
    copies = [copy_seconds(film) for _ in range(options.repeats)]
    copy, canvas = (statistics.median(column) for column in zip(*copies, strict=True))
    pieces = ["| | CPU s | copies | messages | the ring's share |", "|---|---|---|---|---|"]
    wholes = ["| | one process, CPU s | decoder, worker and ring | the ring's share |", "|---|---|---|---|"]
    for name, more in list(SAMPLINGS.items())[-1 if options.tiny else 0 :]:
        found = median_scan([scan(options.shared, film, short, folder, more) for _ in range(options.repeats)])
        message = statistics.median(message_seconds(found.faces * batch // found.frames, batch) for _ in range(3))
        copied, said = copy * found.frames / found.cpu, message * found.frames / batch / found.cpu
        row = f"{copied:.2%} | {said:.2%} | **{copied + said:.2%}** |"
        pieces.append(f"| {name}: {found.frames} frames, {found.faces} faces | {found.cpu:.2f} | {row}")
        turns = [compare(options.shared, film, short, folder, name) for _ in range(options.repeats)]
        alone, pool = (statistics.median(column) for column in zip(*turns, strict=True))
        wholes.append(f"| {name} | {alone:.2f} | {pool:.2f} | **{1 - alone / pool:.2%}** |")
    costs = (
        f"A frame of 1080p: its planes are copied in {copy * 1e3:.3f} ms, its canvas is made in {canvas * 1e3:.3f} ms. "
        f"A batch of {batch}: its messages take {message * 1e6:.0f} µs. Aim: at most {TARGET:.0%}."
    )
    title = f"`python benchmarks/ring.py`: CPU seconds without the start, medians of {options.repeats}."
    return "\n".join([machine(), "", title, "", costs, "", *pieces, "", *wholes])


# ── piece by piece ──────────────────────────────────────────────────────────────────────────────────────────────────


def copy_seconds(film: Path) -> tuple[float, float]:
    """Seconds a frame of (copying the planes into a ring, making the canvas), by the clock."""
    info = probe(VideoFile(film, film.name), 10**8).info
    geometry = choose_geometry(info, None)
    shape = RingShape.for_batch(8, 4)
    ring = Ring.create(shape)
    writer = PlaneWriter(info, geometry)
    slots = [ring.batch(slot, geometry) for slot in range(shape.num_slots)]
    for canvases, planes in slots:  # the first touch of a page is dear, and comes once in a run
        canvases[:], planes[:] = 0, 0
    frames = 0
    for frame in open_source(info).frames(Unit(film.name, 0, Fraction(0), None, ALONE["default"])):
        canvases, planes = slots[frames // shape.batch % shape.num_slots]
        place = frames % shape.batch
        writer.write(frame, planes[place], canvases[place])
        frames += 1
    return writer.seconds["copy"] / frames, writer.seconds["canvas"] / frames


def message_seconds(faces: int, batch: int) -> float:
    """CPU seconds of all messages of one batch: pickling, pipes and waking, in all three processes."""
    pts, times = tuple(range(batch)), tuple(float(n) for n in range(batch))
    geometry = Geometry((1920, 1080), (1920, 1080), USUAL_CANVAS, (640, 360))
    found = drawn_faces(faces)
    seconds = {"detect": 0.1, "align": 0.1, "embed": 0.1, "wait_batch": 0.1}
    answers = [
        SlotFilled(0, 0, 0, 0, geometry, pts, times, bytes(batch * SIGNATURE_SIZE)),
        Inferred(0, 0, found, seconds),
    ]
    context = multiprocessing.get_context("fork")
    pipes = [context.Pipe() for _ in answers]
    children = [
        context.Process(target=echo, args=(theirs, answer)) for (_, theirs), answer in zip(pipes, answers, strict=True)
    ]
    for child in children:
        child.start()
    decoder, worker = (ours for ours, _ in pipes)
    began = time.process_time()
    for number in range(ROUNDS):
        decoder.send(Grant(0, number))
        assert decoder in wait([decoder, worker])
        filled = decoder.recv()
        worker.send(InferFrames(number, 0, filled.geometry, 0, batch, filled.pts, filled.times))
        assert worker in wait([decoder, worker])
        assert len(worker.recv().faces) == faces
    took = time.process_time() - began
    for ours, child in zip((decoder, worker), children, strict=True):
        ours.send(None)
        took += ours.recv()
        child.join()
    return took / ROUNDS


def echo(connection: Connection, answer: object) -> None:
    """A child that answers every message with the same one, and the last with its CPU seconds."""
    began = time.process_time()
    while connection.recv() is not None:
        connection.send(answer)
    connection.send(time.process_time() - began)


def drawn_faces(count: int) -> Faces:
    """So many faces as an analyser gives them."""
    empty = Faces.empty(DIMENSION)
    columns = {field.name: getattr(empty, field.name) for field in fields(empty)}
    return Faces(**{name: np.zeros((count, *column.shape[1:]), column.dtype) for name, column in columns.items()})


# ── as a whole ──────────────────────────────────────────────────────────────────────────────────────────────────────


def scan(shared: Path, film: Path, short: Path, folder: Path, more: list[str]) -> Scan:
    """A scan without its start."""
    models = ["--models", shared / "models" / "buffalo_s"]
    searched = []
    for path in (film, short):
        out = folder / f"out-{time.monotonic_ns()}"
        command = [Path(sys.executable).with_name("fastface"), "scan", path, "-o", out, *models, "-q", *more]
        cpu = cpu_of([str(part) for part in command])
        counts = json.loads((out / "run.json").read_text(encoding="utf-8"))["counts"]
        searched.append(Scan(cpu, counts["inferred"], counts["faces"]))
    return searched[0].without(searched[1])


def median_scan(turns: list[Scan]) -> Scan:
    """The counts of all turns, which are equal, and their median CPU seconds."""
    assert len({(turn.frames, turn.faces) for turn in turns}) == 1, turns
    return replace(turns[0], cpu=statistics.median(turn.cpu for turn in turns))


def compare(shared: Path, film: Path, short: Path, folder: Path, name: str) -> tuple[float, float]:
    """CPU seconds without the start of (one process, a decoder and a worker)."""
    pool = scan(shared, film, short, folder, [*SAMPLINGS[name], "-s", "scan.decoders=1", "-s", "scan.workers=1"])
    command = [sys.executable, __file__, "--shared", str(shared), "--alone", name]
    alone = [cpu_of([*command, str(path)]) for path in (film, short)]
    return alone[0] - alone[1], pool.cpu


def cpu_of(command: list[str]) -> float:
    """CPU seconds of a command and all its children that it has waited for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=1800)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def search_alone(shared: Path, sampling: Sampling, film: Path) -> None:
    """Searches a film in this process, with arrays of its own instead of a ring."""
    settings = worker_settings(shared)
    analyser = open_analyser(settings)
    info = probe(VideoFile(film, film.name), 10**8).info
    geometry = choose_geometry(info, None)
    width, height = geometry.canvas
    canvases = np.empty((settings.ring.batch, height, width, 3), np.uint8)
    planes = np.empty((settings.ring.batch, geometry.plane_bytes), np.uint8)
    writer, stamps, faces = PlaneWriter(info, geometry), list[tuple[int, float]](), 0
    for frame in open_source(info).frames(Unit(film.name, 0, Fraction(0), None, sampling)):
        writer.write(frame, planes[len(stamps)], canvases[len(stamps)])
        stamps.append((frame.pts, float(frame.time)))
        if len(stamps) == settings.ring.batch:
            faces += len(analyser.describe(analyser.detect(canvases), planes, geometry, *zip(*stamps, strict=True)))
            stamps.clear()
    if stamps:
        used = slice(len(stamps))
        found = analyser.detect(canvases[used])
        faces += len(analyser.describe(found, planes[used], geometry, *zip(*stamps, strict=True)))
    print(info.video_id, faces)


def worker_settings(shared: Path) -> WorkerSettings:
    """What a worker of this machine's layout is told."""
    config = _config(shared)
    networks = open_networks(config)
    layout = networks.layout
    return WorkerSettings(
        ring=layout.ring,
        canvas=USUAL_CANVAS,
        detector=networks.detector,
        recogniser=networks.recogniser,
        dimension=networks.dimension,
        device=networks.device,
        threads=layout.worker_threads,
        cache_folder=networks.cache,
        det_threshold=config.scan.det_threshold,
        min_face=config.scan.min_face,
    )


def _config(shared: Path) -> Any:
    return load_config(flags={"models": {"dir": shared / "models" / "buffalo_s"}})


if __name__ == "__main__":
    main()
