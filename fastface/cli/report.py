"""What a command says at its end: a table for people, or one JSON object."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Never

import typer
from rich.console import Console
from rich.table import Table

from fastface.cli.options import Invocation
from fastface.export.tables import span_object
from fastface.names import counted, valid_text
from fastface.types import Span
from fastface.workflows.observer import BarObserver, Observer
from fastface.workflows.preview import Preview
from fastface.workflows.results import Counts, RunResult

__all__ = ["as_json", "finish", "observer_for", "plain", "say", "show"]

_MOST_UNSEEN = 50
"""Targets without a hit that are listed."""

_STATE_COLOURS = {"done": "green", "partial": "yellow", "unstable": "yellow", "no_video": "dim"}


def observer_for(invocation: Invocation) -> Observer:
    """Bars and lines on standard error, or nothing."""
    observer = Observer() if invocation.quiet else BarObserver()
    for note in invocation.notes:
        observer.note(note)
    return observer


def say(text: str) -> None:
    """One line on standard output."""
    typer.echo(valid_text(text))


def show(preview: Preview, invocation: Invocation) -> Never:
    """Tells what a command would do, and ends the process."""
    if invocation.json:
        as_json(asdict(preview))
    else:
        for line in preview.lines:
            say(line)
    raise typer.Exit


def finish(result: RunResult, invocation: Invocation) -> Never:
    """Tells how the command ended, and ends the process with its exit code."""
    if invocation.json:
        report = json.loads((result.out / "run.json").read_text(encoding="utf-8"))
        as_json({**report, "spans": [span_object(row) for row in result.spans]})
    elif not invocation.quiet:
        _show(result, invocation.verbose)
    for failure in result.export_failures:
        print(f"fastface: not exported: {valid_text(failure)}", file=sys.stderr)  # noqa: T201
    raise typer.Exit(result.exit_code)


def _show(result: RunResult, verbose: bool) -> None:
    console = Console(soft_wrap=True, highlight=False)
    console.print(_videos(result))
    if result.command != "scan":
        console.print(_targets(result))
    counts = result.counts
    console.print(
        f"{counted(counts.videos, 'video')}: {counts.sampled} frames sampled = {counts.inferred} searched"
        f"{f' ({counts.blurred} too blurred)' if counts.blurred else ''} + "
        f"{counts.quarantined} given up; {', '.join(_found(counts))} in {result.seconds:.1f} s"
    )
    if verbose:
        for line in _left_out(result):
            console.print(line, markup=False)
        console.print(_phases(result))
        console.print(_stages(result))
    console.print(f"report: {valid_text(str(result.out / 'run.json'))}", markup=False)


def _found(counts: Counts) -> list[str]:
    numbers = {"face": counts.faces, "hit": counts.hits, "span": counts.spans, "clip": counts.clips}
    told = [counted(number, noun) for noun, number in {**numbers, "crop": counts.crops}.items()]
    return told + ([f"{counted(counts.unsharp, 'face')} not sharp enough"] if counts.unsharp else [])


def _videos(result: RunResult) -> Table:
    table = Table("video", "state", "length", "frames", "faces", "remark")
    for video in result.videos:
        colour = _STATE_COLOURS.get(video.state, "red")
        length = "?" if video.duration is None else f"{video.duration:.1f} s"
        state = f"[{colour}]{video.state}[/]"
        table.add_row(
            plain(video.id), state, length, str(video.sampled), str(video.faces), plain(video.reason or video.remark)
        )
    return table


def _targets(result: RunResult) -> Table:
    table = Table("video", "target", "spans", "hits", "seconds", "best similarity")
    found: dict[tuple[str, str], list[Span]] = {}
    for row in result.spans:
        found.setdefault((row.span.video_id, row.span.target), []).append(row.span)
    for (video_id, label), spans in sorted(found.items()):
        seconds = sum(span.end - span.start for span in spans)
        best = max((span.best_similarity for span in spans if span.best_similarity is not None), default=None)
        hits = sum(span.hits for span in spans)
        shown = "–" if best is None else f"{best:.3f}"
        table.add_row(plain(video_id), plain(label), str(len(spans)), str(hits), f"{seconds:.1f}", shown)
    unseen = sorted(set(result.targets) - {label for _, label in found})
    for label in unseen[:_MOST_UNSEEN]:
        table.add_row("–", plain(label), "0", "0", "0", "–")
    if len(unseen) > _MOST_UNSEEN:
        table.add_row("–", f"and {len(unseen) - _MOST_UNSEEN} more", "0", "0", "0", "–")
    return table


def _left_out(result: RunResult) -> Iterator[str]:
    """The files and folders that were not taken, each with the reason; of a great many, the first."""
    for item in result.left_out:
        yield from (f"left out: {valid_text(str(path))!r}: {item.reason}" for path in item.paths)
        if item.count > len(item.paths):
            yield f"left out: {item.count - len(item.paths)} more: {item.reason}"


def _phases(result: RunResult) -> Table:
    table = Table("part", "seconds")
    for name, seconds in result.phases.items():
        table.add_row(name, f"{seconds:.2f}")
    table.add_row("all", f"{result.seconds:.2f}")
    return table


def _stages(result: RunResult) -> Table:
    table = Table("stage of the scan", "seconds, all processes")
    totals: dict[str, float] = {}
    for video in result.videos:
        for stage, seconds in video.seconds.items():
            totals[stage] = totals.get(stage, 0.0) + seconds
    for stage, seconds in sorted(totals.items(), key=lambda item: -item[1]):
        table.add_row(stage, f"{seconds:.2f}")
    return table


def plain(text: str) -> str:
    """Text of others, which is neither markup nor control characters."""
    return valid_text(text).replace("[", r"\[") if text.isprintable() else valid_text(ascii(text)).replace("[", r"\[")


def as_json(value: object) -> None:
    """One JSON object on standard output."""
    say(json.dumps(value, indent=2))
