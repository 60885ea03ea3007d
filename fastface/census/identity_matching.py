"""Match persons of a census with stored identities and record the new sightings. `census` calls `known_persons`."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from time import time

import numpy as np
import numpy.typing as npt

from fastface.census.clusters.clustering import STRICTER
from fastface.census.clusters.person_summaries import NO_CLUSTER
from fastface.census.store.base import Encounter, Sighting, open_store
from fastface.census.track_table import TrackTable
from fastface.index.records import VideoRecord
from fastface.names import valid_text
from fastface.runtime.context import RunContext
from fastface.types import Person, Tracks


def open_context_store(context: RunContext) -> str:
    """Return the address of the identity store in the settings; without one, the file in the output folder."""
    return context.config.people.store or str(context.out.state / "identities.sqlite")


def pick_threshold(context: RunContext) -> float:
    """Return the minimum cosine of two clusters of one person."""
    given = context.config.people.link_threshold
    return context.limits.enter if given is None else given


def known_persons(
    context: RunContext,
    table: TrackTable,
    label: npt.NDArray[np.int64],
    persons: Sequence[Person],
    centroid: npt.NDArray[np.float16],
    *,
    unlisted: npt.NDArray[np.int64],
) -> tuple[tuple[Person, ...], tuple[int, ...]]:
    """Match persons with stored identities. Return the persons with their stored names, and their numbers in the store.

    The most similar cluster of a stored identity is matched first, so a less similar one cannot take its place.
    Sightings of unlisted persons stay in the store.
    """
    settings, threshold = context.config.people, pick_threshold(context)
    order = np.argsort(label, kind="stable")
    bounds = np.searchsorted(label[order], np.arange(len(persons) + 1))
    encounters = []
    for place in range(len(persons)):
        own = table.tracks[order[bounds[place] : bounds[place + 1]]]
        is_clear = own.det_score.max() >= settings.clear_score
        least = threshold if is_clear else threshold + STRICTER
        encounters.append(Encounter(centroid[place], tuple(_sightings(table, own)), least))
    with open_store(
        open_context_store(context),
        contract=context.networks.contract,
        dimension=context.networks.dimension,
        threshold=threshold,
        refine_limit=settings.refine_limit,
        refine_from=context.limits.enter,
    ) as store:
        # Several persons may certainly match one identity; the one with the best rank gets it.
        numbers = store.tell(encounters, seen=time(), sure=threshold + STRICTER, kept=_parts(table, unlisted))
        names = {identity.number: identity.name for identity in store.identities()}
    named = tuple(replace(person, name=names.get(number, "")) for person, number in zip(persons, numbers, strict=True))
    return named, tuple(numbers)


def _sightings(table: TrackTable, own: Tracks) -> Iterator[Sighting]:
    """Yield the sightings of one person, one for each video."""
    for video in np.unique(own.video).tolist():
        there = own[own.video == video]
        yield Sighting(_source(table.records[video]), _part(int(there.number.min())), int(there.faces.sum()))


def _parts(table: TrackTable, unlisted: npt.NDArray[np.int64]) -> dict[str, set[str]]:
    """Return {source: parts of its unlisted persons in the store}."""
    parts: dict[str, set[str]] = {_source(record): set() for record in table.records}
    rows = np.flatnonzero(unlisted != NO_CLUSTER)
    rows = rows[np.lexsort((table.tracks.number[rows], table.tracks.video[rows], unlisted[rows]))]
    keys = np.stack([unlisted[rows], table.tracks.video[rows]], axis=1)
    firsts = rows[np.flatnonzero((np.diff(keys, axis=0, prepend=-1) != 0).any(axis=1))]
    for video, number in zip(table.tracks.video[firsts].tolist(), table.tracks.number[firsts].tolist(), strict=True):
        parts[_source(table.records[video])].add(_part(number))
    return parts


def _part(first: int) -> str:
    """Return the store's name for a person of a video: the number of the first track."""
    return f"track {first}"


def _source(record: VideoRecord) -> str:
    """Return the store's name for a video: a digest of its content, or its path if it changed during the scan."""
    return record.fingerprint or valid_text(f"file:{record.path}")
