"""Pictures → what is in them, by way of a process that any of them may end."""

from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from pathlib import Path

from fastface import errors
from fastface.config import Config
from fastface.curation.candidates import Looked
from fastface.curation.pages import Page
from fastface.errors import FastfaceError, InputError, WorkerError
from fastface.pipeline.crew import Crew
from fastface.pipeline.errands import Refused, run_errands
from fastface.pipeline.messages import WorkerSettings
from fastface.pipeline.ring import RingShape
from fastface.video.canvas import PICTURE_CANVAS
from fastface.workflows.machine import choose_layout, num_cores
from fastface.workflows.networks import Networks, usual_canvas

__all__ = ["Looker"]

_STALL_SECONDS = 900.0
"""The first picture waits for the networks, which a runtime may have to compile; that takes minutes and is silent."""

_LOSSES_TO_GIVE_UP = 5
"""Pictures that end the process before any was looked at: then it is the networks that do it."""

_Found = dict[Path, Looked | InputError]


class Looker:
    """Looks at pictures and draws pages, one at a time, in a child process.

    Args:
        config: The settings.
        networks: Find and embed the faces.
        interrupted: Gives the number of a signal that came.
    """

    def __init__(self, config: Config, networks: Networks, interrupted: Callable[[], int | None]) -> None:
        self._settings = _worker_settings(config, networks)
        self._interrupted = interrupted

    def look_at(self, paths: Collection[Path]) -> _Found:
        """What is in each picture, or why it cannot be used.

        One that ends the process gets a second try: the process may have been killed, as where memory is short.

        Raises:
            BackendError, ModelError, SpaceError: The networks cannot be used.
            WorkerError: The process ends whatever picture it is given.
            InterruptError: The user stopped it.
        """
        found, lost = self._one_pass(paths)
        works = any(isinstance(looked, Looked) for looked in found.values())
        again, lost = self._one_pass(lost, works=works)
        for path, reason in lost.items():
            again[path] = InputError(path, f"cannot be looked at: {' '.join(reason.split())}")
        return found | again

    def draw(self, pages: Sequence[Page]) -> None:
        """Writes the pages of the contact sheet.

        Raises:
            WorkerError: The process was ended.
            SpaceError: No space is left.
            InterruptError: The user stopped it.
        """
        with closing(run_errands(self._crew(), pages, self._interrupted, _STALL_SECONDS)) as results:
            for _, result in results:
                if isinstance(result, Refused):
                    raise _translated(result)

    def _one_pass(self, paths: Collection[Path], *, works: bool = False) -> tuple[_Found, dict[Path, str]]:
        """What was found, and the pictures that ended the process, with how; `works` if one was looked at before."""
        found: _Found = {}
        lost: dict[Path, str] = {}
        with closing(run_errands(self._crew(), paths, self._interrupted, _STALL_SECONDS)) as results:
            for path, result in results:
                if not isinstance(result, Refused):
                    found[path] = result
                    works |= isinstance(result, Looked)
                    continue
                lost[path] = result.reason
                if result.kind != WorkerError.__name__ or (len(lost) == _LOSSES_TO_GIVE_UP and not works):
                    raise _translated(result)
        return found, lost

    def _crew(self) -> Crew:
        return Crew("curation", "fastface.workflows.curate_process:serve", 1, self._settings)


def _worker_settings(config: Config, networks: Networks) -> WorkerSettings:
    batch, canvas = 1, (PICTURE_CANVAS, PICTURE_CANVAS)
    if networks.device.is_gpu:
        # What the scan's engines are built for, so that pictures need none of their own; they lie in its range.
        batch = choose_layout(config.scan, networks.device, len(networks.cards)).ring.batch
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
        min_face=config.scan.min_face,
    )


def _translated(refused: Refused) -> FastfaceError:
    if refused.kind == WorkerError.__name__:
        return WorkerError("curation", None, refused.reason)
    kind: type[FastfaceError] = getattr(errors, refused.kind, FastfaceError)
    return FastfaceError(refused.reason) if issubclass(kind, InputError) else kind(refused.reason)
