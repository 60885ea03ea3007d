"""All commands under one name. The module of a command is imported when the command is called for."""

import inspect
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.main import get_command, get_group

from fastface.cli.usage import PlainCommand, PlainGroup
from fastface.distribution import VERSION

__all__ = ["COMMANDS", "app"]

COMMANDS = {
    "run": ("run.run", "fastface run videos/ -t photos/ -o out"),
    "scan": ("run.scan", "fastface scan videos/ -o out"),
    "find": ("run.find", "fastface find -t photos/Bob.jpg -o out"),
    "people": ("people.people", "fastface people -o out"),
    "pick": ("pick.pick", "fastface pick 3 7 --name Alice -o out"),
    "enroll": ("enroll.enroll", "fastface enroll photos/ -b family.npz"),
    "calibrate": ("calibrate.calibrate", "fastface calibrate -t photos/ --index out"),
    "curate": ("curate.curate", "fastface curate out/crops/Alice -o alice"),
    "audit": ("audit.audit", "fastface audit -o out"),
    "status": ("status.status", "fastface status -o out"),
    "bench": ("bench.bench", "fastface bench videos/a.mp4 --batches 1,4,8 --workers 1,2"),
    "doctor": ("doctor.doctor", "fastface doctor -o out"),
    "forget": ("forget.forget", "fastface forget old/film.mp4 -o out"),
    "purge": ("purge.purge", "fastface purge -o out --dry-run"),
    "demo": ("demo.demo", "fastface demo"),
    "models": ("models.app", ""),
}
"""{command: (its place in this package: a function, or a `Typer` of several commands; an example)}"""

_SETTINGS: dict[str, Any] = {
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


class _Commands(PlainGroup):
    """Importing the modules of all commands takes half a second, of which one command needs a part."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the signature is typer's
        """All names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of a name; None if there is none, and then all are loaded, to suggest one."""
        for name in [cmd_name] if cmd_name in COMMANDS else COMMANDS:
            if name not in self.commands:
                self.commands[name] = _load(name)
        return super().get_command(ctx, cmd_name)


def _load(name: str) -> Any:
    place, example = COMMANDS[name]
    module, _, attribute = place.partition(".")
    found = getattr(import_module(f"fastface.cli.commands.{module}"), attribute)
    if isinstance(found, typer.Typer):
        group = get_group(found)
        group.name = name
        return group
    alone = typer.Typer(**_SETTINGS, add_completion=False)
    alone.command(name, cls=PlainCommand, help=f"{inspect.getdoc(found)}\n\nExample: {example}")(found)
    return get_command(alone)


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    help="Find every moment in which chosen persons appear, in folders of videos, on your own machine.\n\n"
    "Start with: fastface run videos/ -t photos/ -o out",
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
