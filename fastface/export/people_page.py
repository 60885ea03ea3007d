"""people.html: the persons of a census as a page to look at and to choose from, whole in one file.

The page opens from a disk and asks for nothing: no network, no other file. Whatever users named goes in as JSON with
`<`, `>` and `&` escaped, and its script writes it as text only. The content security policy lets that one script and
that one style run, by their digests, and pictures that stand in the page, and nothing else.

Template, style and script are people.html, people.css and people.js beside this module.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from fastface.files import atomic_path
from fastface.names import valid_text
from fastface.types.people import Person

__all__ = ["write_people_page"]

_PORTRAITS = 6
"""Pictures of a person: five hundred persons are some 20 MB then."""
_MARKUP = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_POLICY = (
    "default-src 'none'; img-src data:; style-src '{style}'; script-src '{script}'; "
    "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)


def write_people_page(
    path: Path,
    persons: Sequence[Person],
    *,
    videos: Mapping[str, float | None],
    out: str,
    census: str,
    others: tuple[int, int],
) -> None:
    """Writes the page: whole or not at all, for its owner's eyes only.

    Args:
        path: The page.
        persons: In the order in which they are shown at first.
        videos: {video id: its duration in seconds, None if it is not known}, all that were looked at.
        out: What the user gave as `-o`, for the command that the page puts together.
        census: Names the census, so that an old page is told from a new one.
        others: How many persons, and how many faces, are not among `persons`.

    Raises:
        SpaceError: No space is left.
    """
    # OUT is not made valid: the command must name the very bytes, which the script writes as \xe9.
    style, script = (_resource(name) for name in ("people.css", "people.js"))
    page = Template(_resource("people.html")).substitute(
        policy=_POLICY.format(style=_digest(style), script=_digest(script)),
        style=style,
        script=script,
        facts=_json({"out": out, "census": census, **_facts(persons, videos, others)}),
        portraits="\n".join(_portraits(persons)),
    )
    with atomic_path(path, private=True) as part:
        part.write_text(page, encoding="utf-8", newline="\n")


def _facts(persons: Sequence[Person], videos: Mapping[str, float | None], others: tuple[int, int]) -> dict[str, Any]:
    seen = {appearance.video_id for person in persons for appearance in person.appearances}
    names = sorted(seen | videos.keys())
    place = {name: number for number, name in enumerate(names)}
    return {
        "others": others,
        "videos": [[_shown(name), videos.get(name)] for name in names],
        "people": [_person(person, place) for person in persons],
    }


def _person(person: Person, place: Mapping[str, int]) -> dict[str, Any]:
    appearances = sorted((place[seen.video_id], seen.start, seen.end, seen.faces) for seen in person.appearances)
    together = sorted(person.together.items(), key=lambda pair: (-pair[1], pair[0]))
    return {
        "number": person.number,
        "name": _shown(person.name),
        "faces": person.faces,
        "seconds": _rounded(person.seconds),
        "bodySeconds": _rounded(person.body_seconds),
        "share": _rounded(person.share),
        "videos": person.videos,
        "appearances": [[video, _rounded(start), _rounded(end), faces] for video, start, end, faces in appearances],
        "together": [[number, _rounded(seconds)] for number, seconds in together if seconds > 0],
    }


def _portraits(persons: Sequence[Person]) -> Iterator[str]:
    """One element a person, so that the page reads only those of whom it shows."""
    for person in persons:
        pictures = [
            {
                "jpeg": base64.b64encode(portrait.jpeg).decode("ascii"),
                "video": _shown(portrait.video_id),
                "time": _rounded(portrait.time),
            }
            for portrait in person.portraits[:_PORTRAITS]
        ]
        yield f'<script type="application/json" id="portraits-{person.number:d}">{_json(pictures)}</script>'


def _shown(text: str) -> str:
    r"""Valid text in which a sign that is not seen, or that turns what follows around, reads `\u202e`."""
    return _UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", valid_text(text))


def _rounded(value: float) -> float:
    return round(float(value), 6)


def _json(value: object) -> str:
    """JSON in ASCII in which no sign of HTML stands, so that it cannot end its element."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).translate(_MARKUP)


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"


def _resource(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
