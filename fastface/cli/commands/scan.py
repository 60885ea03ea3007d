"""`fastface scan`: build or complete the index only."""

from fastface.cli.arguments import IN_FOLDER, OUT_FOLDER, Inputs, Out
from fastface.cli.console import finish, observer_for, show
from fastface.cli.options import MODELS, RUN, SCAN, Invocation, with_settings
from fastface.commands.run import scan as scan_workflow
from fastface.diagnostics.dry_run import preview_run

__all__ = ["scan"]


@with_settings(SCAN, RUN, MODELS, remembers="models")
def scan(invocation: Invocation, inputs: Inputs = None, out: Out = OUT_FOLDER) -> None:
    """Find all faces of videos and keep them as an index, to be searched later by find and people."""
    inputs = inputs or [IN_FOLDER]
    if invocation.dry_run:
        show(preview_run(invocation.config, inputs, None, out), invocation)
    finish(scan_workflow(invocation.config, inputs, out, observer_for(invocation)), invocation)
