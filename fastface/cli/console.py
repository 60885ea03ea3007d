"""Print the result of a command: tables and lines, or one JSON object.

The modules of `cli.commands` import it once the options are read: it loads rich and the results of the workflows. With
`--json`, standard output must hold nothing but the object.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Never

import typer
from rich.console import Console
from rich.table import Table

from fastface.cli.options import Invocation
from fastface.cli.output import MOST_ROWS, as_json, out_option, plain, say
from fastface.export.tables.results import span_object
from fastface.index.video_state import STATE_WORDS, describe_state
from fastface.names import pluralize, valid_text
from fastface.runtime.events.bottleneck import describe_bottleneck
from fastface.runtime.events.observer import BarObserver, FailureObserver, Observer
from fastface.runtime.events.progress import clock_text
from fastface.runtime.run_report import RunResult, VideoOutcome
from fastface.types import Span

if TYPE_CHECKING:
    from fastface.diagnostics.dry_run import Preview

_WIDE = 10_000
"""Columns of an output that is not a terminal: no name is cut."""

_STATE_COLOURS = {"done": "green", "partial": "yellow", "unstable": "yellow", "no_video": "dim"}

_STAGES = {
    "read": "reading files",
    "decode": "decoding",
    "wait_slot": "decoders waiting for the networks",
    "wait_batch": "networks waiting for frames",
    "copy": "copying frames",
    "canvas": "resizing frames",
    "detect": "finding faces",
    "align": "cutting faces out",
    "embed": "recognising faces",
    "persons": "finding persons",
    "picture": "keeping small pictures",
    "turn": "turning doubtful faces",
}
"""{stage of a scan: its description}"""


def make_observer(invocation: Invocation) -> Observer:
    """Return an observer with bars and lines on standard error; with `-q`, one that prints failures alone."""
    observer = FailureObserver() if invocation.quiet else BarObserver()
    for note in invocation.notes:
        observer.note(note)
    return observer


def show(preview: "Preview", invocation: Invocation) -> Never:
    """Print a preview and exit."""
    if invocation.json:
        as_json(asdict(preview))
    else:
        for line in preview.lines:
            say(line)
    raise typer.Exit


def console() -> Console:
    """Return the console of standard output, for tables: as wide as needed if it is not a terminal."""
    width = None if sys.stdout and sys.stdout.isatty() else _WIDE
    return Console(soft_wrap=True, highlight=False, emoji=False, width=width)


def finish(result: RunResult, invocation: Invocation) -> Never:
    """Print the result of the command, and exit with its exit code."""
    raise typer.Exit(print_result(result, invocation))


def print_result(result: RunResult, invocation: Invocation) -> int:
    """Print the result of the command; return its exit code. Known failures are in the report of the night alone."""
    if invocation.json:
        report = json.loads((result.out / "run.json").read_text(encoding="utf-8"))
        as_json({**report, "spans": [span_object(row) for row in result.spans]})
    elif not invocation.quiet:
        _show(result, invocation.verbose)
    if invocation.json or invocation.quiet:  # without `--json` the table and the notes have shown them
        for video in result.videos_not_done:
            _fail(f"{video.id}: {describe_state(video.state, video.reason)}")
        for item in result.inputs_not_read:
            _fail(f"skipped {str(item.path)!r}: {item.reason}")
    for failure in result.files_not_exported:
        _fail(f"not exported: {failure}")
    if result.exit_code:
        _fail(f"exit code {result.exit_code}: {_why_not_clean(result)}")
    return result.exit_code


def _fail(text: str) -> None:
    print(f"fastface: {valid_text(text)}", file=sys.stderr)  # noqa: T201


def _why_not_clean(result: RunResult) -> str:
    """Return why a finished command does not exit with 0."""
    states = Counter(video.state for video in result.videos_not_done)
    parts = []
    if states:
        kinds = ", ".join(f"{states[state]} {words}" for state, words in STATE_WORDS.items() if states[state])
        parts.append(f"{states.total()} of {pluralize(len(result.videos), 'video')} not done ({kinds})")
    if result.inputs_not_read:
        parts.append(f"{pluralize(len(result.inputs_not_read), 'input')} not searched")
    if result.files_not_exported:
        parts.append(f"{pluralize(len(result.files_not_exported), 'export')} not made")
    if result.is_cut_short:
        parts.append("some videos were not searched closely enough")
    return ", ".join(parts)


def _show(result: RunResult, verbose: bool) -> None:
    shown = console()
    _print_rows(shown, *_videos(result))
    if result.command != "scan":
        found = _summarize_found(result)
        shown.print(_found_table(found))
        for line in _below_threshold(found, result):
            say(line)
        if not result.counts.hits and result.targets:
            say("no hits: if the persons are there, see review.csv, give more photos with -t, or lower --threshold")
    say(_summary(result))
    if verbose:
        for line in _left_out(result):
            say(line)
        shown.print(_phases(result))
        totals = _sum_stages(result.videos)
        shown.print(_stages(totals))
        limit = describe_bottleneck(_sum_stages(video for video in result.videos if video.id in result.scanned))
        if limit:
            say(limit)
    say(f"written to {result.out}: {', '.join(_describe_written(result))}")
    if result.command == "scan":
        where = out_option(result.out)
        say(f"next: fastface people{where}, or: fastface find -t PHOTOS{where}")


def _summary(result: RunResult) -> str:
    """Summarize what this command and all commands have searched and found."""
    counts = result.counts
    searched = [video for video in result.videos if video.is_searched]
    new = [video for video in searched if video.id in result.scanned]
    summary = f"{pluralize(len(searched), 'video')} searched"
    if searched and result.command in ("run", "scan"):
        when = {"now": len(new), "before": len(searched) - len(new)}
        split = ", ".join(f"{count} {word}" for word, count in when.items())
        summary += f" ({split})" if all(when.values()) else " (all now)" if new else " (all before)"
    if num_others := len(result.videos) - len(searched):
        summary += f", {num_others} not searched"
    faces = sum(video.faces for video in new)
    parts = [f"{pluralize(counts.inferred, 'frame')} searched"]
    parts += [f"{counts.blurred} of them too blurred"] if counts.blurred else []
    parts += [f"{counts.quarantined} skipped after crashes"] if counts.quarantined else []
    is_partly_new = 0 < faces < counts.faces
    parts.append(pluralize(counts.faces, "face") + (f" ({faces} new)" if is_partly_new else ""))
    parts += [f"{pluralize(counts.unsharp, 'face')} not sharp enough"] if counts.unsharp else []
    parts += [pluralize(counts.hits, "hit"), pluralize(counts.spans, "span")] if result.command != "scan" else []
    return f"{summary}: {', '.join(parts)}; took {clock_text(result.seconds)}"


def _describe_written(result: RunResult) -> list[str]:
    """List the files of the answer, the most important first."""
    if result.command == "scan":
        return ["run.json", "the index (.fastface)"]
    counts = result.counts
    files = ["spans.csv", "spans.json", "hits.csv"]
    files += [f"clips/ ({pluralize(counts.clips, 'clip')})"] if counts.clips else []
    files += [f"crops/ ({pluralize(counts.crops, 'crop')})"] if counts.crops else []
    near_misses = pluralize(result.num_near_misses, "near miss", "near misses")
    return [*files, *result.more_files, f"review.csv ({near_misses})", "run.json"]


def _print_rows(shown: Console, table: Table, rest: str) -> None:
    shown.print(table)
    if rest:
        say(rest)


def _videos(result: RunResult) -> tuple[Table, str]:
    """Return a table of videos, the worst first, and a line on videos beyond its maximum."""
    table = Table("video", "state", "length", "frames", "faces", "remark")
    table.columns[0].overflow = table.columns[-1].overflow = "fold"
    order = {state: -place for place, state in enumerate(STATE_WORDS)}
    videos = sorted(result.videos, key=lambda video: (order[video.state], not video.remark, video.id))
    for video in videos[:MOST_ROWS]:
        colour = _STATE_COLOURS.get(video.state, "red")
        length = "?" if video.duration is None else f"{video.duration:.1f} s"
        state = f"[{colour}]{STATE_WORDS[video.state]}[/]"
        table.add_row(plain(video.id), state, length, str(video.sampled), str(video.faces), plain(_remark(video)))
    left = Counter(video.state for video in videos[MOST_ROWS:])
    summary = ", ".join(f"{count} {STATE_WORDS[state]}" for state, count in left.items())
    return table, f"and {len(videos) - MOST_ROWS} more videos: {summary}; all are in run.json" if summary else ""


def _remark(video: VideoOutcome) -> str:
    """Return the remarks on a video, without its state."""
    return video.remark if video.state == "done" else video.reason


@dataclass(frozen=True, slots=True)
class _TargetTotals:
    """Results of one target, in one video or in all."""

    label: str
    videos: tuple[str, ...]
    spans: int
    hits: int
    seconds: float
    best: float | None  # similarity; None if only the body was found
    is_expression: bool = False  # true if these are the hits of other targets in the moments of an expression


def _summarize_found(result: RunResult) -> list[_TargetTotals]:
    """Return each target and expression with each of its videos, then those without a hit or span.

    Only expressions are returned if no span is a target's: "0 spans" of a person who has hits would mislead.
    """
    persons, expressions = {*result.targets} - {*result.where}, {*result.where} - {*result.targets}
    only_expressions = bool(result.where) and not any(row.span.target in persons for row in result.spans)
    found = []
    spans_of: dict[tuple[str, str], list[Span]] = {}
    for row in result.spans:
        spans_of.setdefault((row.span.video_id, row.span.target), []).append(row.span)
    for video_id, label in sorted(result.hits.keys() | spans_of.keys()):
        if only_expressions and label not in result.where:
            continue
        spans = spans_of.get((video_id, label), [])
        hits = result.hits.get((video_id, label), sum(span.hits for span in spans))
        best = max((span.best_similarity for span in spans if span.best_similarity is not None), default=None)
        seconds = sum(span.end - span.start for span in spans)
        found.append(_TargetTotals(label, (video_id,), len(spans), hits, seconds, best, label in expressions))
    wanted = {*result.where} if only_expressions else {*result.targets, *result.where}
    unseen = sorted(wanted - {one.label for one in found})
    return found + [_TargetTotals(label, (), 0, 0, 0.0, None, label in expressions) for label in unseen]


def _found_table(found: list[_TargetTotals]) -> Table:
    """Build a table with one row a person and video; one row a person if these are too many."""
    table = Table("person", "video", "spans", "hits", "seconds", "best similarity")
    table.columns[0].overflow = table.columns[1].overflow = "fold"
    by_person = len(found) > MOST_ROWS
    rows = _by_person(found) if by_person else found
    for one in rows[:MOST_ROWS]:
        video = one.videos[0] if len(one.videos) == 1 else pluralize(len(one.videos), "video") if one.videos else "–"
        _add_row(table, one.label, video, [one])
    if len(rows) > MOST_ROWS:
        num_videos = len({video for one in rows[MOST_ROWS:] for video in one.videos})
        label = f"and {len(rows) - MOST_ROWS} more persons"
        _add_row(table, label, pluralize(num_videos, "video"), rows[MOST_ROWS:])
    if len(rows) > 1:
        table.add_section()
        _add_row(table, "all", pluralize(len({video for one in rows for video in one.videos}), "video"), rows)
    return table


def _left_out(result: RunResult) -> Iterator[str]:
    """Yield the files and folders that were left out, with reasons; only the first if there are many."""
    for item in result.left_out:
        yield from (f"left out: {valid_text(str(path))!r}: {item.reason}" for path in item.paths)
        if item.count > len(item.paths):
            yield f"left out: {item.count - len(item.paths)} more: {item.reason}"


def _by_person(found: Sequence[_TargetTotals]) -> list[_TargetTotals]:
    """Return one entry for each person, in order of falling screen time."""
    persons: dict[str, list[_TargetTotals]] = {}
    for one in found:
        persons.setdefault(one.label, []).append(one)
    joined = [
        _TargetTotals(
            label,
            tuple(video for one in parts for video in one.videos),
            sum(one.spans for one in parts),
            sum(one.hits for one in parts),
            sum(one.seconds for one in parts),
            max((one.best for one in parts if one.best is not None), default=None),
            parts[0].is_expression,
        )
        for label, parts in persons.items()
    ]
    return sorted(joined, key=lambda one: (-one.seconds, one.label))


def _add_row(table: Table, label: str, video: str, parts: Sequence[_TargetTotals]) -> None:
    best = max((one.best for one in parts if one.best is not None), default=None)
    counted = [one for one in parts if not one.is_expression] or parts
    spans, hits = sum(one.spans for one in parts), sum(one.hits for one in counted)
    seconds = f"{sum(one.seconds for one in parts):.1f}"
    table.add_row(plain(label), plain(video), str(spans), str(hits), seconds, "–" if best is None else f"{best:.2f}")


def _below_threshold(found: Sequence[_TargetTotals], result: RunResult) -> list[str]:
    """Explain why persons are found although no single face of theirs reaches the threshold."""
    limits = result.limits
    if limits is None or limits.tracks is None:
        return []
    threshold = limits.tracks.anywhere
    names = sorted({one.label for one in found if one.best is not None and one.best < threshold})
    if not names:
        return []
    who = ", ".join(names[:MOST_ROWS]) + (f" and {len(names) - MOST_ROWS} more" if len(names) > MOST_ROWS else "")
    return [
        f"best similarity below the threshold of {threshold:.2f} ({who}): the faces of the track together, "
        "or others of the video, show who it is (see the column `by` of hits.csv)"
    ]


def _phases(result: RunResult) -> Table:
    table = Table("part", "seconds")
    for name, seconds in result.phases.items():
        table.add_row(name, f"{seconds:.2f}")
    table.add_row("all", f"{result.seconds:.2f}")
    return table


def _sum_stages(videos: Iterable[VideoOutcome]) -> dict[str, float]:
    """Sum {stage: seconds} over videos."""
    totals: dict[str, float] = {}
    for video in videos:
        for stage, seconds in video.seconds.items():
            totals[stage] = totals.get(stage, 0.0) + seconds
    return totals


def _stages(totals: Mapping[str, float]) -> Table:
    table = Table("step of the scan", "seconds, all processes together")
    for stage, seconds in sorted(totals.items(), key=lambda item: -item[1]):
        table.add_row(_STAGES.get(stage, stage), f"{seconds:.2f}")
    return table
