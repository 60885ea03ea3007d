"""Write the files of a census: the folder OUT/people.

These are people.csv, appearances.csv, together.csv, names.csv, people.html, table.png …, embeddings.npz, and the
pictures <number>/…jpg of each person. `people` and `pick` call `write_people`. It removes files of an earlier census
that this census does not write. Files from other programs stay.
"""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fastface.census.body_only import read_bodies
from fastface.census.census import Census, census_digest, corrections_path
from fastface.census.clusters.corrections import Corrections
from fastface.census.clusters.person_summaries import NO_CLUSTER
from fastface.census.clusters.unseen_bodies import SEEN
from fastface.census.names_table import EDITED_NAMES, NAMES_TABLE, write_names_table
from fastface.census.people_changes import find_rejected_numbers
from fastface.census.people_file import list_marks
from fastface.census.thumbnail_fallback import decode_portraits
from fastface.export.tables.people_page import PageCensus, write_people_page
from fastface.export.tables.people_sheet import draw_people_table, table_names
from fastface.export.tables.people_tables import write_appearances, write_people_table, write_together
from fastface.files import atomic_path, private_folder, remove_empty, write_atomic
from fastface.index.portraits import portrait_rows
from fastface.index.store import VideoIndex
from fastface.names import safe_name
from fastface.runtime.context import RunContext
from fastface.types import Person, Portrait, Thumbnails

_Rows = npt.NDArray[np.int64]

_FOLDER = "people"

_SINGLES = ("people.csv", "appearances.csv", "together.csv", "people.html", "embeddings.npz")

_ON_PAGE = 2000
"""Maximum number of persons on the page, about 60 MB with pictures; a longer page would be unreadable."""
_ON_TABLE = 500
"""Maximum number of persons in table.png and its next pages, twenty a page."""

_NAME_BYTES = 80


def write_people(context: RunContext, census: Census) -> tuple[Person, ...]:
    """Write all files, and return the persons with their portraits.

    Raises:
        SpaceError: No space is left.
        FaceIndexError: The index is damaged.
    """
    root = context.out.root
    folder = private_folder(root / _FOLDER)
    known = [path for path in context.ledger.exports() if path.partition("/")[0] == _FOLDER]
    persons = _choose_pictures(context, census)
    wanted = {portrait.file: portrait.jpeg for person in persons for portrait in person.portraits}
    pages = [folder / name for name in table_names(len(persons[:_ON_TABLE]))]
    made = {*wanted, *(f"{_FOLDER}/{name}" for name in _SINGLES), *map(context.out.relative, pages)}
    # Before the files: the remains of a killed run are then known, and the next run purges or replaces them.
    for path in sorted(made):
        context.ledger.put_export(path, "", "{}")
    for path, jpeg in wanted.items():
        private_folder((root / path).parent)
        if not _holds(root / path, jpeg):
            write_atomic(root / path, jpeg, private=True)
    write_people_table(folder / "people.csv", persons)
    write_appearances(folder / "appearances.csv", persons)
    write_together(folder / "together.csv", persons)
    write_names_table(context, persons)
    write_people_page(
        folder / "people.html",
        persons[:_ON_PAGE],
        videos={facts.video_id: facts.duration for facts in census.table.facts if facts.coverage},
        out=str(root),
        census=PageCensus(census_digest(census), list_marks(census), _list_rejected(context, census)),
        others=_others(census),
    )
    draw_people_table(folder, persons[:_ON_TABLE])
    _write_embeddings(folder / "embeddings.npz", census, context.networks.contract)
    if len(persons) > _ON_TABLE:
        context.observer.note(
            f"{len(persons)} persons: the first {_ON_TABLE} are in table.png, the first {_ON_PAGE} in people.html and "
            "with pictures, all in the tables"
        )
    for path in sorted(set(known) - made - {NAMES_TABLE, EDITED_NAMES}):
        (root / path).unlink(missing_ok=True)
        context.ledger.forget_export(path)
        remove_empty((root / path).parent, folder)
    return persons


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A picture that may become a portrait of a person."""

    worth: float
    rank: int
    quality: float
    video_id: str
    time: float
    track: int
    jpeg: bytes


def _choose_pictures(context: RunContext, census: Census) -> tuple[Person, ...]:
    """Choose the portraits of each person: faces from the index, else bodies, else pictures that are decoded now."""
    most, persons = context.config.people.portraits, census.persons[:_ON_PAGE]
    found: list[list[_Candidate]] = [[] for _ in persons]
    for pictures_of in (_plan_faces, _plan_bodies):
        bare = np.array([place for place, candidates in enumerate(found) if not candidates], np.int64)
        for video in range(len(census.table.records)):
            for place, candidate in pictures_of(context, census, video, bare):
                found[place].append(candidate)
                if len(found[place]) > 4 * most:
                    found[place] = _best(found[place], most)
    bare = np.array([place for place, candidates in enumerate(found) if not candidates], np.int64)
    for late, jpeg in decode_portraits(context, census, bare):
        video_id = census.table.records[late.video].video_id
        found[late.place].append(_Candidate(late.worth, 0, late.quality, video_id, late.time, late.track, jpeg))
    pictured = tuple(
        replace(person, portraits=tuple(_portraits(person.number, _best(candidates, most))))
        for person, candidates in zip(persons, found, strict=True)
    )
    return pictured + census.persons[_ON_PAGE:]


def _best(candidates: list[_Candidate], most: int) -> list[_Candidate]:
    """Return the best pictures of a person. A face with a fault is taken only if there is none with fewer faults.

    The best picture of each track comes before the second best pictures.
    """
    best = heapq.nsmallest(
        most, candidates, key=lambda one: (-int(one.worth), one.rank, -one.worth, one.video_id, one.time, one.track)
    )
    return [candidate for candidate in best if int(candidate.worth) == int(best[0].worth)]


def _plan_faces(context: RunContext, census: Census, video: int, wanted: _Rows) -> Iterator[tuple[int, _Candidate]]:
    """Yield (place of the person, picture) for each picture of a wanted person's face in a video."""
    own = census.table.tracks.video_rows(video)
    video_id = census.table.records[video].video_id
    index = VideoIndex(context.out.index, video_id)
    pictures = index.portraits() if np.isin(census.label[own], wanted).any() else Thumbnails.empty()
    if not len(pictures):
        return
    faces = index.faces()
    rows = portrait_rows(pictures, faces)
    track, time = faces.tracks[rows], faces.time[rows]
    place = census.label[own][np.searchsorted(census.table.tracks.number[own], track)]
    for rank, row in _by_rank(track, time, pictures.worth, np.flatnonzero(np.isin(place, wanted))):
        worth, quality = float(pictures.worth[row]), float(pictures.quality[row])
        candidate = _Candidate(worth, rank, quality, video_id, float(time[row]), int(track[row]), pictures.jpeg[row])
        yield int(place[row]), candidate


def _plan_bodies(context: RunContext, census: Census, video: int, wanted: _Rows) -> Iterator[tuple[int, _Candidate]]:
    """Yield (place of the person, picture) for each picture of a wanted person's body in a video."""
    if not np.isin(census.unseen_label[census.unseen.tracks.video_rows(video)], wanted).any():
        return
    read = read_bodies(context, census.table, census.unseen, video, lean=False)
    assert read is not None, video
    bodies, row_of = read
    place = np.where(row_of == SEEN, NO_CLUSTER, census.unseen_label[row_of])
    pictured = np.array([jpeg is not None for jpeg in bodies.jpeg], np.bool_)
    rows = np.flatnonzero(pictured & np.isin(place, wanted))
    video_id = census.table.records[video].video_id
    for rank, row in _by_rank(bodies.tracks, bodies.time, bodies.person_score, rows):
        when, track = float(bodies.time[row]), int(bodies.track[row])
        candidate = _Candidate(0.0, rank, 0.0, video_id, when, track, bodies.jpeg[row])
        yield int(place[row]), candidate


def _by_rank(
    track: _Rows, time: npt.NDArray[np.float64], worth: npt.NDArray[np.float32], rows: _Rows
) -> Iterator[tuple[int, int]]:
    """Yield (place within its track, row) of some pictures, the best picture of a track first."""
    order = rows[np.lexsort((time[rows], -worth[rows], track[rows]))]
    firsts = np.searchsorted(track[order], track[order], "left")
    yield from zip((np.arange(len(order)) - firsts).tolist(), order.tolist(), strict=True)


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
    """Write the centroids of all persons with a face, for other tools. Nothing is pickled."""
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


def _list_rejected(context: RunContext, census: Census) -> list[int]:
    """Return the numbers of the rejected persons, ascending."""
    corrections = Corrections.load(corrections_path(context))
    return sorted(set().union(*find_rejected_numbers(context, census, corrections)))


def _others(census: Census) -> tuple[int, int]:
    """Count the persons who are not on the page, and their faces."""
    beyond = census.persons[_ON_PAGE:]
    return census.unlisted[0] + len(beyond), census.unlisted[1] + sum(person.faces for person in beyond)


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False
