"""Search folders that fill: one ordinary pass of `run` or `scan` whenever new files are complete.

`commands.run` calls it for `--watch`. Each pass opens and closes everything itself: between passes no process runs, no
network is loaded, and other commands may use the output folder.
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from fastface.commands.nights.night import Night
from fastface.config import Config
from fastface.errors import ConfigError, LockedError
from fastface.fleet.shards import Shard
from fastface.fleet.watch import FolderWatch, Look, skip_written
from fastface.names import pluralize
from fastface.pipeline.child_server import end_server
from fastface.runtime.events.observer import Observer
from fastface.runtime.output_folder import discover_inputs
from fastface.runtime.run_report import RunResult, rewrite_skipped
from fastface.runtime.shutdown import interruptible
from fastface.video.discover import Discovery, Skipped

Pass = Callable[[Config, Discovery], RunResult]

_LONGEST_LOOKS = 0.05
"""Maximum share of the time that looks may take: looks at very many files are less frequent."""
_NOT_REACHED = "new, and not searched before the time was up"


def watch(
    config: Config, inputs: Sequence[str], out: Path, observer: Observer, search: Pass, *, night: Night
) -> RunResult:
    """Search the complete files now, then new ones as they become complete. Return the result of the last pass.

    The first pass runs even if no file is complete: it finds faults of settings, photos and networks at once.

    Args:
        config: The settings; `--until` and `--max-hours` end the watch.
        inputs: Videos, folders, globs, lists.
        out: The output folder.
        observer: Receives the notes.
        search: Runs one pass over the given videos.
        night: The report of all passes.

    Raises:
        ConfigError: An input does not exist at the start.
        InterruptError: A signal stopped a pass or the wait.
        FastfaceError: A pass failed.
    """
    clock = _Clock(config.run.seconds_left())
    folders = _Folders(config, inputs, out, observer)
    look = folders.look(is_first=True)
    result = search(_settings_of_pass(config, clock), look.found)
    folders.mark_searched(look)
    while True:
        began = time.monotonic()
        look = folders.look()
        least_wait = (time.monotonic() - began) / _LONGEST_LOOKS
        if clock.is_over:
            result = _with_left_out(result, look)
            night.finish_watch(out, result, observer, datetime.now(UTC))
            return result
        if look.new:
            try:
                result = search(_settings_of_pass(config, clock, is_first=False), look.found)
                folders.mark_searched(look)
                continue  # files may have become complete meanwhile
            except LockedError as error:  # the next look tries again
                reason = str(error)
        else:
            reason = folders.describe_wait(look)
        end_server()
        folders.note(reason)
        with interruptible() as interruption:
            interruption.wait(clock.limit(max(config.run.watch_interval, least_wait)))


class _Clock:
    """Time limit of the whole watch.

    Args:
        seconds: Seconds from now; None for no limit.
    """

    def __init__(self, seconds: float | None) -> None:
        self._deadline = None if seconds is None else time.monotonic() + seconds

    @property
    def hours_left(self) -> float | None:
        return None if self._deadline is None else (self._deadline - time.monotonic()) / 3600

    @property
    def is_over(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline

    def limit(self, seconds: float) -> float:
        """Return these seconds, or those that are left if they are fewer."""
        return seconds if self._deadline is None else max(0.0, min(seconds, self._deadline - time.monotonic()))


class _Folders:
    """The watched inputs, and what was noted about them."""

    def __init__(self, config: Config, inputs: Sequence[str], out: Path, observer: Observer) -> None:
        self._inputs, self._out, self._observer = inputs, out, observer
        self._interval = config.run.watch_interval
        self._watch = FolderWatch(self._interval, Shard.parse(config.run.shard))
        self._missing = ""
        self._noted = ""

    def look(self, *, is_first: bool = False) -> Look:
        """Look at the inputs. After the first look, an input that is gone is waited for: a share may come back."""
        try:
            found, self._missing = discover_inputs(self._inputs, self._out, may_be_empty=True), ""
        except ConfigError as error:
            if is_first:
                raise
            found, self._missing = Discovery((), ()), str(error)
        return self._watch.look(found, time.monotonic(), time.time())

    def mark_searched(self, look: Look) -> None:
        """Record that a pass has searched the complete videos of a look."""
        self._watch.mark_searched(look)
        self._noted = ""

    def describe_wait(self, look: Look) -> str:
        """Return a line on what the watch waits for."""
        if self._missing:
            return f"{self._missing}; waiting for it"
        waiting = f"{pluralize(len(look.waiting), 'file')} still being written; " if look.waiting else ""
        return f"{waiting}waiting for new videos, with a look every {self._interval:g} s; Ctrl-C ends it"

    def note(self, text: str) -> None:
        """Report a line if it is not the last one that was reported."""
        if text != self._noted:
            self._observer.note(text)
            self._noted = text


def _settings_of_pass(config: Config, clock: _Clock, *, is_first: bool = True) -> Config:
    """Return the settings of one pass: only the first one starts over, and each ends with the watch.

    The time of day alone would be that of the next day for a pass that begins just after it.
    """
    fresh = config.run.fresh and is_first
    return config.model_copy(
        update={"run": config.run.model_copy(update={"fresh": fresh, "max_hours": clock.hours_left})}
    )


def _with_left_out(result: RunResult, look: Look) -> RunResult:
    """Add the files that the watch leaves to the last result and to its run.json: they are not searched."""
    known = tuple(item for item in result.skipped if not item.left_state)
    new = tuple(Skipped(path, _NOT_REACHED, is_fault=True, left_state="cancelled") for path in look.new)
    if (skipped := (*known, *new, *map(skip_written, look.waiting))) != result.skipped:
        result.skipped = skipped
        rewrite_skipped(result)
    return result
