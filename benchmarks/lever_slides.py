"""The lever of repeated frames: films of slides, searched with and without it. Called by levers.py.

A frame that is the one before it, to the last bit, is not searched again. Drawn slides are repeated so by an encoder;
photographs are not, since it goes on refining them: there the lever gives nothing, and costs the comparison.
"""

import statistics
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from films import run_ffmpeg
from lever_samples import Lever
from ring import worker_settings

from fastface.faces.analyse import FaceAnalyser
from fastface.pipeline.inference import worker_loop as inference
from fastface.pipeline.inference.analyser import open_analyser
from fastface.pipeline.messages import InferFrames
from fastface.pipeline.ring import Ring, RingShape
from fastface.types import Sampling, Unit
from fastface.video.decode import open_source
from fastface.video.discover import VideoFile
from fastface.video.frames.canvas import choose_geometry
from fastface.video.frames.planes import PlaneWriter
from fastface.video.probe import probe

__all__ = ["SLIDE_SECONDS", "slide_levers"]

NUM_SLIDES, SLIDE_SECONDS = 5, 2


def slide_levers(shared: Path, folder: Path, repeats: int, seconds: float) -> Iterator[Lever]:
    """Slides of either kind."""
    settings = worker_settings(shared)
    analyser = open_analyser(settings)
    ring = Ring.create(RingShape.for_batch(1, settings.ring.batch))
    photos = photographs(shared / "media" / "clips" / "friends.mp4", folder, 2.5 * seconds)
    for kind, stills in (("drawn", drawn_slides(folder)), ("photographs", photos)):
        film = slide_film(stills, folder / f"{kind}.mp4", seconds)
        search(film, ring, analyser)  # a turn that does not count
        turns = [search(film, ring, analyser) for _ in range(repeats)]
        without, with_it, repeated = (statistics.median(column) for column in zip(*turns, strict=True))
        name = f"search: frames equal to the one before are not searched; slides, {kind}: {repeated:.0%} repeated"
        yield Lever(name, (without, with_it), "ms a frame")


def search(film: Path, ring: Ring, analyser: FaceAnalyser) -> tuple[float, float, float]:
    """(ms a frame without the lever, the same with it, share of frames that were repeated).

    Each batch is searched as a worker does it, with the comparison of frames put out and then with it.
    """
    info = probe(VideoFile(film, film.name), 10**8).info
    geometry = choose_geometry(info, None)
    writer = PlaneWriter(info, geometry)
    canvases, planes = ring.batch(0, geometry)
    seconds = [0.0, 0.0]
    frames = repeated = 0
    source = open_source(info).frames(Unit(info.video_id, 0, Fraction(0), None, Sampling(None)))
    stamps: list[tuple[int, float]] = []
    for frame in source:
        writer.write(frame, planes[len(stamps)], canvases[len(stamps)])
        stamps.append((frame.pts, float(frame.time)))
        if len(stamps) < len(planes):
            continue
        pts, times = zip(*stamps, strict=True)
        task = InferFrames(0, 0, geometry, 0, len(stamps), pts, times)
        stamps.clear()
        began = time.perf_counter()
        search_batch(ring, analyser, task, skip_repeats=False)
        middle = time.perf_counter()
        repeated += task.count - search_batch(ring, analyser, task, skip_repeats=True)
        seconds[0] += middle - began
        seconds[1] += time.perf_counter() - middle
        frames += task.count
    return seconds[0] * 1e3 / frames, seconds[1] * 1e3 / frames, repeated / frames


def search_batch(ring: Ring, analyser: FaceAnalyser, task: InferFrames, *, skip_repeats: bool) -> int:
    """Search a batch as a worker does; returns how many of its frames were searched."""
    per_picture = analyser.detector.session.per_picture
    job = inference.unpack(ring, task, per_picture=per_picture, skip_repeats=skip_repeats)
    inference.describe(analyser, job, analyser.detect(job.canvases))
    return len(job.runs)


def drawn_slides(folder: Path) -> list[Path]:
    """Pictures of flat colours with bars for text."""
    paths = []
    for number in range(NUM_SLIDES):
        picture = np.full((720, 1280, 3), (250, 240 - 20 * number, 235), np.uint8)
        for line in range(5):
            cv2.rectangle(
                picture, (120, 160 + 90 * line), (1000 - 130 * (line + number) % 600, 200 + 90 * line), 60, -1
            )
        paths.append(folder / f"drawn{number}.png")
        cv2.imwrite(str(paths[-1]), picture)
    return paths


def photographs(clip: Path, folder: Path, apart: float) -> list[Path]:
    """Pictures of a clip, so many seconds apart."""
    paths = [folder / f"still{number}.png" for number in range(NUM_SLIDES)]
    for number, path in enumerate(paths):
        run_ffmpeg("-ss", str(1 + apart * number), "-i", str(clip), "-frames:v", "1", str(path))
    return paths


def slide_film(stills: list[Path], path: Path, seconds: float) -> Path:
    """Each picture shown for so many seconds; returns the film's path."""
    inputs: list[str] = []
    filters = []
    for number, still in enumerate(stills):
        inputs += ["-loop", "1", "-framerate", "25", "-t", str(seconds), "-i", str(still)]
        filters.append(f"[{number}:v]format=yuv420p[v{number}]")
    joined = "".join(f"[v{number}]" for number in range(len(stills)))
    graph = ";".join([*filters, f"{joined}concat=n={len(stills)}:v=1[v]"])
    run_ffmpeg(*inputs, "-filter_complex", graph, "-map", "[v]", "-c:v", "libx264", "-crf", "20", str(path))
    return path
