"""Write people.html: the persons of a census as one self-contained page to view and to choose from.

`census.files` calls it. Template, style and scripts are people.html, people.css, people.js and
people_corrections.js beside this module; see `html_page`.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastface.export.tables.html_page import shown_text, to_json, write_page
from fastface.types.people import Person

_PORTRAITS = 6
"""Maximum number of pictures of a person: five hundred persons then take about 20 MB."""


@dataclass(frozen=True, slots=True)
class PageCensus:
    """The census of a page, which decides whether a file that the page saved still applies."""

    digest: str  # distinguishes the page from those of other censuses
    marks: Sequence[Sequence[str]] = ()  # of each person: digests of tracks, see `census.people_file`; may be empty
    rejected: Sequence[int] = ()  # numbers of rejected persons


def write_people_page(
    path: Path,
    persons: Sequence[Person],
    *,
    videos: Mapping[str, float | None],
    out: str,
    census: PageCensus,
    others: tuple[int, int],
) -> None:
    """Write the page atomically, readable for its owner only.

    Args:
        path: The page.
        persons: Persons in the initial order of the page.
        videos: {video id: duration in seconds, None if unknown} of all searched videos.
        out: The user's value of `-o`, for the command that the page builds.
        census: The census of the persons.
        others: Number of persons, and of faces, that are not among `persons`.

    Raises:
        SpaceError: No space is left.
    """
    # OUT is not made valid: the command must contain the exact bytes, which the script writes as \xe9.
    write_page(
        path,
        __package__,
        "people",
        scripts=("people_corrections",),
        facts=to_json(
            {
                "out": out,
                "census": census.digest,
                "rejected": list(census.rejected),
                **_facts(persons, videos, others, census.marks),
            }
        ),
        portraits="\n".join(_portraits(persons)),
    )


def _facts(
    persons: Sequence[Person],
    videos: Mapping[str, float | None],
    others: tuple[int, int],
    marks: Sequence[Sequence[str]],
) -> dict[str, Any]:
    seen = {appearance.video_id for person in persons for appearance in person.appearances}
    names = sorted(seen | videos.keys())
    place = {name: number for number, name in enumerate(names)}
    return {
        "others": others,
        "videos": [[shown_text(name), videos.get(name)] for name in names],
        "people": [
            {**_person(person, place), "marks": list(marks[number]) if marks else []}
            for number, person in enumerate(persons)
        ],
    }


def _person(person: Person, place: Mapping[str, int]) -> dict[str, Any]:
    appearances = sorted((place[seen.video_id], seen.start, seen.end, seen.faces) for seen in person.appearances)
    together = sorted(person.together.items(), key=lambda pair: (-pair[1], pair[0]))
    return {
        "number": person.number,
        "name": shown_text(person.name),
        "faces": person.faces,
        "seconds": _round(person.seconds),
        "bodySeconds": _round(person.body_seconds),
        "share": _round(person.share),
        "videos": person.videos,
        "appearances": [[video, _round(start), _round(end), faces] for video, start, end, faces in appearances],
        "together": [[number, _round(seconds)] for number, seconds in together if seconds > 0],
    }


def _portraits(persons: Sequence[Person]) -> Iterator[str]:
    """Yield one element a person, so that the page parses the pictures only of shown persons."""
    for person in persons:
        pictures = [
            {
                "jpeg": base64.b64encode(portrait.jpeg).decode("ascii"),
                "video": shown_text(portrait.video_id),
                "time": _round(portrait.time),
            }
            for portrait in person.portraits[:_PORTRAITS]
        ]
        yield f'<script type="application/json" id="portraits-{person.number:d}">{to_json(pictures)}</script>'


def _round(value: float) -> float:
    return round(float(value), 6)
