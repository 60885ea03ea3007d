"""The commands that work on an output folder: scan, find, and run, which is both."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic

from fastface.config import Config
from fastface.errors import ConfigError, InterruptError
from fastface.export.tables import SpanRow, VideoHits, write_crops_table, write_hits, write_spans
from fastface.gallery.references import GalleryReport
from fastface.index.records import VideoRecord
from fastface.types import Gallery
from fastface.video.discover import Discovery, VideoFile
from fastface.workflows.desk import VERSION, Desk, open_desk
from fastface.workflows.enrolment import enrol
from fastface.workflows.exporting import Exporter, Exports
from fastface.workflows.find import Finder, Findings
from fastface.workflows.observer import Observer
from fastface.workflows.results import Counts, RunResult, write_run_json

__all__ = ["find", "run", "scan"]


def run(config: Config, inputs: Sequence[str], targets: Sequence[str], out: Path, observer: Observer) -> RunResult:
    """Scan, find and export: the main job.

    Args:
        config: The settings.
        inputs: Videos, folders, globs, lists.
        targets: Photos, folders of photos, banks, or `*`.
        out: The output folder.
        observer: Told how it goes.

    Raises:
        ConfigError: Settings, inputs or targets cannot be used; nothing was decoded.
        FastfaceError: The run failed; what is committed stays.
        InterruptError: The user stopped it; the same call goes on with it.
    """
    started = monotonic()
    with open_desk(config, out, observer) as desk:
        found = desk.discover(inputs)
        gallery = _gallery(desk, targets)
        result = RunResult("run", out, targets=_labels(gallery), skipped=found.skipped)
        try:
            with desk.coordinator() as coordinator:
                _scan(desk, found.videos, result)
                records = desk.records([file.video_id for file in found.videos])
                finder = _finder(desk, gallery)
        finally:
            result.seconds = monotonic() - started
    return result
