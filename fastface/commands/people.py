"""Run `fastface people`: list all persons of an index, as tables, pictures, a page to choose from, and embeddings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fastface.census.body_only import read_bodies
from fastface.census.cast_naming import name_cast
from fastface.census.census import Census, corrections_path, forget_shown, note_shown, take_census
from fastface.census.clusters.corrections import Corrections
from fastface.census.clusters.person_summaries import NO_CLUSTER
from fastface.census.clusters.unseen_bodies import SEEN
from fastface.census.files import write_people
from fastface.census.names_table import mark_read, read_names_table
from fastface.census.people_changes import apply_changes
from fastface.commands.enroll import enrol_with_context
from fastface.config import Config
from fastface.diagnostics.preflight import look_at_index, look_back
from fastface.errors import ConfigError
from fastface.export.exporter import Exporter
from fastface.export.overlay import BoxTrack, box_tracks
from fastface.gallery.reference_set import ReferenceSet
from fastface.index.store import VideoIndex
from fastface.names import pluralize, shorten_lines
from fastface.runtime.context import RunContext, open_context
from fastface.runtime.events.observer import Observer
from fastface.types import Bodies, Faces, HitKind, Hits, Person

_MOST_REMARKS = 20
"""Maximum number of remarks on photos that are printed."""


@dataclass(frozen=True, slots=True)
class PeopleResult:
    """Result of `people`. Every face of the index is counted once.

    Attributes:
        out: The output folder.
        persons: Listed persons, by rank.
        faces: Number of faces in the index.
        listed: Number of faces of listed persons.
        unlisted: Number of unlisted persons, and of their faces.
        poor: Number of faces that are too poor to identify a person.
        rejected: Number of faces of rejected persons.
        passing: Number of persons without a visible face whose screen time is too short for the list.
        export_failures: Copies of videos that could not be made, with the reason.
    """

    out: Path
    persons: tuple[Person, ...]
    faces: int
    listed: int
    unlisted: tuple[int, int]
    poor: int
    rejected: int
    passing: int
    export_failures: tuple[str, ...] = ()

    @property
    def page(self) -> Path:
        """Return the path of the page that shows all persons."""
        return self.out / "people" / "people.html"


def people(
    config: Config, out: Path, observer: Observer, *, targets: Sequence[str] = (), names: Path | None = None
) -> PeopleResult:
    """Build the census of the index in `out`, and write OUT/people.

    Decodes only for `people.video`, and for persons whose pictures did not fit the scan's limit.

    Args:
        config: The settings.
        out: The output folder.
        observer: Receives the progress.
        targets: Photos, folders or banks that name persons of the census.
        names: Edited table of names to apply, see `census.names_table`.

    Raises:
        ConfigError: There is no index in `out`, the targets cannot be used, or the table has wrong rows.
        FaceIndexError, StoreError: The index or the identity store is damaged or cannot be reached.
        SpaceError, InterruptError, FastfaceError: See `run`.
    """
    if targets:
        look_back(config, targets, out)
    else:
        look_at_index(config, out)
    with open_context(config, out, observer, "people") as context:
        references = _enrol(context, targets) if targets else None
        corrections = Corrections.load(corrections_path(context))
        census = take_census(context, corrections)
        if names is not None:
            changes, notes = read_names_table(names, census)
            for line in notes:
                observer.note(line)
            census = apply_changes(context, census, corrections, changes, "names") or census
            mark_read(context, names)
        if references is not None:
            census = name_cast(context, census, references)
        return publish(context, census)


def _enrol(context: RunContext, targets: Sequence[str]) -> ReferenceSet:
    """Read the photos, and log what is odd about them."""
    gallery, report = enrol_with_context(context, targets)
    if gallery.everyone:
        raise ConfigError("-t '*' names no person: give photos")
    for line in shorten_lines(report.warnings, _MOST_REMARKS):
        context.observer.note(line)
    return ReferenceSet(gallery)


def publish(context: RunContext, census: Census) -> PeopleResult:
    """Write the files of a census, and record for `pick` which census was shown."""
    forget_shown(context)
    persons = write_people(context, census)
    note_shown(context, census)
    failures = _make_films(context, census)
    faces = census.table.tracks.faces
    listed = int(faces[census.label != NO_CLUSTER].sum())
    result = PeopleResult(
        out=context.out.root,
        persons=persons,
        faces=int(faces.sum()),
        listed=listed,
        unlisted=census.unlisted,
        poor=census.poor,
        rejected=census.rejected,
        passing=census.passing,
        export_failures=failures,
    )
    assert result.faces == listed + census.unlisted[1] + census.poor + census.rejected, result
    return result


def _make_films(context: RunContext, census: Census) -> tuple[str, ...]:
    """Make the previews, or remove those with other numbers; return what could not be made, with the reason."""
    exporter = Exporter(context, ("previews",))
    if context.config.people.video:
        _plan_films(context, census, exporter)
    exports = exporter.make()
    if exports.num_removed:
        removed = pluralize(exports.num_removed, "preview film")
        context.observer.note(f"Removed {removed} with old numbers; people --video makes new ones")
    return tuple(exports.failures)


def _plan_films(context: RunContext, census: Census, exporter: Exporter) -> None:
    """Plan a copy of each video with a listed person."""
    table = census.table
    for video, (record, facts) in enumerate(zip(table.records, table.facts, strict=True)):
        assert record.info is not None
        faces = VideoIndex(context.out.index, record.video_id).faces()
        tracks = tuple(_boxes(context, census, video, faces))
        last = float(faces.time.max(initial=0.0)) + facts.period
        exporter.plan_film(record, record.info, tracks, facts.duration or last)


def _boxes(context: RunContext, census: Census, video: int, faces: Faces) -> Iterator[BoxTrack]:
    """Yield the boxes of every listed person in a video, with number, name, and the quality of the face.

    If only the body is visible, its box and its score are used.
    """
    own = census.table.tracks.video_rows(video)
    place = census.label[own][np.searchsorted(census.table.tracks.number[own], faces.tracks)]
    yield from box_tracks(faces, _moments(census, video, place, faces, faces.quality), -np.inf, np.inf)
    read = read_bodies(context, census.table, census.unseen, video)
    if read is not None:
        bodies, row = read
        place = np.where(row == SEEN, NO_CLUSTER, census.unseen_label[row])
        moments = _moments(census, video, place, bodies, bodies.person_score)
        yield from box_tracks(bodies, moments, -np.inf, np.inf)


def _moments(
    census: Census,
    video: int,
    place: npt.NDArray[np.int64],
    seen: Faces | Bodies,
    score: npt.NDArray[np.float32],
) -> dict[str, Hits]:
    """Return {number and name: rows} of all listed persons, so that a person has the same colour in all videos."""
    period = census.table.facts[video].period
    found = {}
    for number, person in enumerate(census.persons):
        rows = np.flatnonzero(place == number)
        found[f"{person.number} {person.name}".strip()] = Hits(
            face=rows,
            time=seen.time[rows],
            pts=seen.pts[rows],
            period=np.full(len(rows), period),
            similarity=score[rows],
            margin=np.zeros(len(rows), np.float32),
            by=np.full(len(rows), HitKind.FACE, np.int8),
        )
    return found
