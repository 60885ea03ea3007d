"""The commands that work on an output folder: scan, find, and run, which is both."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic

import numpy as np

from fastface.census.photo_names import PhotoNames
from fastface.commands.enroll import enrol
from fastface.config import Config
from fastface.diagnostics.preflight import look_ahead, look_back
from fastface.errors import InterruptError
from fastface.export.exporter import Exporter
from fastface.export.tables.results import VideoHits, write_crops_table, write_hits, write_review, write_spans
from fastface.export.taken_faces import write_taken_faces
from fastface.files import private_folder
from fastface.gallery.matching import match
from fastface.gallery.reference_set import ReferenceSet
from fastface.index.records import VideoRecord
from fastface.indexing.processes import open_coordinator
from fastface.indexing.scanner import Scanner, open_scanner
from fastface.indexing.video_names import drop_copies, list_waiting, settle_names
from fastface.names import counted, shortened
from fastface.pipeline.coordinator import Coordinator
from fastface.runtime.context import Desk, describe_fresh, open_desk
from fastface.runtime.observer import Observer
from fastface.runtime.remarks import describe_left_out
from fastface.runtime.run_report import Counts, RunResult, VideoOutcome, write_run_json
from fastface.runtime.saved_settings import remember_settings
from fastface.runtime.stand_ins import remember_copies
from fastface.search.archive_survey import forget_growth, survey
from fastface.search.earlier_answers import keep_earlier_answer
from fastface.search.searcher import Finder, Findings, open_finder
from fastface.types import Doubt, Faces, SpanRow
from fastface.video.discover import Discovery, VideoFile

__all__ = ["find", "run", "scan"]

_MOST_REMARKS = 20
"""Remarks on photos that are printed; run.json has more of them."""
_MOST_REMARKED = 8
"""Videos whose remarks are logged one by one; of more, the number is logged."""
_MOST_TALLIES = 30
"""Targets of whom it is said what limits the number of their crops."""
_MOST_LOST = 30
"""Streams that clips do not contain which are logged one by one; of more, the number is logged."""


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
        observer: Receives the progress.
        command: What the log calls it.

    Raises:
        ConfigError: Settings, inputs or targets cannot be used; nothing was decoded.
        InterruptError: The user stopped it; the same call goes on with it.
        FastfaceError: The run failed; what is committed stays.
    """
    found = look_ahead(config, inputs, targets, out)
    with open_desk(config, out, observer, command) as desk, reported(desk, "run", found) as result:
        references = None
        with open_coordinator(desk) as coordinator:
            if config.run.fresh:
                coordinator.start()  # networks load while photos are read
                references = _enrol(desk, targets, result)  # nothing is forgotten for targets that are none
                keep_earlier_answer(desk, result.targets)
                _start_over(desk, found)
            scanner = _admit(desk, found, coordinator, result)
            if references is None:
                references = _enrol(desk, targets, result)
            remember_settings(desk.out.state, config, desk.networks.models.pack, with_export=True)
            scanner.watch(_hit_counter(desk, references))
            _scan(desk, scanner, coordinator, result)
            records = _comparable(desk, open_finder(desk, references, desk.limits))
            finder = _finder(desk, references, records, result)
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
        open_coordinator(desk) as coordinator,
    ):
        if config.run.fresh:
            _start_over(desk, found)
        remember_settings(desk.out.state, config, desk.networks.models.pack, with_export=False)
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
        references = _enrol(desk, targets, result)
        records = desk.answered()
        finder = _finder(desk, references, records, result)
        with open_coordinator(desk) as coordinator:
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
        result.left_out = found.left_out
        for item in found.skipped:
            desk.observer.note(f"skipped {str(item.path)!r}: {item.reason}")
        if found.left_out:
            desk.observer.note(describe_left_out(found.left_out))
    try:
        yield result
    except InterruptError:
        _conclude(desk, result, started)
        raise
    _conclude(desk, result, started)


def _conclude(desk: Desk, result: RunResult, started: float) -> None:
    asks_all = result.command in ("find", "pick")
    result.videos = desk.outcomes(desk.records()) if asks_all else desk.list_outcomes(result.inputs)
    totals = result.counts
    totals.videos = len(result.videos)
    for video in result.videos:
        totals.searched += video.is_searched
        totals.sampled += video.sampled
        totals.inferred += video.inferred
        totals.repeated += video.repeated
        totals.blurred += video.blurred
        totals.unsharp += video.unsharp
        totals.quarantined += video.quarantined
        totals.faces += video.faces
        totals.embeddings += video.faces
    for remark in [] if asks_all else _remarks(result.videos):
        desk.observer.note(remark)
    assert totals.sampled == totals.inferred + totals.quarantined, totals
    result.seconds = monotonic() - started
    write_run_json(result, desk.networks, result.limits or desk.limits, desk.config)


def _remarks(videos: Sequence[VideoOutcome]) -> Iterator[str]:
    """Remarks on videos, one a line; of many videos without a face, their number."""
    remarked = [video for video in videos if video.remark]
    if len(remarked) <= _MOST_REMARKED:
        yield from (f"{video.id}: {video.remark}" for video in remarked)
        return
    num_faceless = sum(video.sampled > 0 and not video.faces for video in remarked)
    if num_faceless:
        yield f"no face was found in {num_faceless} of {counted(len(videos), 'video')}: see run.json"
    if len(remarked) > num_faceless:
        yield f"there are remarks on {counted(len(remarked) - num_faceless, 'other video')}: see run.json"


def _enrol(desk: Desk, targets: Sequence[str], result: RunResult) -> ReferenceSet:
    with result.phase("photos"):
        gallery, report = enrol(
            tuple(targets), desk.config, desk.networks, desk.limits, desk.interruption, known=desk.out.photos
        )
    result.targets = tuple(target.label for target in gallery.targets)
    result.remarks = report.warnings
    for line in shortened(report.warnings, _MOST_REMARKS):
        desk.observer.note(line)
    write_taken_faces(desk, report.photos)
    return ReferenceSet(gallery)


def _start_over(desk: Desk, found: Discovery) -> None:
    """`--fresh`: says what goes, and forgets it."""
    if told := describe_fresh(desk.ledger, found.videos):
        desk.observer.note(told)
    desk.forget()


def _admit(desk: Desk, found: Discovery, coordinator: Coordinator, result: RunResult) -> Scanner:
    """Processes start here and load their networks while photos are read; no frame is decoded before `_scan`."""
    # A video that no run has come to keeps no name: it may be elsewhere by now, and nothing is called by it.
    records = desk.records()
    known = [record for record in records if record.scan_key]
    files = found.videos
    if not desk.config.scan.copies:
        files, copies = drop_copies(files, known)
        result.skipped += copies
        remember_copies(desk.ledger, {item.path: item.original for item in copies if item.original is not None}, known)
        for item in copies:
            desk.observer.note(f"skipped {str(item.path)!r}: {item.reason}")
    videos = settle_names(files, known)
    _tell_renamed(desk, videos, known)
    result.inputs = tuple(videos)
    desk.observer.begin(len(videos))
    scanner = open_scanner(desk)
    scanner.admit(videos, coordinator, list_waiting(records, found.videos, videos))
    return scanner


def _tell_renamed(desk: Desk, videos: Sequence[VideoFile], known: Sequence[VideoRecord]) -> None:
    """Says which videos were renamed since they were scanned, since they keep their names in OUT."""
    before = {record.video_id: record.path for record in known}
    for file in videos:
        old = before.get(file.video_id, file.path)
        if old.name != file.path.name:
            desk.observer.note(
                f"{file.video_id}: renamed to {file.path.name!r} since it was scanned; it keeps its name here"
            )


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


def _hit_counter(desk: Desk, references: ReferenceSet) -> Callable[[Faces], int]:
    """Counts the hits among faces whose tracks are not linked yet."""

    def count(faces: Faces) -> int:
        periods = np.zeros(len(faces))
        return sum(map(len, match(faces, references, desk.limits, periods).values()))

    return count


def _finder(desk: Desk, references: ReferenceSet, records: list[VideoRecord], result: RunResult) -> Finder:
    """The finder for the gallery and this archive; the answer to another question is kept aside first."""
    keep_earlier_answer(desk, result.targets)
    with result.phase("survey"):
        finder = survey(desk, references, records)
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

    desk: Desk
    exporter: Exporter
    counts: Counts
    names: PhotoNames | None = None
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
            self.desk.interruption.check()
            self.exporter.plan(found)
            if self.names is not None:
                self.names.add(self.desk, found)
            self.counts.spans += len(found.spans)
            doubts = found.doubts if found.has_rivals else [replace(one, margin=np.nan) for one in found.doubts]
            self.doubts += [(found.record.video_id, doubt) for doubt in doubts]
            self.count_hits(found)
            yield VideoHits(
                found.record.video_id,
                found.faces,
                found.hits,
                found.followed,
                pictures=found.pictures,
                has_rivals=found.has_rivals,
                player_offset=float(found.info.player_offset),
            )


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
            scanner = open_scanner(desk)
            for info, unit in units:
                scanner.schedule(info, unit, coordinator)
            scanner.run(coordinator)
            result.is_cut_short |= scanner.num_lost_looks > 0
            desk.interruption.check()


def answer(desk: Desk, findings: Iterator[Findings], result: RunResult) -> None:
    """Exports what was found, and writes the tables of it."""
    exporter = Exporter(desk)
    names = PhotoNames() if result.command != "pick" else None
    tally = _Tally(desk, exporter, result.counts, names)
    root = desk.out.root
    with result.phase("match"):
        result.counts.hits = write_hits(root / "hits.csv", tally.pass_on(findings))
        write_review(root / "review.csv", tally.doubts)
        if names is not None:
            names.save(desk.out.state)
    with result.phase("exports"):
        exports = exporter.make()
    # A set of bodies is made to be large: what keeps it small is said.
    if desk.config.export.crops == "body" or desk.config.export.count:
        for line in shortened(exporter.crop_notes(), _MOST_TALLIES):
            desk.observer.note(line)
    if exports.num_removed:
        desk.observer.note(f"Removed {counted(exports.num_removed, 'file')} of the previous search")
    if not (desk.config.growth.grow and desk.config.match.tracks):
        forget_growth(root)
    write_spans(root, exports.spans)
    write_crops_table(private_folder(root / "crops") / "crops.csv", exports.crops)
    result.spans = tuple(exports.spans)
    result.hits, result.num_near_misses = tally.hits, len(tally.doubts)
    result.counts.clips, result.counts.crops = exports.num_clips, len(exports.crops)
    if desk.config.export.snapshots and (root / "snapshots").is_dir():
        result.more_files += ("snapshots/",)
    lost = _describe_lost_streams(exports.spans)
    for line in shortened(lost, _MOST_LOST):
        desk.observer.note(line)
    result.remarks = (*result.remarks, *lost)
    result.export_failures = tuple(exports.failures)


def _describe_lost_streams(spans: Iterable[SpanRow]) -> list[str]:
    """One line a video and stream that is not in its clips."""
    lost = {(row.span.video_id, stream) for row in spans if row.cut is not None for stream in row.cut.left_out}
    return [f"{video_id}: clips do not contain {stream}" for video_id, stream in sorted(lost)]
