"""Define `fastface doctor`: check the machine, and print problems and their fixes.

`cli.app` registers it. The work is in `diagnostics.doctor`; this module only parses options and prints.
"""

from dataclasses import asdict

import typer

from fastface.cli.arguments import OUT_FOLDER, Out
from fastface.cli.options import MODELS, SCAN, Invocation, with_settings
from fastface.cli.output import as_json, say
from fastface.names import pluralize

_MARKS = {"fine": "ok   ", "absent": "  –  ", "note": "note ", "fault": "FAULT"}


@with_settings(SCAN, MODELS, remembers="models")
def doctor(invocation: Invocation, out: Out = OUT_FOLDER) -> None:
    """Check whether this machine can run fastface. Print how to fix what is missing.

    Example: fastface doctor -o out
    """
    from fastface.diagnostics.doctor import Check, examine

    checks: list[Check] = []
    for check in examine(invocation.config, out):
        checks.append(check)
        if not invocation.json and (check.state in ("note", "fault") or not invocation.quiet):
            say(f"{_MARKS[check.state]} {check.name}: {check.facts}")
            if check.remedy:
                say(f"      → {check.remedy}")
    faults = sum(check.state == "fault" for check in checks)
    if invocation.json:
        as_json({"checks": [asdict(check) for check in checks], "faults": faults})
    elif not invocation.quiet:
        say("no problems found: fastface can run" if not faults else f"{pluralize(faults, 'problem')} to fix")
    raise typer.Exit(int(faults > 0))
