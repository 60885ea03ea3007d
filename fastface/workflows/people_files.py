"""OUT/people: the files of a census.

people.csv, appearances.csv, together.csv, people.html, table.png …, embeddings.npz, and <number>/…jpg for each person.
Those of an earlier census that are none of this one go; what fastface did not write stays.
"""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from operator import attrgetter
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fastface.export.people_page import write_people_page
from fastface.export.people_sheet import draw_people_table, table_names
from fastface.export.people_tables import write_appearances, write_people_table, write_together
from fastface.files import atomic_path, private_folder, remove_empty, write_atomic
from fastface.identities.census import NOBODY
from fastface.identities.unseen import SEEN
from fastface.index.portraits import rows_of
from fastface.index.store import VideoIndex
from fastface.names import safe_name
from fastface.types import Person, Portrait
from fastface.workflows.census import Census, name_of
from fastface.workflows.desk import Desk
from fastface.workflows.unseen import read_bodies

__all__ = ["write_people"]

_FOLDER = "people"

_SINGLES = ("people.csv", "appearances.csv", "together.csv", "people.html", "embeddings.npz")

_ON_PAGE = 2000
"""Persons that a page and pictures are made of: some 60 MB. More than that nobody looks through."""
_ON_TABLE = 500
"""Persons in table.png and its next pages, twenty a page."""

_NAME_BYTES = 80


def write_people(desk: Desk, census: Census) -> tuple[Person, ...]:
    """Writes all of it, and gives the persons with their portraits.

    Raises:
        SpaceError: No space is left.
        FaceIndexError: The index is damaged.
    """
    root = desk.out.root
    folder = private_folder(root / _FOLDER)
    known = [path for path in desk.ledger.exports() if path.partition("/")[0] == _FOLDER]
    persons = _pictured(desk, census)
    wanted = {portrait.file: portrait.jpeg for person in persons for portrait in person.portraits}
    pages = [folder / name for name in table_names(len(persons[:_ON_TABLE]))]
    made = {*wanted, *(f"{_FOLDER}/{name}" for name in _SINGLES), *map(desk.out.relative, pages)}
    # Before the files: what a killed run leaves is then known, and purged or replaced by the next one.
    for path in sorted(made):
        desk.ledger.put_export(path, "", "{}")
    for path, jpeg in wanted.items():
        private_folder((root / path).parent)
        if not _holds(root / path, jpeg):
            write_atomic(root / path, jpeg, private=True)
    write_people_table(folder / "people.csv", persons)
    write_appearances(folder / "appearances.csv", persons)
    write_together(folder / "together.csv", persons)
    write_people_page(
        folder / "people.html",
        persons[:_ON_PAGE],
        videos={facts.video_id: facts.duration for facts in census.roll.facts},
        out=str(root),
        census=name_of(census),
        others=_others(census),
    )
    draw_people_table(folder, persons[:_ON_TABLE])
    _write_embeddings(folder / "embeddings.npz", census, desk.networks.contract)
    if len(persons) > _ON_TABLE:
        desk.observer.note(
            f"{len(persons)} persons: the first {_ON_TABLE} are in table.png, the first {_ON_PAGE} in people.html and "
            "with pictures, all in the tables"
        )
    for path in sorted(set(known) - made):
        (root / path).unlink(missing_ok=True)
        desk.ledger.forget_export(path)
        remove_empty((root / path).parent, folder)
    return persons


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A picture that a person may be shown by."""

    is_body: bool
    rank: int
    quality: float
    video_id: str
    time: float
    track: int
    jpeg: bytes

    @property
    def order(self) -> tuple[bool, int, float, str, float, int]:
        """Rises from the best: faces before bodies, first one of each track, the best track's first."""
        return self.is_body, self.rank, -self.quality, self.video_id, self.time, self.track


def _pictured(desk: Desk, census: Census) -> tuple[Person, ...]:
    """The persons with the best pictures that the scan has kept of them."""
    most = desk.config.people.portraits
    found: list[list[_Candidate]] = [[] for _ in census.persons[:_ON_PAGE]]
    tracks = census.roll.tracks
    for video, record in enumerate(census.roll.records):
        own = census.roll.rows_of(video)
        label = census.label[own]
        if (label == NOBODY).all() and (census.unseen_label[census.unseen.rows_of(video)] == NOBODY).all():
            continue
        index = VideoIndex(desk.out.index, record.video_id)
        of_faces = _candidates(record.video_id, index, tracks.number[own], label)
        for place, candidate in chain(of_faces, _bodies(desk, census, video)):
            if place >= _ON_PAGE:
                continue
            found[place].append(candidate)
            if len(found[place]) > 4 * most:
                found[place] = _best(found[place], most)
    pictured = tuple(
        replace(
            person,
            portraits=tuple(_portraits(person.number, _best(candidates, most))),
        )
        for person, candidates in zip(census.persons[:_ON_PAGE], found, strict=True)
    )
    return pictured + census.persons[_ON_PAGE:]


def _best(candidates: list[_Candidate], most: int) -> list[_Candidate]:
    """The best of them; bodies only where there is no face."""
    best = heapq.nsmallest(most, candidates, key=attrgetter("order"))
    return [one for one in best if one.is_body == best[0].is_body]


def _candidates(
    video_id: str, index: VideoIndex, numbers: npt.NDArray[np.int64], label: npt.NDArray[np.int64]
) -> Iterator[tuple[int, _Candidate]]:
    """(place of the person, picture) of each picture of a listed person in a video."""
    pictures = index.portraits()
    if not len(pictures):
        return
    faces = index.faces()
    rows = rows_of(pictures, faces)
    number = faces.tracks[rows]
    place = label[np.searchsorted(numbers, number)]
    order = np.lexsort((faces.time[rows], -pictures.quality, number))
    firsts = np.searchsorted(number[order], number[order], "left")
    for rank, row in zip((np.arange(len(order)) - firsts).tolist(), order.tolist(), strict=True):
        if place[row] != NOBODY:
            time, quality = float(faces.time[rows[row]]), float(pictures.quality[row])
            jpeg, track = pictures.jpeg[row], int(number[row])
            yield int(place[row]), _Candidate(False, rank, quality, video_id, time, track, jpeg)


def _bodies(desk: Desk, census: Census, video: int) -> Iterator[tuple[int, _Candidate]]:
    """Likewise of each picture of a listed person's body."""
    read = read_bodies(desk, census.roll, census.unseen, video, lean=False)
    if read is None:
        return
    bodies, row = read
    place = np.where(row == SEEN, NOBODY, census.unseen_label[row])
    pictured = np.array([jpeg is not None for jpeg in bodies.jpeg], np.bool_)
    rows = np.flatnonzero(pictured & (place != NOBODY))
    rows = rows[np.lexsort((bodies.time[rows], -bodies.person_score[rows], bodies.track[rows]))]
    firsts = np.searchsorted(bodies.track[rows], bodies.track[rows], "left")
    for rank, one in zip((np.arange(len(rows)) - firsts).tolist(), rows.tolist(), strict=True):
        time, track, video_id = float(bodies.time[one]), int(bodies.track[one]), census.roll.records[video].video_id
        yield int(place[one]), _Candidate(True, rank, 0.0, video_id, time, track, bodies.jpeg[one])


def _portraits(number: int, candidates: Iterable[_Candidate]) -> Iterator[Portrait]:
    for place, candidate in enumerate(candidates):
        name = f"{safe_name(candidate.video_id, _NAME_BYTES)}_{candidate.time:.3f}_{place}.jpg"
        yield Portrait(
            file=f"{_FOLDER}/{number}/{name}",
            video_id=candidate.video_id,
            time=candidate.time,
            quality=candidate.quality,
            jpeg=candidate.jpeg,
        )


def _write_embeddings(path: Path, census: Census, contract: str) -> None:
    """The centroids of all persons with a face, for other tools. Nothing is pickled."""
    seen = [person for person in census.persons if not person.is_faceless]
    with atomic_path(path, private=True) as part, part.open("wb") as file:
        np.savez(
            file,
            schema_version=np.int64(1),
            contract=np.array(contract),
            person=np.array([person.number for person in seen], np.int64),
            name=np.array([person.name for person in seen], np.str_),
            identity=np.array(census.identities, np.int64),
            faces=np.array([person.faces for person in seen], np.int64),
            embedding=census.centroid.astype(np.float32),
        )


def _others(census: Census) -> tuple[int, int]:
    """Persons who are not on the page, and their faces."""
    beyond = census.persons[_ON_PAGE:]
    return census.unlisted[0] + len(beyond), census.unlisted[1] + sum(person.faces for person in beyond)


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False
