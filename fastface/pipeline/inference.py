"""The inference process: filled slots → detections → aligned faces → embeddings → small arrays.

On a CPU one batch is computed after the other. On a card the next batch's faces are detected while those of the one
before are aligned and embedded: see `pipeline.overlap`.
"""

from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from time import perf_counter

import numpy as np
import numpy.typing as npt

from fastface.faces.analyse import FaceAnalyser, FoundFaces
from fastface.failpoints import fail_point
from fastface.pipeline.analyser import open_analyser, warm_up
from fastface.pipeline.messages import Infer, Inferred, Ready, Stop, WorkerSettings
from fastface.pipeline.ring import Ring
from fastface.types import Faces

__all__ = ["Job", "describe", "serve_in_turn", "unpack"]

_Pixels = npt.NDArray[np.uint8]

_STRIDE = 997
"""Bytes from one sample of a picture to the next; no common divisor with the width of any."""


@dataclass(frozen=True, slots=True)
class Job:
    """A task with its pixels.

    Attributes:
        task: What is asked.
        begins: The frames that are not the one before again: only these are computed.
        canvases: (m, H, W, 3) what the detector sees; those after the first `len(begins)` only fill the batch up.
        planes: (len(begins), plane_bytes).
    """

    task: Infer
    begins: list[int]
    canvases: _Pixels
    planes: _Pixels


def serve_in_turn(connection: Connection, ring: Ring, settings: WorkerSettings) -> None:
    """Answers every batch before the next is looked at, until told to stop."""
    analyser = open_analyser(settings)
    warm_up(analyser.detector, settings)
    warm_up(analyser.recogniser, settings)
    connection.send(Ready(settings.device))
    waiting = perf_counter()
    while not isinstance(message := connection.recv(), Stop):
        started = perf_counter()
        reply = _infer(ring, analyser, message, waited=started - waiting)
        waiting = perf_counter()
        fail_point("worker.inferred")
        connection.send(reply)
        fail_point("worker.told")


def _infer(ring: Ring, analyser: FaceAnalyser, task: Infer, waited: float) -> Inferred:
    job = unpack(ring, task, per_picture=analyser.detector.session.per_picture)
    before = dict(analyser.seconds)
    faces = describe(analyser, job, analyser.detect(job.canvases))
    seconds = {stage: total - before.get(stage, 0.0) for stage, total in analyser.seconds.items()}
    return Inferred(
        task.batch, task.first, faces, {**seconds, "wait_batch": waited}, repeated=task.count - len(job.begins)
    )


def unpack(ring: Ring, task: Infer, *, per_picture: bool) -> Job:
    """A task's pixels: views of the ring, but where they must be put together.

    Args:
        ring: Holds the task's slot.
        task: The frames.
        per_picture: Whether the detector computes each picture by itself.
    """
    canvases, planes = ring.batch(task.slot, task.geometry)
    span = slice(task.first, task.first + task.count)
    repeats = _repeats(planes[span], canvases[span])
    begins = [task.first, *(task.first + 1 + np.flatnonzero(~repeats)).tolist()]
    return Job(task, begins, _batch(canvases, begins, per_picture=per_picture), _rows(planes, begins))


def describe(analyser: FaceAnalyser, job: Job, found: FoundFaces) -> Faces:
    """The faces of all frames of a task, of those that repeat the one before too.

    Raises:
        BackendError: The recogniser failed.
    """
    task, begins = job.task, job.begins
    pts, times = [task.pts[n] for n in begins], [task.times[n] for n in begins]
    faces = analyser.describe(found, job.planes, task.geometry, pts, times)
    if len(begins) == task.count:
        return faces
    runs = zip(begins, [*begins[1:], task.first + task.count], strict=True)
    return _repeated(faces, [range(*run) for run in runs], task)


def _batch(canvases: _Pixels, wanted: list[int], *, per_picture: bool) -> _Pixels:
    """The wanted canvases, filled up to the slot's capacity where pictures are not computed one by one.

    A runtime computes a picture otherwise in a batch of one than in a batch of four, by rounding. With every batch of
    the same size each frame sees the same arithmetic, whatever was killed and done again.
    """
    if per_picture or len(wanted) == len(canvases):
        return _rows(canvases, wanted)
    full = np.zeros_like(canvases)
    full[: len(wanted)] = canvases[wanted]
    return full


def _rows(pixels: _Pixels, wanted: list[int]) -> _Pixels:
    """Some rows; a view where they are neighbours."""
    if wanted[-1] - wanted[0] == len(wanted) - 1:
        return pixels[wanted[0] : wanted[-1] + 1]
    return pixels[wanted]


def _repeats(planes: _Pixels, canvases: _Pixels) -> npt.NDArray[np.bool_]:
    """(n − 1,) whether each frame but the first is the one before it, to the last bit: a slide, a still camera."""
    # A few thousand bytes tell nearly all pictures apart.
    samples = planes[:, ::_STRIDE]
    same: npt.NDArray[np.bool_] = (samples[1:] == samples[:-1]).all(axis=1)
    for place in np.flatnonzero(same):
        pair = slice(place, place + 2)
        same[place] = np.array_equal(*planes[pair]) and np.array_equal(*canvases[pair])
    return same


def _repeated(faces: Faces, runs: list[range], task: Infer) -> Faces:
    """The faces of the first frame of each run of equal frames, once for every frame of the run."""
    parts = [Faces.empty(faces.embedding.shape[1])]
    for run in runs:
        seen = faces[faces.pts == task.pts[run[0]]]
        for place in run:
            pts = np.full(len(seen), task.pts[place], np.int64)
            parts.append(replace(seen, pts=pts, time=np.full(len(seen), float(task.times[place]))))
    return Faces.concatenate(parts)
