"""What is told of the hits of a gallery that grew out of the same film: nobody is compared with himself. Pure.

A face that became a reference is like itself, and the faces beside it in its track are nearly so: a similarity of 1 to
such a reference says nothing. Whose a face is, is decided with all references; what is told of it leaves out those of
its own track.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fastface.gallery.claims import claims_for
from fastface.types import Added, Faces, Gallery, Hits

__all__ = ["without_own_tracks"]

_NO_TRACK = -1


def without_own_tracks(video_id: str, faces: Faces, hits: dict[str, Hits], gallery: Gallery) -> dict[str, Hits]:
    """The same hits, with similarity and margin to the references that are not of the hit's own track.

    Photos are of no track, so there is always something to compare with. A margin may fall below 0: then only the
    references of the track, or the track as a whole, make it a hit.

    Args:
        video_id: The video.
        faces: Its faces; the tracks are linked.
        hits: {label: hits of that target}; labels that are no target's are left as they are.
        gallery: What the hits were found with.
    """
    own = _tracks_of_references(video_id, faces, gallery)
    if (own == _NO_TRACK).all():
        return hits
    told = dict(hits)
    for number, target in enumerate(gallery.targets):
        found = hits[target.label]
        numbers = np.full(len(found), number, np.int32)
        tracks = faces.tracks[found.face], own
        similarity, margin = claims_for(faces.embedding[found.face], gallery, numbers, tracks)
        told[target.label] = replace(found, similarity=similarity, margin=margin)
    return told


def _tracks_of_references(video_id: str, faces: Faces, gallery: Gallery) -> npt.NDArray[np.int64]:
    """(r,) number of the track of this video that each reference is from, -1 of all others; in the gallery's order."""
    tracks = faces.tracks
    numbers: list[int] = []
    for person in (*gallery.targets, *gallery.lookalikes):
        numbers += [_NO_TRACK] * (len(person.embeddings) - len(person.added))
        for one in person.added:
            is_here = one.video_id == video_id and len(faces) > 0
            numbers.append(int(tracks[_row_of(one, faces)]) if is_here else _NO_TRACK)
    return np.array(numbers, np.int64)


def _row_of(added: Added, faces: Faces) -> int:
    """The face that joined; where a closer look has replaced it, the one nearest in time, then in place."""
    time = np.abs(faces.time - added.time)
    place = np.abs(faces.boxes - np.array(added.box, np.float32)).sum(axis=1)
    return int(np.lexsort((place, time))[0])
