"""Recompute the similarity of hits without the references from their own tracks. Pure array code for the search.

A face that became a reference is identical to itself, and neighbouring faces of its track nearly so. A similarity of 1
to such a reference is no evidence. The decision uses all references; the reported values leave out the hit's own track.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fastface.gallery.nearest import match_given
from fastface.gallery.reference_set import ReferenceSet
from fastface.types import Faces, GrownReference, Hits

_NO_TRACK = -1


def without_own_tracks(video_id: str, faces: Faces, hits: dict[str, Hits], references: ReferenceSet) -> dict[str, Hits]:
    """Return the hits with similarity and margin to references that are not from the hit's own track.

    Photos have no track, so a comparison is always possible. If the margin is negative, only the track's references, or
    the track as a whole, make the face a hit.

    Args:
        video_id: ID of the video.
        faces: Its faces; the tracks are linked.
        hits: {label: hits of that target}; hits of labels without a target stay unchanged.
        references: References that the hits were found with.
    """
    own = _tracks_of_references(video_id, faces, references)
    if (own == _NO_TRACK).all():
        return hits
    reported = dict(hits)
    numbers = {label: number for label in hits if (number := references.find_number(label)) is not None}
    # Only hits of tracks with grown references are compared with fewer references.
    tracks = faces.tracks
    rows = {label: np.flatnonzero(np.isin(tracks[hits[label].face], own)) for label in numbers}
    face = np.concatenate([np.empty(0, np.int64), *(hits[label].face[rows[label]] for label in numbers)])
    targets = np.repeat(np.array([*numbers.values()], np.int32), [len(found) for found in rows.values()])
    similarity, margin = match_given(faces.embedding[face], references, targets, (tracks[face], own))
    start = 0
    for label, changed in rows.items():
        columns = hits[label].similarity.copy(), hits[label].margin.copy()
        for column, values in zip(columns, (similarity, margin), strict=True):
            column[changed] = values[start : start + len(changed)]
        reported[label] = replace(hits[label], similarity=columns[0], margin=columns[1])
        start += len(changed)
    return reported


def _tracks_of_references(video_id: str, faces: Faces, references: ReferenceSet) -> npt.NDArray[np.int64]:
    """Return the number of this video's track for each grown reference; -1 for references from other films."""
    numbers = np.full(len(references.films), _NO_TRACK)
    added = references.list_grown(video_id)
    if len(faces) and added:
        tracks = faces.tracks
        for row, one in added:
            numbers[row] = tracks[_find_row(one, faces)]
    return numbers


def _find_row(added: GrownReference, faces: Faces) -> int:
    """Find the row of a grown reference; if a closer look replaced the face, the nearest one in time, then in place."""
    time = np.abs(faces.time - added.time)
    nearest = np.flatnonzero(time == time.min())
    place = np.abs(faces.boxes[nearest] - np.array(added.box, np.float32)).sum(axis=1)
    return int(nearest[place.argmin()])
