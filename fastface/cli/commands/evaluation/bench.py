"""Define `fastface bench`: measure which processes and batches are fastest on this machine.

`cli.app` registers it. The work is in `commands.evaluation.bench`; this module only parses options and prints.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fastface.cli.arguments import OUT_FOLDER, Inputs
from fastface.cli.options import MODELS, SAMPLING, Invocation, with_settings
from fastface.cli.output import MOST_ROWS, as_json, say
from fastface.errors import ConfigError
from fastface.files import write_atomic
from fastface.runtime.events.bottleneck import describe_bottleneck

if TYPE_CHECKING:
    from rich.table import Table

    from fastface.commands.evaluation.bench import Measurement

_SHOWN = ("device", "decoders", "workers", "batch", "frames_per_second", "times_real_time", "memory_mb")
"""Columns that fit into 80 characters; the report has all."""

_FEW_SECONDS = 10.0


@with_settings(SAMPLING, MODELS)
def bench(
    invocation: Invocation,
    inputs: Inputs = None,
    *,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="FOLDER",
            help="Folder for the results. They are bench.csv, bench.png and bench.html.",
        ),
    ] = OUT_FOLDER / "bench",
    batches: Annotated[
        str, typer.Option(metavar="N,…", help="Frames per batch to try. 0 is the number that a run chooses.")
    ] = "1,4,8",
    workers: Annotated[str, typer.Option(metavar="N,…", help="Numbers of inference processes to try.")] = "1,2",
    decoders: Annotated[str, typer.Option(metavar="N,…", help="Numbers of decoder processes to try.")] = "1,2",
    backends: Annotated[str, typer.Option(metavar="DEVICE,…", help="Devices to try, as openvino,cuda.")] = "auto",
    write_profile: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the fastest choice to this file. Later commands read it with -c."),
    ] = None,
) -> None:
    """Measure which numbers of processes scan fastest. Write a table and a chart.

    Example: fastface bench videos/ --batches 1,4 --workers 1,2
    """
    from rich.console import Console

    from fastface.cli.console import show
    from fastface.commands.evaluation import bench as workflow

    devices = backends.split(",")
    sizes = [
        _numbers(name, text) for name, text in (("decoders", decoders), ("workers", workers), ("batches", batches))
    ]
    combinations = workflow.list_combinations(devices, *sizes)
    if invocation.dry_run:
        show(workflow.preview_bench(invocation.config, inputs or [], combinations, out), invocation)
    console = Console(stderr=True, highlight=False)
    measured: list[Measurement] = []
    networks = workflow.describe_means(invocation.config)
    for measurement in workflow.bench(invocation.config, inputs or [], combinations):
        measured.append(measurement)
        workflow.write_report(out, measured, networks)  # later steps may fail
        if not invocation.quiet:
            console.print(f"{len(measured)} of {len(combinations)}: {', '.join(workflow.cells(measurement)[:4])}: "
                          f"{measurement.frames_per_second:.1f} frames/s")  # fmt: skip
    best = max(measured, key=lambda measurement: measurement.frames_per_second)
    if write_profile is not None:
        write_atomic(write_profile, workflow.profile_text(best))
    if invocation.json:
        rows = [dict(zip(workflow.COLUMNS, workflow.cells(measurement), strict=True)) for measurement in measured]
        as_json({"measurements": rows, "report": str(out / "bench.html")})
    elif not invocation.quiet:
        _show(measured, best, out)


def _show(measured: "list[Measurement]", best: "Measurement", out: Path) -> None:
    from fastface.cli.console import console
    from fastface.commands.evaluation.bench import describe_combination

    console().print(_table(measured, best))
    combination = ", ".join(describe_combination(best.combination))
    say(f"fastest: {combination}: {best.frames_per_second:.1f} frames a second")
    if limit := describe_bottleneck(best.stages):
        say(limit)
    if best.seconds < _FEW_SECONDS:
        say(f"measured for {best.seconds:.0f} seconds only: a longer video gives figures that hold")
    say(f"report: {out / 'bench.html'}, {out / 'bench.csv'}, {out / 'bench.png'}")


def _numbers(name: str, text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise ConfigError(f"--{name} {text!r}: write whole numbers with commas, as 1,4,8") from error


def _table(measured: "list[Measurement]", best: "Measurement") -> "Table":
    from rich.table import Table

    from fastface.commands.evaluation.bench import COLUMNS, cells

    table = Table(*(column.replace("_", " ") for column in _SHOWN))
    fastest = sorted(measured, key=lambda one: -one.frames_per_second)
    for measurement in fastest[:MOST_ROWS]:
        row = dict(zip(COLUMNS, cells(measurement), strict=True))
        table.add_row(*(row[column] for column in _SHOWN), style="bold green" if measurement is best else None)
    return table
