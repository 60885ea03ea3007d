"""Begin and end a command on an output folder: apply the file of decisions first, write run.json last.

The commands `run`, `scan`, `find` and `pick` call it. `find` and `pick` import no more than they need of a scan.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from signal import Signals
from time import monotonic
from typing import TYPE_CHECKING

from fastface.errors import FastfaceError, InterruptError
from fastface.fleet.shards import ALL_VIDEOS
from fastface.index.records import VideoSummary
from fastface.names import pluralize
from fastface.runtime.context import RunContext
from fastface.runtime.remarks import describe_left_out
from fastface.runtime.run_report import RunResult, VideoOutcome, write_run_json
from fastface.types import FrameCounts
from fastface.video.discover import Discovery

if TYPE_CHECKING:
    from fastface.commands.nights.night import Night

_MOST_REMARKED = 8
"""Maximum number of videos whose remarks are logged one by one; of more, only their number is logged."""


def apply_decisions(context: RunContext) -> None:
    """Apply the file of decisions, if the settings name one."""
    if context.config.match.decisions is not None:
        from fastface.commands.correction.correct_file import apply_asked_decisions  # noqa: PLC0415 - most commands have no file

        apply_asked_decisions(context)


@contextmanager
def write_report(
    context: RunContext, command: str, found: Discovery | None = None, night: "Night | None" = None
) -> Iterator[RunResult]:
    """Write run.json at the end, even if the command was interrupted; for `run` and `scan`, also the night's report."""
    started = monotonic()
    result = RunResult(command, context.out.root)
    if night is not None:
        night.begin(context, result)
    context.observer.header(context.networks)
    if command != "scan" and not context.config.match.tracks:
        limits = context.limits
        context.observer.note(
            f"threshold {limits.enter:.2f} ({limits.exit:.2f} within a track), margin {limits.margin:.2f}"
        )
    if found is not None:
        result.skipped = found.skipped
        result.left_out = found.left_out
        if context.config.run.shard != ALL_VIDEOS:
            num_own, count = len(found.videos), len(found.videos) + len(found.elsewhere)
            context.observer.note(f"shard {context.config.run.shard}: {num_own} of {pluralize(count, 'video')}")
        for item in found.skipped:
            context.observer.note(f"skipped {str(item.path)!r}: {item.reason}")
        if found.left_out:
            context.observer.note(describe_left_out(found.left_out))
    try:
        yield result
    except InterruptError as error:
        videos = _conclude(context, result, started)
        if night is not None:
            night.write(context, result, videos, ended=f"stopped by {Signals(error.signal_number).name}")
        raise
    except FastfaceError as error:
        if night is not None and "scan" in result.phases:  # what could not begin writes nothing
            videos = list(context.ledger.iterate_summaries())
            result.videos, result.seconds = context.list_outcomes(videos, result.inputs), monotonic() - started
            with suppress(FastfaceError):  # the first error is more useful
                night.write(context, result, videos, ended=str(error).partition("\n")[0])
        raise
    videos = _conclude(context, result, started)
    if night is not None:
        night.write(context, result, videos)
    context.observer.conclude(result.exit_code, result.counts.hits)
    if command != "scan":
        from fastface.commands.report import finish_report  # noqa: PLC0415 - few commands come so far

        finish_report(context, result)


def _conclude(context: RunContext, result: RunResult, started: float) -> list[VideoSummary]:
    """Write run.json; return all videos of the ledger for the night's report of a scan."""
    asks_all = result.command in ("find", "pick")
    summaries = context.ledger.iterate_summaries()
    videos = [] if asks_all else list(summaries)
    result.videos = context.list_outcomes(summaries if asks_all else videos, None if asks_all else result.inputs)
    totals = FrameCounts.sum_up(result.videos)
    result.counts = replace(
        result.counts,
        **totals.select_counts(),
        videos=len(result.videos),
        searched=sum(video.is_searched for video in result.videos),
        embeddings=totals.faces,
    )
    for remark in [] if asks_all else _remarks(result.videos):
        context.observer.note(remark)
    assert totals.sampled == totals.inferred + totals.quarantined, totals
    result.seconds = monotonic() - started
    write_run_json(result, context.networks, result.limits or context.limits, context.config)
    return videos


def _remarks(videos: Sequence[VideoOutcome]) -> Iterator[str]:
    """Yield remarks on videos, one a line; if many videos have no face, only their number."""
    remarked = [video for video in videos if video.remark]
    if len(remarked) <= _MOST_REMARKED:
        yield from (f"{video.id}: {video.remark}" for video in remarked)
        return
    num_faceless = sum(video.sampled > 0 and not video.faces for video in remarked)
    if num_faceless:
        yield f"no face was found in {num_faceless} of {pluralize(len(videos), 'video')}: see run.json"
    if len(remarked) > num_faceless:
        yield f"there are remarks on {pluralize(len(remarked) - num_faceless, 'other video')}: see run.json"
