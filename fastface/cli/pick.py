"""`fastface pick`: chosen persons of a census as targets, or corrections of who is who."""

import json
from pathlib import Path
from typing import Annotated

import typer

from fastface.cli.arguments import OUT_FOLDER, Out
from fastface.cli.options import EXPORT, LIMITS, MODELS, SPANS, Invocation, with_settings
from fastface.cli.people import tell
from fastface.cli.report import finish, observer_for, show
from fastface.errors import ConfigError
from fastface.workflows.pick import Correction, correct
from fastface.workflows.pick import pick as pick_workflow
from fastface.workflows.preview import preview_people

__all__ = ["pick"]


@with_settings(SPANS, EXPORT, LIMITS, MODELS)
def pick(
    invocation: Invocation,
    persons: Annotated[list[str] | None, typer.Argument(help="Numbers or names, as people shows them.")] = None,
    *,
    name: Annotated[str, typer.Option(help="What the person is called from now on.")] = "",
    selection: Annotated[Path | None, typer.Option(help="A file that people.html saved.")] = None,
    merge: Annotated[bool, typer.Option("--merge", help="They are one person; export nothing.")] = False,
    split: Annotated[bool, typer.Option("--split", help="It is two persons; export nothing.")] = False,
    reject: Annotated[bool, typer.Option("--reject", help="List them no more; export nothing.")] = False,
    out: Out = OUT_FOLDER,
) -> None:
    """Make chosen persons a target: a bank, spans, clips and crops as with photos. Several are taken for one."""
    chosen, called = list(persons or ()), name
    if selection is not None:
        more, called = _read_selection(selection, name)
        chosen += more
    wanted: dict[Correction, bool] = {"merge": merge, "split": split, "reject": reject}
    asked = [correction for correction, is_asked in wanted.items() if is_asked]
    faults = [] if chosen else ["name at least one person, by its number or name, or give --selection FILE"]
    if len(asked) > 1 or (asked and name):
        faults.append("--merge, --split, --reject and --name exclude each other")
    if faults:
        raise ConfigError(faults)
    if invocation.dry_run:
        exported = () if asked else ("banks", "spans.csv", "clips", "crops")
        show(preview_people(invocation.config, out, "people", *exported), invocation)
    observer = observer_for(invocation)
    if asked:
        tell(correct(invocation.config, chosen, out, observer, asked[0]), invocation)
        return
    finish(pick_workflow(invocation.config, chosen, out, observer, name=called), invocation)


def _read_selection(path: Path, name: str) -> tuple[list[str], str]:
    """The persons of a selection, and the name: the one given here, or the file's."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        chosen, called = content["people"], content.get("name", "")
        are_numbers = isinstance(chosen, list) and all(type(one) is int for one in chosen)
        if not are_numbers or not isinstance(called, str):
            raise ValueError("people are whole numbers, the name is text")
        return [str(number) for number in chosen], name or called
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(f"--selection {str(path)!r}: not a file that people.html saved ({error})") from error
