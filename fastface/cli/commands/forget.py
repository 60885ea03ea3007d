"""Define `fastface forget`: delete the data of unneeded videos.

`cli.app` registers it. The work is in `commands.forget`; this module only parses options and prints.
"""

import shlex
from dataclasses import asdict
from typing import Annotated

import typer

from fastface.cli.arguments import OUT_FOLDER, Out
from fastface.cli.confirm import confirm
from fastface.cli.console import as_json, make_observer, say
from fastface.cli.options import MODELS, Invocation, with_settings
from fastface.commands.forget import ForgetResult
from fastface.commands.forget import forget as forget_workflow
from fastface.names import pluralize, valid_text


@with_settings(MODELS, remembers="models")
def forget(
    invocation: Invocation,
    videos: Annotated[
        list[str], typer.Argument(metavar="VIDEOS", help="Videos, folders, or names of videos in the tables.")
    ],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without a question.")] = False,
    out: Out = OUT_FOLDER,
) -> None:
    """Delete the index, clips, crops, snapshots and table rows of videos. The videos themselves stay.

    Example: fastface forget videos/old.mp4 -o out
    """
    observer = make_observer(invocation)
    plan = forget_workflow(invocation.config, out, videos, observer, pretend=True)
    what = pluralize(len(plan.videos), "video")
    if plan.videos and not (invocation.dry_run or yes):
        command = shlex.join(["fastface", "forget", *videos, "-o", str(out), "--yes"])
        confirm(f"Forget {what}?", plan.paths, f"nothing was forgotten; to forget {what}: {command}", invocation)
    done = plan if invocation.dry_run else forget_workflow(invocation.config, out, plan.videos, observer, by_id=True)
    if invocation.json:
        as_json(asdict(done))
    elif not invocation.quiet:
        for line in describe_forgotten(done, is_plan=invocation.dry_run):
            say(line)


def describe_forgotten(done: ForgetResult, *, is_plan: bool) -> list[str]:
    """Describe what was removed, or would be, one video a line and a summary."""
    what = pluralize(len(done.videos), "video")
    if is_plan:
        lines = [f"would forget: {valid_text(name)}" for name in done.videos]
        return [*lines, f"would forget {what} and remove {pluralize(done.exports, 'file')}"]
    lines = [f"forgot: {valid_text(name)}" for name in done.videos]
    rows = pluralize(done.rows, "row")
    lines.append(f"forgot {what}; removed {pluralize(done.exports, 'file')} and {rows} of tables")
    return [*lines, done.people] if done.people else lines
