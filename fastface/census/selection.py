"""Resolve persons named by the user into places of a census, choose their anchors, and log corrections.

`pick` and `correct` call this module. Anchors, not numbers, identify persons in stored corrections.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from fastface.census.census import MOST_ANCHORS, Census, census_digest, undo_path
from fastface.census.clusters.correction_log import LoggedCorrection, append_correction
from fastface.census.clusters.corrections import Corrections
from fastface.census.identity_matching import open_context_store
from fastface.census.store.base import Membership, open_existing
from fastface.errors import ConfigError
from fastface.index.anchor_record import Anchor
from fastface.index.anchors import encode_look
from fastface.index.store import VideoIndex
from fastface.names import format_ranges, valid_text
from fastface.runtime.context import RunContext
from fastface.types import Bodies, Faces, Tracks

_Rows = npt.NDArray[np.int64]

_MOST_DIGITS = 18
"""Maximum length of a number; Python refuses to convert thousands of digits."""


def find_places(census: Census, chosen: Sequence[str], *, with_aliases: bool = False) -> list[int]:
    """Return the places, ascending, of persons named by number (`3`, `person 3`) or by name.

    Args:
        census: All persons.
        chosen: Numbers and names.
        with_aliases: True if the number of a merged person means the person that it was merged into.

    Raises:
        ConfigError: No person has the number or name, or several persons have the name.
    """
    named: dict[str, list[int]] = {}
    numbers: dict[str, int] = {}
    for place, person in enumerate(census.persons):
        named.setdefault(person.name, []).append(place)
        numbers |= {str(person.number): place, f"person {person.number}": place}
    if with_aliases:
        place_of = {person.number: place for place, person in enumerate(census.persons)}
        for number, now in census.assignment.aliases.items():
            numbers |= {str(number): place_of[now], f"person {number}": place_of[now]}
    named.pop("", None)
    faults: list[str] = []
    places: set[int] = set()
    for one in map(valid_text, chosen):  # the store keeps names in this form
        found = [numbers[one]] if one in numbers else named.get(one, [])
        places.update(found)
        if len(found) > 1:
            faults.append(f"{one!r} is the name of {in_words(census, found)}: choose by number")
        elif not found:
            faults.append(describe_missing(census, one))
    if not chosen:
        faults.append("give at least one person, by number or name")
    if faults:
        raise ConfigError(faults)
    return sorted(places)


def parse_number(text: str) -> int:
    """Return the number of a person; 0, which no person has, for another text or too many digits."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else 0


def describe_missing(census: Census, one: str) -> str:
    """Return the message that no person of the census has this number or name."""
    number = parse_number(one.removeprefix("person "))
    if now := census.assignment.aliases.get(number):
        return f"there is no person {one!r} now: it is part of person {now}"
    if number in census.assignment.unlisted:
        return f"person {number} is not listed now: it was rejected, or these settings leave it out"
    names = ", ".join(f"{person.number} ({person.name})" for person in census.persons if person.name)
    known = f"there are {format_ranges(census.assignment.numbers, ' to ')}" if census.persons else "no person is listed"
    return f"there is no person {one!r}: {known}{names and '; ' + names}"


def in_words(census: Census, places: Sequence[int]) -> str:
    """Format the numbers of persons: `2 and 5`."""
    numbers = [str(census.persons[place].number) for place in places]
    return " and ".join([", ".join(numbers[:-1]), numbers[-1]] if len(numbers) > 1 else numbers)


def together_note(census: Census, places: Sequence[int]) -> str:
    """Return a note if these persons share frames, and so are hardly one person; else an empty string."""
    met = [
        f"{census.persons[one].number} and {census.persons[other].number} are on screen together for {seconds:.1f} s"
        for row, one in enumerate(places)
        for other in places[row + 1 :]
        if (seconds := census.persons[one].together.get(census.persons[other].number, 0.0))
    ]
    return f"{'; '.join(met)}; merged as requested" if met else ""


def choose_best_tracks(census: Census, rows: _Rows, most: int = MOST_ANCHORS) -> _Rows:
    """Return the rows of the best tracks, at most `most`."""
    return rows[np.lexsort((rows, -census.table.tracks.quality[rows]))][:most]


def choose_anchors(context: RunContext, census: Census, places: Sequence[int]) -> tuple[Anchor, ...]:
    """Choose faces that represent persons: the best face of each of their best tracks, else the best body."""
    each = [choose_best_tracks(census, np.flatnonzero(census.label == place)) for place in places]
    return (*face_anchors(context, census, np.concatenate(each)).values(), *body_anchors(context, census, places))


def find_current_anchors(context: RunContext, census: Census) -> dict[Anchor, Anchor]:
    """Return {face or body of a correction: current anchor of its track}.

    Another scan may change the anchors. A new correction must still revert an earlier one of the same track.
    """
    faces, bodies = census.table.anchored, census.unseen.anchored
    faces_now = face_anchors(context, census, _unique(faces.values()))
    bodies_now = _find_bodies(context, census, _unique(bodies.values()))
    of_bodies = {anchor: bodies_now[row] for anchor, row in bodies.items()}
    return {anchor: faces_now[row] for anchor, row in faces.items()} | of_bodies


def _unique(rows: Iterable[int]) -> _Rows:
    return np.unique(np.array(list(rows), np.int64))


def face_anchors(context: RunContext, census: Census, rows: _Rows) -> dict[int, Anchor]:
    """Return {row of a face track: anchor at its best face}."""
    found = dict[int, Anchor]()
    for video_id, index, own in _by_video(context, census, census.table.tracks, rows):
        faces = index.faces()
        for row, face in own:
            found[row] = make_anchor(video_id, faces, face, context.networks.contract)
    return found


def make_anchor(video_id: str, faces: Faces, face: int, contract: str) -> Anchor:
    """Return the anchor at one face of a video; `contract` names the recogniser of its embedding."""
    return _anchor(video_id, faces, face, encode_look(faces.embedding[face], contract))


def body_anchors(context: RunContext, census: Census, places: Sequence[int]) -> tuple[Anchor, ...]:
    """Return the best body of each body track of these persons that no face identifies."""
    rows = census.list_stretches(places)
    return tuple(_find_bodies(context, census, rows[census.unseen.is_faceless[rows]]).values())


def _find_bodies(context: RunContext, census: Census, rows: _Rows) -> dict[int, Anchor]:
    found = dict[int, Anchor]()
    for video_id, index, own in _by_video(context, census, census.unseen.tracks, rows):
        bodies = index.bodies()
        assert bodies is not None, video_id
        found |= {row: _anchor(video_id, bodies, body, encode_look(bodies.colours[body])) for row, body in own}
    return found


def _by_video(
    context: RunContext, census: Census, tracks: Tracks, rows: _Rows
) -> Iterator[tuple[str, VideoIndex, list[tuple[int, int]]]]:
    """Yield each video of some tracks, with (row, its best face or body) of the tracks in this video."""
    for video in np.unique(tracks.video[rows]).tolist():
        own = rows[tracks.video[rows] == video]
        video_id = census.table.records[video].video_id
        yield (
            video_id,
            VideoIndex(context.out.index, video_id),
            list(zip(own.tolist(), tracks.best[own].tolist(), strict=True)),
        )


def _anchor(video_id: str, found: Faces | Bodies, row: int, look: str) -> Anchor:
    x1, y1, x2, y2 = found.boxes[row].tolist()
    return Anchor(video_id, float(found.time[row]), (x1, y1, x2, y2), isinstance(found, Bodies), look)


def log_correction(context: RunContext, census: Census, places: Sequence[int], what: str, before: Corrections) -> None:
    """Log a correction before it is made, so that `pick --undo` can revert it."""
    identities = [census.identities[place] for place in places if place < len(census.identities)]
    groups: tuple[Membership, ...] = ()
    if identities and what in ("merge", "name"):
        with open_existing(open_context_store(context)) as store:
            groups = tuple(store.groups(identities))
    numbers = tuple(census.persons[place].number for place in places)
    entry = LoggedCorrection(what, numbers, census_digest(census), before, open_context_store(context), groups)
    append_correction(undo_path(context), entry)


def tell_store(context: RunContext, census: Census, places: Sequence[int], name: str) -> None:
    """Merge and name persons in the store, which holds only persons with a face."""
    identities = [census.identities[place] for place in places if place < len(census.identities)]
    if not identities:
        return
    with open_existing(open_context_store(context)) as store:
        number = store.merge(identities) if len(identities) > 1 else identities[0]
        if name:
            store.name(number, name)


def describe_new_numbers(before: Census, now: Census, place: int, corrections: Corrections) -> str:
    """Return the number and name of a person in the new census; empty if they are unchanged."""
    title, number = before.persons[place].title, before.persons[place].number
    rows = before.list_stretches([place])
    rows = rows[before.unseen.is_faceless[rows]]
    # A body whose owner a face identifies may have new stretches; a body without one stays a single track.
    seen = _find_same(before.table.tracks, np.flatnonzero(before.label == place), now.table.tracks)
    bodies = _find_same(before.unseen.tracks, rows, now.unseen.tracks)
    bodies = bodies[now.unseen.is_faceless[bodies]]
    anchored = now.table.anchored
    cut = [anchored[other] for one, other in corrections.cuts if anchored.get(one) in seen and other in anchored]
    labels = np.concatenate([now.label[seen], now.label[np.array(cut, np.int64)], now.unseen_label[bodies]])
    places = np.unique(labels[labels >= 0]).tolist()
    if not places:
        return f"{title} is no longer listed"
    is_same = [now.persons[one].number for one in places] == [number]
    return "" if is_same else f"{title} is now {in_words(now, places)}"


def _find_same(before: Tracks, rows: _Rows, now: Tracks) -> _Rows:
    """Find the rows of earlier tracks in the new table: the same video and number."""
    named = set(zip(before.video[rows].tolist(), before.number[rows].tolist(), strict=True))
    pairs = zip(now.video.tolist(), now.number.tolist(), strict=True)
    return np.flatnonzero(np.array([pair in named for pair in pairs], np.bool_))
