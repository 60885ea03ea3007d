"""The entry of an inference process: its ring, and the way of working that its device asks for."""

from multiprocessing.connection import Connection

import cv2

from fastface.pipeline.inference.gpu_overlap import serve_overlapped
from fastface.pipeline.inference.worker_loop import serve_in_turn
from fastface.pipeline.messages import WorkerSettings
from fastface.pipeline.ring import Ring


def serve(connection: Connection, descriptor: int, settings: WorkerSettings) -> None:
    """The life of an inference process; called by `process.child_main` in the child."""
    cv2.setNumThreads(1)
    ring = Ring(descriptor, settings.ring)
    if settings.device.is_gpu:
        serve_overlapped(connection, ring, settings)
    else:
        serve_in_turn(connection, ring, settings)
