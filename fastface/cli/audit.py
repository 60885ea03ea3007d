"""`fastface audit`: moments to look at, and how far to believe the answer."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from fastface.cli.arguments import OUT_FOLDER, Out
from fastface.cli.options import Invocation, with_settings
from fastface.cli.report import as_json, observer_for, plain, say
from fastface.names import counted, valid_text
from fastface.review.intervals import Estimate
from fastface.workflows.audit import AuditPlan, AuditResult, draw_audit, plan_audit, score_audit

__all__ = ["audit"]

_KINDS = {
    "hit": "hits by {kind}",
    "near": "near misses",
    "face": "faces given to no target",
    "beside": "samples with faces: anyone without one",
    "empty": "samples without a face",
}
_NOT_DONE = 3


@with_settings()
def audit(
    invocation: Invocation,
    file: Annotated[
        Path | None, typer.Argument(help="audit.json, as the page saved it: prints what it says.", show_default=False)
    ] = None,
    *,
    number: Annotated[int, typer.Option("--number", "-n", min=1, max=5000, help="Moments to ask about.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="The same seed and index give the same moments.")] = 0,
    targets: Annotated[
        list[str] | None,
        typer.Option("--targets", "-t", help="Photos of the targets, shown beside the questions.", show_default=False),
    ] = None,
    out: Out = OUT_FOLDER,
) -> None:
    """Draw moments of the last search to judge in a page; with FILE, compute precision and recall from your answers."""
    if file is not None:
        _show_result(score_audit(out, file), invocation)
        return
    if invocation.dry_run:
        plan = plan_audit(out, number, seed)
    else:
        plan = draw_audit(out, number, seed, observer_for(invocation), photos=targets or ())
    _show_plan(plan, invocation, out)
    if plan.left_out or plan.lost:
        raise typer.Exit(_NOT_DONE)


def _show_plan(plan: AuditPlan, invocation: Invocation, out: Path) -> None:
    if invocation.json:
        strata = [one.model_dump(mode="json") for one in plan.strata]
        left_out = [one.model_dump(mode="json") for one in plan.left_out]
        as_json({**asdict(plan), "page": str(plan.page), "strata": strata, "left_out": left_out})
        return
    if invocation.quiet:
        return
    table = Table("moments", "target", "all", "seconds", "asked")
    for one in plan.strata:
        label = "" if one.target is None else plain(plan.targets[one.target])
        kind = plain(_KINDS[one.role].format(kind=one.kind))
        table.add_row(kind, label, str(one.moments), f"{one.seconds:.1f}", str(one.drawn))
    Console(soft_wrap=True, highlight=False).print(table)
    say(f"{counted(sum(one.drawn for one in plan.strata), 'moment')} drawn with --seed {plan.seed}")
    if invocation.dry_run:
        for video in plan.left_out:
            say(f"left out: {video.reason}")
        say(f"would write: {plan.page}")
        return
    say(f"look and answer: {plan.page}")
    say(f"then: fastface audit audit.json -o {shlex.quote(str(out))}")


def _show_result(result: AuditResult, invocation: Invocation) -> None:
    if invocation.json:
        as_json(result.to_object())
        return
    if invocation.quiet:
        return
    shares = Table("target", "precision", "recall", "recall of seen faces")
    times = Table("target", "reported", "on screen", "error")
    names = [plain(valid_text(label)) for label in result.targets]
    every = [*result.estimates.targets, result.estimates.overall]
    for place, (name, scores) in enumerate(zip([*names, "all"], every, strict=True)):
        if place == len(names):
            shares.add_section()
            times.add_section()
        shares.add_row(name, *map(_share, (scores.precision, scores.recall, scores.face_recall)))
        time = scores.screen_time
        times.add_row(name, f"{time.reported:.1f} s", _seconds(time.true), _seconds(time.error))
    console = Console(soft_wrap=True, highlight=False)
    console.print(shares)
    console.print(times)
    say(
        f"{counted(sum(result.answered), 'moment')} answered, {sum(result.unsure)} unsure and "
        f"{sum(result.open)} open are left out; intervals are of 95 %"
    )
    for stratum, answered in zip(result.strata, result.answered, strict=True):
        if not answered:
            label = "" if stratum.target is None else f" of {result.targets[stratum.target]}"
            kind = _KINDS[stratum.role].format(kind=stratum.kind)
            say(f"not one answer on {kind}{label}: {counted(stratum.moments, 'moment')}")
    for video in result.left_out:
        say(f"not part of it: {video.reason}")
    say(f"written: {result.file}")


def _share(found: Estimate | None) -> str:
    return "–" if found is None else f"{100 * found.value:.1f} % ({100 * found.low:.3g}–{100 * found.high:.3g})"


def _seconds(found: Estimate) -> str:
    return f"{found.value:.1f} s ({found.low:.1f} to {found.high:.1f})"
