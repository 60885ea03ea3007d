"""Write the tables of a census: people.csv, appearances.csv, together.csv.

`census.files` calls it. `export.tables.results` documents the form of all tables; docs/outputs.md lists the columns.
"""

from collections.abc import Iterable
from operator import attrgetter
from pathlib import Path

from fastface.csv_cells import Cells, clock_cell, score_cell, seconds_cell, write_csv
from fastface.names import text_cell
from fastface.types.people import Appearance, Person

_PEOPLE_COLUMNS = (
    "person", "faces", "tracks", "seconds", "first", "last", "videos", "best_quality", "crop",
    "name", "share", "first_video", "last_video", "body_seconds", "first_hms", "last_hms",
)  # fmt: skip
_APPEARANCE_COLUMNS = ("person", "name", "video", "start", "end", "faces", "start_hms", "end_hms")
_TOGETHER_COLUMNS = ("person", "other", "seconds", "person_name", "other_name")


def first_and_last(person: Person) -> tuple[Appearance, Appearance] | None:
    """Return the appearances that begin first and end last, by name of the video; None without any."""
    if not person.appearances:
        return None
    first = min(person.appearances, key=lambda seen: (seen.video_id, seen.start))
    return first, max(person.appearances, key=lambda seen: (seen.video_id, seen.end))


def write_people_table(path: Path, persons: Iterable[Person]) -> None:
    """Write people.csv, one row a person, sorted by number.

    `first` is the start of the first appearance, in seconds of `first_video`. `last` is the end of the last one, in
    seconds of `last_video`. `crop` is the first portrait's file. `best_quality` is empty if no face is visible.

    Raises:
        SpaceError: No space is left.
    """
    write_csv(path, _PEOPLE_COLUMNS, map(_person_cells, sorted(persons, key=attrgetter("number"))))


def write_appearances(path: Path, persons: Iterable[Person]) -> None:
    """Write appearances.csv, one row an appearance, sorted by person, video and start.

    Raises:
        SpaceError: No space is left.
    """
    seen = (
        (person, appearance)
        for person in sorted(persons, key=attrgetter("number"))
        for appearance in sorted(person.appearances, key=attrgetter("video_id", "start", "end"))
    )
    write_csv(path, _APPEARANCE_COLUMNS, (_appearance_cells(*row) for row in seen))


def write_together(path: Path, persons: Iterable[Person]) -> None:
    """Write together.csv: how long two persons are on screen at once, each pair once (`person` < `other`), sorted.

    Raises:
        SpaceError: No space is left.
    """
    persons = list(persons)
    pairs = {
        (min(person.number, other), max(person.number, other)): seconds
        for person in persons
        for other, seconds in person.together.items()
        if seconds > 0 and other != person.number
    }
    names = {person.number: text_cell(person.title) for person in persons}
    rows = (
        (one, other, seconds_cell(seconds), names.get(one, ""), names.get(other, ""))
        for (one, other), seconds in sorted(pairs.items())
    )
    write_csv(path, _TOGETHER_COLUMNS, rows)


def _person_cells(person: Person) -> Cells:
    ends = first_and_last(person)
    times = (seconds_cell(ends[0].start), seconds_cell(ends[1].end)) if ends else ("", "")
    videos = (text_cell(ends[0].video_id), text_cell(ends[1].video_id)) if ends else ("", "")
    crop = text_cell(person.portraits[0].file) if person.portraits else ""
    counts = (person.number, person.faces, person.tracks, seconds_cell(person.seconds))
    quality = "" if person.is_faceless else score_cell(person.best_quality)
    promised = (*counts, *times, person.videos, quality, crop)
    clocks = (clock_cell(ends[0].start), clock_cell(ends[1].end)) if ends else ("", "")
    more = (text_cell(person.name), score_cell(person.share), *videos, seconds_cell(person.body_seconds), *clocks)
    return (*promised, *more)


def _appearance_cells(person: Person, seen: Appearance) -> Cells:
    names = (text_cell(person.name), text_cell(seen.video_id))
    times = (seconds_cell(seen.start), seconds_cell(seen.end))
    return (person.number, *names, *times, seen.faces, clock_cell(seen.start), clock_cell(seen.end))
