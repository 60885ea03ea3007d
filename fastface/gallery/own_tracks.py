"""Recompute the similarity of hits without references from their own tracks: no face is compared with itself. Pure.

A face that became a reference is like itself, and the faces beside it in its track are nearly so: a similarity of 1 to
such a reference says nothing. Whose a face is, is decided with all references; what is told of it leaves out those of
its own track.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fastface.gallery.nearest import match_given
from fastface.gallery.reference_set import ReferenceSet
from fastface.types import Faces, GrownReference, Hits

_NO_TRACK = -1


def without_own_tracks(video_id: str, faces: Faces, hits: dict[str, Hits], references: ReferenceSet) -> dict[str, Hits]:
    """The same hits, with similarity and margin to the references that are not of the hit's own track.

    Photos are of no track, so there is always something to compare with. A margin may fall below 0: then only the
    references of the track, or the track as a whole, make it a hit.

    Args:
        video_id: The video.
        faces: Its faces; the tracks are linked.
        hits: {label: hits of that target}; labels that are no target's are left as they are.
        references: What the hits were found with.
    """
    own = _tracks_of_references(video_id, faces, references)
    if (own == _NO_TRACK).all():
        return hits
    reported = dict(hits)
    numbers = {label: number for label in hits if (number := references.find_number(label)) is not None}
    # Only hits of tracks that gave references are compared with fewer references than before.
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
    """Number of the track of this video that each reference out of a film is from; -1 of those of other films."""
    numbers = np.full(len(references.films), _NO_TRACK)
    added = references.list_grown(video_id)
    if len(faces) and added:
        tracks = faces.tracks
        for row, one in added:
            numbers[row] = tracks[_find_row(one, faces)]
    return numbers


def _find_row(added: GrownReference, faces: Faces) -> int:
    """The face that joined; where a closer look has replaced it, the one nearest in time, then in place."""
    time = np.abs(faces.time - added.time)
    nearest = np.flatnonzero(time == time.min())
    place = np.abs(faces.boxes[nearest] - np.array(added.box, np.float32)).sum(axis=1)
    return int(nearest[place.argmin()])
