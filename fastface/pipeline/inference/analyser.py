"""Open the networks of a child process: detector, recogniser and person network, for the expected batch shapes.

Inference workers, the photo reader and the reader of `curate` call it. Never call it in the coordinator: it loads a
runtime.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from fastface.backends import open_session
from fastface.faces.align import ALIGNMENTS
from fastface.faces.analyse import FaceAnalyser
from fastface.faces.arcface import Recogniser
from fastface.faces.scrfd import Detector
from fastface.persons.bodies import BodyFinder
from fastface.persons.yolo import open_person_detector
from fastface.pipeline.messages import WorkerSettings
from fastface.pipeline.shapes import GPU_CHUNK, detector_shapes, recogniser_shapes

_Network = TypeVar("_Network", Detector, Recogniser)

_CPU_CHUNK = 4
"""Batch size of the recogniser on a CPU that embeds in batches. Larger batches are no faster there."""


def open_detector(settings: WorkerSettings) -> Detector:
    """Load the detector on the wanted device.

    Raises:
        BackendError: The device is not available, or the graph cannot be loaded on it.
    """
    session = open_session(
        settings.detector,
        settings.network_device("detector"),
        threads=settings.threads,
        cache_folder=settings.cache_folder,
        shapes=detector_shapes(settings.ring.batch, settings.canvas),
    )
    return Detector(session, settings.det_threshold, clear_score=settings.clear_score)


def open_recogniser(settings: WorkerSettings) -> Recogniser:
    """Load the recogniser on the wanted device.

    Raises:
        BackendError: See `open_detector`.
    """
    session = open_session(
        settings.recogniser,
        settings.network_device("recogniser"),
        threads=settings.threads,
        cache_folder=settings.cache_folder,
        shapes=recogniser_shapes(settings.aligned_size),
    )
    chunk = GPU_CHUNK if settings.device.is_gpu else _CPU_CHUNK
    return Recogniser(session, settings.dimension, max_chunk=chunk, alignment=ALIGNMENTS[settings.aligned_size])


def open_body_finder(settings: WorkerSettings) -> BodyFinder | None:
    """Load the person network on the wanted device, and run it once; None if the scan does not search for bodies.

    Raises:
        BackendError: See `open_detector`.
    """
    if settings.persons is None:
        return None
    body_finder = BodyFinder(
        open_person_detector(
            settings.persons,
            settings.network_device("person"),
            threads=settings.threads,
            cache_folder=settings.cache_folder,
        )
    )
    width, height = settings.canvas
    body_finder.detector.detect([np.zeros((height, width, 3), np.uint8)] * body_finder.detector.batch)
    return body_finder


def open_analyser(settings: WorkerSettings) -> FaceAnalyser:
    """Load detector and recogniser on the wanted device.

    Raises:
        BackendError: See `open_detector`.
    """
    return make_analyser(open_detector(settings), open_recogniser(settings), settings)


def open_warm_analyser(settings: WorkerSettings) -> FaceAnalyser:
    """Load detector and recogniser at the same time, and run each once; on a processor.

    Raises:
        BackendError: See `open_detector`.
    """

    def open_warm(open_network: Callable[[WorkerSettings], _Network]) -> _Network:
        network = open_network(settings)
        warm_up(network, settings)
        return network

    with ThreadPoolExecutor(2) as threads:
        detector = threads.submit(open_warm, open_detector)
        recogniser = threads.submit(open_warm, open_recogniser)
    return make_analyser(detector.result(), recogniser.result(), settings)


def make_analyser(detector: Detector, recogniser: Recogniser, settings: WorkerSettings) -> FaceAnalyser:
    """Build the analyser from both networks, with the limits of the settings."""
    return FaceAnalyser(detector, recogniser, settings.min_face, settings.min_sharpness, settings.looks)


def warm_up(network: Detector | Recogniser, settings: WorkerSettings) -> None:
    """Run a blank batch: a runtime compiles a network for a new shape, and now no request waits for it."""
    alone = network.session.per_picture
    if isinstance(network, Recogniser):
        faces = 1 if alone else network.max_chunk
        side = settings.aligned_size
        network.embed(np.zeros((faces, side, side, 3), np.uint8))
        return
    width, height = settings.canvas
    network.detect(np.zeros((1 if alone else settings.ring.batch, height, width, 3), np.uint8))
