"""Assign numbers to the persons of a census; a person keeps its number from census to census.

A number belongs to a set of tracks: the tracks of its person when the number was last listed. In the next census the
number goes to the person with most of these tracks. So a merge keeps the smaller number, and a split keeps the number
with the larger part. A rejected person regains its number when it is restored. A number never goes to another person.
After another scan of a video its tracks are new; then the most similar person gets the number.

`census` writes OUT/.fastface/numbers.npz with every census that is shown.
"""

import zipfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from fastface.census.clusters.person_summaries import NO_CLUSTER
from fastface.cosine import normalize_rows
from fastface.errors import FaceIndexError
from fastface.files import atomic_path

_SCHEMA_VERSION = 1

_MOST_TRACKS = 64
"""Maximum number of tracks that a number keeps: those with the most faces."""

_ALIAS_SHARE = 0.5
"""Minimum share of a number's tracks in a person for the number to mean that person."""

_TRACKS_A_VIDEO = 1 << 40

_Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CensusTracks:
    """Face and body tracks of a census, and their persons.

    Attributes:
        sources: Digest of the content and the scan of each video.
        video: (t,) place of the track's video in `sources`.
        is_body: (t,) true for a body track.
        number: (t,) number of the track in its video.
        weight: (t,) number of its faces or samples, at least 1.
        place: (t,) place of its person in the census; NO_CLUSTER for none.
        centroid: (p, D) L2-normalised, of the persons with a face, who come first.
        contract: Contract of the recogniser.
        num_persons: Number of listed persons.
    """

    sources: Sequence[str]
    video: _Integers
    is_body: npt.NDArray[np.bool_]
    number: _Integers
    weight: _Integers
    place: _Integers
    centroid: npt.NDArray[np.float16]
    contract: str
    num_persons: int


@dataclass(frozen=True, slots=True)
class Assignment:
    """Numbers of the persons of a census.

    Attributes:
        numbers: Number of each person, by place.
        aliases: {number of an earlier census that no person has now: number of the person that contains its tracks}.
        unlisted: Numbers of earlier censuses without a track in a listed person.
    """

    numbers: tuple[int, ...]
    aliases: dict[int, int] = field(default_factory=dict)
    unlisted: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Numbering:
    """All numbers that were ever assigned.

    Attributes:
        last: Largest assigned number; 0 for none.
        is_listed: {number: true if the last census listed it}.
        owner: (m,) number that each track belongs to.
        source: (m,) digest of the track's video.
        is_body: (m,) true for a body track.
        track: (m,) number of the track in its video.
        weight: (m,) number of its faces or samples.
        look: {number: (D,) centroid}, of persons with a face.
        contract: Contract of the recogniser of these centroids.
    """

    last: int = 0
    is_listed: dict[int, bool] = field(default_factory=dict)
    owner: _Integers = field(default_factory=lambda: np.empty(0, np.int64))
    source: npt.NDArray[np.str_] = field(default_factory=lambda: np.empty(0, np.str_))
    is_body: npt.NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    track: _Integers = field(default_factory=lambda: np.empty(0, np.int64))
    weight: _Integers = field(default_factory=lambda: np.empty(0, np.int64))
    look: dict[int, npt.NDArray[np.float16]] = field(default_factory=dict)
    contract: str = ""

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the file; return an empty numbering if there is no file.

        Raises:
            FaceIndexError: The file is damaged or of another version.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
                if int(found["schema_version"]) != _SCHEMA_VERSION:
                    raise ValueError(f"version {int(found['schema_version'])}")
                numbers = found["number"].tolist()
                faced = found["faced"].tolist()
                return cls(
                    last=int(found["last"]),
                    is_listed=dict(zip(numbers, found["is_listed"].tolist(), strict=True)),
                    owner=found["owner"],
                    source=found["names"][found["source"]],
                    is_body=found["is_body"],
                    track=found["track"],
                    weight=found["weight"],
                    look=dict(zip(faced, found["look"], strict=True)),
                    contract=str(found["contract"]),
                )
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, KeyError, IndexError, zipfile.BadZipFile) as error:
            reason = f"cannot read {str(path)!r}: {error}; remove it and run fastface people: it gives new numbers"
            raise FaceIndexError(reason) from error

    def save(self, path: Path) -> None:
        """Write the file, readable by its owner only.

        Raises:
            SpaceError: No space is left.
        """
        names, source = np.unique(self.source, return_inverse=True)
        with atomic_path(path, private=True) as part, part.open("wb") as file:
            np.savez_compressed(
                file,
                schema_version=np.int64(_SCHEMA_VERSION),
                last=np.int64(self.last),
                number=np.array(list(self.is_listed), np.int64),
                is_listed=np.array(list(self.is_listed.values()), np.bool_),
                owner=self.owner,
                names=names,
                source=source.astype(np.int64).reshape(-1),
                is_body=self.is_body,
                track=self.track,
                weight=self.weight,
                faced=np.array(list(self.look), np.int64),
                look=np.array(list(self.look.values()), np.float16),
                contract=np.array(self.contract),
            )

    def assign(self, tracks: CensusTracks, threshold: float) -> Assignment:
        """Assign a number to every person of a census.

        Args:
            tracks: Tracks of the census.
            threshold: Minimum cosine of a person and a number whose tracks no longer exist.
        """
        numbers = [0] * tracks.num_persons
        heirs, orphans = self._heirs(tracks)
        for number in sorted(heirs, key=lambda number: (not self.is_listed[number], number)):
            place, _ = heirs[number]
            numbers[place] = numbers[place] or number
        self._match_looks(tracks, threshold, orphans, numbers)
        fresh = self.last
        for place, number in enumerate(numbers):
            if not number:
                fresh += 1
                numbers[place] = fresh
        used = set(numbers)
        aliases = {
            number: numbers[place]
            for number, (place, share) in heirs.items()
            if number not in used and share >= _ALIAS_SHARE
        }
        return Assignment(tuple(numbers), aliases, frozenset(self.is_listed.keys() - heirs.keys() - used))

    def with_census(self, tracks: CensusTracks, assignment: Assignment) -> "Numbering":
        """Return the numbering after a census was shown: its numbers own its tracks; other numbers keep theirs."""
        listed = set(assignment.numbers)
        rows = _strongest(tracks)
        kept = ~np.isin(self.owner, list(listed))
        owner = np.array(assignment.numbers, np.int64)[tracks.place[rows]]
        sources = np.array(tracks.sources, np.str_) if len(tracks.sources) else np.empty(0, np.str_)
        looks = dict(zip(assignment.numbers, tracks.centroid, strict=False))
        before = self.look if self.contract == tracks.contract else {}
        known = {*self.is_listed, *listed}
        return Numbering(
            last=max(self.last, max(listed, default=0)),
            is_listed={number: number in listed for number in sorted(known)},
            owner=np.concatenate([self.owner[kept], owner]),
            source=np.concatenate([self.source[kept], sources[tracks.video[rows]]]),
            is_body=np.concatenate([self.is_body[kept], tracks.is_body[rows]]),
            track=np.concatenate([self.track[kept], tracks.number[rows]]),
            weight=np.concatenate([self.weight[kept], tracks.weight[rows]]),
            look={**{number: look for number, look in before.items() if number not in listed}, **looks},
            contract=tracks.contract,
        )

    def without_videos(self, fingerprints: Collection[str]) -> "Numbering":
        """Remove the tracks of some videos, and the centroid of each number that has no other tracks.

        The numbers stay used.
        """
        kept = np.array([source.partition(" ")[0] not in fingerprints for source in self.source.tolist()], np.bool_)
        lost = set(self.owner[~kept].tolist()) - set(self.owner[kept].tolist())
        return replace(
            self,
            owner=self.owner[kept],
            source=self.source[kept],
            is_body=self.is_body[kept],
            track=self.track[kept],
            weight=self.weight[kept],
            look={number: look for number, look in self.look.items() if number not in lost},
        )

    def find_owners(self, tracks: CensusTracks, rows: _Integers) -> set[int]:
        """Return the numbers that own any of these rows of a census, also if their persons are not listed."""
        row_of = {source: place for place, source in enumerate(tracks.sources)}
        video = np.array([row_of.get(source, NO_CLUSTER) for source in self.source.tolist()], np.int64)
        wanted = track_keys(tracks.video[rows], tracks.is_body[rows], tracks.number[rows])
        is_owned = np.isin(track_keys(video, self.is_body, self.track), wanted) & (video != NO_CLUSTER)
        return set(self.owner[is_owned].tolist())

    def _heirs(self, tracks: CensusTracks) -> tuple[dict[int, tuple[int, float]], set[int]]:
        """Return {number: (place of the person with most of its tracks, share of them)}, and numbers without tracks."""
        row_of = {source: place for place, source in enumerate(tracks.sources)}
        video = np.array([row_of.get(source, NO_CLUSTER) for source in self.source.tolist()], np.int64)
        known = np.flatnonzero(video != NO_CLUSTER)
        present = track_keys(tracks.video, tracks.is_body, tracks.number)
        order = np.argsort(present, kind="stable")
        wanted = track_keys(video[known], self.is_body[known], self.track[known])
        at = np.minimum(np.searchsorted(present[order], wanted), max(len(order) - 1, 0))
        is_there = present[order[at]] == wanted if len(order) else np.zeros(len(wanted), np.bool_)
        rows, places = known[is_there], tracks.place[order[at[is_there]]]
        held: dict[int, dict[int, int]] = {}
        total: dict[int, int] = {}
        found = zip(self.owner[rows].tolist(), places.tolist(), self.weight[rows].tolist(), strict=True)
        for number, place, weight in found:
            total[number] = total.get(number, 0) + weight
            if place != NO_CLUSTER:
                shares = held.setdefault(number, {})
                shares[place] = shares.get(place, 0) + weight
        heirs = {}
        for number, shares in held.items():
            heir, weight = min(shares.items(), key=lambda share: (-share[1], share[0]))
            heirs[number] = heir, weight / total[number]
        return heirs, self.is_listed.keys() - total.keys()

    def _match_looks(self, tracks: CensusTracks, threshold: float, orphans: set[int], numbers: list[int]) -> None:
        """Assign numbers without tracks to the persons with the most similar centroids, the highest cosine first."""
        free = [number for number in sorted(orphans) if number in self.look]
        open_places = [place for place in range(len(tracks.centroid)) if not numbers[place]]
        if not free or not open_places or self.contract != tracks.contract:
            return
        cosine = normalize_rows(tracks.centroid[open_places]) @ normalize_rows(np.stack([self.look[n] for n in free])).T
        for flat in np.argsort(-cosine, axis=None, kind="stable").tolist():
            row, column = divmod(flat, len(free))
            if cosine[row, column] < threshold:
                break
            place, number = open_places[row], free[column]
            if not numbers[place] and number not in numbers:
                numbers[place] = number


def track_keys(video: _Integers, is_body: npt.NDArray[np.bool_], number: _Integers) -> _Integers:
    """Return (t,) a unique integer for each track."""
    keys: _Integers = (video * 2 + is_body) * _TRACKS_A_VIDEO + number
    return keys


def _strongest(tracks: CensusTracks) -> _Integers:
    """Return the rows of each person's tracks with the most faces."""
    order = np.lexsort((np.arange(len(tracks.place)), -tracks.weight, tracks.place))
    order = order[tracks.place[order] != NO_CLUSTER]
    places = tracks.place[order]
    rank = np.arange(len(order)) - np.searchsorted(places, places)
    strongest: _Integers = order[rank < _MOST_TRACKS]
    return strongest
