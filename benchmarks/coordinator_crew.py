"""Decoders and workers that compute nothing: what benchmarks/coordinator.py gives to the main process instead."""

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from multiprocessing.connection import Connection
from time import perf_counter, sleep

import numpy as np
from find_scale import drawn_info

from fastface.faces.portraits import choose_portraits
from fastface.pipeline.messages import (
    DecodeUnit,
    Grant,
    InferFrames,
    Inferred,
    ProbeVideo,
    Ready,
    SlotFilled,
    Stop,
    UnitDecoded,
    VideoProbed,
)
from fastface.types import SIGNATURE_SIZE, Faces, Geometry, Sampling, Thumbnails, Unit
from fastface.video.discover import VideoFile
from fastface.video.frames.frame import UnitReport
from fastface.video.identity.fingerprint import fingerprint, read_stamp

__all__ = ["DIMENSION", "RATE", "SAMPLING", "UNIT_SECONDS", "Drawn", "serve_decoder", "serve_worker"]

RATE = 25
"""Frames a second of `drawn_info`."""

UNIT_SECONDS = 60
DIMENSION = 512
PICTURED_EVERY = 13
"""Frames between two whose faces are pictured: half a second."""

JPEG_BYTES = 3000
GEOMETRY = Geometry((1920, 1080), (1920, 1080), (640, 384), (640, 360))
SAMPLING = Sampling(None)


@dataclass(frozen=True)
class Drawn:
    """What stands in for the pixels.

    Attributes:
        seconds: Length of each film.
        batch: Frames of a full batch.
        faces: Faces in each frame.
        rate: Frames a second that one worker computes.
    """

    seconds: int
    batch: int
    faces: int
    rate: float


def serve_decoder(connection: Connection, _descriptor: int, drawn: Drawn) -> None:
    """Fills slots with nothing."""
    connection.send(Ready())
    grants: list[Grant] = []
    while not isinstance(message := connection.recv(), Stop):
        match message:
            case Grant():
                grants.append(message)
            case ProbeVideo():
                connection.send(_probed(message.file, drawn))
            case DecodeUnit():
                connection.send(_decoded(connection, grants, message, drawn))


def _probed(file: VideoFile, drawn: Drawn) -> VideoProbed:
    info = replace(
        drawn_info(file.video_id), path=file.path, time_base=Fraction(1, RATE), duration=Fraction(drawn.seconds)
    )
    edges = [*range(0, drawn.seconds, UNIT_SECONDS), drawn.seconds]
    units = tuple(
        Unit(file.video_id, number, Fraction(start), Fraction(end), SAMPLING)
        for number, (start, end) in enumerate(pairwise(edges))
    )
    return VideoProbed(file, info, units, fingerprint(file.path), read_stamp(file.path))


def _decoded(connection: Connection, grants: list[Grant], task: DecodeUnit, drawn: Drawn) -> UnitDecoded:
    unit, sequence = task.unit, 0
    assert unit.end is not None
    first, last = int(unit.start) * RATE, int(unit.end) * RATE
    for sequence, begin in enumerate(range(first, last, drawn.batch)):
        while not grants:
            grants.append(connection.recv())
        grant, pts = grants.pop(0), tuple(range(begin, min(begin + drawn.batch, last)))
        times = tuple(number / RATE for number in pts)
        pictured = tuple(place for place, number in enumerate(pts) if number % PICTURED_EVERY == 0)
        given = (grant.slot, grant.generation, GEOMETRY, pts, times, bytes(len(pts) * SIGNATURE_SIZE))
        filled = SlotFilled(task.work, sequence, *given, faces_due=pictured)
        connection.send(filled)
    frames = last - first
    report = UnitReport(frames, frames, covered=unit.end - unit.start, decoder="pyav")
    return UnitDecoded(task.work, sequence + 1, report, {"decode": 1.0, "wait_slot": 0.0, "copy": 0.1, "canvas": 0.1})


def serve_worker(connection: Connection, _descriptor: int, drawn: Drawn) -> None:
    """Finds the same persons in every frame, who wander about and change every few seconds.

    As a card's worker it takes the next batch while one is computed.
    """
    connection.send(Ready())
    chance = np.random.default_rng(1)
    persons = chance.standard_normal((64, DIMENSION)).astype(np.float32)
    persons /= np.linalg.norm(persons, axis=1, keepdims=True)
    jpeg = chance.bytes(JPEG_BYTES)
    free = perf_counter()
    while not isinstance(task := connection.recv(), Stop):
        began = max(free, perf_counter())
        waited, free = began - free, began + len(task.pts) / drawn.rate
        faces = _faces(task, drawn.faces, persons, chance)
        due = np.isin(faces.pts, [task.pts[place] for place in task.faces_due])
        worth = 7 + 0.99 * faces.quality
        chosen = choose_portraits(faces, worth, due, task.max_gap, np.empty(0, np.int64))
        pictures = Thumbnails.of(faces, worth, [jpeg if is_chosen else None for is_chosen in chosen.tolist()])
        sleep(max(0.0, free - perf_counter()))
        connection.send(Inferred(task.batch, task.first, faces, {"wait_batch": waited}, portraits=pictures))


def _faces(task: InferFrames, count: int, persons: np.ndarray, chance: np.random.Generator) -> Faces:
    pts = np.repeat(np.array(task.pts, np.int64), count)
    place = np.tile(np.arange(count), len(task.pts))
    who = (pts // (7 * RATE) * count + place) % len(persons)
    left = 100 + 300 * place + 50 * np.sin(pts / 40)
    boxes = np.stack([left, 200 + 0 * left, left + 120, 360 + 0 * left], axis=1).astype(np.float32)
    embedding = persons[who] + chance.standard_normal((len(pts), DIMENSION)).astype(np.float32) * 0.02
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    num = len(pts)
    return Faces(
        time=pts / RATE,
        pts=pts,
        boxes=boxes,
        landmarks=np.repeat(boxes[:, None, :2], 5, axis=1) + 30,
        det_score=np.full(num, 0.8, np.float32),
        quality=chance.random(num).astype(np.float32),
        sharpness=np.full(num, 200, np.float32),
        yaw=np.zeros(num, np.float32),
        track=np.full(num, -1, np.int32),
        damaged=np.zeros(num, np.bool_),
        embedding=embedding.astype(np.float16),
    )
