"""Define `fastface forget` and `prune`: delete the data of unneeded videos, and of videos whose files were deleted.

`cli.app` registers them. The work is in `commands.removal`; this module only parses options and prints.
"""

import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from fastface.cli.arguments import OUT_FOLDER, Out
from fastface.cli.confirm import confirm
from fastface.cli.options import MODELS, Invocation, with_settings
from fastface.cli.output import as_json, say
from fastface.names import pluralize, valid_text

if TYPE_CHECKING:
    from fastface.commands.removal.forget import ForgetResult
    from fastface.commands.removal.prune import PruneResult


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
    from fastface.cli.console import make_observer
    from fastface.commands.removal.forget import forget as forget_workflow

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
        for line in _describe_forgotten(done, is_plan=invocation.dry_run):
            say(line)


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
    from fastface.cli.console import make_observer
    from fastface.commands.removal.prune import prune as prune_workflow

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
        for line in [*_describe_places(done), *_describe_forgotten(done.forgotten, is_plan=invocation.dry_run)]:
            say(line)


def _describe_places(plan: "PruneResult") -> list[str]:
    """Describe the folders whose videos are gone, and the disks that are not mounted."""
    lines = []
    for folder, count in plan.folders.items():
        what = "the folder is gone too" if folder in plan.missing else "the folder is still there"
        lines.append(f"gone from {folder}: {pluralize(count, 'video')}; {what}")
    for disk, count in plan.unmounted.items():
        lines.append(f"kept: {pluralize(count, 'video')} on {disk}, which is not mounted")
    return lines


def _describe_forgotten(done: "ForgetResult", *, is_plan: bool) -> list[str]:
    """Describe what was removed, or would be, one video a line and a summary."""
    what = pluralize(len(done.videos), "video")
    if is_plan:
        lines = [f"would forget: {valid_text(name)}" for name in done.videos]
        return [*lines, f"would forget {what} and remove {pluralize(done.exports, 'file')}"]
    lines = [f"forgot: {valid_text(name)}" for name in done.videos]
    rows = pluralize(done.rows, "row")
    lines.append(f"forgot {what}; removed {pluralize(done.exports, 'file')} and {rows} of tables")
    return [*lines, done.people] if done.people else lines
