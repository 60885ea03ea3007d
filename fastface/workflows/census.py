"""The index → everyone in it: tracks of all videos, linked into persons, with what the user and the store know of them.

Nothing is decoded. One video's faces are in memory at a time; of a track there stay a row and an embedding.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from time import time

import numpy as np
import numpy.typing as npt

from fastface.config import PeopleConfig
from fastface.errors import ConfigError, FaceIndexError
from fastface.files import write_atomic
from fastface.identities.census import NOBODY, Meetings, VideoFacts, persons_of, ranked, renumbered
from fastface.identities.clustering import LinkRule, clustered
from fastface.identities.corrections import Anchor, Corrections, anchored_track
from fastface.identities.neighbours import is_quick
from fastface.identities.store import Sighting, open_store
from fastface.identities.summary import frame_mates, no_tracks, summarised
from fastface.index.records import VideoRecord
from fastface.index.store import VideoIndex
from fastface.names import counted
from fastface.types import Faces, Person, Tracks, VideoInfo
from fastface.workflows.desk import Desk

__all__ = ["Census", "corrections_path", "note_shown", "shown_census", "store_of", "take_census"]

_UNKNOWN_RATE = Fraction(25)

_SHOWN_VERSION = 1

_COUNT_AGAIN = "run fastface people"

_STRICTER = 0.15
"""Measured on films: heads from behind and dark corners are as like as 0.58 to another such, and reach 0.55 only so."""


@dataclass(frozen=True, slots=True)
class Roll:
    """All tracks of an index.

    Attributes:
        records: The videos.
        facts: Of each.
        tracks: By video, then number.
        meetings: Tracks that are on screen together.
        anchored: {anchor of the corrections: row of its track}.
        by_keyframes: Whether some videos were looked at by keyframes alone.
    """

    records: tuple[VideoRecord, ...]
    facts: tuple[VideoFacts, ...]
    tracks: Tracks
    meetings: Meetings
    anchored: dict[Anchor, int]
    by_keyframes: bool

    def rows_of(self, video: int) -> slice:
        """The rows of a video's tracks."""
        begin, end = np.searchsorted(self.tracks.video, [video, video + 1]).tolist()
        return slice(begin, end)


@dataclass(frozen=True, slots=True)
class Census:
    """Everyone.

    Attributes:
        roll: All tracks.
        label: (t,) the place of each track's person, NOBODY for none.
        persons: Those that are listed, by rank; without portraits.
        centroid: (p, D) float16, L2-normalised, of each.
        identities: The number of each in the store.
        unlisted: Persons that are not listed, and their faces.
        poor: Faces of tracks that are too poor to tell whose they are.
        rejected: Faces of persons that the user rejected.
    """

    roll: Roll
    label: npt.NDArray[np.int64]
    persons: tuple[Person, ...]
    centroid: npt.NDArray[np.float16]
    identities: tuple[int, ...]
    unlisted: tuple[int, int]
    poor: int
    rejected: int


def corrections_path(desk: Desk) -> Path:
    """Where the output folder keeps what the user said of who is who."""
    return desk.out.state / "corrections.json"


def store_of(desk: Desk) -> str:
    """The identity store of the settings, or the output folder's own."""
    return desk.config.people.store or str(desk.out.state / "identities.sqlite")


def _videos_of(desk: Desk) -> list[tuple[VideoRecord, VideoInfo, VideoIndex]]:
    """The finished videos with an index of the recogniser in use; tells of those of another."""
    found, num_others = [], 0
    for record in desk.answered():
        index = VideoIndex(desk.out.index, record.video_id)
        if record.info is None or not index.faces_path.exists():
            continue
        if index.metadata()["contract"] != desk.networks.contract:
            num_others += 1
            continue
        found.append((record, record.info, index))
    if num_others:
        desk.observer.note(f"left out, since scanned with another recogniser: {counted(num_others, 'video')}")
    return found


def note_shown(desk: Desk, census: Census) -> None:
    """Notes which census the user was shown: its settings, and a digest of who is who.

    Raises:
        SpaceError: No space is left.
    """
    settings = desk.config.people.model_dump(mode="json") | {"link_threshold": _threshold(desk)}
    content = {"schema_version": _SHOWN_VERSION, "settings": settings, "digest": _digest(census)}
    write_atomic(_shown_path(desk), json.dumps(content, indent=1) + "\n", private=True)


def shown_census(desk: Desk, corrections: Corrections) -> tuple[Desk, Census]:
    """The census that the user was shown last, and the desk with its settings.

    It is taken again: the index, the settings and the corrections make it, and nothing else.

    Raises:
        ConfigError: There was none, or the index is another one by now, so that numbers would mean other persons.
        FaceIndexError, StoreError, InterruptError: As `take_census`.
    """
    try:
        shown = json.loads(_shown_path(desk).read_text(encoding="utf-8"))
        is_known = shown["schema_version"] == _SHOWN_VERSION
        settings = PeopleConfig.model_validate(shown["settings"]) if is_known else None
    except FileNotFoundError:
        settings = None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FaceIndexError(f"cannot read {str(_shown_path(desk))!r}: {error}; {_COUNT_AGAIN}") from error
    if settings is None:
        raise ConfigError(f"nobody was counted in {str(desk.out.root)!r} yet: {_COUNT_AGAIN}")
    desk = replace(desk, config=desk.config.model_copy(update={"people": settings}))
    census = take_census(desk, corrections)
    if _digest(census) != shown["digest"]:
        raise ConfigError(f"the index is another one than when persons were numbered: {_COUNT_AGAIN}")
    return desk, census


def _shown_path(desk: Desk) -> Path:
    return desk.out.state / "people.json"


def _digest(census: Census) -> str:
    """Of which track is whose."""
    digest = hashlib.sha256()
    for record, facts in zip(census.roll.records, census.roll.facts, strict=True):
        digest.update(f"{facts.video_id}\n{record.fingerprint}\n".encode("utf-8", "surrogatepass"))
    for column in (census.roll.tracks.video, census.roll.tracks.number, census.label):
        digest.update(column.astype("<i8").tobytes())
    return digest.hexdigest()


def take_census(desk: Desk, corrections: Corrections) -> Census:
    """Counts everyone in the index.

    Raises:
        FaceIndexError: The index is damaged.
        StoreError: The identity store cannot be used.
        InterruptError: The user stopped it.
    """
    settings = desk.config.people
    roll = _roll(desk, corrections)
    if not is_quick(len(roll.tracks)):
        desk.observer.note(
            f"{len(roll.tracks)} tracks: each is compared with each, which takes hours; "
            "minutes with: pip install 'fastface[scale]'"
        )
    label, centroid = _linked(roll, corrections, settings, _threshold(desk))
    poor = int(roll.tracks.faces[label == NOBODY].sum())
    is_rejected = np.isin(label, _rejected(roll, corrections, label))
    rejected = int(roll.tracks.faces[is_rejected].sum())
    label = np.where(is_rejected, NOBODY, label)
    order = ranked(roll.tracks, label, settings.rank, min_faces=settings.min_faces, top=settings.top)
    person = renumbered(label, order)
    rest = (label != NOBODY) & (person == NOBODY)
    persons = persons_of(roll.tracks, person, roll.facts, roll.meetings, settings.join_gap)
    named, identities = _known(desk, roll, person, persons, centroid[order])
    if roll.by_keyframes:
        desk.observer.note("scanned by keyframes: screen times count only these, and are too small")
    return Census(
        roll=roll,
        label=person,
        persons=named,
        centroid=centroid[order],
        identities=identities,
        unlisted=(len(np.unique(label[rest])), int(roll.tracks.faces[rest].sum())),
        poor=poor,
        rejected=rejected,
    )


def _roll(desk: Desk, corrections: Corrections) -> Roll:
    anchors: dict[str, list[Anchor]] = {}
    for anchor in dict.fromkeys(corrections.anchors):
        anchors.setdefault(anchor.video_id, []).append(anchor)
    records: list[VideoRecord] = []
    facts: list[VideoFacts] = []
    parts, anchored = [no_tracks(desk.networks.dimension)], dict[Anchor, int]()
    pairs, seconds = [np.empty((0, 2), np.int64)], [np.empty(0)]
    count, by_keyframes = 0, False
    for record, info, index in _videos_of(desk):
        desk.interruption.check()
        faces = index.faces()
        period, is_sparse = _period(index, info)
        by_keyframes |= is_sparse
        tracks = summarised(faces, period, len(records), info.size)
        mates, frames = frame_mates(faces)
        pairs.append(count + np.searchsorted(tracks.number, mates))
        seconds.append(frames * np.float64(period))
        anchored |= _found(anchors.get(record.video_id, ()), faces, tracks, count)
        records.append(record)
        facts.append(VideoFacts(record.video_id, None if info.duration is None else float(info.duration), period))
        parts.append(tracks)
        count += len(tracks)
    meetings = Meetings(np.concatenate(pairs), np.concatenate(seconds))
    return Roll(tuple(records), tuple(facts), Tracks.concatenate(parts), meetings, anchored, by_keyframes)


def _period(index: VideoIndex, info: VideoInfo) -> tuple[float, bool]:
    """Seconds that a face of a video stands for, and whether only keyframes were looked at."""
    sampling = json.loads(index.metadata()["sampling"])
    period = sampling["period"]
    return float(1 / (info.rate or _UNKNOWN_RATE) if period is None else Fraction(period)), sampling["keyframes"]


def _found(anchors: Iterable[Anchor], faces: Faces, tracks: Tracks, count: int) -> dict[Anchor, int]:
    numbers = ((anchor, anchored_track(faces, anchor)) for anchor in anchors)
    return {anchor: count + int(np.searchsorted(tracks.number, n)) for anchor, n in numbers if n is not None}


def _threshold(desk: Desk) -> float:
    given = desk.config.people.link_threshold
    return desk.limits.enter if given is None else given


def _linked(
    roll: Roll, corrections: Corrections, settings: PeopleConfig, threshold: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float16]]:
    """(t,) the cluster of each track, NOBODY for those too poor; (c, D) centroids."""
    spoken_of = np.zeros(len(roll.tracks), np.bool_)
    spoken_of[list(roll.anchored.values())] = True
    kept = np.flatnonzero((roll.tracks.quality >= settings.min_quality) | spoken_of)
    place = np.full(len(roll.tracks), NOBODY, np.int64)
    place[kept] = np.arange(len(kept))
    different = [(one, other) for pair in corrections.different for one in pair[0] for other in pair[1]]
    same = [(group[0], other) for group in corrections.same for other in group[1:]]
    apart = np.concatenate([place[roll.meetings.pairs], _pairs(different, roll, place)])
    rule = LinkRule(threshold, settings.clear_score, threshold + _STRICTER)
    together = _pairs(same, roll, place)
    label, centroid = clustered(roll.tracks[kept], rule, apart=apart[(apart != NOBODY).all(axis=1)], together=together)
    whole = np.full(len(roll.tracks), NOBODY, np.int64)
    whole[kept] = label
    return whole, centroid


def _pairs(anchors: Sequence[tuple[Anchor, Anchor]], roll: Roll, place: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(k, 2) places of the tracks of those pairs that are still there."""
    rows = [(roll.anchored.get(one), roll.anchored.get(other)) for one, other in anchors]
    known = [pair for pair in rows if None not in pair]
    return place[np.array(known, np.int64).reshape(-1, 2)]


def _rejected(roll: Roll, corrections: Corrections, label: npt.NDArray[np.int64]) -> list[int]:
    """The clusters that hold a rejected track."""
    rows = (roll.anchored.get(anchor) for group in corrections.rejected for anchor in group)
    return sorted({int(label[row]) for row in rows if row is not None and label[row] != NOBODY})


def _known(
    desk: Desk,
    roll: Roll,
    label: npt.NDArray[np.int64],
    persons: Sequence[Person],
    centroid: npt.NDArray[np.float16],
) -> tuple[tuple[Person, ...], tuple[int, ...]]:
    """The persons with the names that the store knows them by, and their numbers in it."""
    settings, now = desk.config.people, time()
    numbers: list[int] = []
    parts: dict[str, set[str]] = {_source(record): set() for record in roll.records}
    with open_store(
        store_of(desk),
        contract=desk.networks.contract,
        dimension=desk.networks.dimension,
        threshold=_threshold(desk),
        refine_limit=settings.refine_limit,
    ) as store:
        order = np.argsort(label, kind="stable")
        bounds = np.searchsorted(label[order], np.arange(len(persons) + 1))
        for place in range(len(persons)):
            desk.interruption.check()
            own = roll.tracks[order[bounds[place] : bounds[place + 1]]]
            taken = tuple(numbers)
            for video in np.unique(own.video).tolist():
                source = _source(roll.records[video])
                there = own[own.video == video]
                part = f"track {there.number.min()}"
                parts[source].add(part)
                sighting = Sighting(source, part, int(there.faces.sum()))
                number = store.match_or_add(centroid[place], sighting, seen=now, avoid=taken)
            numbers.append(number)
        for source, told in parts.items():
            store.keep_only(source, told)
        names = {identity.number: identity.name for identity in store.identities()}
    named = tuple(replace(person, name=names.get(number, "")) for person, number in zip(persons, numbers, strict=True))
    return named, tuple(numbers)


def _source(record: VideoRecord) -> str:
    """What a store knows a video by: its content, wherever it lies; its name if it changed while it was read."""
    return record.fingerprint or record.video_id
