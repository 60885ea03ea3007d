"""Build the index of videos: admit videos, handle the engine's events, report the progress.

`commands.run` calls it in the main process. The thread of `index_writer` commits the units and finishes the videos.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path

from fastface.distribution import read_version
from fastface.errors import InputError
from fastface.failpoints import fail_point
from fastface.index.ledger import Ledger
from fastface.index.records import NameRecord, VideoRecord
from fastface.index.store import VideoIndex, list_index_files
from fastface.index.video_state import was_unread
from fastface.indexing.index_writer import Commit, IndexWriter, WriterThread
from fastface.names import pluralize
from fastface.pipeline.engine import Engine
from fastface.pipeline.events import (
    Event,
    ProcessExited,
    ProcessNote,
    Progress,
    UnitLost,
    UnitScanned,
)
from fastface.pipeline.messages import VideoProbed, VideoRefused
from fastface.runtime.context import RunContext
from fastface.runtime.events.observer import Observer
from fastface.runtime.index_settings import IndexSettings, build_index_settings
from fastface.runtime.stand_ins import move_video, put_moved
from fastface.types import Faces, Unit, VideoInfo
from fastface.video.discover import VideoFile
from fastface.video.frames.frame import UnitReport
from fastface.video.identity.disks import find_disk
from fastface.video.identity.fingerprint import fingerprint, read_stamp
from fastface.video.identity.stamps import was_written

_TRIED_AGAIN = ("scanning", "failed", "quarantined")
"""States that another run may improve: the cause may be the machine and not the file."""

_WANTED_FILES = frozenset({"faces.parquet", "frames.parquet"})
_PICTURES, _BODIES = frozenset({"portraits.parquet"}), frozenset({"bodies.parquet"})
"""Files that an index has if it has units, and if its units have pictures, or the scan searched for bodies."""


class Scanner:
    """Build or complete the index of videos.

    Args:
        root: The index folder.
        ledger: The open ledger.
        settings: Settings of the index; an index with other settings is built again.
        observer: Receives the progress.

    Attributes:
        num_lost_looks: Number of requested closer searches that failed.
        finished: Videos that reached their final state.
    """

    def __init__(self, root: Path, ledger: Ledger, settings: IndexSettings, observer: Observer) -> None:
        self._root = root
        self._ledger = ledger
        self._settings = settings
        self._observer = observer
        self._told: set[str] = set()
        self._also: dict[str, tuple[Path, ...]] = {}
        self._thread: WriterThread
        self._writer = IndexWriter(root, ledger, settings)
        self.num_lost_looks = 0
        self.finished: set[str] = set()

    def watch(self, count_hits: Callable[[Faces], int]) -> None:
        """Report the number of hits of each committed stretch to the observer from now on."""
        self._writer.count_hits = count_hits

    def admit(
        self,
        files: Iterable[VideoFile],
        engine: Engine,
        *,
        known: Iterable[VideoRecord] = (),
        waiting: Iterable[VideoFile] = (),
        also: Mapping[str, tuple[Path, ...]] | None = None,
    ) -> None:
        """Queue the videos that are not in the index, and start the engine's processes if there are any.

        Args:
            files: The videos.
            engine: Scans them.
            known: The ledger's videos; the results of their probes are not used.
            waiting: Videos that earlier scans did not reach; they stay waiting.
            also: {name of a video: further files with its content}.
        """
        num_outdated, is_any = 0, False
        self._also = dict(also or {})
        files = tuple(files)
        records = {record.video_id: record for record in known}
        self._ledger.put_waiting(
            {file.video_id: file.path for file in (*waiting, *files) if file.video_id not in records}
        )
        pictured = self._ledger.pictured_videos()
        for file in files:
            brief = records.get(file.video_id)
            if brief and self._is_up_to_date(file, brief, has_pictures=file.video_id in pictured):
                self._put_names(file.video_id)
                self._observer.video_kept(file.video_id)
                continue
            record = self._ledger.video(file.video_id)
            num_outdated += record is not None and record.scan_key not in ("", self._settings.key)
            if record is not None and record.state != "scanning":
                # The old record is no answer any more, even if this run does not reach the video.
                self._ledger.put_video(replace(record, state="scanning", path=file.path))
            engine.probe(file)
            is_any = True
        if num_outdated:
            self._observer.note(f"scanning {pluralize(num_outdated, 'video')} again: settings or networks have changed")
        if is_any:
            engine.start()

    def schedule(self, info: VideoInfo, unit: Unit, engine: Engine) -> None:
        """Queue a unit, with the decoder of the settings."""
        engine.schedule(info, replace(unit, decoder=self._settings.decoder))

    def run(self, engine: Engine) -> None:
        """Scan all admitted or scheduled videos; then every file has its final state in the ledger."""
        with WriterThread() as self._thread:
            for event in engine.events():
                self._take(event, engine)
                self._report(self._thread.collect())
            self._report(self._thread.collect(0))

    def _is_up_to_date(self, file: VideoFile, brief: VideoRecord, *, has_pictures: bool) -> bool:
        """Return whether the index of a video serves the settings; then remove what a killed run left beside it.

        Args:
            file: The video.
            brief: Its record without the results of the probe.
            has_pictures: Whether its units have pictures of faces.
        """
        if not self._settings.serves(brief.scan_key) or brief.state in _TRIED_AGAIN:
            return False
        files = list_index_files(self._root, file.video_id)
        wanted = _WANTED_FILES | _PICTURES if has_pictures else _WANTED_FILES
        if brief.num_units and not (wanted | _BODIES if self._settings.has_bodies else wanted) <= files:
            return False
        if brief.state == "partial" and any(map(was_unread, self._ledger.units(file.video_id).values())):
            return False
        try:
            stamp = file.stamp or read_stamp(file.path)
            # What could not be decoded may lie between the blocks of the fingerprint, and may be there now.
            is_doubtful = brief.state != "done" and was_written(brief.stamp, stamp)
            if stamp != brief.stamp and (is_doubtful or fingerprint(file.path) != brief.fingerprint):
                return False
        except InputError:
            return False
        if stamp != brief.stamp or str(file.path) != str(brief.path):
            record = self._ledger.video(file.video_id)
            assert record is not None, file.video_id
            put_moved(self._ledger, record, move_video(record, file.path, stamp, find_disk(file.path)))
        if "units" in files:
            VideoIndex(self._root, file.video_id).drop_units()
        return True

    def _put_names(self, video_id: str) -> None:
        """Record the further files of a video whose content is known."""
        paths = self._also.pop(video_id, ())
        if not paths:
            return
        record, found = self._ledger.video(video_id), []
        assert record is not None, video_id
        for path in paths:
            with suppress(InputError):  # gone meanwhile
                found.append(NameRecord(path, record.fingerprint, read_stamp(path), find_disk(path)))
        self._ledger.put_names(found)

    def _take(self, event: Event, engine: Engine) -> None:
        fail_point(f"scan.{type(event).__name__}")
        match event:
            case VideoProbed():
                self._begin(event, engine)
            case VideoRefused():
                self._refuse(event)
            case UnitScanned():
                self._tell(event.unit, event.report)
                self._thread.do(partial(self._writer.commit_unit, event))
            case UnitLost():
                if event.unit.dense:
                    self.num_lost_looks += 1
                    lost = f"{event.state}: {event.reason}"
                    self._observer.note(f"{event.unit.video_id}: a closer look failed: {lost}")
                self._thread.do(partial(self._writer.lose_unit, event))
            case Progress():
                self._observer.add_progress(event.unit.video_id, event.seconds, event.faces)
            case ProcessNote():
                self._observer.note(f"{event.name}: {event.text}")
            case ProcessExited():
                self._observer.note(f"{event.name} failed and was started again: {event.reason}")
                self._observer.process_replaced()

    def _begin(self, event: VideoProbed, engine: Engine) -> None:
        video_id = event.file.video_id
        index = VideoIndex(self._root, video_id)
        record = VideoRecord(
            video_id=video_id,
            path=event.file.path,
            fingerprint=event.fingerprint,
            scan_key=self._settings.key,
            info=event.info,
            num_units=len(event.units),
            stamp=event.stamp,
            disk=find_disk(event.file.path),
        )
        known = self._ledger.video(video_id)
        if known is None or not _continues(known, record):
            self._ledger.forget_video(video_id)
            index.remove()
        put_moved(self._ledger, known or record, record)
        self._put_names(video_id)
        known_units = self._ledger.units(video_id).items()
        committed = {key for key, unit in known_units if not was_unread(unit) and (unit.lost or index.holds(unit))}
        missing = [unit for unit in event.units if unit.key not in committed]
        done = sum((unit.covered for key, unit in known_units if key in committed), Fraction(0))
        self._observer.video_begun(video_id, event.info.duration, float(done))
        self._thread.do(partial(self._writer.open_video, record, [unit.key for unit in missing]))
        for unit in missing:
            self.schedule(event.info, unit, engine)

    def _refuse(self, event: VideoRefused) -> None:
        file = event.file
        try:
            stamp, print_now = read_stamp(file.path), fingerprint(file.path)
        except InputError:
            stamp = print_now = ""
        self._ledger.forget_video(file.video_id)
        VideoIndex(self._root, file.video_id).remove()
        record = VideoRecord(file.video_id, file.path, print_now, self._settings.key, event.state, event.reason)
        self._ledger.put_video(replace(record, stamp=stamp, disk=find_disk(file.path)))
        self._put_names(file.video_id)
        self.finished.add(file.video_id)
        self._observer.video_finished(file.video_id, event.state, event.reason)

    def _tell(self, unit: Unit, report: UnitReport) -> None:
        """Report each reason for another decoder than the requested one, once."""
        if report.decoder_reason and report.decoder_reason not in self._told:
            self._told.add(report.decoder_reason)
            self._observer.note(f"{unit.video_id}: decoded by {report.decoder}: {report.decoder_reason}")

    def _report(self, commits: Iterable[Commit]) -> None:
        for commit in commits:
            if commit.num_hits is not None:
                self._observer.add_hits(commit.video_id, commit.num_hits)
            if commit.finished is not None:
                self.finished.add(commit.video_id)
                self._observer.video_finished(commit.video_id, commit.finished.state, commit.finished.reason)


def _continues(known: VideoRecord, now: VideoRecord) -> bool:
    """Return whether the committed units of a video are of the same content, with the same settings."""
    was = replace(known, state=now.state, info=now.info, path=now.path, stamp=now.stamp, disk=now.disk)
    return was == now and not was_written(known.stamp, now.stamp)


def open_scanner(context: RunContext) -> Scanner:
    """Return a scanner with a command's settings, networks and output folder."""
    settings = build_index_settings(context.config.scan, context.networks, read_version())
    return Scanner(context.out.index, context.ledger, settings, context.observer)
