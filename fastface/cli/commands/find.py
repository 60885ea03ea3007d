"""`fastface find`: ask an index that is there."""

from fastface.cli.arguments import OUT_FOLDER, Out, Targets, or_samples
from fastface.cli.console import finish, observer_for, show
from fastface.cli.options import EXPORT, GROWTH, LIMITS, MATCH, MODELS, REFERENCES, SPANS, Invocation, with_settings
from fastface.commands.run import find as find_workflow
from fastface.diagnostics.dry_run import preview_find

__all__ = ["find"]


@with_settings(REFERENCES, MATCH, GROWTH, SPANS, EXPORT, LIMITS, MODELS, remembers="export")
def find(invocation: Invocation, targets: Targets = None, out: Out = OUT_FOLDER) -> None:
    """Search scanned videos for other persons, or with other settings, without scanning again."""
    targets = or_samples(targets)
    if invocation.dry_run:
        show(preview_find(invocation.config, targets, out), invocation)
    finish(find_workflow(invocation.config, targets, out, observer_for(invocation)), invocation)
