"""Define `fastface curate`: choose a balanced set of crops without duplicates.

`cli.app` registers it. The work is in `commands.curate`; this module only parses options and prints.
"""

import re
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Never

import typer

from fastface.cli.options import CURATE, MATCH, MODELS, Invocation, with_settings
from fastface.cli.output import as_json, say
from fastface.names import pluralize, valid_text

if TYPE_CHECKING:
    from fastface.commands.curate import CurateResult
    from fastface.curation.candidates import Candidate


@with_settings(CURATE, MATCH, MODELS, remembers="crops")
def curate(
    invocation: Invocation,
    crops: Annotated[list[str], typer.Argument(metavar="PICTURES", help="Pictures, folders of pictures, or globs.")],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="FOLDER", help="New folder for the set. It must not lie inside a source."),
    ],
    targets: Annotated[
        list[str] | None,
        typer.Option(
            "--targets",
            "-t",
            metavar="PHOTOS",
            help="Photos of the person. Pictures of others are left out. NAME=FOLDER or a bank works too.",
        ),
    ] = None,
) -> None:
    """Choose a balanced set of pictures of one person. Leave out duplicates, and give a reason for each picture.

    Example: fastface curate out/crops/Alice -o alice
    """
    from fastface.cli.console import make_observer
    from fastface.commands.curate import curate as curate_workflow

    result = curate_workflow(
        invocation.config,
        crops,
        out,
        make_observer(invocation),
        targets=targets or (),
        pretend=invocation.dry_run,
    )
    _tell(result, invocation)


def _tell(result: "CurateResult", invocation: Invocation) -> Never:
    if invocation.json:
        as_json(_object(result))
    elif not invocation.quiet:
        _show(result, invocation)
    for fault in result.faults:
        print(f"fastface: not read: {valid_text(fault)}", file=sys.stderr)  # noqa: T201
    raise typer.Exit(result.exit_code)


def _show(result: "CurateResult", invocation: Invocation) -> None:
    verb = "would keep" if invocation.dry_run else "kept"
    if invocation.dry_run or invocation.verbose:
        for candidate in result.candidates:
            what = verb if candidate.is_kept else "left out"
            say(f"{what}: {candidate.source.path}: {'; '.join(filter(None, (candidate.reason, candidate.remark)))}")
    classes = Counter(f"{candidate.framing}, {candidate.pose}" for candidate in result.kept)
    for name, count in sorted(classes.items()):
        say(f"{count:6} {name}")
    if tally := _tally(result):
        reasons = ", ".join(f"{reason}: {count}" for reason, count in tally.items())
        say(f"left out {sum(tally.values())}: {reasons}")
    say(f"{verb} {len(result.kept)} of {pluralize(len(result.candidates), 'file')}")
    if not invocation.dry_run:
        say(f"see {result.out / 'contact.png'} and {result.out / 'curation.csv'}")


def _tally(result: "CurateResult") -> dict[str, int]:
    """Return {reason: number of pictures left out for it}, the most frequent first, without details of pictures."""
    reasons = Counter(_kind(one.reason) for one in result.candidates if not one.is_kept)
    return dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0])))


def _kind(reason: str) -> str:
    """Shorten a reason: `double of '/a/b.jpg': the same file` → `double of another`."""
    what, is_named, _ = re.sub(r":.*", "", reason.replace("\n", " ")).partition(" '")
    return f"{what} another" if is_named else what


def _object(result: "CurateResult") -> dict[str, object]:
    return {
        "out": str(result.out),
        "kept": len(result.kept),
        "pictures": [_picture(candidate) for candidate in result.candidates],
        "left_out": _tally(result),
        "faults": list(result.faults),
    }


def _picture(candidate: "Candidate") -> dict[str, object]:
    facts: dict[str, object] = {
        "file": valid_text(str(candidate.source.path)),
        "kept": candidate.is_kept,
        "name": candidate.name,
        "reason": candidate.reason,
        "remark": candidate.remark,
    }
    if candidate.face is not None:
        facts |= {"framing": candidate.framing, "pose": candidate.pose, "score": round(candidate.score, 4)}
    return facts
