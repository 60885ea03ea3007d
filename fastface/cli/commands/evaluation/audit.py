"""Define `fastface audit`: draw a page of moments to judge, or print precision and recall from the answers.

`cli.app` registers it. The work is in `commands.evaluation.audit`; this module only parses options and prints.
"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fastface.cli.arguments import OUT_FOLDER, Out
from fastface.cli.options import Invocation, with_settings
from fastface.cli.output import MOST_ROWS, as_json, out_option, plain, say
from fastface.names import pluralize, valid_text

if TYPE_CHECKING:
    from fastface.commands.evaluation.audit import AuditPlan, AuditResult
    from fastface.review.intervals import Estimate

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
        Path | None, typer.Argument(metavar="FILE", help="audit.json with your answers, as the page saved it.")
    ] = None,
    *,
    number: Annotated[
        int,
        typer.Option(
            "--number", "-n", metavar="N", min=1, max=5000, help="Number of moments to judge. From 1 to 5000."
        ),
    ] = 200,
    seed: Annotated[
        int,
        typer.Option(metavar="N", min=0, help="Seed of the random choice. The same seed gives the same moments."),
    ] = 0,
    targets: Annotated[
        list[str] | None,
        typer.Option("--targets", "-t", metavar="PHOTOS", help="Photos of the persons to show beside the questions."),
    ] = None,
    out: Out = OUT_FOLDER,
) -> None:
    """Measure precision and recall of the last search. Answer the page's questions, then give its FILE.

    Example: fastface audit -o out
    """
    from fastface.cli.console import make_observer
    from fastface.commands.evaluation.audit import draw_audit, plan_audit, score_audit

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
        reasons += [f"{pluralize(plan.lost, 'moment')} could not be decoded again"] if plan.lost else []
        typer.echo(valid_text(f"fastface: exit code {_NOT_DONE}: {'; '.join(reasons)}"), err=True)
        raise typer.Exit(_NOT_DONE)


def _show_plan(plan: "AuditPlan", invocation: Invocation, out: Path) -> None:
    if invocation.json:
        strata = [one.model_dump(mode="json") for one in plan.strata]
        left_out = [one.model_dump(mode="json") for one in plan.left_out]
        as_json({**asdict(plan), "page": str(plan.page), "strata": strata, "left_out": left_out})
        return
    if invocation.quiet:
        return
    from rich.table import Table

    from fastface.cli.console import console

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
    say(f"{pluralize(sum(one.drawn for one in plan.strata), 'moment')} drawn with --seed {plan.seed}")
    if invocation.dry_run:
        for video in plan.left_out:
            say(f"left out: {video.reason}")
        say(f"would write: {plan.page}")
        return
    say(f"open this page, answer the questions, and save the answers: {plan.page}")
    say(f"then: fastface audit audit.json{out_option(out)}")


def _show_result(result: "AuditResult", invocation: Invocation) -> None:
    if invocation.json:
        as_json(result.to_object())
        return
    if invocation.quiet:
        return
    from rich.table import Table

    from fastface.cli.console import console

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
        f"{pluralize(sum(result.answered), 'moment')} answered; {sum(result.unsure)} unsure and "
        f"{sum(result.open)} unanswered moments are left out; ranges are 95 % intervals"
    )
    for stratum, answered in zip(result.strata, result.answered, strict=True):
        if not answered:
            label = "" if stratum.target is None else f" of {result.targets[stratum.target]}"
            kind = _KINDS[stratum.role].format(kind=stratum.kind)
            say(f"no answer yet about {kind}{label}: {pluralize(stratum.moments, 'moment')}")
    for video in result.left_out:
        say(f"left out: {video.reason}")
    say(f"written: {result.file}")


def _share(found: "Estimate | None") -> str:
    return "–" if found is None else f"{100 * found.value:.1f} % ({100 * found.low:.3g}–{100 * found.high:.3g})"


def _seconds(found: "Estimate") -> str:
    return f"{found.value:.1f} s ({found.low:.1f} to {found.high:.1f})"
