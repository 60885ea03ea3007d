"""Run `fastface pick`: make persons of a census a target, and export it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fastface.census.body_only import read_bodies
from fastface.census.census import Census, corrections_path, shown_census, take_census
from fastface.census.clusters.corrections import Corrections
from fastface.census.clusters.unseen_bodies import once_a_frame
from fastface.census.files import write_people
from fastface.census.photo_names import describe_bad_name
from fastface.census.selection import (
    choose_anchors,
    find_current_anchors,
    find_places,
    in_words,
    log_correction,
    tell_store,
    together_note,
)
from fastface.commands.answer import write_answer
from fastface.commands.command_frame import write_report
from fastface.commands.people import publish
from fastface.config import Config
from fastface.cosine import distinct_rows, normalize_rows
from fastface.diagnostics.preflight import look_at_index
from fastface.errors import ConfigError
from fastface.export.selection_npz import PickedVideo, write_picked
from fastface.files import private_folder
from fastface.gallery.bank import save_bank
from fastface.gallery.nearest import match_given
from fastface.gallery.photo_set.photos import Reference
from fastface.gallery.photo_set.sources import make_label
from fastface.gallery.reference_set import ReferenceSet
from fastface.index.store import VideoIndex
from fastface.names import valid_text
from fastface.runtime.context import RunContext, open_context
from fastface.runtime.events.observer import Observer
from fastface.runtime.run_report import RunResult
from fastface.search.earlier_answers import keep_earlier_answer
from fastface.search.searcher import VideoFindings, scanned_pictures
from fastface.timeline import build_spans
from fastface.types import Bodies, Faces, Gallery, HitKind, Hits, Person, Target

_Rows = npt.NDArray[np.int64]

_PICKED = "primary_person.npz"

_MOST_REFERENCES = 64
"""Maximum number of a person's faces in its bank."""


def pick(
    config: Config, chosen: Sequence[str], out: Path, observer: Observer, *, name: str = "", shown: str = ""
) -> RunResult:
    """Make the chosen persons one target: bank, spans, hits, clips and crops, as for a target found by photos.

    The target's hits are exactly the person's faces. Similarity and margin compare them with the centroids of the
    persons' tracks. Spans also include stretches in which only the body is visible. Merge and name are recorded at the
    end: if the command is stopped before, the same command means the same persons.

    Args:
        config: The settings; the census uses its own settings.
        chosen: Numbers or names of persons that are one person.
        out: The output folder.
        observer: Receives the progress.
        name: New name of the person; empty keeps the name.
        shown: Name of the census in people.html that the numbers belong to; empty for the last one.

    Raises:
        ConfigError: There is no such person, the name is not allowed, or the census has changed since persons were
            numbered.
        InterruptError, FastfaceError: See `find`.
    """
    look_at_index(config, out)
    name = valid_text(name)  # the store keeps names in this form
    if name and (fault := describe_bad_name(name)):
        raise ConfigError(fault)
    with open_context(config, out, observer, "pick") as opened, write_report(opened, "pick") as result:
        corrections = Corrections.load(corrections_path(opened))
        context, census = shown_census(opened, corrections, shown)
        places = find_places(census, chosen, with_aliases=True)
        persons = [census.persons[place] for place in places]
        called = _resolve_name(census, places, name)
        label = make_label(called or persons[0].title)
        if note := together_note(census, places):
            context.observer.note(note)
        rows = np.flatnonzero(np.isin(census.label, places))
        gallery = _gallery(census, places, context.networks.contract, label)
        result.more_files = _write_bank(context, census, label, rows)
        result.targets = (label,)
        result.answer = keep_earlier_answer(context, result.targets).name
        write_answer(context, (found for found, _ in _findings(context, census, places, gallery)), result)
        found = _findings(context, census, places, gallery)
        context.ledger.put_export(_PICKED, "", "{}")
        write_picked(
            out / _PICKED,
            label,
            (PickedVideo(one.record.video_id, one.faces, one.hits[label], bodies) for one, bodies in found),
        )
        result.more_files += (_PICKED,)
        if _note(context, census, places, name, corrections):
            result.more_files += ("people/",)
    return result


def _write_bank(context: RunContext, census: Census, label: str, rows: npt.NDArray[np.int64]) -> tuple[str, ...]:
    """Write the bank of a person from these tracks; return its path below OUT. Without tracks there is no bank."""
    out, bank = context.out.root, f"banks/{label}.npz"
    if len(rows):
        context.ledger.put_export(bank, "", "{}")
        private_folder(out / "banks")
        save_bank(out / bank, context.networks.contract, {label: _references(context, census, rows)})
        return (bank,)
    if bank in context.ledger.exports():  # a bank of the number's earlier person
        (out / bank).unlink(missing_ok=True)
        context.ledger.forget_export(bank)
    context.observer.note(f"{label}: the face is never seen, so no bank was written")
    return ()


def _resolve_name(census: Census, places: Sequence[int], name: str) -> str:
    """Return the person's name; empty if there is none.

    Raises:
        ConfigError: The persons have several names, or another person has that one.
    """
    names = sorted({census.persons[place].name for place in places} - {""})
    if len(names) > 1 and not name:
        raise ConfigError(f"they are called {' and '.join(names)}: choose one name with --name")
    others = [place for place, person in enumerate(census.persons) if person.name == name and place not in places]
    if name and others:
        raise ConfigError(
            f"{in_words(census, others)} is called {name!r}: add it to make both one person, or choose another name"
        )
    return name or next(iter(names), "")


def _note(context: RunContext, census: Census, places: Sequence[int], name: str, corrections: Corrections) -> bool:
    """Record a merge of the persons for all later censuses, and their name.

    Returns:
        True if the files in OUT/people were written again.
    """
    if name and places[0] >= len(census.identities):
        context.observer.note(
            "the name is not kept: a person whose face is never seen cannot be recognised in another shot"
        )
    if len(places) > 1:
        numbers = in_words(census, places)
        joined = corrections.with_anchors(find_current_anchors(context, census)).with_merge(
            choose_anchors(context, census, places)
        )
        log_correction(context, census, places, "merge", corrections)
        tell_store(context, census, places, name)  # first: after an interrupt the same command means the same
        joined.save(corrections_path(context))
        now = take_census(context, joined)
        kept = min(census.persons[place].number for place in places)
        context.observer.note(f"{numbers} are one person from now on: {kept}; fastface pick --undo takes that back")
        publish(context, now)
        return True
    if name not in ("", census.persons[places[0]].name) and places[0] < len(census.identities):
        log_correction(context, census, places, "name", corrections)
        tell_store(context, census, places, name)
        persons = list[Person](census.persons)
        persons[places[0]] = replace(persons[places[0]], name=name)
        write_people(context, replace(census, persons=tuple(persons)))
        return True
    return False


def _gallery(census: Census, places: Sequence[int], contract: str, label: str) -> Gallery:
    """Return a gallery with the mean of the persons' tracks as target, and all other persons as lookalikes."""
    means = normalize_rows(census.centroid)
    seen = [place for place in places if place < len(means)]
    weights = np.array([census.persons[place].faces for place in seen], np.float64)
    mean = normalize_rows((weights @ means[seen].astype(np.float64))[None]) if seen else means[:0]
    others = tuple(
        Target(census.persons[place].title, row[None], (census.persons[place].title,))
        for place, row in enumerate(means)
        if place not in places
    )
    return Gallery((Target(label, mean, (label,)),), others, contract, False)


def _references(context: RunContext, census: Census, rows: _Rows) -> tuple[Reference, ...]:
    """Return the best face of each track, those of the best tracks first, without doubles."""
    tracks, records = census.table.tracks, census.table.records
    rows = rows[np.lexsort((rows, -tracks.quality[rows]))][: 8 * _MOST_REFERENCES]
    found: dict[int, tuple[Reference, npt.NDArray[np.float16]]] = {}
    for video in np.unique(tracks.video[rows]).tolist():
        faces = VideoIndex(context.out.index, records[video].video_id).faces()
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
        embedding=normalize_rows(faces.embedding[row][None])[0],
        face_size=min(x2 - x1, y2 - y1),
        sharpness=float(faces.sharpness[row]),
        det_score=float(faces.det_score[row]),
    )


def _findings(
    context: RunContext, census: Census, places: Sequence[int], gallery: Gallery
) -> Iterator[tuple[VideoFindings, Bodies]]:
    """Yield the persons' faces in each video as hits, and their bodies without a visible face."""
    table, settings = census.table, context.config.spans
    references = ReferenceSet(gallery)
    (label,) = (target.label for target in gallery.targets)
    for video, (record, facts) in enumerate(zip(table.records, table.facts, strict=True)):
        own = table.tracks.video_rows(video)
        numbers = table.tracks.number[own][np.isin(census.label[own], places)]
        bodies = _bodies(context, census, video, places)
        if record.info is None or not (len(numbers) or len(bodies)):
            continue
        faces = VideoIndex(context.out.index, record.video_id).faces()
        hits = _hits(faces, np.flatnonzero(np.isin(faces.tracks, numbers)), facts.period, references)
        bodies = once_a_frame(bodies, faces.pts[hits.face])
        spans = build_spans(
            record.video_id,
            label,
            Hits.concatenate([hits, _unseen_hits(bodies, facts.period)]),
            pad=settings.pad,
            merge_gap=settings.merge_gap,
            min_span=settings.min_span,
            duration=facts.duration,
        )
        pictures = scanned_pictures(record, record.info)
        has_rivals = len(gallery.targets) + len(gallery.lookalikes) > 1
        found = VideoFindings(
            record, record.info, faces, {label: hits}, spans, (), pictures=pictures, has_rivals=has_rivals
        )
        yield found, bodies


def _bodies(context: RunContext, census: Census, video: int, places: Sequence[int]) -> Bodies:
    """Return the bodies of some persons in a video, in frames without their face."""
    own = census.unseen.tracks.video_rows(video)
    if not np.isin(census.unseen_label[own], places).any():
        return Bodies.empty()
    read = read_bodies(context, census.table, census.unseen, video)
    assert read is not None, video
    bodies, row = read
    return bodies[np.isin(row, census.list_stretches(places))]


def _hits(faces: Faces, rows: _Rows, period: float, references: ReferenceSet) -> Hits:
    rows = rows[np.argsort(faces.time[rows], kind="stable")]
    similarity, margin = match_given(faces.embedding[rows], references, np.zeros(len(rows), np.int32))
    return Hits(
        face=rows,
        time=faces.time[rows],
        pts=faces.pts[rows],
        period=np.full(len(rows), period),
        similarity=similarity,
        margin=margin,
        by=np.full(len(rows), HitKind.FACE, np.int8),
    )


def _unseen_hits(bodies: Bodies, period: float) -> Hits:
    """Return the moments in which only the body is visible, for spans."""
    return Hits(
        face=np.full(len(bodies), -1, np.int64),
        time=bodies.time,
        pts=bodies.pts,
        period=np.full(len(bodies), period),
        similarity=np.full(len(bodies), np.nan, np.float32),
        margin=np.full(len(bodies), np.nan, np.float32),
        by=np.full(len(bodies), HitKind.BODY, np.int8),
    )
