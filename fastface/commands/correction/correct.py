"""Apply the user's corrections of a census: those of `fastface pick`, and files that people.html saved.

`cli.commands.pick` and `cli.commands.correct` call it. Each correction is stored under OUT/.fastface, then the census
is rebuilt.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from fastface.census.census import (
    Census,
    corrections_path,
    shown_census,
    take_census,
    undo_path,
    with_shown_settings,
)
from fastface.census.clusters.correction_log import read_corrections, write_corrections
from fastface.census.clusters.corrections import Corrections, rejoin_tracks
from fastface.census.people_changes import apply_changes
from fastface.census.people_file import read_people_file, resolve_people_file
from fastface.census.photo_names import write_names
from fastface.census.selection import (
    choose_anchors,
    describe_new_numbers,
    find_current_anchors,
    find_places,
    log_correction,
    tell_store,
    together_note,
)
from fastface.census.splitting import split_person
from fastface.census.store.base import open_existing
from fastface.commands.people import PeopleResult, publish
from fastface.config import Config
from fastface.diagnostics.preflight import look_at_index
from fastface.errors import ConfigError
from fastface.index.store import VideoIndex
from fastface.runtime.context import RunContext, open_context
from fastface.runtime.events.observer import Observer

Correction = Literal["merge", "split", "reject", "restore"]

_STEPS = {"file": "a file of corrections", "names": "a table of names"}
"""{step of several corrections in the log: its description}"""


def correct(
    config: Config, chosen: Sequence[str], out: Path, observer: Observer, correction: Correction, *, shown: str = ""
) -> PeopleResult:
    """Store a correction of persons, for this census and all later ones, and rebuild the census.

    * merge: join the chosen persons to one.
    * split: cut the chosen person in two. Bodies that were joined by hand are removed first. Otherwise the cut is
      between the least similar tracks; in a single track it is between the least similar faces before and after.
    * reject: do not list the chosen persons.
    * restore: list all rejected persons again; no person is chosen.

    Args:
        config: The settings; the census uses the settings of the last `people`.
        chosen: Numbers or names of persons.
        out: The output folder.
        observer: Receives the progress and the new numbers.
        correction: The kind of correction.
        shown: Name of the census that the numbers belong to, see `pick`.

    Raises:
        ConfigError: A person is not found, a merger has too few or differently named persons, or nothing can be split.
        FastfaceError: See `people`.
    """
    look_at_index(config, out)
    with open_context(config, out, observer, "pick") as opened:
        corrections = Corrections.load(corrections_path(opened))
        context, before = shown_census(opened, corrections, shown)
        places = [] if correction == "restore" else find_places(before, chosen, with_aliases=correction == "merge")
        if correction == "merge" and len(places) == 1 and _are_joined(before, chosen):
            number = before.persons[places[0]].number
            context.observer.note(f"they are one person already: {number}; nothing was changed")
            return publish(context, before)
        corrected = _correct(
            context, before, places, corrections.with_anchors(find_current_anchors(context, before)), correction
        )
        log_correction(context, before, places, correction, corrections)
        if correction == "merge":
            tell_store(context, before, places, "")
        corrected.save(corrections_path(context))
        census = take_census(context, corrected)
        for place in places:
            if note := describe_new_numbers(before, census, place, corrected):
                context.observer.note(note)
        return publish(context, census)


def correct_people(config: Config, path: Path, out: Path, observer: Observer) -> PeopleResult:
    """Store the corrections that people.html saved, as one step, and rebuild the census.

    Args:
        config: The settings; the census uses the settings of the last `people`.
        path: The file.
        out: The output folder.
        observer: Receives the progress and the new numbers.

    Raises:
        ConfigError: It is no such file, a person of it is not the same any more, or corrections contradict each other.
        FastfaceError: See `people`.
    """
    file = read_people_file(path)
    look_at_index(config, out)
    with open_context(config, out, observer, "pick") as opened:
        corrections = Corrections.load(corrections_path(opened))
        context, before = shown_census(opened, corrections)
        now = apply_changes(context, before, corrections, resolve_people_file(file, before), "file")
        if now is None:
            context.observer.note("the file holds no correction that is not made already; nothing was changed")
        return publish(context, now or before)


def undo(config: Config, out: Path, observer: Observer) -> PeopleResult:
    """Undo the last correction, or the last name that `pick` gave, and rebuild the census.

    Raises:
        ConfigError: There is nothing to undo.
        FastfaceError: See `people`.
    """
    look_at_index(config, out)
    with open_context(config, out, observer, "pick") as opened:
        context = with_shown_settings(opened)
        known = read_corrections(undo_path(context))
        if not known:
            raise ConfigError(f"there is no correction to take back in {str(out)!r}")
        last = known[-1]
        _rejoin(context, Corrections.load(corrections_path(context)), last.before)
        last.before.save(corrections_path(context))
        if last.groups:
            with open_existing(last.store) as store:
                store.regroup(last.groups)
        if last.photo_names is not None:
            write_names(context.out.state, last.photo_names)
        write_corrections(undo_path(context), known[:-1])
        of_whom = f" of {' and '.join(map(str, last.numbers))}" if last.numbers else ""
        what = _STEPS.get(last.what, last.what)
        context.observer.note(f"took back: {what}{of_whom} (numbers of list {last.census})")
        return publish(context, take_census(context, last.before))


def _are_joined(census: Census, chosen: Sequence[str]) -> bool:
    """Return whether a chosen number is part of another person because of an earlier merger."""
    return any(one.removeprefix("person ") in map(str, census.assignment.aliases) for one in chosen)


def _rejoin(context: RunContext, now: Corrections, before: Corrections) -> None:
    """Rejoin tracks in the index if their cut was undone."""
    gone = [cut for cut in now.cuts if cut not in before.cuts]
    for record in context.answered_records():
        cuts = [cut for cut in gone if cut[0].video_id == record.video_id]
        index = VideoIndex(context.out.index, record.video_id)
        if not cuts or record.info is None or not index.faces_path.exists():
            continue
        faces = index.faces()
        contract = index.metadata()["contract"]
        joined = rejoin_tracks(faces, reversed(cuts), contract=contract, is_film=record.info.is_film)
        if joined is not faces:
            index.rewrite_tracks(joined.track)


def _correct(
    context: RunContext, census: Census, places: Sequence[int], corrections: Corrections, correction: Correction
) -> Corrections:
    if correction == "restore":
        return replace(corrections, rejected=())
    if correction == "merge":
        return _merge(context, census, places, corrections)
    for place in places:
        if correction == "reject":
            corrections = corrections.with_rejection(choose_anchors(context, census, [place]))
        else:
            corrections = split_person(context, census, place, corrections)
    return corrections


def _merge(context: RunContext, census: Census, places: Sequence[int], corrections: Corrections) -> Corrections:
    if len(places) < 2:
        raise ConfigError("--merge: name at least two persons")
    if len(names := sorted({census.persons[place].name for place in places} - {""})) > 1:
        numbers = " ".join(str(census.persons[place].number) for place in places)
        called = " and ".join(names)
        raise ConfigError(f"they are called {called}: fastface pick {numbers} --name NAME makes them one")
    if note := together_note(census, places):
        context.observer.note(note)
    return corrections.with_merge(choose_anchors(context, census, places))
