"""Read the file of corrections that people.html saves, and find its persons in the current census.

`commands.correction.correct` applies the file. The format is documented in docs/outputs.md. The file names the census
of its page. If the census has changed since, the marks of the persons decide: a mark is a digest of one of a person's
tracks.
"""

import hashlib
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from fastface.census.census import Census, census_digest
from fastface.census.clusters.person_summaries import NO_CLUSTER
from fastface.census.page_files import read_page_file
from fastface.census.people_changes import PeopleChanges
from fastface.errors import ConfigError
from fastface.export.tables.html_page import shown_text

_MOST_MARKS = 8
"""Maximum number of marks of a person: of the tracks with the most faces."""
_MARK_LENGTH = 10
_Number = Annotated[int, Field(ge=1, lt=10**18)]


class PeopleFile(BaseModel):
    """Content of a file of corrections.

    `split` holds a person, then the videos to take out as another person, as the page shows their names.
    `persons` holds the marks of the persons that are mentioned.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    schema_version: Literal[1]
    kind: Literal["people"]
    census: str
    merge: tuple[tuple[_Number, ...], ...] = ()
    split: tuple[tuple[int | str, ...], ...] = ()
    reject: tuple[_Number, ...] = ()
    restore: tuple[_Number, ...] = ()
    names: dict[_Number, str] = {}
    persons: dict[_Number, tuple[str, ...]] = {}

    @field_validator("split")
    @classmethod
    def _check_splits(cls, splits: tuple[tuple[int | str, ...], ...]) -> tuple[tuple[int | str, ...], ...]:
        for number, *videos in (one if one else ("",) for one in splits):
            if not isinstance(number, int) or not all(isinstance(video, str) for video in videos):
                raise ValueError("write each as [person, video, …]")
        if len({one[0] for one in splits}) < len(splits):
            raise ValueError("a person is named twice")
        return splits


def read_people_file(path: Path) -> PeopleFile:
    """Read a file of corrections.

    Raises:
        ConfigError: The file cannot be read, or is not a file that people.html saved.
    """
    return read_page_file(path, PeopleFile, "people.html")


def resolve_people_file(file: PeopleFile, census: Census) -> PeopleChanges:
    """Return the changes of a file, by number in the current census.

    Raises:
        ConfigError: The file belongs to an older census, and a person of it is not the same any more; or a video is
            unknown.
    """
    video_ids: dict[str, list[str]] = {}
    for facts in census.table.facts:
        video_ids.setdefault(shown_text(facts.video_id), []).append(facts.video_id)
    split: dict[int, tuple[str, ...]] = {}
    faults = []
    for number, *videos in file.split:
        assert isinstance(number, int)
        faults += [f"split: there is no video {video!r}" for video in videos if video not in video_ids]
        split[number] = tuple(one for video in videos for one in video_ids.get(str(video), ()))
    changes = PeopleChanges(file.merge, split, file.reject, file.restore, file.names)
    if file.census != census_digest(census):
        marks = list_marks(census, most=None)
        known = {person.number: set(marks[place]) for place, person in enumerate(census.persons)}
        known |= {number: known.get(now, set()) for number, now in census.assignment.aliases.items()}
        changed = [
            number
            for number in sorted(changes.numbers)
            if number not in known or not file.persons.get(number) or not known[number].issuperset(file.persons[number])
        ]
        if changed:
            numbers = ", ".join(map(str, changed))
            faults.append(
                f"the list of persons has changed since this file was made, and these persons are not the same: "
                f"{numbers}. Open people.html again and repeat the corrections of these persons"
            )
    if faults:
        raise ConfigError(faults)
    return changes


def list_marks(census: Census, most: int | None = _MOST_MARKS) -> list[tuple[str, ...]]:
    """Return the marks of each person by place: digests of its tracks with the most faces; None for all tracks."""
    tracks = census.tracks
    marks: list[list[str]] = [[] for _ in census.persons]
    order = np.lexsort((np.arange(len(tracks.place)), -tracks.weight))
    for row in order.tolist():
        place = int(tracks.place[row])
        if place == NO_CLUSTER or (most is not None and len(marks[place]) >= most):
            continue
        track = f"{tracks.sources[tracks.video[row]]}\n{bool(tracks.is_body[row])}\n{tracks.number[row]}"
        marks[place].append(hashlib.sha256(track.encode("utf-8", "surrogatepass")).hexdigest()[:_MARK_LENGTH])
    return [tuple(found) for found in marks]
