"""Split one person of a census in two: where its tracks are least similar, or by video.

`people_changes` and `commands.correction.correct` call it. The result is a set of corrections; the next census applies
them.
"""

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from fastface.census.census import Census
from fastface.census.clusters.clustering import LinkRule, cluster_tracks
from fastface.census.clusters.corrections import Corrections
from fastface.census.selection import body_anchors, choose_best_tracks, face_anchors, make_anchor
from fastface.errors import ConfigError
from fastface.index.anchor_record import Anchor
from fastface.index.store import VideoIndex
from fastface.runtime.context import RunContext
from fastface.tracking.track_cuts import best_cut

_Rows = npt.NDArray[np.int64]

_SPLIT_STEP = 0.02
"""Step by which the threshold rises until the cluster of a person splits in two."""

_MOST_LINKED = 512
"""Maximum number of tracks of one part that are linked by a correction; the rest follow by similarity."""


def split_person(context: RunContext, census: Census, place: int, corrections: Corrections) -> Corrections:
    """Return the corrections with a person cut in two where its tracks are least similar.

    Raises:
        ConfigError: The person is one track of similar faces.
    """
    rows = np.flatnonzero(census.label == place)
    if (bodies := body_anchors(context, census, [place])) and len(rows) + len(bodies) > 1:
        return corrections.without_links(bodies)
    if len(rows) < 2:
        return corrections.with_cut(*_find_halves_of_track(context, census, place, rows))
    one, other = (tuple(face_anchors(context, census, half).values()) for half in _find_halves(context, census, rows))
    return corrections.with_split(one, other)


def split_off_videos(
    context: RunContext, census: Census, place: int, videos: Collection[str], corrections: Corrections
) -> Corrections:
    """Return the corrections with the tracks of a person in these videos taken out as another person.

    Raises:
        ConfigError: The person's face is in none of these videos, or in no other video.
    """
    part = split_rows(census, place, videos)
    rest = np.setdiff1d(np.flatnonzero(census.label == place), part)
    number = census.persons[place].number
    if not len(part):
        raise ConfigError(f"person {number} cannot be split: the face is in none of the named videos")
    if not len(rest):
        raise ConfigError(f"person {number} cannot be split: the face is in no other video")
    one, other = (
        tuple(face_anchors(context, census, choose_best_tracks(census, rows)).values()) for rows in (part, rest)
    )
    corrections = corrections.with_split(one, other)
    for rows in (part, rest):  # without links, weak tracks of one part could join the other part again
        if len(rows) > 1:
            linked = choose_best_tracks(census, rows, _MOST_LINKED)
            corrections = corrections.with_merge(face_anchors(context, census, linked).values())
    return corrections


def split_rows(census: Census, place: int, videos: Collection[str]) -> _Rows:
    """Return the face tracks of a person in these videos."""
    ids = np.array([record.video_id in videos for record in census.table.records], np.bool_)
    rows = np.flatnonzero(census.label == place)
    found: _Rows = rows[ids[census.table.tracks.video[rows]]]
    return found


def _find_halves(context: RunContext, census: Census, rows: _Rows) -> tuple[_Rows, _Rows]:
    """Cut the tracks of a person in two: the largest part at the lowest threshold that splits them, and the rest."""
    none, settings = np.empty((0, 2), np.int64), context.config.people
    assert settings.link_threshold is not None
    label, threshold = np.zeros(len(rows), np.int64), settings.link_threshold
    while not label.any():
        threshold += _SPLIT_STEP
        rule = LinkRule(threshold, settings.clear_score, threshold)
        label, _ = cluster_tracks(census.table.tracks[rows], rule, apart=none, together=none)
    largest = int(np.bincount(label).argmax())
    return choose_best_tracks(census, rows[label == largest]), choose_best_tracks(census, rows[label != largest])


def _find_halves_of_track(context: RunContext, census: Census, place: int, rows: _Rows) -> tuple[Anchor, Anchor]:
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
