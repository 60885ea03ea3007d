"""Match persons of a census with stored identities and record the new sightings."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from time import time

import numpy as np
import numpy.typing as npt

from fastface.census.clusters.clustering import STRICTER
from fastface.census.clusters.person_summaries import NO_CLUSTER
from fastface.census.store.base import Encounter, Sighting, open_store
from fastface.census.track_table import Roll
from fastface.index.records import VideoRecord
from fastface.names import valid_text
from fastface.runtime.context import Desk
from fastface.types import Person, Tracks

__all__ = ["known_persons", "open_context_store", "pick_threshold"]


def open_context_store(desk: Desk) -> str:
    """The identity store of the settings, or the output folder's own."""
    return desk.config.people.store or str(desk.out.state / "identities.sqlite")


def pick_threshold(desk: Desk) -> float:
    """Cosine from which two groups of tracks are one person's."""
    given = desk.config.people.link_threshold
    return desk.limits.enter if given is None else given


def known_persons(
    desk: Desk,
    roll: Roll,
    label: npt.NDArray[np.int64],
    persons: Sequence[Person],
    centroid: npt.NDArray[np.float16],
    *,
    unlisted: npt.NDArray[np.int64],
) -> tuple[tuple[Person, ...], tuple[int, ...]]:
    """The persons with the names that the store knows them by, and their numbers in it.

    Clusters most similar to a stored identity come first, so that no person is taken for another who is
    more like. What it knows of persons that are not listed now stays.
    """
    settings, threshold = desk.config.people, pick_threshold(desk)
    order = np.argsort(label, kind="stable")
    bounds = np.searchsorted(label[order], np.arange(len(persons) + 1))
    encounters = []
    for place in range(len(persons)):
        own = roll.tracks[order[bounds[place] : bounds[place + 1]]]
        is_clear = own.det_score.max() >= settings.clear_score
        least = threshold if is_clear else threshold + STRICTER
        encounters.append(Encounter(centroid[place], tuple(_sightings(roll, own)), least))
    with open_store(
        open_context_store(desk),
        contract=desk.networks.contract,
        dimension=desk.networks.dimension,
        threshold=threshold,
        refine_limit=settings.refine_limit,
        refine_from=desk.limits.enter,
    ) as store:
        # Of several who surely are somebody, she who is listed first.
        numbers = store.tell(encounters, seen=time(), sure=threshold + STRICTER, kept=_parts(roll, unlisted))
        names = {identity.number: identity.name for identity in store.identities()}
    named = tuple(replace(person, name=names.get(number, "")) for person, number in zip(persons, numbers, strict=True))
    return named, tuple(numbers)


def _sightings(roll: Roll, own: Tracks) -> Iterator[Sighting]:
    """A person's tracks, by video."""
    for video in np.unique(own.video).tolist():
        there = own[own.video == video]
        yield Sighting(_source(roll.records[video]), _part(int(there.number.min())), int(there.faces.sum()))


def _parts(roll: Roll, unlisted: npt.NDArray[np.int64]) -> dict[str, set[str]]:
    """{source: the names that its persons who are not listed have in a store}."""
    parts: dict[str, set[str]] = {_source(record): set() for record in roll.records}
    rows = np.flatnonzero(unlisted != NO_CLUSTER)
    rows = rows[np.lexsort((roll.tracks.number[rows], roll.tracks.video[rows], unlisted[rows]))]
    keys = np.stack([unlisted[rows], roll.tracks.video[rows]], axis=1)
    firsts = rows[np.flatnonzero((np.diff(keys, axis=0, prepend=-1) != 0).any(axis=1))]
    for video, number in zip(roll.tracks.video[firsts].tolist(), roll.tracks.number[firsts].tolist(), strict=True):
        parts[_source(roll.records[video])].add(_part(number))
    return parts


def _part(first: int) -> str:
    """Return the store's name for a person of a video: the number of the first track."""
    return f"track {first}"


def _source(record: VideoRecord) -> str:
    """Return the store's name for a video: a digest of its content, or its path if it changed during the scan."""
    return record.fingerprint or valid_text(f"file:{record.path}")
