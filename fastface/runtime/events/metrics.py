"""Write the progress of a run as metrics of Prometheus, for the textfile collector of node_exporter.

With `run.metrics`, `run` and `scan` put a `MetricsObserver` around their observer. A thread writes the file at
intervals, so that it is current while networks load or clips are made. Names follow
https://prometheus.io/docs/practices/naming/ (base units, `_total` for counters).
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from threading import Event, RLock, Thread
from time import monotonic

from fastface.distribution import read_version
from fastface.errors import ConfigError, FastfaceError
from fastface.files import atomic_path
from fastface.index.ledger import Ledger
from fastface.index.video_state import STATE_WORDS
from fastface.names import valid_text
from fastface.runtime.events.observer import Observer, RelayObserver
from fastface.runtime.events.progress import ScanProgress
from fastface.runtime.output_folder import require_free

_SECONDS = 15.0
"""Seconds between two writes; Prometheus usually reads every 15 to 60 seconds."""


@dataclass(slots=True)
class _Metric:
    """One metric with its samples: pairs of labels and value."""

    name: str
    kind: str  # gauge or counter
    text: str
    samples: list[tuple[Mapping[str, str], float]] = field(default_factory=list)


class MetricsObserver(RelayObserver):
    """Count the events of a command, write them to a file, and pass them on.

    Args:
        path: The file.
        command: Name of the command.
        out: The output folder.
        inner: The other observer.
    """

    def __init__(self, path: Path, command: str, out: Path, inner: Observer) -> None:
        super().__init__(inner)
        self._path = path
        self._command = command
        self._out = out
        self._lock = RLock()  # the writing thread reads what the main thread counts
        self._progress = ScanProgress(0)
        self._is_begun = False
        self._ended: float | None = None  # monotonic time of the end of the scan; the answer follows
        self._num_replaced = 0
        self._hits: int | None = None
        self._started = datetime.now(UTC).timestamp()
        self._exit_code: int | None = None

    def begin(self, num_videos: int) -> None:
        """Count from here: the rate is that of the scan."""
        with self._lock:
            self._progress, self._is_begun = ScanProgress(num_videos), True
        super().begin(num_videos)

    def video_begun(self, video_id: str, duration: Fraction | None, done: float) -> None:
        """Count a video that is being scanned."""
        with self._lock:
            self._progress.begin_video(video_id, duration, done)
        super().video_begun(video_id, duration, done)

    def video_kept(self, video_id: str) -> None:
        """Count a video that is already in the index."""
        with self._lock:
            self._progress.num_kept += 1
        super().video_kept(video_id)

    def add_progress(self, video_id: str, seconds: float, faces: int) -> None:
        """Count seconds and faces."""
        with self._lock:
            self._progress.advance(video_id, seconds, faces)
        super().add_progress(video_id, seconds, faces)

    def add_hits(self, video_id: str, hits: int) -> None:
        """Count hits."""
        with self._lock:
            self._progress.add_hits(video_id, hits)
        super().add_hits(video_id, hits)

    def video_finished(self, video_id: str, state: str, reason: str) -> None:
        """Count a finished video."""
        with self._lock:
            self._progress.finish_video(video_id)
        super().video_finished(video_id, state, reason)

    def process_replaced(self) -> None:
        """Count a process that was started again."""
        self._num_replaced += 1
        super().process_replaced()

    def end(self) -> None:
        """Keep the speed of the scan: searching and exporting do not lower it."""
        self._ended = monotonic()
        super().end()

    def conclude(self, exit_code: int, hits: int) -> None:
        """Keep the exit code and the hits of the answer for the last write."""
        self._exit_code, self._hits = exit_code, hits
        super().conclude(exit_code, hits)

    def fail(self, exit_code: int) -> None:
        """Keep the exit code of an error for the last write."""
        self._exit_code = exit_code

    def write(self, *, is_over: bool = False) -> None:
        """Write the file.

        Args:
            is_over: True to add the exit code and the time of the end.

        Raises:
            ConfigError: The file cannot be written.
            SpaceError: No space is left.
            FaceIndexError: The ledger is damaged.
        """
        with atomic_path(self._path) as part:
            part.write_text(format_metrics(self._list_metrics(is_over=is_over)), encoding="utf-8")
            part.chmod(0o644)  # whatever the umask: node_exporter is another user

    def _list_metrics(self, *, is_over: bool) -> list[_Metric]:
        out = {"out": str(self._out.absolute())}
        with self._lock:
            progress, videos = self._progress, self._progress.videos.values()
            share = progress.share if self._is_begun else None
            speed, left = progress.measure_speed(self._ended), progress.seconds_left(self._ended)
            num_scanned, num_faces = progress.seconds_scanned, sum(video.faces for video in videos)
            num_hits = sum(video.hits or 0 for video in videos) if self._hits is None else self._hits
        states = _count_states(self._out)
        found = [
            _gauge("fastface_info", "The command that wrote this file.", 1, **out, command=self._command,
                   version=read_version()),
            _Metric("fastface_videos", "gauge", "Videos in the output folder by state.",
                    [({**out, "state": state}, states.get(state, 0)) for state in STATE_WORDS]),
            _counter("fastface_scanned_video_seconds_total", "Seconds of video that the command has scanned.",
                     num_scanned, **out),
            _counter("fastface_faces_total", "Faces detected in the scanned videos, doubtful ones too.", num_faces,
                     **out),
            _gauge("fastface_hits", "Faces that match a target; at the end, those of the answer.", num_hits, **out),
            _counter("fastface_process_restarts_total", "Processes that failed and were started again.",
                     self._num_replaced, **out),
            _gauge("fastface_start_time_seconds", "Unix time at which the command started.", self._started, **out),
        ]  # fmt: skip
        if share is not None:
            text = "Scanned share of the videos of the command, 0-1."
            found.append(_gauge("fastface_progress_ratio", text, share, **out))
        if speed is not None:
            text = "Seconds of video that are scanned per second, since the scan started."
            found.append(_gauge("fastface_scan_speed_ratio", text, speed, **out))
        if left is not None and not is_over:
            text = "Estimated seconds until the end of the scan."
            found.append(_gauge("fastface_scan_remaining_seconds", text, left, **out))
        if is_over and self._exit_code is not None:
            now = datetime.now(UTC).timestamp()
            found.append(_gauge("fastface_end_time_seconds", "Unix time at which the command ended.", now, **out))
            found.append(_gauge("fastface_exit_code", "Exit code of the command.", self._exit_code, **out))
        return found


def check_metrics_file(path: Path | None) -> None:
    """Check that the file of `run.metrics` can be written. Writes nothing.

    Raises:
        ConfigError: It cannot.
    """
    if path is None:
        return
    if not path.parent.is_dir():
        raise ConfigError(f"run.metrics: {str(path.parent)!r} is no folder: create it, or name a file in another one")
    if not os.access(path.parent, os.W_OK):
        raise ConfigError(
            f"run.metrics: this user may not write to {str(path.parent)!r}: allow it, or name a file in another folder"
        )


@contextmanager
def observe_metrics(path: Path | None, command: str, out: Path, inner: Observer) -> Iterator[Observer]:
    """Write metrics while the context lasts, and at its end; without a path, yield the inner observer.

    Args:
        path: The file; None for no metrics.
        command: Name of the command.
        out: The output folder.
        inner: Receives all events.

    Raises:
        ConfigError, SpaceError: The file cannot be written at the start.
        LockedError: Another run holds the output folder. The file may be that of this run, and stays as it is.
    """
    if path is None:
        yield inner
        return
    check_metrics_file(path)
    require_free(out)
    observer = MetricsObserver(path, command, out, inner)
    observer.write()
    ended = Event()
    thread = Thread(target=_write_at_intervals, args=(observer.write, ended, _SECONDS), name="metrics", daemon=True)
    thread.start()
    failure: int | None = 1  # exit code of an internal error
    try:
        yield observer
        failure = None
    except FastfaceError as error:
        failure = error.exit_code
        raise
    finally:
        if failure is not None:
            observer.fail(failure)
        ended.set()
        thread.join()
        try:
            observer.write(is_over=True)
        except FastfaceError as error:  # what the command did is not lost by that
            inner.note(f"the metrics are not those of the end: {error}")


def _write_at_intervals(write: Callable[[], None], ended: Event, seconds: float) -> None:
    """Write until the command ends. A failure is not the run's: the write at the end reports what lasts."""
    while not ended.wait(seconds):
        try:
            write()
        except FastfaceError:
            continue


def format_metrics(metrics: list[_Metric]) -> str:
    """Return the metrics in the text format 0.0.4 of Prometheus."""
    lines = []
    for metric in metrics:
        lines += [f"# HELP {metric.name} {metric.text}", f"# TYPE {metric.name} {metric.kind}"]
        for labels, value in metric.samples:
            pairs = ",".join(f'{name}="{_escape(text)}"' for name, text in labels.items())
            lines.append(f"{metric.name}{{{pairs}}} {value}")
    return "\n".join([*lines, ""])


def _escape(text: str) -> str:
    return re.sub(r'[\\"\n]', lambda match: {"\n": r"\n"}.get(match[0], f"\\{match[0]}"), valid_text(text))


def _gauge(name: str, text: str, value: float, **labels: str) -> _Metric:
    return _Metric(name, "gauge", text, [(labels, value)])


def _counter(name: str, text: str, value: float, **labels: str) -> _Metric:
    return _Metric(name, "counter", text, [(labels, value)])


def _count_states(out: Path) -> dict[str, int]:
    """Return {state: number of videos} in an output folder; empty before its first scan."""
    path = out / ".fastface" / "state.sqlite"
    if not path.exists():
        return {}
    with Ledger(path, read_only=True) as ledger:
        return ledger.count_states()
