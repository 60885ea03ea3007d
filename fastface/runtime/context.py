"""Open a command's context on an output folder: settings, lock, ledger, networks.

Every command that writes to OUT calls `open_context`. The lock is held until the context ends.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fastface.config import Config
from fastface.distribution import read_version
from fastface.errors import BackendError, ConfigError, ModelError
from fastface.gallery.thresholds import MatchThresholds
from fastface.index.ledger import Ledger
from fastface.index.records import UNIT_SUMS, VideoRecord, VideoSummary
from fastface.index.store import VideoIndex
from fastface.index.track_archive import TrackArchive, open_track_archive, remove_track_archive
from fastface.names import pluralize
from fastface.runtime.engines import ready_networks
from fastface.runtime.events.event_log import open_event_log
from fastface.runtime.events.observer import Observer
from fastface.runtime.networks import Networks
from fastface.runtime.output_folder import EARLIER, OutputFolder
from fastface.runtime.remarks import describe_video
from fastface.runtime.run_report import VideoOutcome
from fastface.runtime.shutdown import StopRequest, interruptible
from fastface.runtime.stand_ins import list_names, put_stand_ins
from fastface.video.discover import VideoFile


@dataclass(frozen=True, slots=True)
class RunContext:
    """The open output folder of one command."""

    config: Config
    out: OutputFolder
    ledger: Ledger
    networks: Networks
    observer: Observer
    interruption: StopRequest

    @property
    def limits(self) -> MatchThresholds:
        """Thresholds of single faces."""
        return self.networks.limits

    def records(self) -> list[VideoRecord]:
        """Return the ledger's videos, by name."""
        return self.ledger.videos()

    def answered_records(self, *, with_info: bool = True) -> list[VideoRecord]:
        """Return the videos whose index is complete and current.

        Args:
            with_info: See `Ledger.videos`.
        """
        return [record for record in self.ledger.videos(with_info=with_info) if record.state != "scanning"]

    def track_archive(self) -> TrackArchive:
        """Open the tracks of all videos whose index is complete and current.

        Raises:
            FaceIndexError: A file is missing or damaged.
            InterruptError: The user stopped the command.
        """
        return open_track_archive(self.out.index, self.ledger.list_finished(), self.interruption.check)

    def list_outcomes(
        self, videos: Iterable[VideoSummary], files: Iterable[VideoFile] | None = None
    ) -> tuple[VideoOutcome, ...]:
        """Return the final states of videos, by name.

        Args:
            videos: All videos of the ledger.
            files: The wanted videos, which may be absent from the ledger if they were not reached; None for all.
        """
        fresh, also = self.config.run.fresh, list_names(self.ledger)
        wanted = None if files is None else {file.video_id: file.path for file in files}
        known = {
            video.video_id: _outcome(video, also.get(video.video_id, ()), fresh=fresh)
            for video in videos
            if wanted is None or video.video_id in wanted
        }
        unseen = (VideoSummary(video_id, path) for video_id, path in (wanted or {}).items() if video_id not in known)
        known |= {video.video_id: _outcome(video, fresh=fresh) for video in unseen}
        return tuple(known[video_id] for video_id in sorted(known))

    def num_left(self, files: Iterable[VideoFile]) -> int:
        """Return how many of these videos are not completely scanned."""
        left = {video.video_id for video in self.ledger.video_states(with_done=False) if video.state == "scanning"}
        return sum(file.video_id in left for file in files)

    def forget(self) -> None:
        """Remove the index and all exports for `--fresh`, but keep the answers of earlier searches."""
        for record in self.ledger.videos():
            self.ledger.forget_names(record.fingerprint)
            self.ledger.forget_video(record.video_id)
            VideoIndex(self.out.index, record.video_id).remove()
        remove_track_archive(self.out.index)
        for path in _list_exports(self.ledger):
            (self.out.root / path).unlink(missing_ok=True)
            self.ledger.forget_export(path)


def describe_fresh(ledger: Ledger, videos: Sequence[VideoFile]) -> str:
    """Describe what `--fresh` removes and scans again; empty if there is nothing to remove."""
    known = {record.path for record in ledger.videos() if record.scan_key}
    num_files = len(_list_exports(ledger))
    if not known and not num_files:
        return ""
    text = (
        f"--fresh removes the index of {pluralize(len(known), 'video')} and {pluralize(num_files, 'exported file')}, "
        f"then scans {pluralize(len(videos), 'video')}. "
    )
    if num_others := len(known - {file.path for file in videos}):
        text += f"Not among the inputs, so not scanned again: {pluralize(num_others, 'video')}. "
    return f"{text}To keep all and continue, run the same command without --fresh."


def _list_exports(ledger: Ledger) -> list[str]:
    """List the exported files, without those of earlier answers."""
    return [path for path in ledger.exports() if path.partition("/")[0] != EARLIER]


@contextmanager
def open_context(config: Config, out: Path, observer: Observer, command: str) -> Iterator[RunContext]:
    """Lock OUT and open everything, cheapest failure first.

    Raises:
        ConfigError, ModelError, BackendError, LockedError: A part cannot be used; nothing was started.
        InterruptError: The user stopped the command.
    """
    folder = OutputFolder(out)
    with folder.hold_lock():
        try:
            with _open_context(config, folder, observer, command) as context:
                yield context
        except (ConfigError, ModelError, BackendError):
            if not _is_begun(folder):
                folder.remove_if_made()
            raise


@contextmanager
def _open_context(config: Config, folder: OutputFolder, observer: Observer, command: str) -> Iterator[RunContext]:
    with (
        open_event_log(folder.log, observer, read_version(), command) as logger,
        interruptible(config.run.seconds_left()) as interruption,
        Ledger(folder.ledger) as ledger,
    ):
        networks = ready_networks(config, logger.note, interruption)
        context = RunContext(config, folder, ledger, networks, logger, interruption)
        for gone, record in put_stand_ins(ledger):
            logger.note(f"{record.video_id}: {str(gone)!r} is gone; its copy {str(record.path)!r} takes its place")
        yield context


def _is_begun(folder: OutputFolder) -> bool:
    """Return whether the folder has scanned videos or exports; videos that wait for their scan do not count."""
    with Ledger(folder.ledger) as ledger:
        return ledger.has_scans() or bool(ledger.exports())


def _outcome(video: VideoSummary, also: tuple[Path, ...] = (), *, fresh: bool) -> VideoOutcome:
    units, state, reason = video.units, video.state, video.reason
    sums = (
        units[0].sums
        if len(units) == 1
        else [sum(column) for column in zip(*(unit.sums for unit in units), strict=True)]
    )
    counts = dict(zip(UNIT_SUMS, sums or (0,) * len(UNIT_SUMS), strict=True))
    seconds: dict[str, float] = {}
    for unit in units:
        for stage, spent in unit.seconds.items():
            seconds[stage] = seconds.get(stage, 0) + spent
    if state == "scanning":
        command = "the same command without --fresh" if fresh else "the same command"
        state, reason = "cancelled", f"not reached before the run ended; run {command} to continue"
    return VideoOutcome(
        path=video.path,
        id=video.video_id,
        state=state,
        reason=reason,
        coverage=video.coverage,
        duration=video.duration,
        player_offset=video.player_offset,
        **counts,
        seconds=seconds,
        decoder="+".join(sorted({unit.decoder for unit in units} - {""})),
        decoder_reason="; ".join(sorted({unit.decoder_reason for unit in units} - {""})),
        remark=describe_video(video, counts["sampled"], counts["faces"]),
        also=also,
    )
