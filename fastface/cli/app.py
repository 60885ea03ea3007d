"""Register all commands. The module of a command is imported when the command is called.

`cli.main` calls it. Imports at the top of this file slow down every command.
"""

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.main import get_command, get_group

from fastface.cli.usage import PlainCommand, PlainGroup

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

SUMMARIES = {
    "run": "Find the persons of your photos in videos.",
    "scan": "Find all faces in videos and store them as an index.",
    "find": "Search scanned videos for other persons or with other settings.",
    "people": "List every person in scanned videos.",
    "pick": "Export chosen persons, or correct the list of persons.",
    "correct": "Apply the corrections that you made in a page.",
    "report": "Write report.html of the last answer again, to look through and to correct.",
    "timelines": "Write the spans of the last answer for editing programs, players and annotation tools.",
    "enroll": "Turn photos into a bank, one file of references for -t.",
    "calibrate": "Suggest a threshold and a margin for your photos.",
    "curate": "Choose a balanced set of pictures of one person.",
    "audit": "Measure precision and recall of the last search.",
    "status": "Show which videos are done, running, failed or left.",
    "merge": "Make one output folder of several, of machines that each scanned a shard.",
    "bench": "Measure which numbers of processes scan fastest.",
    "doctor": "Check whether this machine can run fastface.",
    "forget": "Delete the index, clips, crops, snapshots and table rows of videos.",
    "prune": "Forget all videos whose files were deleted.",
    "purge": "Delete all data on faces from an output folder.",
    "demo": "Search a small film that fastface draws itself.",
    "models": "List, install and check the networks.",
}
"""{command: the first sentence of its help}: the list of commands imports none of them"""

_SETTINGS: dict[str, Any] = {
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


class _Commands(PlainGroup):
    """Import commands on demand: importing all takes half a second, and one command needs only a part."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the signature is typer's
        """Return all names, in the order of the help."""
        return list(COMMANDS)

    def get_summary(self, ctx: Any, name: str) -> str:  # noqa: ARG002 - the signature is the base class's
        """Return one line on a command, for the list of commands."""
        return SUMMARIES[name]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command by its name; None if there is none. The error then suggests one of the known names."""
        if cmd_name not in COMMANDS:
            unloaded: Any = None
            self.commands.update(dict.fromkeys(COMMANDS, unloaded))
        elif cmd_name not in self.commands:
            self.commands[cmd_name] = _load(cmd_name)
        return super().get_command(ctx, cmd_name)


def _load(name: str) -> Any:
    module, _, attribute = COMMANDS[name].rpartition(".")
    found = getattr(import_module(f"fastface.cli.commands.{module}"), attribute)
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
        from fastface.distribution import read_version  # noqa: PLC0415 - no other option needs it

        typer.echo(f"fastface {read_version()}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, metavar="", help="Print the version.")
    ] = False,
) -> None:
    pass
