"""Append the important events of each command to OUT/.fastface/log.jsonl, one JSON object a line.

`runtime.context` puts an `EventLog` around the observer of each command; `audit` and `purge` open one themselves. Each
line has `time` (UTC) and `event`:

* `run`: a command begins; with its name, version and process
* `begin`: a scan begins; with the number of its videos
* `note`: a printed line
* `video`: a video reached its final state; with the reason
* `end`: the command ended; with the cause
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

from fastface.errors import ConfigError, FastfaceError, SpaceError
from fastface.files import space_checked
from fastface.names import valid_text
from fastface.runtime.networks import Networks
from fastface.runtime.observer import Observer


class EventLog(Observer):
    """Log the important events, and pass all events on to another observer.

    Args:
        descriptor: The open file; each line is appended by one write.
        path: The file, for messages.
        inner: The other observer.

    Raises:
        SpaceError: No space is left; any call that writes may raise it.
    """

    def __init__(self, descriptor: int, path: Path, inner: Observer) -> None:
        self._descriptor = descriptor
        self._path = path
        self._inner = inner

    def write(self, event: str, **facts: object) -> None:
        """Append one line."""
        line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **facts}
        with space_checked(self._path):
            os.write(self._descriptor, f"{json.dumps(line)}\n".encode())

    def header(self, networks: Networks) -> None:
        """Pass on only: run.json has the header."""
        self._inner.header(networks)

    def begin(self, num_videos: int) -> None:
        """Log the number of videos."""
        self.write("begin", videos=num_videos)
        self._inner.begin(num_videos)

    def video_begun(self, video_id: str, duration: Fraction | None, done: float) -> None:
        """Pass on only."""
        self._inner.video_begun(video_id, duration, done)

    def video_kept(self, video_id: str) -> None:
        """Pass on only."""
        self._inner.video_kept(video_id)

    def add_progress(self, video_id: str, seconds: float, faces: int) -> None:
        """Pass on only."""
        self._inner.add_progress(video_id, seconds, faces)

    def add_hits(self, video_id: str, hits: int) -> None:
        """Pass on only."""
        self._inner.add_hits(video_id, hits)

    def video_finished(self, video_id: str, state: str, reason: str) -> None:
        """Log a video's final state."""
        self.write("video", video=valid_text(video_id), state=state, reason=valid_text(reason))
        self._inner.video_finished(video_id, state, reason)

    def note(self, text: str) -> None:
        """Log a printed line."""
        self.write("note", text=valid_text(text))
        self._inner.note(text)

    def report_failure(self, text: str) -> None:
        """Log a failure as a note."""
        self.write("note", text=valid_text(text))
        self._inner.report_failure(text)

    def report_night(self, lines: Sequence[str], *, is_urgent: bool) -> None:
        """Pass on only: the log must not name persons."""
        self._inner.report_night(lines, is_urgent=is_urgent)

    def end(self) -> None:
        """Pass on only: `open_event_log` logs the end of the command."""
        self._inner.end()


@contextmanager
def open_event_log(path: Path, inner: Observer, version: str, command: str) -> Iterator[EventLog]:
    """Open the event log of one command, and log its begin and end; create the file if needed (0600).

    Args:
        path: The file.
        inner: The other observer.
        version: Version of fastface.
        command: Name of the command.

    Raises:
        SpaceError: No space is left.
        ConfigError: The file cannot be written.
    """
    try:
        with space_checked(path):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"cannot write {str(path)!r}: {error.strerror}; remove it") from error
    try:
        kept = EventLog(descriptor, path, inner)
        kept.write("run", command=command, version=version, process=os.getpid())
        try:
            yield kept
        except FastfaceError as error:
            with suppress(SpaceError):  # then the lack of space is what ended the command
                kept.write("end", reason=valid_text(str(error)))
            raise
        kept.write("end", reason="")
    finally:
        os.close(descriptor)
