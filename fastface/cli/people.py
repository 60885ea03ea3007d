"""`fastface people`: everyone in an index."""

import shlex
from dataclasses import asdict

import typer
from rich.console import Console
from rich.table import Table

from fastface.cli.arguments import OUT_FOLDER, Out
from fastface.cli.options import MODELS, PEOPLE, Invocation, with_settings
from fastface.cli.report import as_json, observer_for, plain, say, show
from fastface.names import counted, valid_text
from fastface.workflows.people import PeopleResult
from fastface.workflows.people import people as people_workflow
from fastface.workflows.preview import preview_people

__all__ = ["people", "tell"]

_SHOWN = 50
"""Persons that a terminal shows; the page shows all."""


@with_settings(PEOPLE, MODELS)
def people(invocation: Invocation, out: Out = OUT_FOLDER) -> None:
    """List everyone in scanned videos: how long, where, with whom; makes a page with pictures to choose from."""
    if invocation.dry_run:
        show(preview_people(invocation.config, out, "people"), invocation)
    tell(people_workflow(invocation.config, out, observer_for(invocation)), invocation)


def tell(result: PeopleResult, invocation: Invocation) -> None:
    """Says what a census has found, and ends the process if something could not be exported."""
    if invocation.json:
        as_json(_object(result))
    elif not invocation.quiet:
        console = Console(soft_wrap=True, highlight=False)
        console.print(_table(result))
        for line in _lines(result):
            say(line)
    for failure in result.export_failures:
        typer.echo(f"fastface: not exported: {valid_text(failure)}", err=True)
    if result.export_failures:
        raise typer.Exit(3)


def _object(result: PeopleResult) -> dict[str, object]:
    values = asdict(result)
    for person in values["persons"]:
        person["portraits"] = [portrait["file"] for portrait in person["portraits"]]
    return {**values, "out": str(result.out), "page": str(result.page)}


def _table(result: PeopleResult) -> Table:
    persons = result.persons[:_SHOWN]
    by_body = any(person.body_seconds for person in persons)
    # Eighty columns hold one of the two.
    extra = "by body" if by_body else "tracks"
    table = Table("person", "name", "screen time", extra, "share", "faces", "videos")
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


def _lines(result: PeopleResult) -> list[str]:
    persons, faces = result.unlisted
    lines = []
    if not result.persons and persons:
        lines.append("nobody is listed; --min-faces 1 lists who has a single face")
    elif not result.persons and result.poor:
        lines.append("nobody is listed: no face is seen well enough; -s people.clear_score=0.5 asks for less")
    if len(result.persons) > _SHOWN:
        lines.append(f"and {len(result.persons) - _SHOWN} more: see {result.page}")
    num_seen = sum(not person.is_faceless for person in result.persons)
    rest = [f"{faces} are those of {counted(persons, 'person')} not listed"]
    rest += [f"{result.rejected} of rejected persons"] if result.rejected else []
    lines.append(
        f"{counted(result.faces, 'face')}: {result.listed} are those of {counted(num_seen, 'person')} "
        f"listed, {', '.join(rest)}, {result.poor} too poor to tell"
    )
    if result.passing:
        lines.append(
            f"{counted(result.passing, 'person')} not listed: the face is never seen, and the body only shortly"
        )
    lines.append(f"look and choose: {result.page}")
    where = "" if result.out == OUT_FOLDER else f" -o {shlex.quote(str(result.out))}"
    lines.append(f"then: fastface pick NUMBER… --name NAME{where}")
    return lines
