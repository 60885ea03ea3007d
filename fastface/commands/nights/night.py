"""Write the report of a night at the end of `run` and `scan`: night.json, night.txt, then the record.

`commands.run` calls it under the lock of OUT. `review.nights.night_record` explains the order.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta
from pathlib import Path

from fastface.failpoints import fail_point
from fastface.files import write_atomic
from fastface.index.records import VideoSummary
from fastface.review.nights.night_record import NightRecord
from fastface.review.nights.night_report import NIGHT, NIGHT_TEXT, NightReport, compare_night
from fastface.review.nights.night_text import format_night
from fastface.runtime.context import RunContext
from fastface.runtime.output_folder import OutputFolder
from fastface.runtime.run_report import RunResult


def begin_night(context: RunContext, result: RunResult) -> None:
    """Record the start of a run, so that a later report can name it if it does not finish.

    Raises:
        SpaceError: No space is left.
    """
    path = context.out.nights
    NightRecord.load(path).begin(result.started.isoformat(timespec="seconds")).save(path)


def write_night(context: RunContext, result: RunResult, videos: Sequence[VideoSummary], *, ended: str = "") -> None:
    """Compare OUT with the last report, and write the new one; a finished run is then the last one.

    Sets `result.known`. Prints the report if there is an earlier one.

    Args:
        context: The open output folder.
        result: The result, with its videos.
        videos: All videos of the ledger.
        ended: Why the run ended early; empty if it finished.

    Raises:
        SpaceError: No space is left.
    """
    record = NightRecord.load(context.out.nights)
    finished = result.started + timedelta(seconds=result.seconds)
    found = compare_night(record, videos, result, finished=finished.isoformat(timespec="seconds"), ended=ended)
    if not context.config.run.strict:
        result.known = found.known
    lines = _save(context.out.root, found.report)
    fail_point("night.written")
    if not ended:
        found.record.save(context.out.nights)
    if record.reported:
        context.observer.report_night(lines, is_urgent=bool(found.report.new_failures))


def forget_in_nights(out: OutputFolder, names: Collection[str]) -> None:
    """Remove videos from the record and from the last report, by their names in OUT.

    Raises:
        SpaceError: No space is left.
    """
    if out.nights.exists():
        NightRecord.load(out.nights).without_videos(names).save(out.nights)
    report = NightReport.load(out.root)
    if report is not None:
        _save(out.root, report.without_videos(names))


def list_night_files(out: OutputFolder) -> list[Path]:
    """List the files of the report and the record, for `purge`."""
    return [out.root / NIGHT, out.root / NIGHT_TEXT, out.nights]


def _save(out: Path, report: NightReport) -> list[str]:
    """Write both files of a report; return the lines of its text."""
    lines = format_night(report)
    write_atomic(out / NIGHT_TEXT, "".join(f"{line}\n" for line in lines))
    report.save(out)
    return lines
