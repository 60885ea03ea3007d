"""The inference process: filled slots → detections → aligned faces → embeddings → small arrays."""

from multiprocessing.connection import Connection
from time import perf_counter

import cv2
import numpy as np

from fastface.backends import ShapeRange, open_session
from fastface.faces.analyse import FaceAnalyser
from fastface.faces.arcface import Recogniser
from fastface.faces.scrfd import Detector
from fastface.pipeline.messages import Infer, Inferred, Ready, Stop, WorkerSettings
from fastface.pipeline.ring import Ring

__all__ = ["open_analyser", "serve"]


def open_analyser(settings: WorkerSettings) -> FaceAnalyser:
    """Loads both networks on the asked device.

    Raises:
        BackendError: The device is not available.
        ModelError: A graph cannot be loaded.
    """
    batch = settings.ring.batch
    detector = open_session(
        settings.detector,
        settings.device,
        threads=settings.threads,
        cache_folder=settings.cache_folder,
        shapes=ShapeRange((1, 64, 64, 3), (batch, 384, 640, 3), (batch, 1440, 1440, 3)),
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
        Recogniser(recogniser, settings.dimension),
        min_face=settings.min_face,
    )


def serve(connection: Connection, descriptor: int, settings: WorkerSettings) -> None:
    """The life of an inference process; called by `process.child_main` in the child."""
    cv2.setNumThreads(1)
    ring = Ring(descriptor, settings.ring)
    analyser = open_analyser(settings)
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


def _infer(ring: Ring, analyser: FaceAnalyser, task: Infer, waited: float) -> Inferred:
    canvases, planes = ring.batch(task.slot, task.geometry)
    wanted = slice(task.first, task.first + task.count)
    before = dict(analyser.seconds)
    faces = analyser.analyse_batch(
        canvases[wanted],
        planes[wanted],
        task.geometry,
        np.array(task.pts[wanted], np.int64),
        np.array(task.times[wanted], np.float64),
    )
    seconds = {stage: total - before.get(stage, 0.0) for stage, total in analyser.seconds.items()}
    return Inferred(task.batch, task.first, faces, {**seconds, "wait_batch": waited})
