"""Define `fastface pick`: export chosen persons of a census, or correct the census.

`cli.app` registers it. The work is in `commands.pick`; this module only parses options and prints.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Never

import typer

from fastface.cli.arguments import OUT_FOLDERS, Outs
from fastface.cli.options import EXPORT, LIMITS, MODELS, SPANS, Invocation, with_settings
from fastface.errors import ConfigError

if TYPE_CHECKING:
    from fastface.commands.correction.correct import Correction


_CensusId = Annotated[
    str,
    typer.Option(
        metavar="ID", help="List that the numbers come from. people.html shows its ID.", rich_help_panel="Corrections"
    ),
]


@with_settings(SPANS, EXPORT, LIMITS, MODELS, remembers="export")
def pick(
    invocation: Invocation,
    persons: Annotated[
        list[str] | None, typer.Argument(metavar="PERSONS", help="Numbers or names in the list of persons.")
    ] = None,
    *,
    name: Annotated[str, typer.Option(metavar="NAME", help="Give the person this name.")] = "",
    selection: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Take the choice that people.html saved.")
    ] = None,
    merge: Annotated[bool, typer.Option("--merge", help="Join the persons to one. Nothing is exported.")] = False,
    split: Annotated[bool, typer.Option("--split", help="Split one person into two. Nothing is exported.")] = False,
    reject: Annotated[
        bool, typer.Option("--reject", help="Remove the persons from the list. Nothing is exported.")
    ] = False,
    restore: Annotated[bool, typer.Option("--restore", help="List all removed persons again.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Undo the last correction or name.")] = False,
    census: _CensusId = "",
    out: Outs = OUT_FOLDERS,
) -> None:
    """Export chosen persons, or correct the list of persons. The list is that of the command people.

    Example: fastface pick 3 --name Alice -o out
    """
    chosen, called = list(persons or ()), name
    if selection is not None:
        from fastface.census.page_files import PeopleSelection, read_page_file

        more = read_page_file(selection, PeopleSelection, "people.html", option="--selection ")
        chosen += map(str, more.people)
        called, census = name or more.name, census or more.census
    wanted: dict[Correction, bool] = {"merge": merge, "split": split, "reject": reject, "restore": restore}
    asked = [correction for correction, is_asked in wanted.items() if is_asked]
    _check_options(chosen, asked, undo=undo, name=name)
    from fastface.cli.console import finish, make_observer
    from fastface.commands.merge import find_joined

    where = find_joined(out)
    if invocation.dry_run:
        _preview(invocation, where, exports=not asked and not undo)
    observer = make_observer(invocation)
    if undo:
        from fastface.cli.commands.correct import tell_corrected
        from fastface.commands.correction.correct_file import take_back

        tell_corrected(take_back(invocation.config, where, observer), where, invocation)
        return
    if asked:
        from fastface.cli.commands.people import tell
        from fastface.commands.correction.correct import correct

        tell(correct(invocation.config, chosen, where, observer, asked[0], shown=census), invocation)
        return
    from fastface.commands.pick import pick as pick_workflow

    finish(pick_workflow(invocation.config, chosen, where, observer, name=called, shown=census), invocation)


def _preview(invocation: Invocation, where: Path, *, exports: bool) -> Never:
    from fastface.cli.console import show
    from fastface.diagnostics.dry_run import preview_people

    exported = ("spans.csv", "hits.csv", "clips", "crops", "banks", "primary_person.npz") if exports else ()
    show(preview_people(invocation.config, where, "people", *exported, into=where), invocation)


def _check_options(chosen: Sequence[str], asked: "Sequence[Correction]", *, undo: bool, name: str) -> None:
    faults = []
    if bool(chosen) == (undo or "restore" in asked):
        alone = "--undo takes back the last correction" if undo else "--restore lists all rejected persons again"
        missing = "give at least one person, by number or name, or --selection FILE"
        faults = [f"{alone}: give no number or name with it" if chosen else missing]
    if len(asked) + undo > 1 or ((asked or undo) and name):
        faults.append("--merge, --split, --reject, --restore, --undo and --name exclude each other")
    if faults:
        raise ConfigError(faults)
