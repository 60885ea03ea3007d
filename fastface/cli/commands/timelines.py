"""`fastface timelines`: the spans for editing programs and players."""

from dataclasses import asdict
from typing import Annotated, get_args

import typer

from fastface.choices import TimelineFormat
from fastface.cli.arguments import OUT_FOLDERS, Outs
from fastface.cli.options import Invocation, with_settings
from fastface.cli.output import as_json, say
from fastface.names import pluralize, shorten_lines

_MOST_LINES = 20


@with_settings()
def timelines(
    invocation: Invocation,
    formats: Annotated[
        str,
        typer.Option(
            "--as",
            metavar="LIST",
            help=f"Write these formats only: some of {', '.join(get_args(TimelineFormat))}.",
            show_default="all",
        ),
    ] = "",
    out: Outs = OUT_FOLDERS,
) -> None:
    """Write the spans of the last answer for editing programs, players and annotation tools. Nothing is decoded.

    Example: fastface timelines -o out --as edl,srt
    """
    from fastface.cli.console import make_observer
    from fastface.commands.merge import find_joined
    from fastface.commands.timelines import timelines as timelines_workflow
    from fastface.export.timelines.writer import FOLDER

    wanted = [name.strip() for name in formats.split(",") if name.strip()]
    where = find_joined(out)
    observer = make_observer(invocation)
    done = timelines_workflow(where, wanted, pretend=invocation.dry_run)
    for line in shorten_lines(done.left_out, _MOST_LINES):
        observer.note(line)
    if invocation.json:
        as_json(asdict(done))
    elif not invocation.quiet:
        verb, removed = ("would write", "would remove") if invocation.dry_run else ("wrote", "removed")
        say(f"{verb} {pluralize(len(done.files), 'file')} in {where / FOLDER}")
        if done.removed:
            say(f"{removed} {pluralize(done.removed, 'outdated file')}")
