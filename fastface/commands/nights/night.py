"""Write the report of a night at the end of `run` and `scan`: night.json, night.txt, then the record.

`commands.run` calls it under the lock of OUT. `review.nights.night_record` explains the order.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from fastface.errors import LockedError
from fastface.failpoints import fail_point
from fastface.files import write_atomic
from fastface.index.records import VideoSummary
from fastface.review.nights.night_record import NightRecord
from fastface.review.nights.night_report import (
    NIGHT,
    NIGHT_TEXT,
    Comparison,
    NightReport,
    compare_night,
    list_left,
)
from fastface.review.nights.night_text import format_night
from fastface.runtime.context import RunContext
from fastface.runtime.events.observer import Observer
from fastface.runtime.output_folder import OutputFolder
from fastface.runtime.run_report import RunResult


class Night:
    """The report of one command: that of an ordinary run, or one for all passes of a watch.

    Each pass of a watch writes the news of all passes so far, and prints its own news alone. The last report before
    the watch stays the record until the time limit ends the watch.

    Args:
        is_watch: True for the passes of a watch.
    """

    def __init__(self, *, is_watch: bool) -> None:
        self._is_watch = is_watch
        self._started = ""  # of the run, or of the first pass; ISO 8601
        self._last_pass = ""  # start of the last finished pass

    def begin(self, context: RunContext, result: RunResult) -> None:
        """Record the start of the command, so that a later report can name it if it does not finish.

        Raises:
            SpaceError: No space is left.
        """
        if not self._started:
            self._started = result.started.isoformat(timespec="seconds")
            context.out.watch_nights.unlink(missing_ok=True)  # that of a killed watch
        record = NightRecord.load(context.out.nights)
        if self._started not in record.begun:
            record.begin(self._started).save(context.out.nights)

    def write(self, context: RunContext, result: RunResult, videos: Sequence[VideoSummary], *, ended: str = "") -> None:
        """Compare OUT with the last report, and write the new one; a finished run is then the last one.

        Sets `result.known`. Prints the news if there is an earlier report.

        Args:
            context: The open output folder.
            result: The result, with its videos.
            videos: All videos of the ledger.
            ended: Why the run ended early; empty if it finished.

        Raises:
            SpaceError: No space is left.
        """
        out = context.out
        before = NightRecord.load(out.nights)
        found = shown = _compare(before, videos, result, self._started, ended)
        start = result.started.isoformat(timespec="seconds")
        if out.watch_nights.exists():  # an earlier pass of this watch has written it
            before = NightRecord.load(out.watch_nights)
            shown = _compare(before, videos, result, start, ended)
            shown = replace(shown, report=replace(shown.report, since=self._last_pass))
            if ended and (last := NightReport.load(out.root)) is not None:  # nobody was searched now
                news = replace(found.report, sightings=last.sightings, is_searched=last.is_searched)
                found = replace(found, report=news)
        if not context.config.run.strict:
            result.known = found.known
        _save(out.root, found.report)
        fail_point("night.written")
        if not ended:
            self._last_pass = start
            found.record.save(out.watch_nights if self._is_watch else out.nights)
        if before.reported:
            context.observer.report_night(format_night(shown.report), is_urgent=bool(shown.report.new_failures))

    def finish_watch(self, out: Path, result: RunResult, observer: Observer, finished: datetime) -> None:
        """Complete the report of a watch that its time limit ends, and print it if there is an earlier one.

        A command that holds OUT, or has reported since the last pass, leaves nothing to do.

        Args:
            out: The output folder.
            result: The result of the last pass, with the files that the watch leaves.
            observer: Receives the report.
            finished: The end of the watch.

        Raises:
            SpaceError: No space is left.
        """
        if not out.is_dir():
            return
        folder = OutputFolder(out)
        try:
            with folder.hold_lock():
                report = NightReport.load(out)
                if report is None or not folder.watch_nights.exists():
                    return
                is_first = not NightRecord.load(folder.nights).reported
                end = finished.isoformat(timespec="seconds")
                report = replace(report, finished=end, left=tuple(list_left(result)))
                _save(out, report)
                fail_point("night.written")
                NightRecord.load(folder.watch_nights).save(folder.nights)
                folder.watch_nights.unlink()
        except LockedError as error:
            observer.note(f"{error}; so the next report repeats the news of this watch")
            return
        if not is_first:
            observer.report_night(format_night(report), is_urgent=bool(report.new_failures))


def forget_in_nights(out: OutputFolder, names: Collection[str]) -> None:
    """Remove videos from the records and from the last report, by their names in OUT.

    Raises:
        SpaceError: No space is left.
    """
    for path in (out.nights, out.watch_nights):
        if path.exists():
            NightRecord.load(path).without_videos(names).save(path)
    report = NightReport.load(out.root)
    if report is not None:
        _save(out.root, report.without_videos(names))


def list_night_files(out: OutputFolder) -> list[Path]:
    """List the files of the report and the records, for `purge`."""
    return [out.root / NIGHT, out.root / NIGHT_TEXT, out.nights, out.watch_nights]


def _compare(
    record: NightRecord, videos: Sequence[VideoSummary], result: RunResult, started: str, ended: str
) -> Comparison:
    finished = (result.started + timedelta(seconds=result.seconds)).isoformat(timespec="seconds")
    return compare_night(record, videos, result, started=started, finished=finished, ended=ended)


def _save(out: Path, report: NightReport) -> None:
    """Write both files of a report."""
    write_atomic(out / NIGHT_TEXT, "".join(f"{line}\n" for line in format_night(report)))
    report.save(out)
