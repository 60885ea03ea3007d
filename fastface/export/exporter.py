"""Make the clips, pictures and reels of a command: plan, run the export processes, record the files in the ledger.

`commands.run` calls `Exporter.plan` for each video, and `commands.people` calls `plan_film`. Both then call `make`
once.

* A file is kept if the same video, span and settings made it.
* A file of an earlier search that is no longer wanted is removed. Files that fastface did not make are never touched.
* An outdated file that cannot be made again stays, but no table lists it.
* Nothing is made of a video that changed since its scan.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

from fastface.errors import InputError, SpaceError
from fastface.export.by_person import PersonFiles
from fastface.export.crops.plan import CropTally, PicturePlan, plan_pictures
from fastface.export.jobs import BoxedJob, ClipJob, ExportJob, ExportSettings, PicturesJob
from fastface.export.overlay import BoxTrack, box_tracks
from fastface.export.plan import CropFacts, clip_name
from fastface.export.tables.results import CropRow
from fastface.files import private_folder, remove_empty
from fastface.index.records import VideoRecord
from fastface.names import pluralize, valid_text
from fastface.pipeline.messages import with_network_precision
from fastface.pipeline.process_pool import ProcessPool
from fastface.pipeline.task_pool import TaskFailed, TaskRun
from fastface.runtime.context import RunContext
from fastface.runtime.resources import num_cores
from fastface.search.searcher import VideoFindings
from fastface.types import ClipCut, Span, SpanRow, VideoInfo

_Stamp = tuple[int, int]
"""Inode and time of change."""


_FOLDERS = ("clips", "crops", "reels", "sheets", "snapshots")

_ON_A_CARD = 2
"""Maximum number of export processes that detect persons on a card."""

_NOT_TOLD = "{}"
"""Stored facts of a file whose process ended before it sent any: the file is made again."""


@dataclass(slots=True)
class Exports:
    """Result of `Exporter.make`.

    Attributes:
        spans: Every span with its clip.
        crops: Every crop.
        failures: Files that could not be made, with the reasons.
        num_removed: Number of removed files of the previous search.
    """

    spans: list[SpanRow] = field(default_factory=list)
    crops: list[CropRow] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    num_removed: int = 0

    @property
    def num_clips(self) -> int:
        """Return the number of clips that exist now."""
        return sum(bool(row.clip) for row in self.spans)


@dataclass(frozen=True, slots=True)
class _PlannedFiles:
    """Files of one export job, and the key of the content that they must have."""

    paths: tuple[str, ...]
    records: tuple[VideoRecord, ...]
    key: str
    job: ExportJob


class Exporter:
    """Plan, make and record the exports of one command.

    Args:
        context: The context of the command.
        folders: Folders below OUT that belong to the command: its unwanted exports in them are removed.
    """

    def __init__(self, context: RunContext, folders: Collection[str] = _FOLDERS) -> None:
        self._out = context.out
        self._folders = folders
        self._ledger = context.ledger
        self._config = context.config
        self._networks = context.networks
        self._interruption = context.interruption
        self._known = context.ledger.exports()
        self._wanted: list[_PlannedFiles] = []
        self._spans: list[SpanRow] = []
        self._crops: list[CropRow] = []
        self._plans: list[tuple[VideoRecord, PicturePlan]] = []
        self._tallies: dict[str, CropTally] = {}
        self._person_files = PersonFiles(context.config.export, context.out.root)

    def plan(self, found: VideoFindings) -> None:
        """Plan the exports of one video; no file is touched yet."""
        for span in found.spans:
            clip, pictures = self._plan_clip(span, found), found.name_pictures(span.first_hit, span.last_hit)
            offset = float(found.info.player_offset)
            row = SpanRow(span, clip, path=found.record.path, pictures=pictures, player_offset=offset)
            self._spans.append(row)
            if self._config.export.boxes:
                self._plan_boxed(span, found)
        self._person_files.add(found)
        plan = plan_pictures(found, self._config, self._networks.person, self._out.root)
        for label, tally in plan.tallies.items():
            self._tallies.setdefault(label, CropTally()).add(tally)
        if self._config.export.count:
            self._plans.append((found.record, plan))
        else:
            self._want_pictures(found.record, plan)

    def _want_pictures(self, record: VideoRecord, plan: PicturePlan) -> None:
        self._crops += plan.crops
        if plan.job is not None:
            self._want(plan.files, (record,), plan.job)

    def _choose_counted(self) -> None:
        """Choose the best `count` crops of each target over all videos."""
        ranked: dict[str, list[tuple[tuple[int, float], str]]] = {}
        for _, plan in self._plans:
            for row, worth in zip(plan.crops, plan.worth, strict=True):
                ranked.setdefault(row.target, []).append((worth, row.file))
        kept: set[str] = set()
        for label, crops in ranked.items():
            chosen = sorted(crops)[: self._config.export.count]
            kept.update(file for _, file in chosen)
            self._tallies[label].crops = len(chosen)
            self._tallies[label].beyond += len(crops) - len(chosen)
        for record, plan in self._plans:
            self._want_pictures(record, plan.limited_to(kept))
        self._plans = []

    def crop_notes(self) -> list[str]:
        """Return one line for each target: which rules limit the number of its crops."""
        export = self._config.export
        return [f"{valid_text(label)}: {tally.describe(export)}" for label, tally in sorted(self._tallies.items())]

    def _plan_clip(self, span: Span, found: VideoFindings) -> str:
        mode = self._config.export.clips
        if mode == "none" or found.info.path.is_dir():  # a folder of pictures is no film to cut
            return ""
        path = f"clips/{span.video_id}/{clip_name(span.target, found.colours, span.start, span.end)}"
        is_damaged = found.record.state == "partial"
        job = ClipJob(found.info, span.start, span.end, self._out.root / path, mode, is_damaged)
        self._want((path,), (found.record,), job)
        return path

    def _plan_boxed(self, span: Span, found: VideoFindings) -> None:
        if found.info.path.is_dir():
            return
        path = f"clips/{span.video_id}/{clip_name(span.target, found.colours, span.start, span.end, '_boxes')}"
        tracks = box_tracks(found.faces, found.hits, span.start, span.end, found.colours)
        self._want((path,), (found.record,), BoxedJob(found.info, span.start, span.end, tracks, self._out.root / path))

    def plan_film(self, record: VideoRecord, info: VideoInfo, tracks: tuple[BoxTrack, ...], end: float) -> None:
        """Plan a copy of a whole video with boxes drawn into it."""
        if info.path.is_dir() or not tracks:
            return
        path = f"previews/{record.video_id}_people.mp4"
        self._want((path,), (record,), BoxedJob(info, 0.0, end, tracks, self._out.root / path))

    def _want(self, paths: tuple[str, ...], records: tuple[VideoRecord, ...], job: ExportJob) -> None:
        self._wanted.append(_PlannedFiles(paths, records, _key(records, job), job))

    def make(self) -> Exports:
        """Make missing files and remove unwanted ones.

        When the time is up, the rest is omitted; the same command makes it later.

        Raises:
            InterruptError: The user stopped it; finished files stay.
            SpaceError: No space is left; finished files stay.
        """
        self._choose_counted()
        for gathered in self._person_files.list_jobs():
            self._want((gathered.path,), gathered.records, gathered.job)
        num_removed = self._remove_unwanted()
        for name in sorted({path.partition("/")[0] for wanted in self._wanted for path in wanted.paths} - {"clips"}):
            private_folder(self._out.root / name)  # pictures of faces are readable for their owner only
        missing = [wanted for wanted in self._wanted if not self._is_there(wanted)]
        changed = _is_changed({one.video_id: one for wanted in missing for one in wanted.records}.values())
        missing = [one for one in missing if changed.keys().isdisjoint(record.video_id for record in one.records)]
        # After a crash, a file of this search must not count as a file of an earlier one with the same name.
        if replaced := [path for one in missing for path in one.paths if path in self._known]:
            self._ledger.doubt_exports(replaced)
        failures = [*changed.values(), *self._make(missing)]
        made = self._record_made()
        spans = [_with_cut(row, made) for row in self._spans]
        crops = [_get_cut(row, made[row.file]) for row in self._crops if row.file in made]
        return Exports(spans, crops, failures, num_removed)

    def _make(self, missing: list[_PlannedFiles]) -> Iterator[str]:
        """Make the files of some jobs; yield each failure with its reason."""
        unfinished = {id(wanted.job): (wanted, self._stamps(wanted)) for wanted in missing}
        num_left = len(missing)
        device = self._networks.device
        settings = ExportSettings(
            with_network_precision(device, self._networks.precisions, "person"), 1, self._networks.cache
        )
        # Each process that detects persons holds the network, in the card's memory if there is one.
        most = _ON_A_CARD if device.is_gpu and self._config.export.crops == "body" else num_cores()
        pool = ProcessPool("exporter", "fastface.export.process:serve", min(most, len(missing) or 1), settings)
        try:
            tasks = takewhile(self._has_time, (wanted.job for wanted in missing))
            with closing(TaskRun(pool, tasks, self._interruption).results()) as errands:
                for job, result in errands:
                    num_left -= 1
                    wanted, before = unfinished[id(job)]
                    if isinstance(result, TaskFailed):
                        yield _refusal(wanted, result)
                        continue
                    del unfinished[id(job)]
                    self._record(wanted, before, result.facts)
                    yield from (f"{wanted.paths[0]}: {line}" for line in result.missing)
            if num_left:
                yield f"time is up: {pluralize(num_left, 'export')} left; run the same command to make them"
        finally:
            # Pictures that were made before a failure are valid and must be recorded.
            for wanted, before in unfinished.values():
                if isinstance(wanted.job, PicturesJob):
                    self._record(wanted, before, {})

    def _has_time(self, _job: object) -> bool:
        return not self._interruption.is_over

    def _record(
        self, wanted: _PlannedFiles, before: dict[str, _Stamp], facts: Mapping[Path, Mapping[str, Any]]
    ) -> None:
        """Record the files that a job made or changed."""
        for path, stamp in self._stamps(wanted).items():
            if stamp != before.get(path):
                self._ledger.put_export(path, wanted.key, json.dumps(facts.get(self._out.root / path, {})))

    def _stamps(self, wanted: _PlannedFiles) -> dict[str, _Stamp]:
        """Return {path: inode and time of change} of the job's files that exist."""
        files = ((path, self._out.root / path) for path in wanted.paths)
        stats = ((path, file.stat()) for path, file in files if file.exists())
        return {path: (stat.st_ino, stat.st_mtime_ns) for path, stat in stats}

    def _record_made(self) -> dict[str, str]:
        """Return {path: facts} of the wanted files that exist and are current."""
        keys = {path: wanted.key for wanted in self._wanted for path in wanted.paths}
        known = self._ledger.exports().items()
        return {path: facts for path, (key, facts) in known if key == keys.get(path) and self._exists(path)}

    def _exists(self, path: str) -> bool:
        return (self._out.root / path).exists()

    def _is_there(self, wanted: _PlannedFiles) -> bool:
        known = (self._known.get(path, ("", _NOT_TOLD)) for path in wanted.paths)
        is_told = all(key == wanted.key and facts != _NOT_TOLD for key, facts in known)
        return is_told and all(map(self._exists, wanted.paths))

    def _remove_unwanted(self) -> int:
        """Remove files of an earlier search that this one does not want; return their number."""
        wanted = {path for item in self._wanted for path in item.paths}
        own = (path for path in self._known if path.partition("/")[0] in self._folders)
        unwanted = sorted(set(own) - wanted)
        for path in unwanted:
            if not (self._out.root / path).is_dir():  # a folder of that name is the user's
                (self._out.root / path).unlink(missing_ok=True)
            self._ledger.forget_export(path)
            remove_empty((self._out.root / path).parent, self._out.root)
        return len(unwanted)


def _refusal(wanted: _PlannedFiles, refused: TaskFailed) -> str:
    """Explain why a job could not be done.

    Raises:
        SpaceError: No space is left: then no other job can be done either.
    """
    if refused.kind == "SpaceError":
        raise SpaceError(refused.reason)
    return f"{wanted.paths[0]}: {refused.reason}"


def _is_changed(records: Iterable[VideoRecord]) -> dict[str, str]:
    """Return {video id: remark and remedy} of the videos that changed since their scan."""
    changed = {}
    for record in records:
        try:
            if not record.has_unchanged_file():
                changed[record.video_id] = f"{record.video_id} changed since it was scanned: run again to scan it"
        except InputError as error:
            gone = f"{record.video_id} {error.reason}, and was scanned as {str(record.path)!r}"
            changed[record.video_id] = f"{gone}: put it back, or run again with where it is now"
    return changed


def _get_cut(row: CropRow, facts: str) -> CropRow:
    return replace(row, facts=CropFacts.from_facts(json.loads(facts)))


def _with_cut(row: SpanRow, made: dict[str, str]) -> SpanRow:
    """Add to a span how its clip was cut; remove the clip if none was made."""
    if row.clip not in made:
        return replace(row, clip="", cut=None)
    facts = json.loads(made[row.clip])
    return replace(row, cut=ClipCut(**{**facts, "left_out": tuple(facts["left_out"])}))


def _key(records: Iterable[VideoRecord], job: ExportJob) -> str:
    """Digest the content of the videos and all parameters of the job."""
    content = "\n".join([*(record.fingerprint for record in records), repr(job)])
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:32]
