"""Search the frames of filled slots in an inference process: detect, align and embed faces into small arrays.

`worker` calls `serve_in_turn` on a CPU, where one batch is computed after the other. On a card,
`pipeline.inference.gpu_overlap` calls the same steps, and detects the next batch while the previous one is embedded.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from multiprocessing.connection import Connection
from time import perf_counter
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from fastface.faces.analyse import FaceAnalyser, FoundFaces
from fastface.faces.blur import is_blurred
from fastface.failpoints import fail_point
from fastface.persons.bodies import BodyFinder, FrameTime
from fastface.pipeline.inference.analyser import open_body_finder, open_warm_analyser
from fastface.pipeline.messages import InferFrames, Inferred, Ready, Stop, WorkerSettings
from fastface.pipeline.portrait_taker import PortraitTaker
from fastface.pipeline.ring import Ring
from fastface.types import BlurGate, Bodies, Faces, FrameCounts, Thumbnails

_Pixels = npt.NDArray[np.uint8]

_STRIDE = 997
"""Distance in bytes between compared samples of a picture; it has no common divisor with any width."""


@dataclass(frozen=True, slots=True)
class BatchPixels:
    """A task with its pixels.

    Attributes:
        task: The task.
        runs: Runs of equal frames, without blurred frames; only the first frame of each run is computed.
        canvases: (m, H, W, 3) input of the detector; rows after the first `len(runs)` only fill the batch.
        planes: (len(runs), plane_bytes).
    """

    task: InferFrames
    runs: list[range]
    canvases: _Pixels
    planes: _Pixels

    @property
    def num_frames(self) -> int:
        """Number of frames that are not too blurred."""
        return sum(map(len, self.runs))


def serve_in_turn(connection: Connection, ring: Ring, settings: WorkerSettings) -> None:
    """Process each batch before the next one, until the stop message."""
    analyser = open_warm_analyser(settings)
    body_finder = open_body_finder(settings)
    pictures = PortraitTaker()
    connection.send(Ready(settings.device))
    waiting = perf_counter()
    while not isinstance(message := connection.recv(), Stop):
        started = perf_counter()
        job = unpack(ring, message, per_picture=analyser.detector.session.per_picture, gate=settings.gate)
        reply = _infer(analyser, body_finder, pictures, job, waited=started - waiting)
        waiting = perf_counter()
        fail_point("worker.inferred")
        connection.send(reply)
        fail_point("worker.told")


def _infer(
    analyser: FaceAnalyser, body_finder: BodyFinder | None, pictures: PortraitTaker, job: BatchPixels, waited: float
) -> Inferred:
    before = dict(analyser.seconds)
    faces, unsharp = describe(analyser, job, detect(analyser, job))
    seconds = {stage: total - before.get(stage, 0.0) for stage, total in analyser.seconds.items()}
    bodies = find_bodies(body_finder, job, seconds)
    return answer(job, faces, {**seconds, "wait_batch": waited}, unsharp, bodies, pictures=pictures)


def unpack(
    ring: Ring, task: InferFrames, *, per_picture: bool, gate: BlurGate | None = None, skip_repeats: bool = True
) -> BatchPixels:
    """Return the pixels of a task: views of the ring, or copies where rows must be joined.

    Args:
        ring: The ring that holds the task's slot.
        task: The frames.
        per_picture: True if the detector computes each picture by itself.
        gate: Rule that finds frames that are too blurred; None to keep all frames.
        skip_repeats: True to leave out a frame that is equal to the previous frame.
    """
    canvases, planes = ring.batch(task.slot, task.geometry)
    span = slice(task.first, task.first + task.count)
    repeats = _repeats(planes[span], canvases[span]) if skip_repeats else np.zeros(task.count - 1, np.bool_)
    begins = [task.first, *(task.first + 1 + np.flatnonzero(~repeats)).tolist()]
    runs = [range(*run) for run in pairwise([*begins, task.first + task.count])]
    if gate is not None:
        runs = [run for run in runs if not is_blurred(canvases[run[0]], task.geometry.content, gate)]
        begins = [run[0] for run in runs]
    return BatchPixels(task, runs, _batch(canvases, begins, per_picture=per_picture), _rows(planes, begins))


def detect(analyser: FaceAnalyser, job: BatchPixels) -> FoundFaces:
    """Detect the faces in the frames of a task, in pixels of their canvases.

    Raises:
        BackendError: The detector failed.
    """
    if job.task.is_film:
        return analyser.detect(job.canvases, len(job.runs), job.task.geometry.content)
    return analyser.detect_pictures(job.canvases, job.planes, job.task.geometry)


def describe(analyser: FaceAnalyser, job: BatchPixels, found: FoundFaces) -> tuple[Faces, int]:
    """Return the faces of all frames of a task, including repeated frames, and the number of faces that are not sharp.

    Raises:
        BackendError: The recogniser failed.
    """
    task, begins = job.task, [run[0] for run in job.runs]
    pts, times = [task.pts[n] for n in begins], [task.times[n] for n in begins]
    faces = analyser.describe(found, job.planes, task.geometry, pts, times)
    unsharp = sum(analyser.unsharp[task.pts[run[0]]] * len(run) for run in job.runs)
    if len(begins) == job.num_frames:
        return faces, unsharp
    return _repeat(faces, Faces.empty(faces.embedding.shape[1]), job.runs, task), unsharp


def find_bodies(body_finder: BodyFinder | None, job: BatchPixels, seconds: dict[str, float]) -> Bodies:
    """Find the bodies in all frames of a task if it requests them; add the time to `seconds`.

    Raises:
        BackendError: The person network failed.
    """
    task = job.task
    if body_finder is None or not task.bodies:
        return Bodies.empty()
    before = body_finder.seconds
    moments = [
        FrameTime(task.pts[run[0]], float(task.times[run[0]]), any(frame in task.bodies_due for frame in run))
        for run in job.runs
    ]
    bodies = body_finder.find(job.canvases[: len(moments)], task.geometry, moments)
    seconds["persons"] = body_finder.seconds - before
    if len(moments) == job.num_frames:
        return bodies
    bodies = _repeat(bodies, Bodies.empty(), job.runs, task)
    # Repeats are found only within a task, so pictures must not depend on them.
    is_pictured = np.isin(bodies.pts, [task.pts[frame] for frame in task.bodies_due])
    jpeg = bodies.jpeg.copy()
    jpeg[~is_pictured] = None
    return replace(bodies, jpeg=jpeg)


def answer(
    job: BatchPixels, faces: Faces, seconds: dict[str, float], unsharp: int, bodies: Bodies, *, pictures: PortraitTaker
) -> Inferred:
    """Build the result of a task: its faces, and the pictures that are due.

    Args:
        job: The task.
        faces: Faces from `describe`.
        seconds: Time of each stage so far.
        unsharp: Number of faces left out because they are not sharp.
        bodies: Bodies from `find_bodies`.
        pictures: The process's picture taker; it must receive all tasks in order.
    """
    started = perf_counter()
    portraits = pictures.take(job.task, job.runs, job.planes, faces) if job.task.portraits else Thumbnails.empty()
    seconds["picture"] = perf_counter() - started
    return Inferred(
        batch=job.task.batch,
        first=job.task.first,
        faces=faces,
        seconds=seconds,
        counts=FrameCounts(
            repeated=job.num_frames - len(job.runs), blurred=job.task.count - job.num_frames, unsharp=unsharp
        ),
        portraits=portraits,
        bodies=bodies,
    )


def _batch(canvases: _Pixels, wanted: list[int], *, per_picture: bool) -> _Pixels:
    """Return the wanted canvases; fill up to the slot's capacity unless pictures are computed one by one.

    A runtime rounds differently in a batch of one than in a batch of four. If every batch has the same size, each frame
    gets the same arithmetic, even after a kill and a retry.
    """
    if per_picture or len(wanted) in (0, len(canvases)):
        return _rows(canvases, wanted)
    full = np.zeros_like(canvases)
    full[: len(wanted)] = canvases[wanted]
    return full


def _rows(pixels: _Pixels, wanted: list[int]) -> _Pixels:
    """Return some rows; a view if they are neighbours."""
    if not wanted:
        return pixels[:0]
    if wanted[-1] - wanted[0] == len(wanted) - 1:
        return pixels[wanted[0] : wanted[-1] + 1]
    return pixels[wanted]


def _repeats(planes: _Pixels, canvases: _Pixels) -> npt.NDArray[np.bool_]:
    """Return (n − 1,) flags of the frames that equal the previous frame bit by bit: a slide, a still camera."""
    # A few thousand bytes distinguish nearly all pictures.
    samples = planes[:, ::_STRIDE]
    same: npt.NDArray[np.bool_] = (samples[1:] == samples[:-1]).all(axis=1)
    for place in np.flatnonzero(same):
        pair = slice(place, place + 2)
        same[place] = np.array_equal(*planes[pair]) and np.array_equal(*canvases[pair])
    return same


_Kind = TypeVar("_Kind", Faces, Bodies)


def _repeat(found: _Kind, nothing: _Kind, runs: list[range], task: InferFrames) -> _Kind:
    """Repeat the result of the first frame of each run of equal frames for every frame of the run."""
    parts = [nothing]
    for run in runs:
        seen = found[found.pts == task.pts[run[0]]]
        for place in run:
            pts = np.full(len(seen), task.pts[place], np.int64)
            parts.append(replace(seen, pts=pts, time=np.full(len(seen), float(task.times[place]))))
    return nothing.concatenate(parts)
