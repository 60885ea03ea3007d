"""Read pictures one at a time in a child process that any of them may end. `enroll` and `curate` call it."""

from collections.abc import Callable, Collection
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from fastface import errors
from fastface.config import Config
from fastface.errors import FastfaceError, InputError, WorkerError
from fastface.pipeline.messages import WorkerSettings
from fastface.pipeline.ring import RingShape
from fastface.pipeline.task_pool import TaskFailed, TaskRun
from fastface.runtime.networks import Networks, usual_canvas
from fastface.runtime.resources import num_cores
from fastface.video.frames.canvas import PICTURE_CANVAS

STALL_SECONDS = 900.0
"""Maximum seconds until the first picture: a runtime may compile the networks, for minutes and without progress."""

_LOSSES_TO_GIVE_UP = 5
"""Number of pictures that end the process before any result: after that, the networks are the cause."""

Read = TypeVar("Read")
_Results = dict[Path, Read | InputError]


def picture_settings(config: Config, networks: Networks, min_face: int) -> WorkerSettings:
    """Return the settings for a process that reads pictures."""
    batch, canvas = 1, (PICTURE_CANVAS, PICTURE_CANVAS)
    if networks.device.is_gpu:
        # Use the batch of the scan's engines, so that pictures need no engines of their own.
        batch = networks.layout.ring.batch
        canvas = usual_canvas(config.scan)
    return WorkerSettings(
        ring=RingShape.for_batch(1, batch),
        canvas=canvas,
        detector=networks.detector,
        recogniser=networks.recogniser,
        dimension=networks.dimension,
        device=networks.device,
        threads=num_cores(),
        cache_folder=networks.cache,
        det_threshold=config.scan.det_threshold,
        min_face=min_face,
        precisions=networks.precisions,
        aligned_size=networks.models.recogniser.aligned_size,
    )


def read_pictures(
    first: TaskRun, start_again: Callable[[Collection[Path]], TaskRun], seen: type[Read]
) -> _Results[Read]:
    """Return the content of each picture, or the reason why it cannot be used.

    A picture that ends the process gets a second try: the process may have been killed, for example for lack of memory.

    Args:
        first: The pictures, on their way through the process.
        start_again: Function that returns the same for the pictures that ended it.
        seen: Type of the process's result for a readable picture.

    Raises:
        BackendError, ModelError, SpaceError: The networks cannot be used.
        WorkerError: The process ends with every picture.
        InterruptError: The user stopped the command.
    """
    found, lost = _one_pass(first, seen)
    works = any(isinstance(result, seen) for result in found.values())
    again, lost = _one_pass(start_again(lost), seen, works=works)
    for path, reason in lost.items():
        again[path] = InputError(path, f"cannot be read: {' '.join(reason.split())}")
    return found | again


def _one_pass(run: TaskRun, seen: type[Read], *, works: bool = False) -> tuple[_Results[Read], dict[Path, str]]:
    """Read pictures once; return the results and the pictures that ended the process, with the exit status."""
    found: _Results[Read] = {}
    lost: dict[Path, str] = {}
    with closing(run.results()) as results:
        for path, result in results:
            if not isinstance(result, TaskFailed):
                found[path] = result
                works |= isinstance(result, seen)
                continue
            lost[path] = result.reason
            if result.kind != WorkerError.__name__ or (len(lost) == _LOSSES_TO_GIVE_UP and not works):
                raise refusal(run.role, result)
    return found, lost


def refusal(role: str, refused: TaskFailed) -> FastfaceError:
    """Return the error for a failed task.

    Args:
        role: Role of the process.
        refused: Answer of the process.
    """
    if refused.kind == WorkerError.__name__:
        return WorkerError(role, None, refused.reason)
    kind: type[FastfaceError] = getattr(errors, refused.kind, FastfaceError)
    return FastfaceError(refused.reason) if issubclass(kind, InputError) else kind(refused.reason)
