"""Run inference on a card: detect the next batch while the previous batch is aligned and embedded.

    pipe ──► this thread ──► detector's thread ──► recogniser's thread ──► this thread ──► pipe

`worker` calls it. One thread opens and uses each session, because CUDA's current card belongs to a thread. Sessions
release Python's lock while they compute. Only the first thread uses the pipe. The recogniser's thread wakes it when a
result is ready, so that a batch that arrives meanwhile starts at once. The coordinator leases two batches ahead.
"""

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection, wait
from time import perf_counter
from typing import NamedTuple

from fastface.backends import page_lock
from fastface.faces.analyse import FoundFaces
from fastface.faces.arcface import Recogniser
from fastface.faces.scrfd import Detector
from fastface.failpoints import fail_point
from fastface.persons.bodies import BodyFinder
from fastface.pipeline.inference.analyser import (
    make_analyser,
    open_body_finder,
    open_detector,
    open_recogniser,
    warm_up,
)
from fastface.pipeline.inference.worker_loop import BatchPixels, answer, describe, detect, find_bodies, unpack
from fastface.pipeline.messages import InferFrames, Inferred, Ready, Stop, WorkerSettings
from fastface.pipeline.portrait_taker import PortraitTaker
from fastface.pipeline.ring import Ring


class _Detected(NamedTuple):
    job: BatchPixels
    found: FoundFaces
    seconds: dict[str, float]  # of each stage


class OverlappedInference:
    """Process two batches in two threads. The thread that creates it is a third thread, and the only one that calls it.

    Args:
        ring: The ring that holds the batches.
        settings: The networks and the card.

    Raises:
        BackendError: A network cannot be opened.
    """

    def __init__(self, ring: Ring, settings: WorkerSettings) -> None:
        self._ring = ring
        self._detecting = ThreadPoolExecutor(1, "detector")
        self._describing = ThreadPoolExecutor(1, "recogniser")
        # One after the other: no thread may use the card while another thread captures a CUDA graph.
        detector = self._detecting.submit(_opened_detector, settings).result()
        recogniser = self._describing.submit(_opened_recogniser, settings).result()
        self._body_finder: BodyFinder | None = self._describing.submit(open_body_finder, settings).result()
        self._analyser = make_analyser(detector, recogniser, settings)
        self._pictures = PortraitTaker()
        self._gate = settings.gate
        self._idle_since = perf_counter()

    def begin(self, task: InferFrames) -> Future[Inferred]:
        """Start a batch; results become ready in the order of the tasks."""
        fail_point("overlap.begin")
        detected = self._detecting.submit(self._detect, task)
        return self._describing.submit(self._describe, detected)

    def _detect(self, task: InferFrames) -> _Detected:
        started = perf_counter()
        waited = started - self._idle_since
        job = unpack(self._ring, task, per_picture=self._analyser.detector.session.per_picture, gate=self._gate)
        found = detect(self._analyser, job)
        self._idle_since = perf_counter()
        fail_point("overlap.detected")
        return _Detected(job, found, {"detect": self._idle_since - started, "wait_batch": waited})

    def _describe(self, detected: Future[_Detected]) -> Inferred:
        job, found, seconds = detected.result()
        fail_point("overlap.taken")
        before = dict(self._analyser.seconds)
        faces, unsharp = describe(self._analyser, job, found)
        for stage in ("align", "embed"):
            seconds[stage] = self._analyser.seconds[stage] - before[stage]
        bodies = find_bodies(self._body_finder, job, seconds)
        fail_point("overlap.described")
        return answer(job, faces, seconds, unsharp, bodies, pictures=self._pictures)


def serve_overlapped(connection: Connection, ring: Ring, settings: WorkerSettings) -> None:
    """Process batches until the stop message, two at a time.

    Raises:
        DeviceLostError: The card is lost to this process.
        BackendError: A network cannot be opened, or failed.
    """
    work = OverlappedInference(ring, settings)
    reason = page_lock(ring.address, ring.shape.total_bytes, settings.device.device_id)
    notes = (f"copying to card {settings.device.device_id} is slower than it could be: {reason}",) if reason else ()
    connection.send(Ready(settings.device, notes))
    bell = os.eventfd(0)
    running: deque[Future[Inferred]] = deque()
    while True:
        for heard in wait([connection, bell]):
            if heard is not connection:
                os.eventfd_read(bell)
                continue
            message = connection.recv()
            if isinstance(message, Stop):
                return
            running.append(work.begin(message))
            running[-1].add_done_callback(lambda _: os.eventfd_write(bell, 1))
        while running and running[0].done():
            reply = running.popleft().result()
            fail_point("worker.inferred")
            connection.send(reply)
            fail_point("worker.told")


def _opened_detector(settings: WorkerSettings) -> Detector:
    detector = open_detector(settings)
    warm_up(detector, settings)
    return detector


def _opened_recogniser(settings: WorkerSettings) -> Recogniser:
    recogniser = open_recogniser(settings)
    warm_up(recogniser, settings)
    return recogniser
