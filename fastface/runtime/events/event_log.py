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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from fastface.errors import ConfigError, FastfaceError, SpaceError
from fastface.files import space_checked
from fastface.names import valid_text
from fastface.runtime.events.observer import Observer, RelayObserver


class EventLog(RelayObserver):
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
        super().__init__(inner)

    def write(self, event: str, **facts: object) -> None:
        """Append one line."""
        line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **facts}
        with space_checked(self._path):
            os.write(self._descriptor, f"{json.dumps(line)}\n".encode())

    def begin(self, num_videos: int) -> None:
        """Log the number of videos."""
        self.write("begin", videos=num_videos)
        self._inner.begin(num_videos)

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
