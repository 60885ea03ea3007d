"""Write OUT/people/names.csv, and read it again after the user edited it.

`census.files` writes it with every census; `commands.people` reads the file of `--names`. The ledger keeps a digest of
the written content, so that a file that the user edited is never lost.
"""

import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from operator import attrgetter
from pathlib import Path

from fastface.census.census import Census
from fastface.census.people_changes import PeopleChanges
from fastface.census.photo_names import describe_bad_name
from fastface.census.selection import describe_missing, parse_number
from fastface.csv_cells import format_csv, seconds_cell
from fastface.errors import ConfigError
from fastface.files import write_atomic
from fastface.names import parse_text_cell, text_cell
from fastface.runtime.context import RunContext
from fastface.types import Person

NAMES_TABLE = "people/names.csv"

EDITED_NAMES = "people/names.edited.csv"
_COLUMNS = ("person", "name", "seconds", "videos", "picture")
_LARGEST_BYTES = 64 << 20
_MOST_FAULTS = 20
"""Maximum number of wrong rows that are listed."""


def write_names_table(context: RunContext, persons: Sequence[Person]) -> None:
    """Write names.csv, one row a person, sorted by number; keep an edited file under another name.

    Raises:
        SpaceError: No space is left.
    """
    path = context.out.root / NAMES_TABLE
    rows = (
        (
            person.number,
            text_cell(person.name),
            seconds_cell(person.seconds),
            person.videos,
            text_cell(person.portraits[0].file) if person.portraits else "",
        )
        for person in sorted(persons, key=attrgetter("number"))
    )
    content = format_csv((_COLUMNS, *rows))
    written, _ = context.ledger.exports().get(NAMES_TABLE, ("", ""))
    before = _read_or_empty(path)
    if written and before and _digest(before) not in (written, _digest(content.encode())):
        context.ledger.put_export(EDITED_NAMES, "", "{}")
        write_atomic(context.out.root / EDITED_NAMES, before, private=True)
        context.observer.note(
            f"names.csv was edited and not read: it is kept as {context.out.root / EDITED_NAMES}; --names reads it"
        )
    context.ledger.put_export(NAMES_TABLE, _digest(content.encode()), "{}")
    write_atomic(path, content, private=True)


def read_names_table(path: Path, census: Census) -> tuple[PeopleChanges, list[str]]:
    """Return the changes that an edited table asks for, and notes on persons that it joins.

    Rows with the same name join their persons, an empty name removes the name, and a missing row changes nothing.
    Commas, semicolons and tabs separate columns; only `person` and `name` are read.

    Raises:
        ConfigError: The file cannot be read; or it lists the first wrong rows with their lines.
    """
    place_of = {person.number: place for place, person in enumerate(census.persons)}
    place_of |= {number: place_of[now] for number, now in census.assignment.aliases.items()}
    faults: list[str] = []
    found: dict[int, tuple[str, int]] = {}
    for line, number, name in _read_rows(path):
        if len(faults) == _MOST_FAULTS:
            faults.append(f"line {line} and all lines after it are not checked")
            break
        if (person := parse_number(number)) not in place_of:
            known = describe_missing(census, number) if number else "the column person is empty"
            faults.append(f"line {line}: {known}")
            continue
        if name and (fault := describe_bad_name(name)):
            faults.append(f"line {line}: {fault}")
            continue
        place = place_of[person]
        before, first = found.setdefault(place, (name, line))
        if before != name:
            faults.append(
                f"line {line}: person {census.persons[place].number} has another name in line {first}: {before!r}"
            )
    if faults:
        raise ConfigError([f"{str(path)!r}: {fault}" for fault in faults])
    return _plan_changes(census, {place: name for place, (name, _) in found.items()})


def mark_read(context: RunContext, path: Path) -> None:
    """Record that the user's edits in OUT/people/names.csv were read, so that the next census may replace the file."""
    own = context.out.root / NAMES_TABLE
    if own.exists() and path.exists() and own.samefile(path):
        context.ledger.put_export(NAMES_TABLE, _digest(own.read_bytes()), "{}")


def _plan_changes(census: Census, wanted: dict[int, str]) -> tuple[PeopleChanges, list[str]]:
    groups: dict[str, list[int]] = {}
    for place, person in enumerate(census.persons):
        if name := wanted.get(place, person.name):
            groups.setdefault(name, []).append(person.number)
    merge = tuple(tuple(sorted(group)) for group in groups.values() if len(group) > 1)
    notes = [
        f"{' and '.join(map(str, sorted(group)))} have the name {name}: they are one person from now on"
        for name, group in groups.items()
        if len(group) > 1
    ]
    names = {census.persons[place].number: name for place, name in wanted.items()}
    return PeopleChanges(merge=merge, names=names), notes


def _read_rows(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield (line, number, name) of each row of a table."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
        if len(content) > _LARGEST_BYTES:
            raise ConfigError(f"--names {str(path)!r}: larger than {_LARGEST_BYTES >> 20} MB")
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"--names {str(path)!r}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigError(f"--names {str(path)!r}: line {line} is not UTF-8: save the table as CSV UTF-8") from error
    header = text.partition("\n")[0]
    separator = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        columns = [cell.strip().lower() for cell in next(reader, [])]
        missing = [name for name in ("person", "name") if name not in columns]
        if missing:
            raise ConfigError(f"--names {str(path)!r}: line 1 has no column {' and no column '.join(missing)}")
        person, called = columns.index("person"), columns.index("name")
        for cells in reader:
            if any(cell.strip() for cell in cells):
                padded = [*cells, *[""] * len(columns)]
                yield reader.line_num, padded[person].strip(), parse_text_cell(padded[called])
    except csv.Error as error:
        raise ConfigError(f"--names {str(path)!r}: line {reader.line_num}: {error}") from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def _read_or_empty(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
