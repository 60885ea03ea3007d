"""Define `fastface people`: list all persons in an index.

`cli.app` registers it. The work is in `commands.people`; this module only parses options and prints.
"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fastface.cli.arguments import OUT_FOLDERS, Outs
from fastface.cli.options import MODELS, PEOPLE, Invocation, with_settings
from fastface.cli.output import MOST_ROWS, as_json, out_option, plain, say
from fastface.names import pluralize, valid_text

if TYPE_CHECKING:
    from rich.table import Table

    from fastface.commands.people import PeopleResult


@with_settings(PEOPLE, MODELS, remembers="models")
def people(
    invocation: Invocation,
    *,
    targets: Annotated[
        list[str] | None,
        typer.Option("--targets", "-t", metavar="PHOTOS", help="Name the persons by photos, as find takes them."),
    ] = None,
    names: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read the edited table people/names.csv: names and mergers.")
    ] = None,
    out: Outs = OUT_FOLDERS,
) -> None:
    """List every person in scanned videos. Write a table, and a page with pictures to choose from.

    Example: fastface people -o out
    """
    from fastface.cli.console import make_observer, show
    from fastface.commands.merge import locate_joined, open_joined
    from fastface.commands.people import people as people_workflow

    if invocation.dry_run:
        from fastface.diagnostics.dry_run import preview_people

        show(preview_people(invocation.config, out[0], "people", into=locate_joined(out)), invocation)
    observer = make_observer(invocation)
    where = open_joined(invocation.config, out, observer)
    tell(people_workflow(invocation.config, where, observer, targets=targets or (), names=names), invocation)


def tell(result: "PeopleResult", invocation: Invocation) -> None:
    """Print the result of a census; exit with an error code if an export failed."""
    if invocation.json:
        as_json(_object(result))
    elif not invocation.quiet:
        from fastface.cli.console import console

        console().print(_table(result))
        for line in _lines(result):
            say(line)
    for failure in result.export_failures:
        typer.echo(f"fastface: not exported: {valid_text(failure)}", err=True)
    if result.export_failures:
        raise typer.Exit(3)


def _object(result: "PeopleResult") -> dict[str, object]:
    values = asdict(result)
    for person in values["persons"]:
        person["portraits"] = [portrait["file"] for portrait in person["portraits"]]
    return {**values, "out": str(result.out), "page": str(result.page)}


def _table(result: "PeopleResult") -> "Table":
    from rich.table import Table

    persons = result.persons[:MOST_ROWS]
    by_body = any(person.body_seconds for person in persons)
    # 80 columns have space for only one of the two.
    extra = "by body" if by_body else "tracks"
    table = Table("person", "name", "screen time", extra, "share", "faces", "videos")
    table.columns[1].overflow = "fold"
    table.add_column("first seen", overflow="fold")
    for person in persons:
        first = person.appearances[0]
        table.add_row(
            str(person.number),
            plain(person.name),
            f"{person.seconds:.1f} s",
            f"{person.body_seconds:.1f} s" if by_body else str(person.tracks),
            f"{person.share:.0%}",
            "–" if person.is_faceless else str(person.faces),
            str(person.videos),
            f"{plain(first.video_id)} {first.start:.1f} s",
        )
    return table


def _lines(result: "PeopleResult") -> list[str]:
    persons, faces = result.unlisted
    lines = []
    if not result.persons and persons:
        lines.append("no person is listed: each has too few faces; --min-faces 1 lists them too")
    elif not result.persons and result.poor:
        lines.append("no person is listed: no face is clear enough; -s people.clear_score=0.5 accepts less clear faces")
    elif not result.faces:
        lines.append("no person is listed: no face was found in the videos that are scanned to their end")
    if len(result.persons) > MOST_ROWS:
        lines.append(f"and {len(result.persons) - MOST_ROWS} more: see {result.page}")
    num_seen = sum(not person.is_faceless for person in result.persons)
    parts = [f"{result.listed} belong to {pluralize(num_seen, 'listed person')}"]
    parts += [f"{faces} to {pluralize(persons, 'person')} with too few faces to be listed"] if persons else []
    parts += [f"{result.rejected} to rejected persons"] if result.rejected else []
    parts += [f"{result.poor} are not clear enough"] if result.poor else []
    if result.faces:
        lines.append(f"{pluralize(result.faces, 'face')}: {', '.join(parts)}")
    if result.passing:
        lines.append(f"{pluralize(result.passing, 'person')} not listed: the face is never seen, the body only briefly")
    if not result.persons:
        return lines
    lines.append(f"open and choose: {result.page}")
    lines.append(f"then: fastface pick NUMBER… --name NAME{out_option(result.out)}")
    return lines
