"""Choose the pictures of faces and bodies to keep.

The index writer calls it, for a unit at its commit and for a video at its merge. Only the merge
knows the tracks that cross from one unit into the next.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fastface.types import Bodies, Faces, Thumbnails

MOST_A_TRACK = 4
APART_SECONDS = 1.0
"""Minimum seconds between two pictures of a track; nearer ones show the same."""

_FRAME_BYTES = 8192
_ROW_BYTES = 36
"""Bytes that Parquet needs for the file and for each row, besides the pictures."""


def best_of_tracks(portraits: Thumbnails, faces: Faces, most_bytes: float = np.inf) -> Thumbnails:
    """Choose the pictures to keep: the best of each track, apart in time, within a limit of file size.

    A track keeps only pictures of its best class, which is the integer part of `worth`. A track with a whole, frontal,
    sharp face keeps no other pictures. If space is short, the best picture of each track is kept first, then the second
    best. Of equal rank, the higher worth is kept first.

    Args:
        portraits: Pictures of some of the faces, in any order, each once.
        faces: All faces, with linked tracks.
        most_bytes: Limit of the file in bytes.

    Returns:
        The kept pictures, in the order of the faces.
    """
    rows = portrait_rows(portraits, faces)
    in_order = np.argsort(rows, kind="stable")
    face, sorted_portraits = rows[in_order], portraits[in_order]
    tracks, worth = faces.tracks[face], sorted_portraits.worth
    _, track = np.unique(tracks, return_inverse=True)
    best_class = np.zeros(len(face), np.float32)
    np.maximum.at(best_class, track, np.floor(worth))
    fine = np.flatnonzero(np.floor(worth) == best_class[track])
    sizes = [len(jpeg) + _ROW_BYTES for jpeg in sorted_portraits.jpeg[fine]]
    kept = best_rows(tracks[fine], faces.time[face[fine]], worth[fine], sizes, most_bytes - _FRAME_BYTES)
    return sorted_portraits[fine[kept]]


def with_best_pictures(bodies: Bodies, most_bytes: float = np.inf) -> Bodies:
    """Return the same bodies, but only the best pictures of each track: see `best_rows`.

    Args:
        bodies: Bodies with linked tracks.
        most_bytes: Limit of all pictures together, in bytes.
    """
    pictured = np.flatnonzero([jpeg is not None for jpeg in bodies.jpeg])
    sizes = [len(jpeg) for jpeg in bodies.jpeg[pictured]]
    areas = (bodies.boxes[pictured, 2:] - bodies.boxes[pictured, :2]).prod(axis=1)
    # Prefer the nearest view that is surely a person.
    quality = bodies.person_score[pictured] * np.sqrt(areas)
    kept = pictured[best_rows(bodies.track[pictured], bodies.time[pictured], quality, sizes, most_bytes)]
    jpeg = np.full(len(bodies), None, np.object_)
    jpeg[kept] = bodies.jpeg[kept]
    return replace(bodies, jpeg=jpeg)


def best_rows(
    tracks: npt.NDArray[np.integer],
    times: npt.NDArray[np.float64],
    quality: npt.NDArray[np.float32],
    sizes: Sequence[int],
    most_bytes: float,
) -> npt.NDArray[np.int64]:
    """Return the ascending indices of the pictures to keep.

    Args:
        tracks: (k,) track of each picture, in the order of the rows.
        times: (k,) seconds.
        quality: (k,) higher is better.
        sizes: k sizes in bytes.
        most_bytes: Limit of all kept pictures together, in bytes.
    """
    rank = _ranks(tracks, times, quality)
    candidates = np.flatnonzero(rank >= 0)
    candidates = candidates[np.lexsort((candidates, -quality[candidates], rank[candidates]))]
    fits = np.cumsum(np.array(sizes, np.int64)[candidates]) <= most_bytes
    return np.sort(candidates[fits])


def portrait_rows(portraits: Thumbnails, faces: Faces) -> npt.NDArray[np.int64]:
    """Return the (k,) row of each picture's face."""
    near = np.flatnonzero(np.isin(faces.pts, portraits.pts))
    lefts, tops = faces.boxes[near, 0].tolist(), faces.boxes[near, 1].tolist()
    names = dict(zip(zip(faces.pts[near].tolist(), lefts, tops, strict=True), near.tolist(), strict=True))
    wanted = zip(portraits.pts.tolist(), portraits.x1.tolist(), portraits.y1.tolist(), strict=True)
    return np.array([names[name] for name in wanted], np.int64)


def _ranks(
    tracks: npt.NDArray[np.integer], times: npt.NDArray[np.float64], quality: npt.NDArray[np.float32]
) -> npt.NDArray[np.int64]:
    """Return the (k,) rank of each picture within its track, from 0; -1 for a dropped picture."""
    ranks = np.full(len(tracks), -1, np.int64)
    chosen: dict[int, list[float]] = {}
    for row in np.lexsort((np.arange(len(tracks)), -quality)).tolist():
        taken = chosen.setdefault(int(tracks[row]), [])
        if len(taken) < MOST_A_TRACK and all(abs(times[row] - time) >= APART_SECONDS for time in taken):
            ranks[row] = len(taken)
            taken.append(float(times[row]))
    return ranks
