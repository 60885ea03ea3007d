"""Whom of the persons of a census the identity store knows, and what it is told of them."""

from collections.abc import Sequence
from dataclasses import replace
from time import time

import numpy as np
import numpy.typing as npt

from fastface.identities.census import NOBODY
from fastface.identities.clustering import STRICTER
from fastface.identities.store import Identity, Sighting, open_store
from fastface.index.records import VideoRecord
from fastface.names import valid_text
from fastface.types import Person
from fastface.workflows.desk import Desk
from fastface.workflows.roll import Roll

__all__ = ["known_persons", "store_of", "threshold_of"]


def store_of(desk: Desk) -> str:
    """The identity store of the settings, or the output folder's own."""
    return desk.config.people.store or str(desk.out.state / "identities.sqlite")


def threshold_of(desk: Desk) -> float:
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

    Those that are most like somebody whom the store knows are told first, so that nobody is taken for another who is
    more like. What it knows of persons that are not listed now stays.
    """
    settings, now = desk.config.people, time()
    numbers = dict[int, int]()
    parts = _parts(roll, unlisted)
    with open_store(
        store_of(desk),
        contract=desk.networks.contract,
        dimension=desk.networks.dimension,
        threshold=threshold_of(desk),
        refine_limit=settings.refine_limit,
        refine_from=min(desk.limits.enter, 1.0),
    ) as store:
        order = np.argsort(label, kind="stable")
        bounds = np.searchsorted(label[order], np.arange(len(persons) + 1))
        likeness, known = _likeness(centroid, store.identities())
        nearest = likeness.max(axis=1, initial=-1.0)
        # Of several who surely are somebody, she who is seen most.
        turn = np.where(nearest >= threshold_of(desk) + STRICTER, -1.0, -nearest)
        for place in np.argsort(turn, kind="stable").tolist():
            desk.interruption.check()
            own = roll.tracks[order[bounds[place] : bounds[place + 1]]]
            is_clear = own.det_score.max() >= settings.clear_score
            least = threshold_of(desk) + (0.0 if is_clear else STRICTER)
            taken = {*numbers.values(), *known[likeness[place] < least].tolist()}
            for video in np.unique(own.video).tolist():
                source = _source(roll.records[video])
                there = own[own.video == video]
                part = _part(int(there.number.min()))
                parts[source].add(part)
                sighting = Sighting(source, part, int(there.faces.sum()))
                number = store.match_or_add(centroid[place], sighting, seen=now, avoid=taken)
            numbers[place] = number
        for source, told in parts.items():
            store.keep_only(source, told)
        names = {identity.number: identity.name for identity in store.identities()}
    told_by = tuple(numbers[place] for place in range(len(persons)))
    named = tuple(replace(person, name=names.get(number, "")) for person, number in zip(persons, told_by, strict=True))
    return named, told_by


def _likeness(
    centroid: npt.NDArray[np.float16], identities: Sequence[Identity]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """(p, i) cosines of the persons to all identities of a store, and (i,) the numbers of these."""
    known = np.array([identity.number for identity in identities], np.int64)
    means = [identity.centroid.astype(np.float64) for identity in identities]
    return centroid.astype(np.float64) @ np.array(means).reshape(len(means), centroid.shape[1]).T, known


def _parts(roll: Roll, unlisted: npt.NDArray[np.int64]) -> dict[str, set[str]]:
    """{source: the names that its persons who are not listed have in a store}."""
    parts: dict[str, set[str]] = {_source(record): set() for record in roll.records}
    rows = np.flatnonzero(unlisted != NOBODY)
    rows = rows[np.lexsort((roll.tracks.number[rows], roll.tracks.video[rows], unlisted[rows]))]
    keys = np.stack([unlisted[rows], roll.tracks.video[rows]], axis=1)
    firsts = rows[np.flatnonzero((np.diff(keys, axis=0, prepend=-1) != 0).any(axis=1))]
    for video, number in zip(roll.tracks.video[firsts].tolist(), roll.tracks.number[firsts].tolist(), strict=True):
        parts[_source(roll.records[video])].add(_part(number))
    return parts


def _part(first: int) -> str:
    """What a store calls a person of a video: by the first of its tracks."""
    return f"track {first}"


def _source(record: VideoRecord) -> str:
    """What a store knows a video by: its content, wherever it lies; its path if it changed while it was read."""
    return record.fingerprint or valid_text(f"file:{record.path}")
