"""`fastface calibrate`: which threshold and margin suit these persons."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from fastface.cli.arguments import OUT_FOLDER, Targets, or_samples
from fastface.cli.options import MATCH, MODELS, REFERENCES, Invocation, with_settings
from fastface.cli.report import as_json, console, observer_for, say, show
from fastface.gallery.calibration import Rate
from fastface.names import counted
from fastface.workflows.calibrate import CHART_NAME, Calibration
from fastface.workflows.calibrate import calibrate as calibrate_workflow
from fastface.workflows.preview import preview_enroll

__all__ = ["calibrate"]


@with_settings(REFERENCES, MATCH, MODELS)
def calibrate(
    invocation: Invocation,
    targets: Targets = None,
    *,
    index: Annotated[Path | None, typer.Option(help="Also use the faces of this output folder.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help=f"Folder for {CHART_NAME}.")] = OUT_FOLDER,
    fmr: Annotated[
        float, typer.Option(min=1e-6, max=0.1, help="Accepted share of false matches among strangers.")
    ] = 1e-3,
) -> None:
    """Suggest a threshold and a margin for these persons, with the errors to expect and a chart."""
    targets = or_samples(targets)
    if invocation.dry_run:
        show(preview_enroll(invocation.config, targets, out / CHART_NAME), invocation)
    observer = observer_for(invocation)
    result = calibrate_workflow(invocation.config, targets, out, observer, index=index, wanted=fmr)
    if invocation.json:
        as_json({"options": result.options, **asdict(result), "chart": str(result.chart)})
        return
    for remark in result.remarks:
        observer.note(remark)
    if not invocation.quiet:
        console().print(_table(result))
        _explain(result)
    say(result.options)


def _table(result: Calibration) -> Table:
    limits = {"in use": result.in_use, "suggested": result.suggested}
    columns = [f"{name}\n{pair.threshold:.2f}, {pair.margin:.2f}" for name, pair in limits.items()]
    table = Table("error\nin comparing", "number", "median\nworst", *columns, "estimate")
    for row in result.comparisons:
        worst, error = (row.lowest, "missed") if row.mates else (row.highest, "false match")
        rates = (row.in_use, row.suggested, row.estimated)
        table.add_row(f"{error}\n{row.kind}", str(row.count), f"{row.median:.2f}\n{worst:.2f}", *map(_shown, rates))
    return table


def _shown(rate: Rate | None) -> str:
    """The rate, and its interval below it."""
    return "–" if rate is None else f"{_percent(rate.value)}\n{_percent(rate.low).rstrip('%')}–{_percent(rate.high)}"


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.0995 else f"{share * 100:.2g}%"


def _explain(result: Calibration) -> None:
    for row in result.comparisons:
        say(f"worst pair of {row.kind!r}: {row.extreme}")
    say(
        f"{counted(result.persons, 'person')}, {counted(result.photos, 'photo')}; the suggested threshold is the"
        f" smallest with at most a share of {result.wanted:g} false matches among strangers"
    )
    say("ranges are 95 % intervals; the estimate comes from the shape of the distribution, not from counting")
    say("photos of one session are more similar than faces in a film: expect more misses in films than shown here")
    say(f"chart: {result.chart}")
