"""Register all commands. The module of a command is imported when the command is called.

`cli.main` calls it. Imports at the top of this file slow down every command.
"""

import gc
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.main import get_command, get_group

from fastface.cli.usage import PlainCommand, PlainGroup
from fastface.distribution import VERSION

COMMANDS = {
    "run": "run.run",
    "scan": "run.scan",
    "find": "run.find",
    "people": "people.people",
    "pick": "pick.pick",
    "correct": "correct.correct",
    "report": "report.report",
    "timelines": "timelines.timelines",
    "enroll": "enroll.enroll",
    "calibrate": "evaluation.calibrate.calibrate",
    "curate": "curate.curate",
    "audit": "evaluation.audit.audit",
    "status": "status.status",
    "merge": "merge.merge",
    "bench": "evaluation.bench.bench",
    "doctor": "doctor.doctor",
    "forget": "removal.forget.forget",
    "prune": "removal.forget.prune",
    "purge": "removal.purge.purge",
    "demo": "demo.demo",
    "models": "models.app",
}
"""{command: its module in `cli.commands`, and a function or a `Typer` of several commands}"""

_SETTINGS: dict[str, Any] = {
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


class _Commands(PlainGroup):
    """Import commands on demand: importing all takes half a second, and one command needs only a part."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the signature is typer's
        """Return all names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command by its name; None if there is none, after loading all commands to suggest one."""
        for name in [cmd_name] if cmd_name in COMMANDS else COMMANDS:
            if name not in self.commands:
                self.commands[name] = _load(name)
        return super().get_command(ctx, cmd_name)


_LEAST_NEW_OBJECTS = 100_000
"""New objects before a collection. The usual 700 take a tenth of a command over the records of 100,000 videos."""


def _load(name: str) -> Any:
    module, _, attribute = COMMANDS[name].rpartition(".")
    # What is imported stays to the end. Collections while importing and at exit took a fifth of a short command.
    gc.disable()
    try:
        found = getattr(import_module(f"fastface.cli.commands.{module}"), attribute)
    finally:
        gc.freeze()
        gc.set_threshold(_LEAST_NEW_OBJECTS)
        gc.enable()
    if isinstance(found, typer.Typer):
        group = get_group(found)
        group.name = name
        return group
    alone = typer.Typer(**_SETTINGS, add_completion=False)
    alone.command(name, cls=PlainCommand)(found)
    return get_command(alone)


app = typer.Typer(
    cls=_Commands,
    help="Find every moment in which chosen persons appear, in folders of videos, on your own machine.\n\n"
    "Example: fastface run videos/ -t photos/ -o out",
    **_SETTINGS,
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
