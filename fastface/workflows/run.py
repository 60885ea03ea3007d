"""The commands that work on an output folder: scan, find, and run, which is both."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import numpy as np

from fastface.config import Config
from fastface.errors import InterruptError
from fastface.export.tables import VideoHits, write_crops_table, write_hits, write_review, write_spans
from fastface.files import private_folder
from fastface.gallery.matching import match
from fastface.index.records import VideoRecord
from fastface.names import counted, shortened
from fastface.pipeline.coordinator import Coordinator
from fastface.types import Doubt, Faces, Gallery
from fastface.video.discover import Discovery
from fastface.workflows.desk import Desk, open_desk
from fastface.workflows.enrolment import enrol
from fastface.workflows.exporting import Exporter
from fastface.workflows.find import Finder, Findings
from fastface.workflows.naming import settle_names
from fastface.workflows.observer import Observer
from fastface.workflows.preflight import look_ahead, look_back
from fastface.workflows.results import Counts, RunResult, write_run_json
from fastface.workflows.scan import Scanner
from fastface.workflows.survey import forget_growth, survey

__all__ = ["find", "run", "scan"]

_MOST_REMARKS = 20
"""Remarks on photos that are printed; run.json has more of them."""
_MOST_FACELESS = 8
"""Videos without a face that are named one by one; of more, the number is logged."""


def run(
    config: Config,
    inputs: Sequence[str],
    targets: Sequence[str],
    out: Path,
    observer: Observer,
    *,
    command: str = "run",
) -> RunResult:
    """Scan, find and export: the main job. Videos of earlier runs in `out` are asked too.

    Args:
        config: The settings.
        inputs: Videos, folders, globs, lists.
        targets: Photos, folders of photos, banks, or `*`.
        out: The output folder.
        observer: Told how it goes.
        command: What the log calls it.

    Raises:
        ConfigError: Settings, inputs or targets cannot be used; nothing was decoded.
        InterruptError: The user stopped it; the same call goes on with it.
        FastfaceError: The run failed; what is committed stays.
    """
    found = look_ahead(config, inputs, targets, out)
    with open_desk(config, out, observer, command) as desk, reported(desk, "run", found) as result:
        gallery = None
        with desk.coordinator() as coordinator:
            if config.run.fresh:
                coordinator.start()  # networks load while photos are read
                gallery = _enrol(desk, targets, result)  # nothing is forgotten for targets that are none
                desk.forget()
            scanner = _admit(desk, found, coordinator, result)
            gallery = gallery or _enrol(desk, targets, result)
            scanner.watch(_hit_counter(desk, gallery))
            _scan(desk, scanner, coordinator, result)
            records = _comparable(desk, desk.finder(gallery, desk.limits))
            finder = _finder(desk, gallery, records, result)
            _look_closer(desk, finder, records, coordinator, result)
        answer(desk, finder.findings(records), result)
    return result


def scan(config: Config, inputs: Sequence[str], out: Path, observer: Observer) -> RunResult:
    """Builds or completes the index only.

    Raises:
        ConfigError, InterruptError, FastfaceError: As `run`.
    """
    found = look_ahead(config, inputs, None, out)
    with (
        open_desk(config, out, observer, "scan") as desk,
        reported(desk, "scan", found) as result,
        desk.coordinator() as coordinator,
    ):
        if config.run.fresh:
            desk.forget()
        _scan(desk, _admit(desk, found, coordinator, result), coordinator, result)
    return result


def find(config: Config, targets: Sequence[str], out: Path, observer: Observer) -> RunResult:
    """Asks the index that is in `out`. Decodes nothing but for exports, and for exact boundaries not asked before.

    Raises:
        ConfigError: There is no index in `out`, or the targets cannot be used.
        InterruptError, FastfaceError: As `run`.
    """
    look_back(config, targets, out)
    with open_desk(config, out, observer, "find") as desk, reported(desk, "find") as result:
        gallery = _enrol(desk, targets, result)
        records = desk.answered()
        finder = _finder(desk, gallery, records, result)
        with desk.coordinator() as coordinator:
            _look_closer(desk, finder, records, coordinator, result)
        answer(desk, finder.findings(records), result)
    return result


@contextmanager
def reported(desk: Desk, command: str, found: Discovery | None = None) -> Iterator[RunResult]:
    """Writes run.json at the end, of a command that was interrupted too."""
    started = monotonic()
    result = RunResult(command, desk.out.root)
    desk.observer.header(desk.networks, desk.layout)
    if command != "scan" and not desk.config.match.tracks:
        limits = desk.limits
        desk.observer.note(
            f"threshold {limits.enter:.2f} ({limits.exit:.2f} within a track), margin {limits.margin:.2f}"
        )
    if found is not None:
        result.skipped = found.skipped
        for item in found.skipped:
            desk.observer.note(f"skipped {str(item.path)!r}: {item.reason}")
    try:
        yield result
    except InterruptError:
        _conclude(desk, result, started)
        raise
    _conclude(desk, result, started)


def _conclude(desk: Desk, result: RunResult, started: float) -> None:
    asks_all = result.command in ("find", "pick")
    result.videos = desk.outcomes(desk.records()) if asks_all else desk.outcomes_of(result.inputs)
    totals = result.counts
    totals.videos = len(result.videos)
    for video in result.videos:
        totals.sampled += video.sampled
        totals.inferred += video.inferred
        totals.repeated += video.repeated
        totals.blurred += video.blurred
        totals.unsharp += video.unsharp
        totals.quarantined += video.quarantined
        totals.faces += video.faces
        totals.embeddings += video.faces
    remarks = [] if asks_all else [f"{video.id}: {video.remark}" for video in result.videos if video.remark]
    if len(remarks) > _MOST_FACELESS:
        remarks = [f"no face was found in {len(remarks)} of {counted(totals.videos, 'video')}: see run.json"]
    for remark in remarks:
        desk.observer.note(remark)
    assert totals.sampled == totals.inferred + totals.quarantined, totals
    result.seconds = monotonic() - started
    write_run_json(result, desk.networks, result.limits or desk.limits, desk.config)


def _enrol(desk: Desk, targets: Sequence[str], result: RunResult) -> Gallery:
    with result.phase("photos"):
        gallery, report = enrol(
            tuple(targets), desk.config, desk.networks, desk.limits, desk.interruption, known=desk.out.photos
        )
    result.targets = tuple(target.label for target in gallery.targets)
    result.remarks = report.warnings
    for line in shortened(report.warnings, _MOST_REMARKS):
        desk.observer.note(line)
    return gallery


def _admit(desk: Desk, found: Discovery, coordinator: Coordinator, result: RunResult) -> Scanner:
    """Processes start here and load their networks while photos are read; no frame is decoded before `_scan`."""
    # A video that no run has come to keeps no name: it may be elsewhere by now, and nothing is called by it.
    videos = settle_names(found.videos, [record for record in desk.records() if record.scan_key])
    result.inputs = tuple(videos)
    desk.observer.begin(len(videos))
    scanner = desk.scanner()
    scanner.admit(videos, coordinator)
    return scanner


def _scan(desk: Desk, scanner: Scanner, coordinator: Coordinator, result: RunResult) -> None:
    try:
        with result.phase("scan"):
            scanner.run(coordinator)
    finally:
        result.scanned = frozenset(scanner.finished)
        desk.observer.end()
    desk.interruption.check()
    if desk.interruption.is_over and (left := desk.num_left(result.inputs)):
        desk.observer.note(f"Time is up: {counted(left, 'video')} left. Run the same command to continue.")


def _hit_counter(desk: Desk, gallery: Gallery) -> Callable[[Faces], int]:
    """Counts the hits among faces whose tracks are not linked yet."""

    def count(faces: Faces) -> int:
        periods = np.zeros(len(faces))
        return sum(map(len, match(faces, gallery, desk.limits, periods).values()))

    return count


def _finder(desk: Desk, gallery: Gallery, records: list[VideoRecord], result: RunResult) -> Finder:
    """The finder for the gallery and this archive."""
    with result.phase("survey"):
        finder = survey(desk, desk.finder(gallery, desk.limits), gallery, records)
    result.limits = finder.limits
    return finder


def _comparable(desk: Desk, finder: Finder) -> list[VideoRecord]:
    """All videos of OUT, but those of earlier runs whose faces were embedded by another network."""
    records = desk.answered()
    kept = finder.comparable(records)
    if len(kept) < len(records):
        left_out = counted(len(records) - len(kept), "video")
        desk.observer.note(f"left out {left_out} of earlier runs, scanned with another recogniser")
    return kept


@dataclass(slots=True)
class _Tally:
    """Counts hits and plans exports while the findings stream by, one video in memory at a time."""

    exporter: Exporter
    counts: Counts
    check: Callable[[], None]
    doubts: list[tuple[str, Doubt]] = field(default_factory=list)
    hits: dict[tuple[str, str], int] = field(default_factory=dict)

    def count_hits(self, found: Findings) -> None:
        """Counts the rows that hits.csv gets of each target in a video."""
        for label, hits in found.hits.items():
            followed = found.followed.get(label)
            if len(hits):
                count = len(hits) + (0 if followed is None else len(followed))
                self.hits[found.record.video_id, label] = count

    def pass_on(self, findings: Iterator[Findings]) -> Iterator[VideoHits]:
        for found in findings:
            self.check()
            self.exporter.plan(found)
            self.counts.spans += len(found.spans)
            self.doubts += [(found.record.video_id, doubt) for doubt in found.doubts]
            self.count_hits(found)
            yield VideoHits(found.record.video_id, found.faces, found.hits, found.followed)


def _look_closer(
    desk: Desk, finder: Finder, records: list[VideoRecord], coordinator: Coordinator, result: RunResult
) -> None:
    """Scans all stretches that must be looked at more closely before the answer stands."""
    with result.phase("closer looks"):
        while units := list(finder.unsure_units(records)):
            if desk.interruption.is_over:
                result.is_cut_short = True
                desk.observer.note(
                    f"Time is up: {counted(len(units), 'closer look')} left. Run the same command to continue."
                )
                return
            scanner = desk.scanner()
            for info, unit in units:
                scanner.schedule(info, unit, coordinator)
            scanner.run(coordinator)
            result.is_cut_short |= scanner.num_lost_looks > 0
            desk.interruption.check()


def answer(desk: Desk, findings: Iterator[Findings], result: RunResult) -> None:
    """Exports what was found, and writes the tables of it."""
    exporter = Exporter(desk)
    tally = _Tally(exporter, result.counts, desk.interruption.check)
    root = desk.out.root
    with result.phase("match"):
        result.counts.hits = write_hits(root / "hits.csv", tally.pass_on(findings))
        write_review(root / "review.csv", tally.doubts)
    with result.phase("exports"):
        exports = exporter.make()
    if exports.num_removed:
        desk.observer.note(f"Removed {counted(exports.num_removed, 'file')} of the previous search")
    if not (desk.config.growth.grow and desk.config.match.tracks):
        forget_growth(root)
    write_spans(root, exports.spans)
    write_crops_table(private_folder(root / "crops") / "crops.csv", exports.crops)
    result.spans = tuple(exports.spans)
    result.hits, result.num_near_misses = tally.hits, len(tally.doubts)
    result.counts.clips, result.counts.crops = exports.num_clips, len(exports.crops)
    result.export_failures = tuple(exports.failures)
