"""Define `fastface forget`: delete the data of unneeded videos, or of videos whose file is gone.

`cli.app` registers it. The work is in `commands.forget`; this module only parses options and prints.
"""

import shlex
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from fastface.cli.arguments import OUT_FOLDER, Out
from fastface.cli.console import as_json, make_observer, say
from fastface.cli.options import MODELS, Invocation, with_settings
from fastface.commands.forget import forget as forget_workflow
from fastface.errors import ConfigError
from fastface.names import pluralize, valid_text


@with_settings(MODELS, remembers="models")
def forget(
    invocation: Invocation,
    videos: Annotated[
        list[str] | None, typer.Argument(metavar="VIDEOS", help="Videos, folders, or names of videos in the tables.")
    ] = None,
    *,
    gone: Annotated[bool, typer.Option("--gone", help="Also forget all videos whose file is gone.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without a question.")] = False,
    out: Out = OUT_FOLDER,
) -> None:
    """Delete the index, clips, crops, snapshots and table rows of videos. The videos themselves stay.

    Example: fastface forget videos/old.mp4 -o out
    """
    if not videos and not gone:
        raise ConfigError("name videos to forget, or --gone for all whose file is not there any more")
    observer = make_observer(invocation)
    plan = forget_workflow(invocation.config, out, videos or (), observer, gone=gone, pretend=True)
    if plan.videos and not (invocation.dry_run or yes):
        if invocation.json or not (sys.stdin.isatty() and sys.stderr.isatty()):
            words = ["fastface", "forget", *(videos or ()), *(["--gone"] if gone else []), "-o", str(out), "--yes"]
            raise ConfigError(
                f"nothing was forgotten; to forget {pluralize(len(plan.videos), 'video')}: {shlex.join(words)}"
            )
        for path in plan.paths:
            typer.echo(path, err=True)
        if not typer.confirm(f"Forget {pluralize(len(plan.videos), 'video')}?", default=False, err=True):
            raise ConfigError("nothing was forgotten")
    if not invocation.dry_run:
        plan = forget_workflow(invocation.config, out, plan.videos, observer)
    if invocation.json:
        as_json(asdict(plan))
    elif not invocation.quiet:
        verb = "would forget" if invocation.dry_run else "forgot"
        for name in plan.videos:
            say(f"{verb}: {valid_text(name)}")
        what = pluralize(len(plan.videos), "video")
        if invocation.dry_run:
            say(f"would forget {what} and remove {pluralize(plan.exports, 'file')}")
        else:
            say(f"forgot {what}; removed {pluralize(plan.exports, 'file')} and {pluralize(plan.rows, 'row')} of tables")
        if plan.people:
            say(plan.people)
