"""Record which tracks matched a target's photos, so that `people` can name the persons of these tracks.

`run`, `find` and `people -t` record the tracks in OUT/.fastface/photo_names.json: {label: {source: [track, …]}}, with
one source for each searched video. `census` reads them. A name that the user gave has priority.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fastface.census.clusters.numbering import CensusTracks, track_keys
from fastface.errors import FaceIndexError
from fastface.files import write_atomic
from fastface.gallery.matching import EVERYONE
from fastface.gallery.photo_set.sources import make_label
from fastface.index.records import VideoRecord
from fastface.index.store import VideoIndex
from fastface.names import is_shown
from fastface.runtime.context import RunContext
from fastface.search.searcher import VideoFindings
from fastface.types import Faces, Person

_SCHEMA_VERSION = 1

_LEAST_SHARE = 0.5
"""Minimum share of hits among a track's faces, and of a person's faces in such tracks, for the name to apply."""

_Integers = npt.NDArray[np.int64]


def source_key(record: VideoRecord) -> str:
    """Identify the content and the scan of a video: while both stay the same, the track numbers do too."""
    return f"{record.fingerprint} {record.scan_key}"


def is_reserved_name(name: str) -> bool:
    """Return whether a name cannot be used: it is a number, or it means every face."""
    return name == EVERYONE or name.isdecimal() or name.removeprefix("person ").isdecimal()


def describe_bad_name(name: str) -> str:
    """Return why a text could not be recognised as the name of a person; empty if it can."""
    is_bad = make_label(name) == EVERYONE or is_reserved_name(name) or not name.strip() or not is_shown(name)
    return f"{name!r} cannot be the name of a person" if is_bad else ""


TracksByName = dict[str, dict[str, list[int]]]
"""{name: {source: numbers of its tracks}}; see `source_key`."""


@dataclass(slots=True)
class PhotoNames:
    """Collect the tracks of the targets of one search, video by video."""

    tracks: TracksByName = field(default_factory=dict)

    def add(self, context: RunContext, found: VideoFindings) -> None:
        """Add the tracks of one video."""
        source = source_key(found.record)
        index_faces = _index_faces(context, found)
        for label, hits in found.hits.items():
            if is_reserved_name(label):
                continue
            faces = hits.face if index_faces is None else _find_rows(index_faces, found.faces, hits.face)
            own = found.faces if index_faces is None else index_faces
            self.tracks.setdefault(label, {})[source] = _whole_tracks(own.tracks, faces)

    def save(self, state: Path) -> None:
        """Merge the tracks into the file. A target that was searched again replaces its earlier tracks."""
        if self.tracks:
            # The newest targets come first: `name_by_photos` prefers them at a tie.
            others = {label: sources for label, sources in read_names(state).items() if label not in self.tracks}
            write_names(state, {**self.tracks, **others})


def name_by_photos(context: RunContext, persons: Sequence[Person], tracks: CensusTracks) -> tuple[Person, ...]:
    """Name each person without a name after the photos whose tracks hold most of the faces of the person.

    Raises:
        FaceIndexError: The file is damaged.
    """
    named = read_names(context.out.state)
    shares = np.zeros((len(named), len(persons)))
    for row, sources in enumerate(named.values()):
        shares[row] = _shares(sources, tracks, len(persons))
    names = list(named)
    best = shares.argmax(axis=0) if names else np.zeros(len(persons), np.int64)
    called = tuple(
        replace(person, name=names[best[place]])
        if names and not person.name and shares[best[place], place] >= _LEAST_SHARE
        else person
        for place, person in enumerate(persons)
    )
    for name in names:
        numbers = [
            str(now.number) for before, now in zip(persons, called, strict=True) if before != now and now.name == name
        ]
        if len(numbers) > 1:
            context.observer.note(
                f"{' and '.join(numbers)} are {name} by the photos: "
                f"fastface pick {' '.join(numbers)} --merge makes them one person"
            )
    return called


def forget_tracks(names: TracksByName, tracks: Mapping[str, Collection[int]]) -> TracksByName:
    """Return the names without these tracks, {source: numbers}; their persons then have no name by photos.

    The sources stay as searched: a missing track counts against a name.
    """
    return {
        label: {
            source: [number for number in numbers if number not in tracks.get(source, ())]
            for source, numbers in sources.items()
        }
        for label, sources in names.items()
    }


def forget_videos(names: TracksByName, fingerprints: Collection[str]) -> TracksByName:
    """Return the names without the tracks of some videos."""
    rest = {
        label: {source: tracks for source, tracks in sources.items() if source.partition(" ")[0] not in fingerprints}
        for label, sources in names.items()
    }
    return {label: sources for label, sources in rest.items() if sources}


def write_names(state: Path, names: TracksByName) -> None:
    """Write the tracks of all names, readable by the owner only.

    Raises:
        SpaceError: No space is left.
    """
    content = {"schema_version": _SCHEMA_VERSION, "names": names}
    write_atomic(state / "photo_names.json", json.dumps(content) + "\n", private=True)


def read_names(state: Path) -> TracksByName:
    """Read the tracks of all names; empty if no photo was searched.

    Raises:
        FaceIndexError: The file is damaged.
    """
    path = state / "photo_names.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["schema_version"] != _SCHEMA_VERSION:
            raise ValueError(f"version {found['schema_version']}")
        return {
            str(label): {str(source): [int(track) for track in tracks] for source, tracks in sources.items()}
            for label, sources in found["names"].items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FaceIndexError(f"cannot read {str(path)!r}: {error}; remove it: then photos name no person") from error


def _shares(sources: Mapping[str, Sequence[int]], tracks: CensusTracks, num_persons: int) -> npt.NDArray[np.float64]:
    """Return (p,) the share of each person's faces, in the searched videos, that are in a target's tracks."""
    places = [place for place, source in enumerate(tracks.sources) if source in sources]
    wanted = [(place, number) for place in places for number in sources[tracks.sources[place]]]
    video, number = np.array(wanted, np.int64).reshape(-1, 2).T
    rows = np.flatnonzero(np.isin(tracks.video, places) & ~tracks.is_body & (tracks.place >= 0))
    keys = track_keys(tracks.video[rows], tracks.is_body[rows], tracks.number[rows])
    is_found = np.isin(keys, track_keys(video, np.zeros(len(video), np.bool_), number))
    asked = np.bincount(tracks.place[rows], tracks.weight[rows], num_persons)
    found = np.bincount(tracks.place[rows[is_found]], tracks.weight[rows[is_found]], num_persons)
    shares: npt.NDArray[np.float64] = found / np.maximum(asked, 1)
    return shares


def _index_faces(context: RunContext, found: VideoFindings) -> Faces | None:
    """Return the faces of the index if closer looks changed the findings' faces and tracks; else None."""
    units = context.ledger.units(found.record.video_id).values()
    if not any(unit.dense and not unit.lost for unit in units):
        return None
    return VideoIndex(context.out.index, found.record.video_id).faces()


def _find_rows(index_faces: Faces, faces: Faces, rows: _Integers) -> _Integers:
    """Find the rows of faces in the index: the same box at the same time."""
    known = {key: row for row, key in enumerate(_keys(index_faces))}
    keys = _keys(faces[rows])
    return np.array([known[key] for key in keys if key in known], np.int64)


def _keys(faces: Faces) -> list[tuple[int, float, float]]:
    return list(zip(faces.pts.tolist(), faces.boxes[:, 0].tolist(), faces.boxes[:, 1].tolist(), strict=True))


def _whole_tracks(tracks: _Integers, rows: _Integers) -> list[int]:
    """Return the tracks in which enough faces are hits, ascending."""
    numbers, counts = np.unique(tracks[rows], return_counts=True)
    sizes = np.array([(tracks == number).sum() for number in numbers.tolist()], np.int64)
    return numbers[counts >= _LEAST_SHARE * sizes].tolist() if len(numbers) else []
