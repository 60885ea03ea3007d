"""Define `fastface purge`: remove the face data of a run.

`cli.app` registers it. The work is in `commands.removal.purge`; this module only parses options and prints.
"""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fastface.cli.confirm import confirm
from fastface.cli.options import Invocation, with_settings
from fastface.cli.output import as_json, say
from fastface.errors import ConfigError
from fastface.names import pluralize

if TYPE_CHECKING:
    from fastface.commands.removal.purge import PurgeResult


@with_settings()
def purge(
    invocation: Invocation,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FOLDER", help="Output folder; there is no default.")
    ] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without a question.")] = False,
) -> None:
    """Delete all data on faces from an output folder. Tables, clips and the log stay.

    Example: fastface purge -o out --dry-run
    """
    if out is None:
        raise ConfigError("name the folder to purge: fastface purge -o OUT")
    from fastface.commands.removal.purge import purge as purge_workflow

    if not (invocation.dry_run or yes):
        _ask(out, purge_workflow(out, pretend=True), invocation)
    done = purge_workflow(out, pretend=invocation.dry_run)
    if invocation.json:
        as_json(asdict(done))
        return
    if not invocation.quiet:
        say(_describe("would remove" if invocation.dry_run else "removed", done))
        for path in done.kept:
            say(f"kept, since fastface did not write it: {path}")
        say(
            f"kept: tables and clips in {out}, banks that enroll wrote, identity stores elsewhere, and {done.log} "
            "(names of videos, no faces)"
        )


def _describe(verb: str, done: "PurgeResult") -> str:
    sources = f"{pluralize(done.indexes, 'video')} and {pluralize(done.photos, 'photo')}"
    parts = [f"the faces and embeddings of {sources}"] if done.indexes + done.photos else []
    parts += [f"{pluralize(done.pictures, 'picture')} in crops/, sheets/ and snapshots/"] if done.pictures else []
    parts += (
        [f"{pluralize(done.persons, 'file')} on persons (portraits, tables, banks, timelines, names)"]
        if done.persons
        else []
    )
    return f"{verb} {', '.join(parts) or 'nothing'}: {done.bytes_freed / 1e6:.1f} MB"


def _ask(out: Path, planned: "PurgeResult", invocation: Invocation) -> None:
    command = f"fastface purge -o {shlex.quote(str(out))}"
    confirm(
        f"Remove it from {out}?",
        [f"{_describe('this removes', planned)}. Searching again needs a new scan."],
        f"nothing was removed: {command} --yes removes without asking, --dry-run lists what would be removed",
        invocation,
    )
