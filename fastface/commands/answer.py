"""Write an answer: export the findings, then write their tables.

`commands.run` and `commands.pick` call it in the main process, after the search.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from fastface.census.photo_names import PhotoNames
from fastface.export.exporter import Exporter
from fastface.export.tables.results import (
    ReviewRow,
    VideoHits,
    open_hits_table,
    write_crops_table,
    write_review,
    write_spans,
)
from fastface.export.timelines.writer import FOLDER as TIMELINES
from fastface.export.timelines.writer import remove_outdated, write_timelines
from fastface.files import private_folder
from fastface.names import pluralize, shorten_lines
from fastface.runtime.context import RunContext
from fastface.runtime.run_report import RunResult
from fastface.search.searcher import VideoFindings
from fastface.types import SpanRow

_MOST_REMARKS = 20
"""Maximum number of remarks of one kind that are logged; run.json has more."""
_MOST_TALLIES = 30
"""Maximum number of targets for which the limit on crops is logged."""
_MOST_LOST = 30
"""Maximum number of missing streams in clips that are logged one by one; of more, only the number is logged."""


def write_answer(context: RunContext, findings: Iterator[VideoFindings], result: RunResult) -> None:
    """Export the findings, and write their tables."""
    exporter = Exporter(context)
    names = PhotoNames() if result.command != "pick" else None
    root = context.out.root
    num_spans = 0
    hits: dict[tuple[str, str], int] = {}
    near_misses: list[ReviewRow] = []
    with result.phase("match"):
        with open_hits_table(root / "hits.csv") as table:
            for found in findings:  # one video in memory at a time
                context.interruption.check()
                table.add(_hit_rows(found))
                exporter.plan(found)
                if names is not None:
                    names.add(context, found)
                num_spans += len(found.spans)
                hits |= _count_rows(found)
                near_misses += _review_rows(found)
        write_review(root / "review.csv", near_misses)
        if names is not None:
            names.save(context.out.state)
    with result.phase("exports"):
        exports = exporter.make()
    # Sets of bodies are meant to be large, so any setting that limits them is logged.
    if context.config.export.crops == "body" or context.config.export.count:
        for line in shorten_lines(exporter.crop_notes(), _MOST_TALLIES):
            context.observer.note(line)
    if exports.num_removed:
        context.observer.note(f"Removed {pluralize(exports.num_removed, 'file')} of the previous search")
    write_spans(root, exports.spans)
    _update_timelines(context, result)
    write_crops_table(private_folder(root / "crops") / "crops.csv", exports.crops)
    result.spans = tuple(exports.spans)
    result.hits, result.num_near_misses = hits, len(near_misses)
    result.counts = replace(
        result.counts,
        hits=table.num_rows,
        spans=num_spans,
        clips=exports.num_clips,
        crops=len(exports.crops),
    )
    export = context.config.export
    asked = {"snapshots": export.snapshots, "reels": export.reel, "sheets": export.contact_sheet}
    result.more_files += tuple(f"{name}/" for name, is_asked in asked.items() if is_asked and (root / name).is_dir())
    lost = [*_describe_lost_streams(exports.spans), *_describe_refused_cuts(exports.spans)]
    for line in shorten_lines(lost, _MOST_LOST):
        context.observer.note(line)
    result.remarks = (*result.remarks, *lost)
    result.export_failures = tuple(exports.failures)


def _update_timelines(context: RunContext, result: RunResult) -> None:
    """Write the timelines that the settings ask for; remove all others that are outdated."""
    root, formats = context.out.root, context.config.export.timelines
    if formats:
        with result.phase("timelines"):
            written = write_timelines(root, context.ledger, formats)
        for line in shorten_lines(written.left_out, _MOST_REMARKS):
            context.observer.note(line)
        if written.files:
            result.more_files += (f"{TIMELINES}/",)
    if num_removed := remove_outdated(root, context.ledger, but=formats):
        removed = pluralize(num_removed, "outdated file")
        context.observer.note(f"Removed {removed} in {TIMELINES}/; fastface timelines writes them again")


def _describe_lost_streams(spans: Iterable[SpanRow]) -> list[str]:
    """Return one line for each video and stream that its clips do not contain."""
    lost = {(row.span.video_id, stream) for row in spans if row.cut is not None for stream in row.cut.left_out}
    return [f"{video_id}: clips do not contain {stream}" for video_id, stream in sorted(lost)]


def _describe_refused_cuts(spans: Iterable[SpanRow]) -> list[str]:
    """Return one line for each video and reason for which its clips are precise and not smart."""
    refused = Counter((row.span.video_id, row.cut.reason) for row in spans if row.cut is not None and row.cut.reason)
    return [
        f"{video_id}: {pluralize(count, 'clip')} encoded as a whole and not smart: {reason}"
        for (video_id, reason), count in sorted(refused.items())
    ]


def _count_rows(found: VideoFindings) -> dict[tuple[str, str], int]:
    """Count the rows of each target in hits.csv for one video."""
    rows = {}
    for label, hits in found.hits.items():
        followed = found.followed.get(label)
        if len(hits):
            rows[found.record.video_id, label] = len(hits) + (0 if followed is None else len(followed))
    return rows


def _hit_rows(found: VideoFindings) -> VideoHits:
    return VideoHits(
        found.record.video_id,
        found.faces,
        found.hits,
        found.followed,
        pictures=found.pictures,
        has_rivals=found.has_rivals,
        player_offset=float(found.info.player_offset),
    )


def _review_rows(found: VideoFindings) -> list[ReviewRow]:
    """Return each near miss; without another person the margin is NaN."""
    near_misses = found.near_misses if found.has_rivals else [replace(one, margin=np.nan) for one in found.near_misses]
    return [
        ReviewRow(
            found.record.video_id,
            one,
            path=found.record.path,
            pictures=found.name_pictures(one.start, one.end),
            player_offset=float(found.info.player_offset),
        )
        for one in near_misses
    ]
