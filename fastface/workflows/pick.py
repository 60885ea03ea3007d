"""`fastface pick`: persons of a census as targets, and what the user says of who is who."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from fastface.config import Config
from fastface.cosine import distinct_rows, normalized
from fastface.errors import ConfigError
from fastface.export.picked import write_picked
from fastface.export.tables import VideoHits
from fastface.files import private_folder
from fastface.gallery.bank import save_bank
from fastface.gallery.claims import claims_for
from fastface.gallery.matching import EVERYONE
from fastface.gallery.photos import Reference
from fastface.gallery.sources import label_of
from fastface.identities.clustering import LinkRule, clustered
from fastface.identities.corrections import Anchor, Corrections
from fastface.identities.store import open_existing
from fastface.index.store import VideoIndex
from fastface.names import valid_text
from fastface.timeline import build_spans
from fastface.types import Faces, Gallery, Hits, Target
from fastface.workflows.acquaintance import store_of
from fastface.workflows.census import MOST_ANCHORS, Census, corrections_path, shown_census, take_census
from fastface.workflows.desk import Desk, open_desk
from fastface.workflows.find import Findings
from fastface.workflows.observer import Observer
from fastface.workflows.people import PeopleResult, publish
from fastface.workflows.preflight import look_at_index
from fastface.workflows.results import RunResult
from fastface.workflows.run import answer, reported

__all__ = ["Correction", "correct", "pick"]

Correction = Literal["merge", "split", "reject"]

_Rows = npt.NDArray[np.int64]

_MOST_REFERENCES = 64
"""Faces of a person that become its bank."""

_SPLIT_STEP = 0.02
"""What the threshold rises by until a person falls into two."""

_PICKED = "primary_person.npz"


def pick(config: Config, chosen: Sequence[str], out: Path, observer: Observer, *, name: str = "") -> RunResult:
    """Makes chosen persons one target: bank, spans, hits, clips and crops, as if it had been found by photos.

    The target's hits are the person's faces, all of them and no other's; similarity and margin are those to the means
    of the persons' tracks.

    Args:
        config: The settings; those of the census are the ones that it was taken with.
        chosen: Numbers or names of persons that are one.
        out: The output folder.
        observer: Told of all that happens.
        name: What the person is called from now on; empty keeps the name.

    Raises:
        ConfigError: There is no such person, nobody can be called so, or the index has changed since persons were
            numbered.
        InterruptError, FastfaceError: As `find`.
    """
    look_at_index(config, out)
    name = valid_text(name)  # as the store keeps it
    if name:
        _label(name)
    with open_desk(config, out, observer, "pick") as opened, reported(opened, "pick") as result:
        corrections = Corrections.load(corrections_path(opened))
        desk, census = shown_census(opened, corrections)
        corrections = corrections.renewed(_renewed(desk, census))
        places = _places(census, chosen)
        person = census.persons[places[0]]
        called = name or next((census.persons[place].name for place in places if census.persons[place].name), "")
        label = _label(called or person.title)
        films: tuple[str, ...] = ()
        if len(places) > 1:
            corrections = corrections.merged(_anchors(desk, census, _each(census, places)))
            corrections.save(corrections_path(desk))
        if len(places) > 1 or name:
            _tell_store(desk, [census.identities[place] for place in places], name)
            films = publish(desk, take_census(desk, corrections)).export_failures
        # The answer is of the persons as they were shown, whatever the new census makes of them.
        rows = np.flatnonzero(np.isin(census.label, places))
        gallery = _gallery(desk, census, places, label)
        bank = f"banks/{label}.npz"
        for path in (bank, _PICKED):
            desk.ledger.put_export(path, "", "{}")
        private_folder(out / "banks")
        save_bank(out / bank, desk.networks.contract, {label: _references(desk, census, rows)})
        result.targets = (label,)
        answer(desk, _findings(desk, census, rows, gallery), result)
        result.export_failures += films
        found = _findings(desk, census, rows, gallery)
        write_picked(out / _PICKED, label, (VideoHits(one.record.video_id, one.faces, one.hits) for one in found))
    return result


def correct(
    config: Config, chosen: Sequence[str], out: Path, observer: Observer, correction: Correction
) -> PeopleResult:
    """Notes what the user says of persons, for this census and all to come, and counts again.

    * merge: they are one.
    * split: it is two; where its tracks are least alike is where it is cut.
    * reject: nobody wants to see them.

    Raises:
        ConfigError: There is no such person, too few for a merger, or nothing to split.
        FastfaceError: As `people`.
    """
    look_at_index(config, out)
    with open_desk(config, out, observer, "pick") as opened:
        said = Corrections.load(corrections_path(opened))
        desk, census = shown_census(opened, said)
        said = said.renewed(_renewed(desk, census))
        places = _places(census, chosen)
        if correction == "merge":
            if len(places) < 2:
                raise ConfigError("--merge: name at least two persons")
            said = said.merged(_anchors(desk, census, _each(census, places)))
            _tell_store(desk, [census.identities[place] for place in places], "")
        elif correction == "reject":
            for place in places:
                said = said.without(_anchors(desk, census, _best(census, np.flatnonzero(census.label == place))))
        else:
            for place in places:
                one, other = _halves(desk, census, place)
                said = said.split(_anchors(desk, census, one), _anchors(desk, census, other))
        said.save(corrections_path(desk))
        return publish(desk, take_census(desk, said))


def _places(census: Census, chosen: Sequence[str]) -> list[int]:
    """The places of persons named by number or by name, in order.

    Raises:
        ConfigError: There is one that is not there, or a name of several.
    """
    numbers = {str(person.number): place for place, person in enumerate(census.persons)}
    named: dict[str, list[int]] = {}
    for place, person in enumerate(census.persons):
        named.setdefault(person.name, []).append(place)
    named.pop("", None)
    faults: list[str] = []
    places: set[int] = set()
    for one in map(valid_text, chosen):  # as the store keeps names
        found = [numbers[one]] if one in numbers else named.get(one, [])
        places.update(found)
        if len(found) > 1:
            which = " and ".join(str(place + 1) for place in found)
            faults.append(f"{one!r} is the name of {which}: choose by number")
        elif not found:
            names = ", ".join(f"{person.number} ({person.name})" for person in census.persons if person.name)
            known = f"there are 1 to {len(census.persons)}" if census.persons else "nobody is listed"
            faults.append(f"there is no person {one!r}: {known}{names and '; ' + names}")
    if faults:
        raise ConfigError(faults)
    return sorted(places)


def _best(census: Census, rows: _Rows) -> _Rows:
    """The rows of the best tracks, so many as a correction names."""
    return rows[np.lexsort((rows, -census.roll.tracks.quality[rows]))][:MOST_ANCHORS]


def _each(census: Census, places: Sequence[int]) -> _Rows:
    return np.concatenate([_best(census, np.flatnonzero(census.label == place)) for place in places])


def _anchors(desk: Desk, census: Census, rows: _Rows) -> tuple[Anchor, ...]:
    """The best face of each of some tracks."""
    return tuple(_anchor_of(desk, census, rows).values())


def _renewed(desk: Desk, census: Census) -> dict[Anchor, Anchor]:
    """{face that was spoken of: the face that its track is named by now}.

    After another scan these differ, and what is said next would not take back what was said of the same track before.
    """
    anchored = census.roll.anchored
    now = _anchor_of(desk, census, np.unique(np.array(list(anchored.values()), np.int64)))
    return {anchor: now[row] for anchor, row in anchored.items()}


def _anchor_of(desk: Desk, census: Census, rows: _Rows) -> dict[int, Anchor]:
    tracks, found = census.roll.tracks, dict[int, Anchor]()
    for video in np.unique(tracks.video[rows]).tolist():
        video_id = census.roll.records[video].video_id
        faces = VideoIndex(desk.out.index, video_id).faces()
        for row in rows[tracks.video[rows] == video].tolist():
            face = int(tracks.best[row])
            x1, y1, x2, y2 = faces.boxes[face].tolist()
            found[row] = Anchor(video_id, float(faces.time[face]), (x1, y1, x2, y2))
    return found


def _halves(desk: Desk, census: Census, place: int) -> tuple[_Rows, _Rows]:
    """The tracks of a person in two: those of its largest part at the lowest threshold at which it falls apart.

    Raises:
        ConfigError: It is one track.
    """
    rows = np.flatnonzero(census.label == place)
    none, settings = np.empty((0, 2), np.int64), desk.config.people
    if len(rows) < 2:
        raise ConfigError(f"person {place + 1} is one track, and cannot be split")
    assert settings.link_threshold is not None
    label, threshold = np.zeros(len(rows), np.int64), settings.link_threshold
    while not label.any():
        threshold += _SPLIT_STEP
        rule = LinkRule(threshold, settings.clear_score, threshold)
        label, _ = clustered(census.roll.tracks[rows], rule, apart=none, together=none)
    largest = int(np.bincount(label).argmax())
    return _best(census, rows[label == largest]), _best(census, rows[label != largest])


def _tell_store(desk: Desk, identities: Sequence[int], name: str) -> None:
    with open_existing(store_of(desk)) as store:
        number = store.merge(identities) if len(identities) > 1 else identities[0]
        if name:
            store.name(number, name)


def _label(text: str) -> str:
    label = label_of(text)
    if label == EVERYONE:
        raise ConfigError(f"a person cannot be called {text!r}")
    return label


def _gallery(desk: Desk, census: Census, places: Sequence[int], label: str) -> Gallery:
    """The mean of the persons' tracks as a target, those of all others as whom it must not be taken for."""
    means = normalized(census.centroid)
    weights = np.array([census.persons[place].faces for place in places], np.float64)
    mean = normalized((weights @ means[list(places)].astype(np.float64))[None])
    others = tuple(
        Target(person.title, means[number][None], (person.title,))
        for number, person in enumerate(census.persons)
        if number not in places
    )
    return Gallery((Target(label, mean, (label,)),), others, desk.networks.contract, False)


def _references(desk: Desk, census: Census, rows: _Rows) -> tuple[Reference, ...]:
    """The best face of each track, the best tracks' first, none that tells the same as one before it."""
    tracks, records = census.roll.tracks, census.roll.records
    rows = rows[np.lexsort((rows, -tracks.quality[rows]))][: 8 * _MOST_REFERENCES]
    found: dict[int, tuple[Reference, npt.NDArray[np.float16]]] = {}
    for video in np.unique(tracks.video[rows]).tolist():
        faces = VideoIndex(desk.out.index, records[video].video_id).faces()
        for row in rows[tracks.video[rows] == video].tolist():
            face = int(tracks.best[row])
            found[row] = _reference(faces, face, records[video].video_id), faces.embedding[face]
    embeddings = np.stack([found[row][1] for row in rows.tolist()])
    nothing = np.empty((0, embeddings.shape[1]), np.float32)
    kept = rows[distinct_rows(embeddings, nothing, _MOST_REFERENCES)]
    return tuple(found[row][0] for row in kept.tolist())


def _reference(faces: Faces, row: int, video_id: str) -> Reference:
    x1, y1, x2, y2 = faces.boxes[row].tolist()
    return Reference(
        source=valid_text(f"{video_id} at {faces.time[row]:.3f} s"),
        embedding=normalized(faces.embedding[row][None])[0],
        face_size=min(x2 - x1, y2 - y1),
        sharpness=float(faces.sharpness[row]),
        det_score=float(faces.det_score[row]),
    )


def _findings(desk: Desk, census: Census, rows: _Rows, gallery: Gallery) -> Iterator[Findings]:
    """The person's faces in each video, as hits."""
    roll, settings = census.roll, desk.config.spans
    (label,) = (target.label for target in gallery.targets)
    for video, (record, facts) in enumerate(zip(roll.records, roll.facts, strict=True)):
        own = roll.rows_of(video)
        begin, end = np.searchsorted(rows, [own.start, own.stop])
        numbers = roll.tracks.number[rows[begin:end]]
        if not len(numbers) or record.info is None:
            continue
        faces = VideoIndex(desk.out.index, record.video_id).faces()
        hits = _hits(faces, np.flatnonzero(np.isin(faces.tracks, numbers)), facts.period, gallery)
        spans = build_spans(
            record.video_id,
            label,
            hits,
            pad=settings.pad,
            merge_gap=settings.merge_gap,
            min_span=settings.min_span,
            duration=facts.duration,
        )
        yield Findings(record, record.info, faces, {label: hits}, spans, ())


def _hits(faces: Faces, rows: _Rows, period: float, gallery: Gallery) -> Hits:
    rows = rows[np.argsort(faces.time[rows], kind="stable")]
    similarity, margin = claims_for(faces.embedding[rows], gallery, np.zeros(len(rows), np.int32))
    return Hits(
        face=rows,
        time=faces.time[rows],
        period=np.full(len(rows), period),
        similarity=similarity,
        margin=margin,
        by_track=np.zeros(len(rows), np.bool_),
    )
