"""The inference process: filled slots → detections → aligned faces → embeddings → small arrays."""

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

__all__ = ["open_analyser", "serve"]

_LONGEST = 1440
"""Longest side of a canvas that is not asked for: a photo's is."""

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
    wanted = slice(task.first, task.first + task.count)
    before = dict(analyser.seconds)
    faces = analyser.analyse_batch(
        _batch(analyser, canvases, wanted), planes[wanted], task.geometry, task.pts[wanted], task.times[wanted]
    )
    seconds = {stage: total - before.get(stage, 0.0) for stage, total in analyser.seconds.items()}
    return Inferred(task.batch, task.first, faces, {**seconds, "wait_batch": waited})


def _batch(analyser: FaceAnalyser, canvases: npt.NDArray[np.uint8], wanted: slice) -> npt.NDArray[np.uint8]:
    """The wanted canvases, filled up to the slot's capacity where pictures are not computed one by one.

    A runtime computes a picture otherwise in a batch of one than in a batch of four, by rounding. With every batch of
    the same size each frame sees the same arithmetic, whatever was killed and done again.
    """
    count = wanted.stop - wanted.start
    if analyser.detector.session.per_picture or count == len(canvases):
        return canvases[wanted]
    full = np.zeros_like(canvases)
    full[:count] = canvases[wanted]
    return full
