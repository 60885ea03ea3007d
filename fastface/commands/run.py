"""Run the commands `scan` and `run` (a scan and a search) on an output folder.

The CLI and `api` call these functions; the demo uses `run`. Each command writes run.json, even
if it is interrupted. The order of the steps matters: see `run`.
"""

from collections.abc import Container, Sequence
from functools import partial
from pathlib import Path

from fastface.commands.command_frame import apply_decisions, write_report
from fastface.commands.enroll import begin_enrolment
from fastface.commands.nights.night import Night
from fastface.commands.nights.watch import watch
from fastface.config import Config
from fastface.diagnostics.preflight import look_ahead
from fastface.fleet.shards import Shard, take_shard
from fastface.index.records import VideoRecord
from fastface.index.store import VideoIndex
from fastface.indexing.engine import open_engine
from fastface.indexing.scanner import Scanner, open_scanner
from fastface.indexing.video_names import is_there, list_waiting, settle_videos
from fastface.names import pluralize
from fastface.pipeline.engine import Engine
from fastface.runtime.context import RunContext, describe_fresh, open_context
from fastface.runtime.events.metrics import observe_metrics
from fastface.runtime.events.observer import Observer
from fastface.runtime.run_report import RunResult
from fastface.runtime.saved_settings import remember_settings
from fastface.runtime.stand_ins import drop_lost_names
from fastface.video.discover import Discovery, VideoFile


def run(
    config: Config,
    inputs: Sequence[str],
    targets: Sequence[str],
    out: Path,
    observer: Observer,
    *,
    command: str = "run",
) -> RunResult:
    """Scan, find and export. The search includes videos of earlier runs in `out`.

    With `run.watch`, search new files of the inputs too, until the time limit or a signal; return the last result.

    Args:
        config: The settings.
        inputs: Videos, folders, globs, lists.
        targets: Photos, folders of photos, banks, or `*`.
        out: The output folder.
        observer: Receives the progress.
        command: Name of the command in the log.

    Raises:
        ConfigError: Settings, inputs or targets cannot be used; nothing was decoded.
        InterruptError: The user stopped the run; the same call continues it.
        FastfaceError: The run failed; what is committed stays.
    """
    night = Night(is_watch=config.run.watch)
    search = partial(_scan_and_find, targets=targets, out=out, observer=observer, command=command, night=night)
    return watch(config, inputs, out, observer, search, night=night) if config.run.watch else search(config, inputs)


def _scan_and_find(
    config: Config,
    inputs: Sequence[str] | Discovery,
    *,
    targets: Sequence[str],
    out: Path,
    observer: Observer,
    command: str,
    night: Night,
) -> RunResult:
    with observe_metrics(config.run.metrics, command, out, observer) as observed:
        found = take_shard(look_ahead(config, inputs, targets, out), Shard.parse(config.run.shard))
        with (
            open_context(config, out, observed, command) as context,
            write_report(context, "run", found, night) as result,
        ):
            apply_decisions(context)
            # The reader of photos starts before the scan's processes: the scan waits for it.
            with begin_enrolment(context, targets) as enrolment, open_engine(context) as engine:
                if config.run.fresh:
                    engine.start()
                scanner = None if config.run.fresh else _admit(context, found, engine, result)
                from fastface.commands import search_steps as steps  # noqa: PLC0415 - networks load meanwhile

                references = steps.enrol_targets(context, enrolment, result)
                if scanner is None:  # invalid targets must not discard earlier results
                    steps.move_earlier_answer(context, result)
                    _start_over(context, found)
                    scanner = _admit(context, found, engine, result)
                remember_settings(context.out.state, config, context.networks.models.pack, with_export=True)
                scanner.watch(steps.make_hit_counter(context, references))
                _scan(context, scanner, engine, result)
                archive = context.track_archive()
                records = steps.list_comparable(context, references, archive)
                searcher = steps.open_searcher(context, references, records, archive, result)
                steps.look_closer(context, searcher, records, engine, result)
            steps.answer(context, searcher, records, result)
    return result


def scan(config: Config, inputs: Sequence[str], out: Path, observer: Observer) -> RunResult:
    """Build or complete the index only. `run.watch` works as in `run`.

    Raises:
        ConfigError, InterruptError, FastfaceError: See `run`.
    """
    night = Night(is_watch=config.run.watch)
    search = partial(_scan_only, out=out, observer=observer, night=night)
    return watch(config, inputs, out, observer, search, night=night) if config.run.watch else search(config, inputs)


def _scan_only(
    config: Config, inputs: Sequence[str] | Discovery, *, out: Path, observer: Observer, night: Night
) -> RunResult:
    with observe_metrics(config.run.metrics, "scan", out, observer) as observed:
        found = take_shard(look_ahead(config, inputs, None, out), Shard.parse(config.run.shard))
        with (
            open_context(config, out, observed, "scan") as context,
            write_report(context, "scan", found, night) as result,
            open_engine(context) as engine,
        ):
            if config.run.fresh:
                _start_over(context, found)
            remember_settings(context.out.state, config, context.networks.models.pack, with_export=False)
            _scan(context, _admit(context, found, engine, result), engine, result)
    return result


def _start_over(context: RunContext, found: Discovery) -> None:
    """Apply `--fresh`: log what is removed, and remove it."""
    if note := describe_fresh(context.ledger, found.videos):
        context.observer.note(note)
    context.forget()


def _admit(context: RunContext, found: Discovery, engine: Engine, result: RunResult) -> Scanner:
    """Settle which videos are scanned, and start the processes.

    They load their networks while photos are read; no frame is decoded before `_scan`.
    """
    context.ledger.share_paths(file.path for file in found.videos)
    # A video that no run has started loses its name: its file may have moved, and no result uses the name.
    records = context.ledger.videos(with_info=False)
    known = [record for record in records if record.scan_key]
    settled = settle_videos(
        found.videos, found.skipped, known, context.ledger.names(), scans_copies=context.config.scan.copies
    )
    videos = settled.videos
    _forget_moved(context, found, {file.video_id for file in videos})
    result.skipped += settled.copies
    for item in settled.copies:
        context.observer.note(f"skipped {str(item.path)!r}: {item.reason}")
    _tell_renamed(context, videos, known)
    drop_lost_names(context.ledger, [file.path for file in found.videos])
    result.inputs = videos
    context.observer.begin(len(videos))
    scanner = open_scanner(context)
    waiting = list_waiting(records, found.videos, videos)
    scanner.admit(videos, engine, known=known, waiting=waiting, also=settled.also)
    return scanner


def _forget_moved(context: RunContext, found: Discovery, own: Container[str]) -> None:
    """Forget videos that have changed since their scan and now belong to another shard, which scans them again.

    Args:
        context: The run.
        found: The inputs.
        own: Names of the videos of this shard. Such a video has another file, if its former one is of another shard.
    """
    paths = {file.path for file in found.elsewhere}
    for record in context.ledger.videos(with_info=False) if paths else ():
        if record.scan_key and record.path in paths and record.video_id not in own and not is_there(record):
            context.ledger.forget_video(record.video_id)
            VideoIndex(context.out.index, record.video_id).remove()
            context.observer.note(f"{record.video_id}: changed since it was scanned; it belongs to another shard now")


def _tell_renamed(context: RunContext, videos: Sequence[VideoFile], known: Sequence[VideoRecord]) -> None:
    """Log which videos were renamed since their scan; they keep their names in OUT."""
    before = {record.video_id: record.path for record in known}
    for file in videos:
        old = before.get(file.video_id, file.path)
        if str(old) != str(file.path) and old.name != file.path.name:
            context.observer.note(
                f"{file.video_id}: renamed to {file.path.name!r} since it was scanned; it keeps its name here"
            )


def _scan(context: RunContext, scanner: Scanner, engine: Engine, result: RunResult) -> None:
    try:
        with result.phase("scan"):
            scanner.run(engine)
    finally:
        result.scanned = frozenset(scanner.finished)
        result.nodes = engine.nodes
        context.observer.end()
    context.interruption.check()
    if context.interruption.is_over and (left := context.num_left(result.inputs)):
        context.observer.note(f"Time is up: {pluralize(left, 'video')} left. Run the same command to continue.")
