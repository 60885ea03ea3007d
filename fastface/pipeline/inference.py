"""The inference process: filled slots → detections → aligned faces → embeddings → small arrays."""

from dataclasses import replace
from multiprocessing.connection import Connection
from time import perf_counter

import cv2
import numpy as np
import numpy.typing as npt

from fastface.backends import ShapeRange, open_session
from fastface.faces.align import ALIGNED_SIZE
from fastface.faces.analyse import FaceAnalyser
from fastface.faces.arcface import Recogniser
from fastface.faces.scrfd import Detector
from fastface.pipeline.messages import Infer, Inferred, Ready, Stop, WorkerSettings
from fastface.pipeline.ring import Ring
from fastface.types import Faces

__all__ = ["open_analyser", "serve"]

_Pixels = npt.NDArray[np.uint8]

_LONGEST = 1440
"""Longest side of a canvas that is not asked for: a photo's is."""

_STRIDE = 997
"""Bytes from one sample of a picture to the next; no common divisor with the width of any."""

_GPU_CHUNK = 32
_CPU_CHUNK = 4
"""Faces embedded at once where they are not embedded one by one. On a CPU more at once are no faster."""


def open_analyser(settings: WorkerSettings) -> FaceAnalyser:
    """Loads both networks on the asked device.

    Raises:
        BackendError: The device is not available.
        ModelError: A graph cannot be loaded.
    """
    batch, (width, height) = settings.ring.batch, settings.canvas
    detector = open_session(
        settings.detector,
        settings.device,
        threads=settings.threads,
        cache_folder=settings.cache_folder,
        shapes=ShapeRange(
            (1, 64, 64, 3), (batch, height, width, 3), (batch, max(height, _LONGEST), max(width, _LONGEST), 3)
        ),
    )
    recogniser = open_session(
        settings.recogniser,
        settings.device,
        threads=settings.threads,
        cache_folder=settings.cache_folder,
        shapes=ShapeRange((1, 112, 112, 3), (batch, 112, 112, 3), (max(batch, 32), 112, 112, 3)),
    )
    return FaceAnalyser(
        Detector(detector, settings.det_threshold),
        Recogniser(recogniser, settings.dimension, max_chunk=_GPU_CHUNK if settings.device.is_gpu else _CPU_CHUNK),
        min_face=settings.min_face,
    )


def serve(connection: Connection, descriptor: int, settings: WorkerSettings) -> None:
    """The life of an inference process; called by `process.child_main` in the child."""
    cv2.setNumThreads(1)
    ring = Ring(descriptor, settings.ring)
    analyser = open_analyser(settings)
    _warm_up(analyser, settings)
    connection.send(Ready(settings.device))
    waiting = perf_counter()
    while True:
        message = connection.recv()
        if isinstance(message, Stop):
            return
        started = perf_counter()
        reply = _infer(ring, analyser, message, waited=started - waiting)
        waiting = perf_counter()
        connection.send(reply)


def _warm_up(analyser: FaceAnalyser, settings: WorkerSettings) -> None:
    """Sees a blank batch: runtimes compile a network when a shape first comes, and now nobody waits for it yet."""
    width, height = settings.canvas
    frames = 1 if analyser.detector.session.per_picture else settings.ring.batch
    faces = 1 if analyser.recogniser.session.per_picture else analyser.recogniser.max_chunk
    analyser.detector.detect(np.zeros((frames, height, width, 3), np.uint8))
    analyser.recogniser.embed(np.zeros((faces, ALIGNED_SIZE, ALIGNED_SIZE, 3), np.uint8))


def _infer(ring: Ring, analyser: FaceAnalyser, task: Infer, waited: float) -> Inferred:
    canvases, planes = ring.batch(task.slot, task.geometry)
    last = task.first + task.count
    begins = [n for n in range(task.first, last) if n == task.first or not _repeats(n, canvases, planes)]
    before = dict(analyser.seconds)
    faces = analyser.analyse_batch(
        _batch(analyser, canvases, begins),
        _rows(planes, begins),
        task.geometry,
        [task.pts[n] for n in begins],
        [task.times[n] for n in begins],
    )
    if len(begins) < task.count:
        runs = zip(begins, [*begins[1:], last], strict=True)
        faces = _repeated(faces, [range(*run) for run in runs], task)
    seconds = {stage: total - before.get(stage, 0.0) for stage, total in analyser.seconds.items()}
    return Inferred(task.batch, task.first, faces, {**seconds, "wait_batch": waited}, task.count - len(begins))


def _batch(analyser: FaceAnalyser, canvases: _Pixels, wanted: list[int]) -> _Pixels:
    """The wanted canvases, filled up to the slot's capacity where pictures are not computed one by one.

    A runtime computes a picture otherwise in a batch of one than in a batch of four, by rounding. With every batch of
    the same size each frame sees the same arithmetic, whatever was killed and done again.
    """
    if analyser.detector.session.per_picture or len(wanted) == len(canvases):
        return _rows(canvases, wanted)
    full = np.zeros_like(canvases)
    full[: len(wanted)] = canvases[wanted]
    return full


def _rows(pixels: _Pixels, wanted: list[int]) -> _Pixels:
    """Some rows; a view where they are neighbours."""
    if wanted[-1] - wanted[0] == len(wanted) - 1:
        return pixels[wanted[0] : wanted[-1] + 1]
    return pixels[wanted]


def _repeats(place: int, canvases: _Pixels, planes: _Pixels) -> bool:
    """Whether a frame is the one before it, to the last bit: a slide, a still camera. It then shows the same faces."""
    return _same(planes[place], planes[place - 1]) and _same(canvases[place], canvases[place - 1])


def _same(one: _Pixels, other: _Pixels) -> bool:
    one, other = one.reshape(-1), other.reshape(-1)
    # A few thousand bytes tell nearly all pictures apart.
    return np.array_equal(one[::_STRIDE], other[::_STRIDE]) and np.array_equal(one, other)


def _repeated(faces: Faces, runs: list[range], task: Infer) -> Faces:
    """The faces of the first frame of each run of equal frames, once for every frame of the run."""
    parts = [Faces.empty(faces.embedding.shape[1])]
    for run in runs:
        seen = faces[faces.pts == task.pts[run[0]]]
        for place in run:
            pts = np.full(len(seen), task.pts[place], np.int64)
            parts.append(replace(seen, pts=pts, time=np.full(len(seen), float(task.times[place]))))
    return Faces.concatenate(parts)
