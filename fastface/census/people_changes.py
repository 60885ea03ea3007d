"""Apply many changes of persons at once: merge, split, reject, restore and name, as one step that can be undone.

`commands.correction.correct` applies a file of the people page, `commands.people` a table of names. All numbers refer
to the census before the changes.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from fastface.census.census import (
    Census,
    census_digest,
    corrections_path,
    numbers_path,
    take_census,
    undo_path,
)
from fastface.census.clusters.correction_log import (
    LoggedCorrection,
    append_correction,
    read_corrections,
    write_corrections,
)
from fastface.census.clusters.corrections import Corrections
from fastface.census.clusters.numbering import Numbering
from fastface.census.identity_matching import open_context_store
from fastface.census.photo_names import describe_bad_name, forget_tracks, read_names, write_names
from fastface.census.selection import (
    choose_anchors,
    describe_missing,
    describe_new_numbers,
    find_current_anchors,
    in_words,
    together_note,
)
from fastface.census.splitting import split_off_videos, split_person, split_rows
from fastface.census.store.base import open_existing
from fastface.errors import ConfigError
from fastface.names import shorten_lines
from fastface.runtime.context import RunContext
from fastface.types import Person

_Rows = npt.NDArray[np.int64]

_MOST_LINES = 20


@dataclass(frozen=True, slots=True)
class PeopleChanges:
    """Changes of persons, by number.

    Attributes:
        merge: Groups of persons; each group is one person.
        split: {person: videos to take out as another person}; without videos the least similar tracks are separated.
        reject: Persons that must not be listed.
        restore: Rejected persons to list again.
        names: {person: new name}; an empty name removes the name.
    """

    merge: tuple[tuple[int, ...], ...] = ()
    split: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    reject: tuple[int, ...] = ()
    restore: tuple[int, ...] = ()
    names: Mapping[int, str] = field(default_factory=dict)

    @property
    def numbers(self) -> frozenset[int]:
        """Return all numbers of listed persons that the changes mention."""
        return frozenset({*self.reject, *self.split, *self.names, *(one for group in self.merge for one in group)})


@dataclass(frozen=True, slots=True)
class _Plan:
    """Checked changes, by place in the census before."""

    groups: tuple[tuple[int, ...], ...]
    split: dict[int, tuple[str, ...]]
    rejected: tuple[int, ...]
    restored: frozenset[int]  # positions in `Corrections.rejected`
    names: dict[int, str]

    @property
    def places(self) -> list[int]:
        """Return the places of all changed persons, ascending."""
        return sorted({*self.split, *self.rejected, *self.names, *(place for group in self.groups for place in group)})


def apply_changes(
    context: RunContext, before: Census, corrections: Corrections, changes: PeopleChanges, what: str
) -> Census | None:
    """Store the changes for all later censuses, and return the census with them; None if nothing would change.

    Args:
        context: Run context with the settings of the census.
        before: Census that the numbers belong to.
        corrections: Corrections that `before` was built with.
        changes: The changes.
        what: Name of the step in the log: `names` or `file`.

    Raises:
        ConfigError: A number is unknown, or changes contradict each other; lists all such faults. Nothing was changed.
        FaceIndexError, StoreError, InterruptError: See `take_census`.
    """
    plan = _check(context, before, corrections, changes)
    if not (plan.places or plan.restored):
        return None
    corrected = _correct(context, before, corrections, plan)
    _log(context, before, corrections, plan, what)
    with open_existing(open_context_store(context)) as store:
        for group in plan.groups:
            identities = _list_identities(before, group)
            if len(identities) > 1:
                store.merge(identities)
    if rows := _list_forgotten(before, plan):
        write_names(context.out.state, forget_tracks(read_names(context.out.state), rows))
    corrected.save(corrections_path(context))
    now = _give_names(context, before, take_census(context, corrected), plan)
    for place in sorted({*plan.split, *plan.rejected, *(place for group in plan.groups for place in group)}):
        if note := describe_new_numbers(before, now, place, corrected):
            context.observer.note(note)
    return now


def find_rejected_numbers(context: RunContext, census: Census, corrections: Corrections) -> list[set[int]]:
    """Return the numbers of each rejected group of the corrections; empty for a group without a known number."""
    numbering = Numbering.load(numbers_path(context))
    num_faces = len(census.table.tracks)
    body_row = num_faces - 1 + np.cumsum(census.unseen.is_faceless)
    listed = set(census.assignment.numbers)
    found = []
    for group in corrections.rejected:
        faces = [census.table.anchored[one] for one in group if one in census.table.anchored]
        bodies = [int(body_row[census.unseen.anchored[one]]) for one in group if one in census.unseen.anchored]
        found.append(numbering.find_owners(census.tracks, np.array([*faces, *bodies], np.int64)) - listed)
    return found


def _check(context: RunContext, census: Census, corrections: Corrections, changes: PeopleChanges) -> _Plan:
    """Resolve the numbers into places, and reject changes that contradict each other."""
    faults: list[str] = []
    place_of = {person.number: place for place, person in enumerate(census.persons)}
    place_of |= {number: place_of[now] for number, now in census.assignment.aliases.items()}
    faults += [describe_missing(census, str(number)) for number in sorted(changes.numbers - place_of.keys())]
    groups = _join_groups([place_of[one] for one in group if one in place_of] for group in changes.merge)
    split = {place_of[number]: videos for number, videos in changes.split.items() if number in place_of}
    rejected = tuple(sorted({place_of[number] for number in changes.reject if number in place_of}))
    used = Counter([*split, *rejected, *(place for group in groups for place in group)])
    for place in sorted(place for place, count in used.items() if count > 1):
        faults.append(f"person {census.persons[place].number}: merge, split and reject exclude each other")
    restored = set[int]()
    if changes.restore:
        owned = find_rejected_numbers(context, census, corrections)
        for number in changes.restore:
            rows = {row for row, numbers in enumerate(owned) if number in numbers}
            restored |= rows
            if not rows:
                faults.append(f"person {number} cannot be restored: it is not among the rejected persons")
    names = {place_of[number]: name for number, name in changes.names.items() if number in place_of}
    faults += [fault for name in names.values() if name and (fault := describe_bad_name(name))]
    names, name_faults = _settle_names(census, groups, rejected, names)
    if faults or name_faults:
        raise ConfigError(list(dict.fromkeys([*faults, *name_faults])))
    return _Plan(groups, split, rejected, frozenset(restored), names)


def _join_groups(groups: Iterable[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    """Join groups with a common member; leave out groups of a single person."""
    joined: list[set[int]] = []
    for group in groups:
        members = set(group)
        joined, apart = (
            [one for one in joined if one.isdisjoint(members)],
            [one for one in joined if not one.isdisjoint(members)],
        )
        joined.append(members.union(*apart))
    return tuple(sorted(tuple(sorted(one)) for one in joined if len(one) > 1))


def _settle_names(
    census: Census, groups: Sequence[Sequence[int]], rejected: Sequence[int], names: Mapping[int, str]
) -> tuple[dict[int, str], list[str]]:
    """Return the new names by place, one for each merged group at its first place; and the faults."""
    settled, faults = dict(names), []
    for group in groups:
        wanted = sorted({names[place] for place in group if place in names} - {""})
        known = sorted({census.persons[place].name for place in group if place not in names} - {""})
        called = wanted or known
        if len(called) > 1:
            faults.append(f"{in_words(census, group)} are called {' and '.join(called)}: choose one name for them")
        for place in group:
            settled.pop(place, None)
        if called:
            settled[group[0]] = called[0]
    first = {place: group[0] for group in groups for place in group}
    gone = {*rejected, *(place for place, leader in first.items() if place != leader)}
    final = {place: settled.get(place, person.name) for place, person in enumerate(census.persons) if place not in gone}
    for place, name in settled.items():
        same = [other for other, called in final.items() if called == name and other != place]
        if name and same and place not in gone:
            faults.append(
                f"{in_words(census, sorted([place, *same]))} would all be called {name!r}: merge them, "
                "or choose different names"
            )
    changed = {place: name for place, name in settled.items() if name != census.persons[place].name or place in first}
    return changed, list(dict.fromkeys(faults))


def _correct(context: RunContext, before: Census, corrections: Corrections, plan: _Plan) -> Corrections:
    kept = tuple(group for row, group in enumerate(corrections.rejected) if row not in plan.restored)
    corrected = replace(corrections, rejected=kept).with_anchors(find_current_anchors(context, before))
    for place, videos in plan.split.items():
        if videos:
            corrected = split_off_videos(context, before, place, videos, corrected)
            continue
        try:
            corrected = split_person(context, before, place, corrected)
        except ConfigError as error:  # the page cannot know it; the other corrections of the file still hold
            context.observer.note(f"left as it is: {error}")
    for group in plan.groups:
        if note := together_note(before, group):
            context.observer.note(note)
        corrected = corrected.with_merge(choose_anchors(context, before, group))
    for place in plan.rejected:
        corrected = corrected.with_rejection(choose_anchors(context, before, [place]))
    return corrected


def _log(context: RunContext, before: Census, corrections: Corrections, plan: _Plan, what: str) -> None:
    """Log the step before it is made, so that one undo reverts all of it."""
    identities = _list_identities(before, plan.places)
    with open_existing(open_context_store(context)) as store:
        groups = tuple(store.groups(identities)) if identities else ()
    photo_names = read_names(context.out.state) if _list_forgotten(before, plan) else None
    numbers = tuple(before.persons[place].number for place in plan.places)
    where = open_context_store(context)
    entry = LoggedCorrection(what, numbers, census_digest(before), corrections, where, groups, photo_names)
    append_correction(undo_path(context), entry)


def _list_identities(census: Census, places: Sequence[int]) -> list[int]:
    return [census.identities[place] for place in places if place < len(census.identities)]


def _list_forgotten(before: Census, plan: _Plan) -> dict[str, set[int]]:
    """Return {source: tracks} that no photo names any more: parts that were split off, and removed names."""
    rows = [np.flatnonzero(before.label == place) for place, name in plan.names.items() if not name]
    rows += [split_rows(before, place, videos) for place, videos in plan.split.items()]
    found: dict[str, set[int]] = {}
    for row in np.concatenate([np.empty(0, np.int64), *rows]).tolist():
        source = before.tracks.sources[before.tracks.video[row]]
        found.setdefault(source, set()).add(int(before.tracks.number[row]))
    return found


def _give_names(context: RunContext, before: Census, now: Census, plan: _Plan) -> Census:
    """Store the new names, and return the census with them."""
    place_of = {person.number: place for place, person in enumerate(now.persons)}
    place_of |= {number: place_of[other] for number, other in now.assignment.aliases.items()}
    # The part that keeps the number keeps the name; the store may have given the name to the other part.
    kept = {place: before.persons[place].name for place in plan.split if before.persons[place].name}
    wanted: dict[int, str] = {}
    told = []
    for place, name in {**kept, **plan.names}.items():
        number = before.persons[place].number
        if number not in place_of:
            continue
        if place_of[number] >= len(now.identities):
            if name:
                context.observer.note(f"person {number}: the name is not kept, because the face is never seen")
            continue
        wanted[place_of[number]] = name
        if name != before.persons[place].name:
            told.append(f"person {number} is {name}" if name else f"person {number} has no name any more")
    for line in shorten_lines(told, _MOST_LINES):
        context.observer.note(line)
    taken = set(kept.values()) - {""}
    old = {person.number for person in before.persons}
    for place, person in enumerate(now.persons[: len(now.identities)]):
        if person.number not in old and person.name in taken and place not in wanted:
            wanted[place] = ""
    if not wanted:
        return now
    _extend_log(context, [now.identities[place] for place in wanted])
    with open_existing(open_context_store(context)) as store:
        for place, name in wanted.items():
            store.name(now.identities[place], name)
    persons: list[Person] = [
        replace(person, name=wanted.get(place, person.name)) for place, person in enumerate(now.persons)
    ]
    return replace(now, persons=tuple(persons))


def _extend_log(context: RunContext, identities: Sequence[int]) -> None:
    """Add identities to the last logged step: a split or a restored person may have another one than before."""
    known = read_corrections(undo_path(context))
    last = known[-1]
    looks = {group.look for group in last.groups}
    with open_existing(last.store) as store:
        more = tuple(group for group in store.groups(identities) if group.look not in looks)
    write_corrections(undo_path(context), [*known[:-1], replace(last, groups=(*last.groups, *more))])
