"""Apply the user's corrections of a census: `fastface pick --merge`, `--split`, `--reject`, `--restore` and `--undo`.

`cli.commands.pick` calls it. Each correction is stored under OUT/.fastface, then the census is rebuilt.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from fastface.census.census import (
    Census,
    corrections_path,
    shown_census,
    take_census,
    undo_path,
    with_shown_settings,
)
from fastface.census.clusters.clustering import LinkRule, cluster_tracks
from fastface.census.clusters.correction_log import read_corrections, write_corrections
from fastface.census.clusters.corrections import Corrections, rejoin_tracks
from fastface.census.selection import (
    best_tracks,
    body_anchors,
    choose_anchors,
    face_anchors,
    find_current_anchors,
    find_places,
    in_words,
    log_correction,
    make_anchor,
    tell_store,
    together_note,
)
from fastface.census.store.base import open_existing
from fastface.commands.people import PeopleResult, publish
from fastface.config import Config
from fastface.diagnostics.preflight import look_at_index
from fastface.errors import ConfigError
from fastface.index.anchors import Anchor
from fastface.index.store import VideoIndex
from fastface.runtime.context import RunContext, open_context
from fastface.runtime.observer import Observer
from fastface.tracking.track_cuts import best_cut
from fastface.types import Tracks

Correction = Literal["merge", "split", "reject", "restore"]

_Rows = npt.NDArray[np.int64]

_SPLIT_STEP = 0.02
"""Step by which the threshold rises until the cluster of a person splits in two."""


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
        said = Corrections.load(corrections_path(opened))
        context, before = shown_census(opened, said, shown)
        places = [] if correction == "restore" else find_places(before, chosen, with_aliases=correction == "merge")
        if correction == "merge" and len(places) == 1 and _are_joined(before, chosen):
            number = before.persons[places[0]].number
            context.observer.note(f"they are one person already: {number}; nothing was changed")
            return publish(context, before)
        corrected = _correct(
            context, before, places, said.with_anchors(find_current_anchors(context, before)), correction
        )
        log_correction(context, before, places, correction, said)
        if correction == "merge":
            tell_store(context, before, places, "")
        corrected.save(corrections_path(context))
        census = take_census(context, corrected)
        for place in places:
            if told := _became(before, census, place, corrected):
                context.observer.note(told)
        return publish(context, census)


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
        write_corrections(undo_path(context), known[:-1])
        of_whom = f" of {' and '.join(map(str, last.numbers))}" if last.numbers else ""
        context.observer.note(f"took back: {last.what}{of_whom} (numbers of list {last.census})")
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
    context: RunContext, census: Census, places: Sequence[int], said: Corrections, correction: Correction
) -> Corrections:
    if correction == "restore":
        return replace(said, rejected=())
    if correction == "merge":
        return _merge(context, census, places, said)
    for place in places:
        if correction == "reject":
            said = said.with_rejection(choose_anchors(context, census, [place]))
        else:
            said = _split(context, census, place, said)
    return said


def _merge(context: RunContext, census: Census, places: Sequence[int], said: Corrections) -> Corrections:
    if len(places) < 2:
        raise ConfigError("--merge: name at least two persons")
    if len(names := sorted({census.persons[place].name for place in places} - {""})) > 1:
        numbers = " ".join(str(census.persons[place].number) for place in places)
        called = " and ".join(names)
        raise ConfigError(f"they are called {called}: fastface pick {numbers} --name NAME makes them one")
    if note := together_note(census, places):
        context.observer.note(note)
    return said.with_merge(choose_anchors(context, census, places))


def _split(context: RunContext, census: Census, place: int, said: Corrections) -> Corrections:
    """Return the corrections with a person cut in two.

    Raises:
        ConfigError: The person is one track of similar faces.
    """
    rows = np.flatnonzero(census.label == place)
    if (bodies := body_anchors(context, census, [place])) and len(rows) + len(bodies) > 1:
        return said.without_links(bodies)
    if len(rows) < 2:
        return said.with_cut(*_halves_of_track(context, census, place, rows))
    one, other = (tuple(face_anchors(context, census, half).values()) for half in _halves(context, census, rows))
    return said.with_split(one, other)


def _halves(context: RunContext, census: Census, rows: _Rows) -> tuple[_Rows, _Rows]:
    """Cut the tracks of a person in two: the largest part at the lowest threshold that splits them, and the rest."""
    none, settings = np.empty((0, 2), np.int64), context.config.people
    assert settings.link_threshold is not None
    label, threshold = np.zeros(len(rows), np.int64), settings.link_threshold
    while not label.any():
        threshold += _SPLIT_STEP
        rule = LinkRule(threshold, settings.clear_score, threshold)
        label, _ = cluster_tracks(census.table.tracks[rows], rule, apart=none, together=none)
    largest = int(np.bincount(label).argmax())
    return best_tracks(census, rows[label == largest]), best_tracks(census, rows[label != largest])


def _halves_of_track(context: RunContext, census: Census, place: int, rows: _Rows) -> tuple[Anchor, Anchor]:
    """Cut a person's only track: return the last face before the cut and the first face after it.

    Raises:
        ConfigError: The person has no face, or the settings treat all faces of the track as one person.
    """
    alone = f"person {census.persons[place].number} has a single track and cannot be split"
    threshold = context.config.people.link_threshold
    assert threshold is not None
    if not len(rows):
        raise ConfigError(alone)
    tracks, row = census.table.tracks, int(rows[0])
    video_id = census.table.records[tracks.video[row]].video_id
    faces = VideoIndex(context.out.index, video_id).faces()
    own = np.flatnonzero(faces.tracks == tracks.number[row])
    cut = best_cut(faces, own[np.argsort(faces.time[own], kind="stable")])
    if cut is None or cut.cosine >= threshold:
        alike = "" if cut is None else f": each cut is between faces with a similarity of {cut.cosine:.2f} or more"
        raise ConfigError(alone + alike)
    contract = context.networks.contract
    return make_anchor(video_id, faces, cut.before, contract), make_anchor(video_id, faces, cut.after, contract)


def _became(before: Census, now: Census, place: int, said: Corrections) -> str:
    """Return the number and name of a person in the new census; empty if they are unchanged."""
    title, number = before.persons[place].title, before.persons[place].number
    rows = before.list_stretches([place])
    rows = rows[before.unseen.is_faceless[rows]]
    # A body whose owner a face identifies may have new stretches; a body without one stays a single track.
    seen = _same(before.table.tracks, np.flatnonzero(before.label == place), now.table.tracks)
    bodies = _same(before.unseen.tracks, rows, now.unseen.tracks)
    bodies = bodies[now.unseen.is_faceless[bodies]]
    anchored = now.table.anchored
    cut = [anchored[other] for one, other in said.cuts if anchored.get(one) in seen and other in anchored]
    labels = np.concatenate([now.label[seen], now.label[np.array(cut, np.int64)], now.unseen_label[bodies]])
    places = np.unique(labels[labels >= 0]).tolist()
    if not places:
        return f"{title} is no longer listed"
    is_same = [now.persons[one].number for one in places] == [number]
    return "" if is_same else f"{title} is now {in_words(now, places)}"


def _same(before: Tracks, rows: _Rows, now: Tracks) -> _Rows:
    """Find the rows of earlier tracks in the new table: the same video and number."""
    named = set(zip(before.video[rows].tolist(), before.number[rows].tolist(), strict=True))
    pairs = zip(now.video.tolist(), now.number.tolist(), strict=True)
    return np.flatnonzero(np.array([pair in named for pair in pairs], np.bool_))
