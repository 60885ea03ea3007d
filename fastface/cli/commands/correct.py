"""Define `fastface correct`: apply the corrections that a page saved, or take back the last ones.

`cli.app` registers it. The work is in `commands.correction.correct_file`; this module only parses options and prints.
"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fastface.cli.arguments import OUT_FOLDER, Out
from fastface.cli.options import MODELS, Invocation, with_settings
from fastface.cli.output import as_json, out_option, say
from fastface.errors import ConfigError
from fastface.names import shorten_lines

if TYPE_CHECKING:
    from fastface.commands.correction.correct_file import Correction

_MOST_LINES = 20


@with_settings(MODELS, remembers="models")
def correct(
    invocation: Invocation,
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="Corrections that a page saved.")] = None,
    *,
    undo: Annotated[bool, typer.Option("--undo", help="Take back the last file or correction.")] = False,
    out: Out = OUT_FOLDER,
) -> None:
    """Apply the corrections that you made in a page. Every later question uses them.

    Example: fastface correct decisions.json -o out
    """
    if (file is None) != undo:
        raise ConfigError("give a file of corrections, or --undo")
    from fastface.cli.console import make_observer
    from fastface.commands.correction.correct_file import correct_by_file, take_back

    observer = make_observer(invocation)
    if file is not None:
        result = correct_by_file(invocation.config, file, out, observer, pretend=invocation.dry_run)
        tell_corrected(result, out, invocation)
        return
    if invocation.dry_run:
        raise ConfigError("--undo has no --dry-run: it takes back one correction")
    tell_corrected(take_back(invocation.config, out, observer), out, invocation)


def tell_corrected(result: "Correction", out: Path, invocation: Invocation) -> None:
    """Print the result of a correction; exit with an error code if entries were left out."""
    from fastface.cli.commands.people import tell
    from fastface.commands.people import PeopleResult

    if isinstance(result, PeopleResult):
        tell(result, invocation)
        return
    if invocation.json:
        as_json(asdict(result))
    elif not invocation.quiet:
        say(f"would keep {result.summary}" if invocation.dry_run else result.summary)
        if any(result.counts.values()) and not invocation.dry_run:
            say(f"next: fastface find -t PHOTOS{out_option(out)}")
    for line in shorten_lines(result.left_out, _MOST_LINES):
        typer.echo(f"fastface: left out: {line}", err=True)
    if result.exit_code:
        raise typer.Exit(result.exit_code)
