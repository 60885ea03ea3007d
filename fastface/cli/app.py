"""All commands under one name."""

from typing import Annotated

import typer

from fastface.cli import (
    audit,
    bench,
    calibrate,
    curate,
    demo,
    doctor,
    enroll,
    find,
    forget,
    models,
    people,
    pick,
    purge,
    run,
    scan,
    status,
)
from fastface.workflows.desk import VERSION

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Finds every moment in which chosen persons appear, over folders of videos, on your own machine.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fastface {VERSION}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="The version, and end.")
    ] = False,
) -> None:
    pass


app.command("run")(run.run)
app.command("scan")(scan.scan)
app.command("find")(find.find)
app.command("people")(people.people)
app.command("pick")(pick.pick)
app.command("enroll")(enroll.enroll)
app.command("calibrate")(calibrate.calibrate)
app.command("curate")(curate.curate)
app.command("audit")(audit.audit)
app.command("status")(status.status)
app.command("bench")(bench.bench_command)
app.command("doctor")(doctor.doctor)
app.command("forget")(forget.forget)
app.command("purge")(purge.purge)
app.command("demo")(demo.demo)
app.add_typer(models.app, name="models")
