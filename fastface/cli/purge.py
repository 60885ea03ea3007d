"""`fastface purge`: remove what a run keeps of people's faces."""

from dataclasses import asdict

from fastface.cli.arguments import OUT_FOLDER, Out
from fastface.cli.options import Invocation, with_settings
from fastface.cli.report import as_json, say
from fastface.names import counted
from fastface.workflows.purge import purge as purge_workflow

__all__ = ["purge"]


@with_settings()
def purge(invocation: Invocation, out: Out = OUT_FOLDER) -> None:
    """Remove faces, embeddings, crops, snapshots and persons from an output folder; tables, clips and the log stay."""
    done = purge_workflow(out, pretend=invocation.dry_run)
    if invocation.json:
        as_json(asdict(done))
        return
    if not invocation.quiet:
        verb = "would remove" if invocation.dry_run else "removed"
        parts = [
            f"the faces and embeddings of {counted(done.indexes, 'video')} and {counted(done.photos, 'photo')}",
            f"{counted(done.pictures, 'picture')} in crops/ and snapshots/",
            f"{counted(done.persons, 'file')} on persons (portraits, tables, banks, names)",
        ]
        counts = (done.indexes + done.photos, done.pictures, done.persons)
        removed = [part for part, count in zip(parts, counts, strict=True) if count]
        say(f"{verb} {', '.join(removed) or 'nothing'}: {done.bytes_freed / 1e6:.1f} MB")
        for path in done.kept:
            say(f"kept, since fastface did not write it: {path}")
        say(
            f"kept: tables and clips in {out}, banks that enroll wrote, identity stores elsewhere, and {done.log} "
            "(names of videos, no faces)"
        )
