"""Define `fastface prune`: delete the data of videos whose files were deleted.

`cli.app` registers it. The work is in `commands.prune`; this module only parses options and prints.
"""

import shlex
from dataclasses import asdict
from typing import Annotated

import typer

from fastface.cli.arguments import OUT_FOLDER, Out
from fastface.cli.commands.forget import describe_forgotten
from fastface.cli.confirm import confirm
from fastface.cli.console import as_json, make_observer, say
from fastface.cli.options import MODELS, Invocation, with_settings
from fastface.commands.prune import PruneResult
from fastface.commands.prune import prune as prune_workflow
from fastface.names import pluralize


@with_settings(MODELS, remembers="models")
def prune(
    invocation: Invocation,
    out: Out = OUT_FOLDER,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without a question.")] = False,
) -> None:
    """Forget all videos whose files were deleted. Videos on a disk that is not mounted stay.

    Example: fastface prune -o out --dry-run
    """
    observer = make_observer(invocation)
    plan = prune_workflow(invocation.config, out, observer, pretend=True)
    if plan.forgotten.videos and not (invocation.dry_run or yes):
        what = pluralize(len(plan.forgotten.videos), "video")
        command = shlex.join(["fastface", "prune", "-o", str(out), "--yes"])
        refusal = f"nothing was forgotten; the files of {what} are gone; to forget: {command}"
        confirm(f"Forget {what}?", [*plan.forgotten.paths, *_describe_places(plan)], refusal, invocation)
    done = plan if invocation.dry_run else prune_workflow(invocation.config, out, observer)
    if invocation.json:
        as_json(asdict(done))
    elif not invocation.quiet:
        for line in [*_describe_places(done), *describe_forgotten(done.forgotten, is_plan=invocation.dry_run)]:
            say(line)


def _describe_places(plan: PruneResult) -> list[str]:
    """Describe the folders whose videos are gone, and the disks that are not mounted."""
    lines = []
    for folder, count in plan.folders.items():
        what = "the folder is gone too" if folder in plan.missing else "the folder is still there"
        lines.append(f"gone from {folder}: {pluralize(count, 'video')}; {what}")
    for disk, count in plan.unmounted.items():
        lines.append(f"kept: {pluralize(count, 'video')} on {disk}, which is not mounted")
    return lines
