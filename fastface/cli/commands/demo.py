"""Define `fastface demo`: run the main job offline, on a film that fastface draws itself.

`cli.app` registers it. The work is in `commands.demo`; this module only parses options and prints.
"""

from fastface.cli.arguments import OUT_FOLDER, Out
from fastface.cli.options import DEVICE, Invocation, with_settings


@with_settings(DEVICE)
def demo(invocation: Invocation, out: Out = OUT_FOLDER / "demo") -> None:
    """Search a small film that fastface draws itself. This needs no networks and no internet.

    Example: fastface demo
    """
    from fastface.cli.console import finish, make_observer, show

    if invocation.dry_run:
        from fastface.diagnostics.dry_run import preview_demo

        show(preview_demo(out), invocation)
    from fastface.commands.demo import run_demo

    wanted = invocation.config.models
    finish(run_demo(out, make_observer(invocation), wanted.device, wanted.precision), invocation)
