"""Write the index files of finished units and videos: tracks, pictures, tables.

`scanner` calls it. One thread writes files beside the event loop, so that the loop can receive messages meanwhile. The
two threads share no mutable state: each job receives all its data, and the loop's thread takes its result.
"""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from fastface.errors import InputError
from fastface.faces.portraits import choose_portraits
from fastface.faces.succession import max_gap_seconds
from fastface.failpoints import fail_point
from fastface.index.bodies import with_best_pictures
from fastface.index.portraits import best_of_tracks, portrait_rows
from fastface.index.records import UnitRecord, VideoRecord
from fastface.index.store import VideoIndex
from fastface.index.video_state import judge
from fastface.pipeline.events import UnitScanned
from fastface.runtime.index_settings import IndexSettings
from fastface.tracking.body_tracks import link_bodies
from fastface.tracking.face_tracks import link_tracks
from fastface.types import Bodies, Faces, SampledFrames, Thumbnails, VideoInfo
from fastface.video.fingerprint import fingerprint
from fastface.video.frames.shots import number_shots

_CHANGED = "still being written; run again later"


@dataclass(frozen=True, slots=True)
class VideoResults:
    """Results of a video's units, in order."""

    faces: list[Faces]
    portraits: list[Thumbnails]
    bodies: list[Bodies]
    frames: list[SampledFrames]


@dataclass(frozen=True, slots=True)
class IndexWriter:
    """Write into the index folder `root` with the index settings."""

    root: Path
    settings: IndexSettings

    def settle_faces(self, event: UnitScanned, info: VideoInfo | None) -> UnitScanned:
        """Remove the faces of tracks without a clear face (the two thresholds of ByteTrack, 2022).

        Keep only the pictures that do not depend on batches and processes.

        Args:
            event: The unit, with all faces that reach `scan.weak_threshold`.
            info: The video; None for a closer search of a finished video.
        """
        event = replace(event, portraits=self.unit_portraits(event, info))
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

    def write_unit(self, event: UnitScanned, record: UnitRecord, info: VideoInfo | None) -> None:
        """Write the results of a unit.

        Args:
            event: The unit.
            record: The unit's future record in the ledger.
            info: The video; None for a closer search of a finished video.

        Raises:
            SpaceError, ConfigError: The files cannot be written.
        """
        kept, bodies = event.portraits, None
        frames = number_shots(event.frames, is_film=info is None or info.is_film)
        if len(kept):
            kept = best_of_tracks(kept, replace(event.faces, track=self._link(info, frames, event.faces)))
        if record.bodies is not None:
            bodies = with_best_pictures(self._linked_bodies(info, frames, event.bodies, event.faces))
        index = VideoIndex(self.root, event.unit.video_id)
        index.write_unit(record, event.faces, self.settings.metadata, kept, bodies=bodies, frames=event.frames)

    def unit_portraits(self, event: UnitScanned, info: VideoInfo | None) -> Thumbnails:
        """Return the pictures of a unit's faces that do not depend on batches and processes.

        Args:
            event: The unit.
            info: The video; None for a closer search, which takes no pictures.
        """
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

    def read_units(self, video_id: str, units: Sequence[UnitRecord]) -> VideoResults:
        """Read the results of a video's units that are not lost.

        Raises:
            FaceIndexError: A file is missing or damaged.
        """
        index, whole = VideoIndex(self.root, video_id), [unit for unit in units if not unit.lost]
        portraits, bodies = index.unit_portraits(whole), index.unit_bodies(whole)
        return VideoResults(index.unit_faces(whole), portraits, bodies, index.unit_frames(whole))

    def write_video(
        self, record: VideoRecord, units: Sequence[UnitRecord], read: Callable[[], VideoResults]
    ) -> VideoRecord:
        """Write the results of all units of a video; return the record with the video's final state.

        Args:
            record: The record of the probed video.
            units: All its units.
            read: Returns the results of the units.

        Raises:
            SpaceError, ConfigError: The files cannot be written.
            FaceIndexError: A file of a unit is missing or damaged.
        """
        verdict = judge(units, record.info.duration if record.info else None)
        if record.info is not None:
            record = replace(record, info=_complete(record.info, units, is_done=verdict.state == "done"))
        state, reason = verdict.state, verdict.reason
        if change := _change(record):
            # The fingerprint is removed, so that another run scans the file again even if its old content returns.
            record = replace(record, fingerprint="")
            state = "unstable" if change == _CHANGED else "partial" if state == "done" else state
            reason = change if change == _CHANGED or not reason else f"{change}: {reason}"
        fail_point("scan.merge")
        seen, settings = read(), self.settings
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
        return "" if fingerprint(record.path) == record.fingerprint else _CHANGED
    except InputError as error:
        return f"the file disappeared while it was read ({error.reason})"


_MOST_GIVEN = 2
"""Maximum number of unsettled jobs: each holds the results of a stretch of video."""

_Result = TypeVar("_Result")


class WriterThread:
    """Run jobs one after the other in a thread. A context manager.

    On exit with an error, jobs that have not begun are dropped, and the running job is awaited.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "background")
        self._given: deque[tuple[Future[Any], Callable[[Any], None]]] = deque()
        self._is_closing = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closing = True
        self._thread.shutdown(cancel_futures=True)
        while self._given:
            work, then = self._given.popleft()
            if not work.cancelled() and work.exception() is None:
                then(work.result())  # finished work should not be repeated

    def do(self, work: Callable[[], _Result], then: Callable[[_Result], None]) -> None:
        """Queue a job; `settle` calls `then` with its result. After the end no job begins."""
        if not self._is_closing:
            self._given.append((self._thread.submit(work), then))

    def settle(self, most_given: int = _MOST_GIVEN) -> None:
        """Call `then` for each finished job, in the order of the queue.

        Args:
            most_given: Wait until at most this many jobs are left; 0 waits for all.

        Raises:
            Exception: The error of a job.
        """
        while self._given and (len(self._given) > most_given or self._given[0][0].done()):
            work, then = self._given.popleft()
            then(work.result())
