"""`fastface audit`: moments to look at, and how far to believe the answer."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from fastface.cli.arguments import OUT_FOLDER, Out
from fastface.cli.console import MOST_ROWS, as_json, console, make_observer, out_option, plain, say
from fastface.cli.options import Invocation, with_settings
from fastface.commands.audit import AuditPlan, AuditResult, draw_audit, plan_audit, score_audit
from fastface.names import counted, valid_text
from fastface.review.intervals import Estimate

__all__ = ["audit"]

_KINDS = {
    "hit": "hits by {kind}",
    "near": "near misses",
    "face": "faces of no wanted person",
    "beside": "moments with faces; a wanted person may be there without a visible face",
    "empty": "moments without a face",
}
_NOT_DONE = 3


@with_settings()
def audit(
    invocation: Invocation,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The file audit.json that the page saved.", show_default=False)
    ] = None,
    *,
    number: Annotated[int, typer.Option("--number", "-n", min=1, max=5000, help="Number of moments to judge.")] = 200,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the random choice; the same seed gives the same moments.")
    ] = 0,
    targets: Annotated[
        list[str] | None,
        typer.Option(
            "--targets",
            "-t",
            metavar="PHOTOS",
            help="Photos of the persons; the page shows them beside the questions.",
            show_default=False,
        ),
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
        plan = draw_audit(out, number, seed, make_observer(invocation), photos=targets or ())
    _show_plan(plan, invocation, out)
    if plan.left_out or plan.lost:
        reasons = [video.reason for video in plan.left_out]
        reasons += [f"{counted(plan.lost, 'moment')} could not be decoded again"] if plan.lost else []
        typer.echo(valid_text(f"fastface: exit code {_NOT_DONE}: {'; '.join(reasons)}"), err=True)
        raise typer.Exit(_NOT_DONE)


def _show_plan(plan: AuditPlan, invocation: Invocation, out: Path) -> None:
    if invocation.json:
        strata = [one.model_dump(mode="json") for one in plan.strata]
        left_out = [one.model_dump(mode="json") for one in plan.left_out]
        as_json({**asdict(plan), "page": str(plan.page), "strata": strata, "left_out": left_out})
        return
    if invocation.quiet:
        return
    table = Table("moments", "person", "in all", "seconds", "to judge")
    for one in plan.strata[:MOST_ROWS]:
        label = "" if one.target is None else plain(plan.targets[one.target])
        kind = plain(_KINDS[one.role].format(kind=one.kind))
        table.add_row(kind, label, str(one.moments), f"{one.seconds:.1f}", str(one.drawn))
    if len(plan.strata) > MOST_ROWS:
        rest = plan.strata[MOST_ROWS:]
        counts = str(sum(one.moments for one in rest)), f"{sum(one.seconds for one in rest):.1f}"
        table.add_row(f"and {len(rest)} more kinds", "", *counts, str(sum(one.drawn for one in rest)))
    console().print(table)
    say(f"{counted(sum(one.drawn for one in plan.strata), 'moment')} drawn with --seed {plan.seed}")
    if invocation.dry_run:
        for video in plan.left_out:
            say(f"left out: {video.reason}")
        say(f"would write: {plan.page}")
        return
    say(f"open this page, answer the questions, and save the answers: {plan.page}")
    say(f"then: fastface audit audit.json{out_option(out)}")


def _show_result(result: AuditResult, invocation: Invocation) -> None:
    if invocation.json:
        as_json(result.to_object())
        return
    if invocation.quiet:
        return
    shares = Table("person", "precision", "recall", "recall of seen faces")
    times = Table("person", "found", "really on screen", "error")
    names = [plain(valid_text(label)) for label in result.targets]
    every = [*result.estimates.targets, result.estimates.overall]
    for place, (name, scores) in enumerate(zip([*names, "all"], every, strict=True)):
        if place == len(names):
            shares.add_section()
            times.add_section()
        shares.add_row(name, *map(_share, (scores.precision, scores.recall, scores.face_recall)))
        time = scores.screen_time
        times.add_row(name, f"{time.reported:.1f} s", _seconds(time.true), _seconds(time.error))
    shown = console()
    shown.print(shares)
    shown.print(times)
    say(
        f"{counted(sum(result.answered), 'moment')} answered; {sum(result.unsure)} unsure and "
        f"{sum(result.open)} unanswered moments are left out; ranges are 95 % intervals"
    )
    for stratum, answered in zip(result.strata, result.answered, strict=True):
        if not answered:
            label = "" if stratum.target is None else f" of {result.targets[stratum.target]}"
            kind = _KINDS[stratum.role].format(kind=stratum.kind)
            say(f"no answer yet about {kind}{label}: {counted(stratum.moments, 'moment')}")
    for video in result.left_out:
        say(f"left out: {video.reason}")
    say(f"written: {result.file}")


def _share(found: Estimate | None) -> str:
    return "–" if found is None else f"{100 * found.value:.1f} % ({100 * found.low:.3g}–{100 * found.high:.3g})"


def _seconds(found: Estimate) -> str:
    return f"{found.value:.1f} s ({found.low:.1f} to {found.high:.1f})"
