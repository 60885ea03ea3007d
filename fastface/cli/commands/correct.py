"""Define `fastface correct`: apply a file of corrections that a page saved, or undo the last one.

`cli.app` registers it. The work is in `commands.correct`; this module only parses options and prints.
"""

from pathlib import Path
from typing import Annotated

import typer

from fastface.cli.arguments import OUT_FOLDER, Out
from fastface.cli.commands.people import tell
from fastface.cli.console import make_observer, show
from fastface.cli.options import MODELS, Invocation, with_settings
from fastface.commands.correct import correct_by_file
from fastface.commands.correct import undo as undo_correction
from fastface.diagnostics.dry_run import preview_people
from fastface.errors import ConfigError


@with_settings(MODELS, remembers="models")
def correct(
    invocation: Invocation,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="File of corrections that people.html saved.")
    ] = None,
    *,
    undo: Annotated[bool, typer.Option("--undo", help="Undo the last file or correction.")] = False,
    out: Out = OUT_FOLDER,
) -> None:
    """Apply the corrections that you made in the page of persons.

    Example: fastface correct people-corrections.json -o out
    """
    if (file is None) != undo:
        raise ConfigError("give a file of corrections, or --undo")
    if invocation.dry_run:
        show(preview_people(invocation.config, out, "people"), invocation)
    observer = make_observer(invocation)
    if file is None:
        tell(undo_correction(invocation.config, out, observer), invocation)
    else:
        tell(correct_by_file(invocation.config, file, out, observer), invocation)
