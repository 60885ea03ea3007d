"""`fastface status`: what is done, running, failed, left."""

from dataclasses import asdict

from fastface.cli.arguments import OUT_FOLDER, Out
from fastface.cli.options import Invocation, with_settings
from fastface.cli.report import as_json, say
from fastface.workflows.status import read_status

__all__ = ["status"]


@with_settings()
def status(invocation: Invocation, out: Out = OUT_FOLDER) -> None:
    """Show what is done, running, failed and left in an output folder, also while a run is going on."""
    found = read_status(out)
    if invocation.json:
        as_json(asdict(found))
        return
    running = f"running (process {found.process})" if found.process else "not running"
    say(f"{out}: {running}; " + ", ".join(f"{count} {state}" for state, count in sorted(found.states.items())))
    for line in found.not_done:
        say(line)
