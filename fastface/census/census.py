"""Build a `Census`: all persons of an index, with the user's corrections and the names in the identity store.

`people` calls `take_census`; `pick` and `correct` call `shown_census`. No video is decoded. Only one video's faces are
in memory at a time; of each track a row and one embedding stay.
"""

import hashlib
import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fastface.census.body_only import BodyOnlyStretches, read_bodies, take_unseen
from fastface.census.clusters.clustering import STRICTER
from fastface.census.clusters.corrections import Corrections
from fastface.census.clusters.neighbours import is_quick
from fastface.census.clusters.numbering import Assignment, CensusTracks, Numbering
from fastface.census.clusters.person_summaries import NO_CLUSTER, Meetings, rank_clusters, renumber, summarize_persons
from fastface.census.clusters.unseen_bodies import SEEN
from fastface.census.identity_matching import known_persons, pick_threshold
from fastface.census.photo_names import name_by_photos, source_key
from fastface.census.track_clustering import cluster_table, find_rejected, rejected_rows
from fastface.census.track_table import TrackTable, take_roll
from fastface.config import PeopleConfig
from fastface.distribution import describe_install
from fastface.errors import ConfigError, FaceIndexError
from fastface.files import write_atomic
from fastface.index.store import VideoIndex
from fastface.runtime.context import RunContext
from fastface.types import Person, Tracks

MOST_ANCHORS = 32
"""Maximum number of tracks that a correction names for one person; the best ones."""

_SHOWN_VERSION = 2

_NAME_LENGTH = 12
"""Hexadecimal digits in the digest that names a census."""


@dataclass(frozen=True, slots=True)
class Census:
    """All persons of an index.

    Attributes:
        table: All face tracks.
        label: (t,) place of the person of each track; NO_CLUSTER for none.
        unseen: Stretches in which only bodies are visible.
        unseen_label: (u,) place of the person of each stretch; NO_CLUSTER for none.
        persons: Listed persons by rank, persons without a face last; without portraits.
        centroid: (p, D) float16, L2-normalised, of each listed person with a face.
        identities: Number of each of these persons in the identity store.
        unlisted: Number of unlisted persons, and number of their faces.
        poor: Number of faces in tracks that are too poor to identify a person.
        rejected: Number of faces of rejected persons.
        passing: Number of persons without a face whose screen time is too short for the list.
        tracks: All tracks with their persons, for the numbering.
        assignment: Numbers of the persons, and the new meaning of earlier numbers.
    """

    table: TrackTable
    label: npt.NDArray[np.int64]
    unseen: BodyOnlyStretches
    unseen_label: npt.NDArray[np.int64]
    persons: tuple[Person, ...]
    centroid: npt.NDArray[np.float16]
    identities: tuple[int, ...]
    unlisted: tuple[int, int]
    poor: int
    rejected: int
    passing: int
    tracks: CensusTracks
    assignment: Assignment

    def list_stretches(self, places: Sequence[int]) -> npt.NDArray[np.int64]:
        """Return the rows in `unseen` of several persons."""
        return np.flatnonzero(np.isin(self.unseen_label, places))


def corrections_path(context: RunContext) -> Path:
    """Return the file with the user's corrections."""
    return context.out.state / "corrections.json"


def undo_path(context: RunContext) -> Path:
    """Return the file with the latest corrections, which `pick --undo` reverts."""
    return context.out.state / "corrections.undo.jsonl"


def note_shown(context: RunContext, census: Census) -> None:
    """Record the shown census: its numbers, its settings, and a digest of its persons.

    Raises:
        SpaceError: No space is left.
    """
    path = numbers_path(context)
    Numbering.load(path).with_census(census.tracks, census.assignment).save(path)
    store = context.config.people.store
    where = store if not store or "://" in store else str(Path(store).absolute())
    settings = context.config.people.model_dump(mode="json") | {
        "link_threshold": pick_threshold(context),
        "store": where,
    }
    content = {"schema_version": _SHOWN_VERSION, "settings": settings, "census": census_digest(census)}
    write_atomic(_shown_path(context), json.dumps(content, indent=1) + "\n", private=True)


def forget_shown(context: RunContext) -> None:
    """Delete the record of the shown census before files of another census are written: numbers may change."""
    _shown_path(context).unlink(missing_ok=True)


def shown_census(context: RunContext, corrections: Corrections, name: str = "") -> tuple[RunContext, Census]:
    """Rebuild the census that was shown last, and return it with a run context of its settings.

    The index, the settings and the corrections determine the census completely.

    Args:
        context: Run context.
        corrections: Corrections by the user.
        name: Expected name of the census, see `census_digest`; empty if unknown.

    Raises:
        ConfigError: No census was shown, a different one was shown, or a rebuilt census differs. Numbers would then
            mean other persons.
        FaceIndexError, StoreError, InterruptError: See `take_census`.
    """
    settings, numbered = _read_shown(context)
    if settings is None:
        raise ConfigError(f"no persons are listed in {str(context.out.root)!r} yet: {_count_again(context)}")
    if name and name != numbered:
        raise ConfigError("the persons have new numbers since that page was made: open people.html again")
    context = replace(context, config=context.config.model_copy(update={"people": settings}))
    census = take_census(context, corrections)
    if census_digest(census) != numbered:
        raise ConfigError(
            "who is who has changed since persons were numbered, by a scan, a correction, or in how neighbours are "
            f"found: {_count_again(context)}"
        )
    return context, census


def with_shown_settings(context: RunContext) -> RunContext:
    """Return a run context with the settings of the census that was shown last; `context` itself if there was none.

    Raises:
        FaceIndexError: The record of the shown census is damaged.
    """
    settings, _ = _read_shown(context)
    return (
        context if settings is None else replace(context, config=context.config.model_copy(update={"people": settings}))
    )


def _read_shown(context: RunContext) -> tuple[PeopleConfig | None, str]:
    """Read the settings and the name of the census that was shown last; None and an empty name if there was none."""
    try:
        shown = json.loads(_shown_path(context).read_text(encoding="utf-8"))
        if shown["schema_version"] != _SHOWN_VERSION:
            return None, ""
        return PeopleConfig.model_validate(shown["settings"]), shown["census"]
    except FileNotFoundError:
        return None, ""
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FaceIndexError(f"cannot read {str(_shown_path(context))!r}: {error}; {_count_again(context)}") from error


def _count_again(context: RunContext) -> str:
    return f"run fastface people -o {shlex.quote(str(context.out.root))}"


def _shown_path(context: RunContext) -> Path:
    return context.out.state / "people.json"


def census_digest(census: Census) -> str:
    """Name a census by a digest of its tracks, persons and numbers."""
    digest = hashlib.sha256()
    for record, facts in zip(census.table.records, census.table.facts, strict=True):
        digest.update(f"{facts.video_id}\n{record.fingerprint}\n".encode("utf-8", "surrogatepass"))
    tracks, unseen = census.table.tracks, census.unseen.tracks
    for column in (
        *(tracks.video, tracks.number, census.label),
        *(unseen.video, unseen.number, census.unseen.owner, census.unseen_label),
    ):
        digest.update(column.astype("<i8").tobytes())
    digest.update(np.array(census.assignment.numbers, "<i8").tobytes())
    return digest.hexdigest()[:_NAME_LENGTH]


def take_census(context: RunContext, corrections: Corrections) -> Census:
    """Build the census of all persons in the index.

    Raises:
        FaceIndexError: The index is damaged.
        StoreError: The identity store cannot be used.
        InterruptError: The user stopped the command.
    """
    settings = context.config.people
    table = take_roll(context, corrections)
    _warn_if_slow(context, len(table.tracks))
    label, centroid = cluster_table(
        table, corrections, settings, pick_threshold(context), context.networks.models.thresholds.impostors
    )
    unseen = take_unseen(context, table, label, corrections)
    meetings = Meetings(
        np.concatenate([table.meetings.pairs, unseen.meetings.pairs]),
        np.concatenate([table.meetings.seconds, unseen.meetings.seconds]),
    )
    whose = np.concatenate([label, unseen.owner])
    tracks = counted_once(context, table, unseen, whose, meetings)
    unwanted = find_rejected(corrections, table, label, centroid, pick_threshold(context) + STRICTER)
    owners = unseen.owner[rejected_rows(corrections, unseen.anchored)]
    is_rejected = np.isin(whose, [*unwanted, *owners[owners >= len(centroid)].tolist()])
    kept = np.where(is_rejected, NO_CLUSTER, whose)
    order = rank_clusters(
        tracks, kept, settings.rank, min_faces=settings.min_faces, min_seconds=settings.min_seconds, top=settings.top
    )
    person = renumber(kept, order)
    persons = summarize_persons(tracks, person, table.facts, meetings, settings.join_gap)
    seen = order[order < len(centroid)]
    rest = np.where(person == NO_CLUSTER, kept, NO_CLUSTER)
    listed, unlisted = person[: len(label)], rest[: len(label)]
    named, identities = known_persons(context, table, listed, persons[: len(seen)], centroid[seen], unlisted=unlisted)
    if table.by_keyframes:
        context.observer.note("scanned by keyframes only: screen times are too small")
    faces_of = np.bincount(rest[rest != NO_CLUSTER], tracks.faces[rest != NO_CLUSTER])
    seconds_of = np.bincount(rest[rest != NO_CLUSTER], tracks.seconds[rest != NO_CLUSTER])
    is_passing = (faces_of == 0) & (seconds_of > 0) & (seconds_of.round(9) < settings.min_seconds)
    everyone = _numbering_tracks(context, table, unseen, person, centroid[seen])
    assignment = Numbering.load(numbers_path(context)).assign(everyone, pick_threshold(context))
    return Census(
        table=table,
        label=listed,
        unseen=unseen,
        unseen_label=person[len(label) :],
        persons=name_by_photos(context, _with_numbers((*named, *persons[len(seen) :]), assignment), everyone),
        centroid=centroid[seen],
        identities=identities,
        unlisted=(int((seconds_of > 0).sum() - is_passing.sum()), int(faces_of.sum())),
        poor=int(table.tracks.faces[label == NO_CLUSTER].sum()),
        rejected=int(tracks.faces[is_rejected].sum()),
        passing=int(is_passing.sum()),
        tracks=everyone,
        assignment=assignment,
    )


def _warn_if_slow(context: RunContext, num_tracks: int) -> None:
    if not is_quick(num_tracks):
        context.observer.note(
            f"{num_tracks} tracks: each is compared with each, which takes hours; "
            f"FAISS makes it minutes; {describe_install('scale')}"
        )


def numbers_path(context: RunContext) -> Path:
    """Return the file with all numbers that were ever assigned."""
    return context.out.state / "numbers.npz"


def _numbering_tracks(
    context: RunContext,
    table: TrackTable,
    unseen: BodyOnlyStretches,
    person: npt.NDArray[np.int64],
    centroid: npt.NDArray[np.float16],
) -> CensusTracks:
    """Return all face tracks, then the body tracks that no face identifies, with the places of their persons."""
    faces, bodies = table.tracks, unseen.tracks[np.flatnonzero(unseen.is_faceless)]
    samples = np.concatenate([faces.faces, np.ones(len(bodies), np.int64)])
    return CensusTracks(
        sources=[source_key(record) for record in table.records],
        video=np.concatenate([faces.video, bodies.video]).astype(np.int64),
        is_body=np.arange(len(samples)) >= len(faces),
        number=np.concatenate([faces.number, bodies.number]),
        weight=np.maximum(samples, 1),
        place=np.concatenate([person[: len(faces)], person[len(faces) :][unseen.is_faceless]]),
        centroid=centroid,
        contract=context.networks.contract,
        num_persons=int(person.max(initial=NO_CLUSTER)) + 1,
    )


def _with_numbers(persons: Sequence[Person], assignment: Assignment) -> tuple[Person, ...]:
    """Replace the places in `persons` with the assigned numbers."""
    number = dict(enumerate(assignment.numbers, 1))
    return tuple(
        replace(
            person,
            number=number[person.number],
            together=dict(sorted((number[other], seconds) for other, seconds in person.together.items())),
        )
        for person in persons
    )


_Rows = npt.NDArray[np.int64]


def counted_once(
    context: RunContext, table: TrackTable, unseen: BodyOnlyStretches, label: _Rows, meetings: Meetings
) -> Tracks:
    """Return all tracks, faces before bodies, with the seconds of the frames that no earlier track of the person has.

    The result has no embeddings: they would take most of the memory a second time.

    Only tracks of one person that share frames are read again. Usually there are none.

    Args:
        context: Run context.
        table: Face tracks.
        unseen: Body tracks.
        label: Person of each track, faces before bodies.
        meetings: Pairs of these tracks in the same frames.

    Raises:
        FaceIndexError: The index is damaged.
    """
    tracks = Tracks.concatenate([table.tracks.without_embeddings(), unseen.tracks])
    both = label[meetings.pairs]
    rows = np.unique(meetings.pairs[(both[:, 0] == both[:, 1]) & (both[:, 0] != NO_CLUSTER)])
    seconds = tracks.seconds.copy()
    for video in np.unique(tracks.video[rows]).tolist():
        frame, row = _frames(context, table, unseen, video)
        mine = np.isin(row, rows)
        frame, row = frame[mine], row[mine]
        keys = np.stack([label[row], frame], axis=1)
        order = np.lexsort((row, keys[:, 1], keys[:, 0]))
        is_first = (np.diff(keys[order], axis=0, prepend=NO_CLUSTER - 1) != 0).any(axis=1)
        own = rows[tracks.video[rows] == video]
        frames = np.bincount(row[order[is_first]], minlength=len(tracks))
        seconds[own] = frames[own] * np.float64(table.facts[video].period)
    return replace(tracks, seconds=seconds)


def _frames(context: RunContext, table: TrackTable, unseen: BodyOnlyStretches, video: int) -> tuple[_Rows, _Rows]:
    """Return the timestamp of each face and each body without a face, and its row among all tracks."""
    faces = VideoIndex(context.out.index, table.records[video].video_id).faces()
    own = table.tracks.video_rows(video)
    frames = [faces.pts]
    rows = [own.start + np.searchsorted(table.tracks.number[own], faces.tracks)]
    if (read := read_bodies(context, table, unseen, video)) is not None:
        bodies, row = read
        frames.append(bodies.pts[row != SEEN])
        rows.append(len(table.tracks) + row[row != SEEN])
    return np.concatenate(frames), np.concatenate(rows)
