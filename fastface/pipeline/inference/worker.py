"""Start an inference process: attach the ring and choose the loop for the device.

`serve` is the entry point of the process. Only `coordinator` starts it.
"""

from multiprocessing.connection import Connection

import cv2

from fastface.pipeline.inference.gpu_overlap import serve_overlapped
from fastface.pipeline.inference.worker_loop import serve_in_turn
from fastface.pipeline.messages import WorkerSettings
from fastface.pipeline.ring import Ring


def serve(connection: Connection, descriptor: int, settings: WorkerSettings) -> None:
    """Run an inference process; entry point for `process.child_main` in the child."""
    cv2.setNumThreads(1)
    ring = Ring(descriptor, settings.ring)
    if settings.device.is_gpu:
        serve_overlapped(connection, ring, settings)
    else:
        serve_in_turn(connection, ring, settings)
