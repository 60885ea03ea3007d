"""Commit scanned units and finish videos, in a thread beside the event loop: index files first, then the ledger's rows.

`scanner` gives each event to the thread and takes the results. The loop and the thread share the ledger, which
serialises its calls, and no other mutable state: only jobs of the thread call an `IndexWriter`.
"""

from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from fastface.errors import InputError
from fastface.faces.portraits import choose_portraits
from fastface.faces.succession import max_gap_seconds
from fastface.failpoints import fail_point
from fastface.index.ledger import Ledger
from fastface.index.portraits import best_of_tracks, portrait_rows, with_best_pictures
from fastface.index.records import UnitRecord, VideoRecord
from fastface.index.store import VideoIndex
from fastface.index.video_state import judge
from fastface.pipeline.events import UnitLost, UnitScanned
from fastface.runtime.index_settings import IndexSettings
from fastface.tracking.body_tracks import link_bodies
from fastface.tracking.face_tracks import link_tracks
from fastface.types import Bodies, Faces, SampledFrames, Thumbnails, VideoInfo
from fastface.video.frames.shots import number_shots
from fastface.video.identity.fingerprint import read_stamp
from fastface.video.identity.stamps import was_written

_CHANGED = "still being written; run again later"


@dataclass(frozen=True, slots=True)
class VideoResults:
    """Results of a video's units, in order."""

    faces: list[Faces]
    portraits: list[Thumbnails]
    bodies: list[Bodies]
    frames: list[SampledFrames]


@dataclass(slots=True)
class _OpenVideo:
    """A video that is being scanned, and the keys of its units that are not committed."""

    record: VideoRecord
    missing: set[str]


@dataclass(frozen=True, slots=True)
class Commit:
    """Result of a job of the writer thread: what it wrote is in the files and in the ledger."""

    video_id: str
    num_hits: int | None = None  # hits among the unit's faces; None if no person is searched for
    finished: VideoRecord | None = None  # record of the video if the job finished it


@dataclass(slots=True)
class IndexWriter:
    """Write into the index folder `root` and the ledger. Only jobs of one writer thread call it.

    Attributes:
        root: The index folder.
        ledger: The open ledger.
        settings: Settings of the index.
        count_hits: Counts the hits among the faces of a unit; None if no person is searched for.
    """

    root: Path
    ledger: Ledger
    settings: IndexSettings
    count_hits: Callable[[Faces], int] | None = None
    _open: dict[str, _OpenVideo] = field(default_factory=dict, init=False)

    def open_video(self, record: VideoRecord, missing: Collection[str]) -> Commit:
        """Accept the missing units of a video from now on, by their keys; finish the video if there are none."""
        video = self._open[record.video_id] = _OpenVideo(record, set(missing))
        return Commit(record.video_id, finished=None if video.missing else self._merge(video))

    def commit_unit(self, event: UnitScanned) -> Commit:
        """Write the files of a unit, then its row; finish its video if no other unit is missing.

        Args:
            event: The unit, with all faces that reach `scan.weak_threshold`.

        Raises:
            SpaceError, ConfigError: The files cannot be written.
            FaceIndexError: A file of another unit is missing or damaged.
        """
        video_id, video = event.unit.video_id, self._open.get(event.unit.video_id)
        info = video.record.info if video is not None else None
        event = self._settle_faces(event, info)
        record = _build_record(event, has_bodies=self.settings.has_bodies)
        num_hits = None if self.count_hits is None else self.count_hits(event.faces)
        if video is not None and video.record.num_units == 1:
            # Its faces are the video's: an extra file would double the cost of a short video.
            results = VideoResults([event.faces], [event.portraits], [event.bodies], [event.frames])
            return Commit(video_id, num_hits, self._finish_video(video.record, [record], results, last=record))
        self._write_unit(event, record, info)
        return Commit(video_id, num_hits, self._put_unit(video_id, record))

    def lose_unit(self, event: UnitLost) -> Commit:
        """Write the row of a unit that has no result; finish its video if no other unit is missing."""
        unit = event.unit
        period = unit.sampling.period if unit.dense else None
        lost = f"{event.state}: {event.reason}"
        record = UnitRecord(unit.key, unit.start, unit.end, dense=unit.dense, period=period, lost=lost)
        return Commit(unit.video_id, finished=self._put_unit(unit.video_id, record))

    def _put_unit(self, video_id: str, record: UnitRecord) -> VideoRecord | None:
        """Write the row of a unit; return the final record of its video if no other unit is missing."""
        self.ledger.put_unit(video_id, record)
        video = self._open.get(video_id)
        if video is None:
            return None  # a closer look: its video is finished
        video.missing.discard(record.key)
        return None if video.missing else self._merge(video)

    def _merge(self, video: _OpenVideo) -> VideoRecord:
        """Finish a video whose units are all in the ledger."""
        video_id = video.record.video_id
        units = [unit for unit in self.ledger.units(video_id).values() if not unit.dense]
        index, whole = VideoIndex(self.root, video_id), [unit for unit in units if not unit.lost]
        portraits, bodies = index.unit_portraits(whole), index.unit_bodies(whole)
        results = VideoResults(index.unit_faces(whole), portraits, bodies, index.unit_frames(whole))
        return self._finish_video(video.record, units, results)

    def _finish_video(
        self, record: VideoRecord, units: list[UnitRecord], results: VideoResults, last: UnitRecord | None = None
    ) -> VideoRecord:
        """Write the files of a video, then its row, then remove the files of its units.

        Args:
            record: The record of the probed video.
            units: All its units.
            results: Their results.
            last: The unit that is not yet in the ledger.
        """
        del self._open[record.video_id]
        ended = self._write_video(record, units, results)
        self.ledger.put_video(ended, last)
        fail_point("scan.finished")
        VideoIndex(self.root, record.video_id).drop_units()
        fail_point("scan.dropped")
        return ended

    def _settle_faces(self, event: UnitScanned, info: VideoInfo | None) -> UnitScanned:
        """Remove the faces of tracks without a clear face (the two thresholds of ByteTrack, 2022).

        Keep only the pictures that do not depend on batches and processes. `info` is None for a closer search of a
        finished video.
        """
        event = replace(event, portraits=self._choose_portraits(event, info))
        faces, clear = event.faces, np.float32(self.settings.clear_score)
        if (faces.det_score >= clear).all():
            return event
        frames = number_shots(event.frames, is_film=info is None or info.is_film)
        track = self._link(info, frames, faces)
        best = np.zeros(track.max(initial=-1) + 1, np.float32)
        np.maximum.at(best, track, faces.det_score)
        kept = best[track] >= clear
        pictured = kept[portrait_rows(event.portraits, faces)] if len(event.portraits) else slice(0)
        return replace(event, faces=faces[kept], portraits=event.portraits[pictured])

    def _write_unit(self, event: UnitScanned, record: UnitRecord, info: VideoInfo | None) -> None:
        kept, bodies = event.portraits, None
        frames = number_shots(event.frames, is_film=info is None or info.is_film)
        if len(kept):
            kept = best_of_tracks(kept, replace(event.faces, track=self._link(info, frames, event.faces)))
        if record.bodies is not None:
            bodies = with_best_pictures(self._linked_bodies(info, frames, event.bodies, event.faces))
        index = VideoIndex(self.root, event.unit.video_id)
        index.write_unit(record, event.faces, self.settings.metadata, kept, bodies=bodies, frames=event.frames)

    def _choose_portraits(self, event: UnitScanned, info: VideoInfo | None) -> Thumbnails:
        """Return the pictures of a unit's faces that do not depend on batches; a closer search takes none."""
        if not len(event.portraits) or info is None:
            return Thumbnails.empty()
        rows, faces = portrait_rows(event.portraits, event.faces), event.faces
        worth = np.full(len(faces), -1, np.float32)
        worth[rows] = event.portraits.worth
        max_gap = max_gap_seconds(self.settings.period, is_film=info.is_film)
        chosen = choose_portraits(faces, worth, np.isin(faces.pts, event.due), max_gap, event.cuts)
        kept = event.portraits[chosen[rows]]
        assert kept.taken.all(), event.unit
        return kept

    def _write_video(self, record: VideoRecord, units: Sequence[UnitRecord], seen: VideoResults) -> VideoRecord:
        """Write the results of all units of a video; return the record with the video's final state."""
        verdict = judge(units, record.info.duration if record.info else None)
        if record.info is not None:
            record = replace(record, info=_complete(record.info, units, is_done=verdict.state == "done"))
        state, reason = verdict.state, verdict.reason
        if change := _change(record):
            # The fingerprint is removed, so that another run scans the file again even if its old content returns.
            record = replace(record, fingerprint="", stamp="")
            state = "unstable" if change == _CHANGED else "partial" if state == "done" else state
            reason = change if change == _CHANGED or not reason else f"{change}: {reason}"
        fail_point("scan.merge")
        settings = self.settings
        portraits = Thumbnails.concatenate([Thumbnails.empty(), *seen.portraits])
        bodies = Bodies.concatenate([Bodies.empty(), *seen.bodies])
        info, metadata = record.info, {**settings.metadata, "fingerprint": record.fingerprint}
        frames = SampledFrames.concatenate([SampledFrames.empty(), *seen.frames])
        frames = number_shots(frames, is_film=info is None or info.is_film)
        index = VideoIndex(self.root, record.video_id)
        index.write_frames(frames, metadata)
        index.write_faces(
            seen.faces,
            settings.dimension,
            metadata,
            partial(self._link, info, frames),
            partial(best_of_tracks, portraits, most_bytes=settings.portrait_bytes) if len(portraits) else None,
            bodies=partial(self._finished_bodies, info, frames, bodies) if settings.has_bodies else None,
        )
        fail_point("scan.merged")
        return replace(record, state=state, reason=reason, coverage=verdict.coverage)

    def _link(self, info: VideoInfo | None, frames: SampledFrames, faces: Faces) -> npt.NDArray[np.int32]:
        shot = frames.find_shot(faces.pts)
        return link_tracks(faces, shot, self.settings.period, is_film=info is None or info.is_film)

    def _linked_bodies(self, info: VideoInfo | None, frames: SampledFrames, bodies: Bodies, faces: Faces) -> Bodies:
        shot = frames.find_shot(bodies.pts)
        return link_bodies(bodies, shot, faces, self.settings.period, is_film=info is None or info.is_film)

    def _finished_bodies(self, info: VideoInfo | None, frames: SampledFrames, bodies: Bodies, faces: Faces) -> Bodies:
        return with_best_pictures(self._linked_bodies(info, frames, bodies, faces), self.settings.portrait_bytes)


def _build_record(event: UnitScanned, *, has_bodies: bool) -> UnitRecord:
    unit, report = event.unit, event.report
    return UnitRecord(
        key=unit.key,
        start=unit.start,
        end=unit.end,
        dense=unit.dense,
        period=unit.sampling.period if unit.dense else None,
        decoded=report.decoded,
        **replace(event.counts, faces=len(event.faces)).select_counts(),
        damaged=int(event.faces.damaged.sum()),
        portraits=len(event.portraits),
        bodies=len(event.bodies) if has_bodies and not unit.dense else None,
        errors=report.errors,
        encrypted=report.encrypted,
        covered=report.covered,
        keyframes=report.keyframes,
        decoder=report.decoder,
        decoder_reason=report.decoder_reason,
        unread=report.unread,
        lost="",
        sizes=report.sizes,
        seconds=event.seconds,
    )


def _complete(info: VideoInfo, units: Sequence[UnitRecord], *, is_done: bool) -> VideoInfo:
    """Add the facts known after the whole video was read: other sizes, and the length if none is declared."""
    others = dict.fromkeys(size for unit in units for size in unit.sizes)
    duration = info.duration
    if duration is None and is_done:
        duration = sum((unit.covered for unit in units), Fraction(0))
    return replace(info, other_sizes=tuple(others), duration=duration)


def _change(record: VideoRecord) -> str:
    """Describe the change of a file since it was probed; empty if there is none."""
    try:
        is_changed = was_written(record.stamp, read_stamp(record.path)) or not record.has_unchanged_file()
    except InputError as error:
        return f"the file disappeared while it was read ({error.reason})"
    return _CHANGED if is_changed else ""


_MOST_GIVEN = 2
"""Maximum number of unfinished jobs: each holds the results of a stretch of video."""


class WriterThread:
    """Run jobs one after the other in a thread. A context manager.

    On exit with an error, jobs that have not begun are dropped, and the running job is awaited.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "writer")
        self._given: deque[Future[Commit]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(cancel_futures=True)

    def do(self, job: Callable[[], Commit]) -> None:
        """Queue a job; `collect` returns its result."""
        self._given.append(self._thread.submit(job))

    def collect(self, most_given: int = _MOST_GIVEN) -> list[Commit]:
        """Return the results of the finished jobs, in the order of the queue.

        Args:
            most_given: Wait until at most this many jobs are left; 0 waits for all.

        Raises:
            Exception: The error of a job.
        """
        commits = []
        while self._given and (len(self._given) > most_given or self._given[0].done()):
            commits.append(self._given.popleft().result())
        return commits
