"""All commands under one name."""

import inspect
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
    models,
    people,
    pick,
    purge,
    run,
    scan,
    status,
)
from fastface.cli.usage import PlainCommand, PlainGroup
from fastface.workflows.desk import VERSION

__all__ = ["app"]

app = typer.Typer(
    cls=PlainGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Find every moment in which chosen persons appear, in folders of videos, on your own machine.\n\n"
    "Start with: fastface run videos/ -t photos/ -o out",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fastface {VERSION}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, metavar="", help="Print the version.")
    ] = False,
) -> None:
    pass


_COMMANDS = {
    run.run: "fastface run videos/ -t photos/ -o out",
    scan.scan: "fastface scan videos/ -o out",
    find.find: "fastface find -t photos/Bob.jpg -o out",
    people.people: "fastface people -o out",
    pick.pick: "fastface pick 3 7 --name Alice -o out",
    enroll.enroll: "fastface enroll photos/ -b family.npz",
    calibrate.calibrate: "fastface calibrate -t photos/ --index out",
    curate.curate: "fastface curate out/crops/Alice -o alice",
    audit.audit: "fastface audit -o out",
    status.status: "fastface status -o out",
    bench.bench: "fastface bench videos/a.mp4 --batches 1,4,8 --workers 1,2",
    doctor.doctor: "fastface doctor -o out",
    purge.purge: "fastface purge -o out --dry-run",
    demo.demo: "fastface demo",
}
"""{command: an example of it}"""

for _command, _example in _COMMANDS.items():
    _help = f"{inspect.getdoc(_command)}\n\nExample: {_example}"
    app.command(_command.__name__, cls=PlainCommand, help=_help)(_command)
app.add_typer(models.app, name="models")
