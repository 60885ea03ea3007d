"""Define `fastface enroll`: turn photos into a bank.

`cli.app` registers it. The work is in `commands.enroll`; this module only parses options and prints.
"""

from pathlib import Path
from typing import Annotated

import typer

from fastface.cli.options import MATCH, MODELS, REFERENCES, Invocation, with_settings
from fastface.cli.output import as_json, say
from fastface.names import pluralize


@with_settings(REFERENCES, MATCH, MODELS)
def enroll(
    invocation: Invocation,
    paths: Annotated[
        list[str], typer.Argument(metavar="PHOTOS", help="Photos, folders of photos, NAME=PATH, or banks.")
    ],
    bank: Annotated[Path, typer.Option("--bank", "-b", metavar="FILE", help="Bank to write, as family.npz.")],
) -> None:
    """Turn photos into a bank, one file of references for -t. Print a report on each photo.

    Example: fastface enroll photos/ -b family.npz
    """
    from fastface.cli.console import make_observer, show
    from fastface.commands.enroll import enroll as enroll_workflow

    if invocation.dry_run:
        from fastface.diagnostics.dry_run import preview_enroll

        show(preview_enroll(invocation.config, paths, bank), invocation)
    result = enroll_workflow(invocation.config, paths, bank, make_observer(invocation))
    if invocation.json:
        as_json({"bank": str(bank), "targets": [t.label for t in result.gallery.targets], "report": result.report})
        return
    if not invocation.quiet:
        for line in result.report:
            say(line)
        say(f"written: {bank} ({pluralize(len(result.gallery.targets), 'person')}); to search for them: -t {bank}")
