"""Read pictures and draw contact sheets in a child process, which a malformed picture may end. `curate` uses it."""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import closing
from pathlib import Path

from fastface.config import Config
from fastface.curation.candidates import ReadPicture
from fastface.curation.contact_sheet import Page
from fastface.enrollment.photo_pool import STALL_SECONDS, picture_settings, read_pictures, refusal
from fastface.errors import InputError
from fastface.pipeline.process_pool import ProcessPool
from fastface.pipeline.task_pool import TaskFailed, TaskRun
from fastface.runtime.networks import Networks


class PhotoReader:
    """Read pictures and draw pages, one at a time, in a child process.

    Args:
        config: The settings.
        networks: Networks that find and embed the faces.
        interrupted: Function that returns the number of a received signal.
    """

    def __init__(self, config: Config, networks: Networks, interrupted: Callable[[], int | None]) -> None:
        self._settings = picture_settings(config, networks, config.scan.min_face)
        self._interrupted = interrupted

    def read_pictures(self, paths: Collection[Path]) -> dict[Path, ReadPicture | InputError]:
        """Return the content of each picture, or the error. Raises like `read_pictures` of the photo pool."""
        return read_pictures(self._new_run(paths), self._new_run, ReadPicture)

    def draw(self, pages: Sequence[Page]) -> None:
        """Write the pages of the contact sheet.

        Raises:
            WorkerError: The process ended.
            SpaceError: No space is left.
            InterruptError: The user stopped the command.
        """
        with closing(self._new_run(pages).results()) as results:
            for _, result in results:
                if isinstance(result, TaskFailed):
                    raise refusal("curation", result)

    def _new_run(self, tasks: Iterable[Path] | Iterable[Page]) -> TaskRun:
        pool = ProcessPool("curation", "fastface.curation.reader_process:serve", 1, self._settings)
        return TaskRun(pool, tasks, self._interrupted, STALL_SECONDS)
