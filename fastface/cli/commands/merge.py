"""Define `fastface merge`: one output folder of several.

`cli.app` registers it. The work is in `commands.merge`; this module only parses options and prints.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from fastface.cli.arguments import Out
from fastface.cli.options import Invocation, with_settings
from fastface.cli.output import as_json, out_option, say
from fastface.names import pluralize


@with_settings()
def merge(
    invocation: Invocation,
    outs: Annotated[list[Path], typer.Argument(metavar="FOLDERS", help="Output folders to merge. They stay as is.")],
    *,
    link: Annotated[
        bool,
        typer.Option(
            "--link/--copy",
            help="Link the files of the index where possible, or copy them.",
            metavar="",
            show_default="link",
        ),
    ] = True,
    out: Out,
) -> None:
    """Make one output folder of several, of machines that each scanned a shard. Nothing is decoded.

    Example: fastface merge shard1 shard2 -o all
    """
    from fastface.cli.console import make_observer, show
    from fastface.commands.merge import merge as merge_workflow

    if invocation.dry_run:
        from fastface.diagnostics.dry_run import Preview
        from fastface.fleet.merge import check_merge

        check_merge(outs, out)
        show(Preview(output=(repr(str(out)),)), invocation)
    result = merge_workflow(outs, out, make_observer(invocation), link=link)
    if invocation.json:
        as_json({**asdict(result), "out": str(result.out)})
    elif not invocation.quiet:
        for folder, count in result.taken.items():
            say(f"{folder}: {pluralize(count, 'video')} taken over")
        counted = f"; {pluralize(result.counted_once, 'video')} in several folders" if result.counted_once else ""
        waiting = f"; {pluralize(result.waiting, 'video')} not scanned to the end" if result.waiting else ""
        say(f"{result.out}: {pluralize(result.videos, 'video')}{counted}{waiting}")
        say(f"next: fastface people{out_option(result.out)}, or: fastface find -t PHOTOS{out_option(result.out)}")
