"""Define `fastface calibrate`: suggest the threshold and margin that suit these persons.

`cli.app` registers it. The work is in `commands.evaluation.calibrate`; this module only parses options and prints.
"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fastface.cli.arguments import OUT_FOLDER, Targets, or_samples
from fastface.cli.options import MATCH, MODELS, REFERENCES, Invocation, with_settings
from fastface.cli.output import as_json, say
from fastface.names import pluralize

if TYPE_CHECKING:
    from rich.table import Table

    from fastface.commands.evaluation.calibrate import Calibration, RiskPoint
    from fastface.gallery.calibration import RateEstimate

_LEAST_SHOWN = 0.001
"""Smallest printed rate of false tracks."""


@with_settings(REFERENCES, MATCH, MODELS, remembers="models")
def calibrate(
    invocation: Invocation,
    targets: Targets = None,
    *,
    index: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Also use the faces of this output folder.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Folder for the chart.")] = OUT_FOLDER,
) -> None:
    """Suggest a threshold and a margin for your photos. Print the errors to expect, and draw a chart of them.

    Example: fastface calibrate -t photos/ --index out
    """
    targets = or_samples(targets)
    from fastface.cli.console import console, make_observer, show
    from fastface.commands.evaluation.calibrate import CHART_NAME
    from fastface.commands.evaluation.calibrate import calibrate as calibrate_workflow

    if invocation.dry_run:
        from fastface.diagnostics.dry_run import preview_enroll

        show(preview_enroll(invocation.config, targets, out / CHART_NAME), invocation)
    observer = make_observer(invocation)
    result = calibrate_workflow(invocation.config, targets, out, observer, index=index)
    if invocation.json:
        as_json({"options": result.options, **asdict(result), "chart": str(result.chart)})
        return
    for remark in result.remarks:
        observer.note(remark)
    if not invocation.quiet:
        console().print(_table(result))
        _explain(result)
    if result.options:
        say(result.options)


def _table(result: "Calibration") -> "Table":
    from rich.table import Table

    limits = {"in use": result.in_use}
    if result.options:
        limits["suggested"] = result.suggested
    columns = [f"{name}\n{pair.threshold:.2f}, {pair.margin:.2f}" for name, pair in limits.items()]
    table = Table("error\nin comparing", "number", "median\nworst", *columns, "estimate")
    for row in result.comparisons:
        worst, error = (row.lowest, "missed") if row.mates else (row.highest, "false match")
        rates = (row.in_use, *([row.suggested] if result.options else []), row.estimated)
        table.add_row(f"{error}\n{row.kind}", str(row.count), f"{row.median:.2f}\n{worst:.2f}", *map(_format, rates))
    return table


def _format(rate: "RateEstimate | None") -> str:
    """Format a rate, with its interval in the next line."""
    return "–" if rate is None else f"{_percent(rate.value)}\n{_percent(rate.low).rstrip('%')}–{_percent(rate.high)}"


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.0995 else f"{share * 100:.2g}%"


def _explain(result: "Calibration") -> None:
    from rich.table import Table

    from fastface.cli.console import console

    for row in result.comparisons:
        say(f"{'least' if row.mates else 'most'} similar of {row.kind!r}: {row.extreme}")
    tracks = f", {pluralize(result.tracks, 'track')}" if result.tracks else ""
    say(
        f"{pluralize(result.persons, 'person')}, {pluralize(result.photos, 'photo')}{tracks}; the risk is "
        f"{result.false_tracks:g} false tracks in {result.pairs} comparisons"
    )
    table = Table("threshold", "false tracks expected", "by these photos and tracks", "95 % interval")
    for point in _shown_points(result):
        here = ("–", "–") if point.here is None else (_number(point.here.value), _span(point.here))
        table.add_row(f"{point.threshold:.2f}", _number(point.usual), *here)
    console().print(table)
    say("Intervals cover 95 %; the estimates extrapolate an exponential tail. A track has several faces, so it is more")
    say("similar to its person than a single photo.")
    for reason in result.reasons:
        say(reason)
    say(f"chart: {result.chart}")


def _shown_points(result: "Calibration") -> "list[RiskPoint]":
    """Return the curve in steps of 0.05, and the points nearest to the limits."""
    near = {round(pair.threshold, 2) for pair in (result.in_use, result.suggested)}
    return [point for point in result.risk if round(point.threshold * 100) % 5 == 0 or point.threshold in near]


def _span(rate: "RateEstimate") -> str:
    return f"{_number(rate.low)} to {_number(rate.high)}"


def _number(value: float) -> str:
    """Format a number with two digits, without an exponent."""
    return f"{float(f'{value:.2g}'):.10g}" if value >= _LEAST_SHOWN else f"below {_LEAST_SHOWN}"
