"""Split tracks whose faces are of two persons. Pure array code.

Links between neighbours cannot see it: a dissolve leads from one face to another by small steps, and two persons who
cross may be confused for one blurred sample. Over several good frontal faces embeddings do not err so far.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastface.faces.succession import is_telling
from fastface.types import Faces

_WINDOW = 5
"""Faces on either side of a cut that are compared: one second at 5 samples a second."""

_DISSOLVE = 3
"""Faces on either side of a cut that may be blends of two, where those next to it do not contradict each other."""

_LEAST_FACES = 2
"""Good faces on either side without which no track is taken apart unasked: one alone errs."""

_LEAST_WEIGHT = 0.01
"""A face counts by its quality; the poorest count too."""

_CONTRADICTION = 0.28
"""Cosine of the means on either side below which they are two persons. Of one person in one shot of a film it is 0.32
and more, over frontal faces; of two persons in 99 of 100 pairs below 0.21."""

_STEADY = 0.8
"""Cosine of two samples of one look."""
_STEP_QUALITY = 0.5
"""Embeddings of poorer faces may differ by so much for no reason."""

_NEAR = 0.5
"""A track whose good faces all agree so far with those a window later is one person's: most tracks, at no cost."""


@dataclass(frozen=True, slots=True)
class TrackCut:
    """The place in time at which a track is most clearly two persons.

    Attributes:
        before: Row of the last face of the first part.
        after: Row of the first face of the second part.
        cosine: Between the means of the faces on either side.
    """

    before: int
    after: int
    cosine: float


def cut_contradictions(faces: Faces, tracks: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Takes tracks apart whose good frontal faces are two persons', and where one look steps to another.

    Args:
        faces: Faces of one video, in any order.
        tracks: (n,) the track of each face, from `link_tracks`.

    Returns:
        (n,) int32: `tracks`, numbered anew in order of first appearance if any was taken apart.
    """
    good = np.flatnonzero(is_telling(faces))
    good = good[np.lexsort((faces.pts[good], tracks[good]))]
    found = tracks.copy()
    for row in _steps(faces, tracks).tolist():
        found[(found == found[row]) & (faces.pts >= faces.pts[row])] = found.max() + 1
    for number in _suspects(faces, found, good).tolist():
        todo = [good[found[good] == number]]
        while todo:
            rows = todo.pop()
            cut = best_cut(faces, rows, _LEAST_FACES)
            if cut is None or cut.cosine >= _CONTRADICTION:
                continue
            later = np.flatnonzero((found == found[cut.before]) & (faces.pts > faces.pts[cut.before]))
            found[later] = found.max() + 1
            place = int(np.flatnonzero(rows == cut.after)[0])
            todo += [rows[:place], rows[place:]]
    if np.array_equal(found, tracks):
        return tracks
    return _number(faces, found)


def best_cut(faces: Faces, rows: npt.NDArray[np.int64], least: int = 1) -> TrackCut | None:
    """The cut in time of a track at which the faces on either side are least alike; None for too few faces.

    Args:
        faces: Faces of one video.
        rows: Those of one track, in order of time.
        least: Faces that must be on either side.
    """
    if len(rows) < 2 * least:
        return None
    weights = np.maximum(faces.quality[rows], _LEAST_WEIGHT).astype(np.float64)
    sums = np.zeros((len(rows) + 1, faces.embedding.shape[1]))
    np.cumsum(faces.embedding[rows] * weights[:, None], axis=0, out=sums[1:])
    place, cosine = _least_alike(sums, least, 0)
    if cosine >= _CONTRADICTION and len(rows) >= 2 * (least + _DISSOLVE):
        faded, alike = _least_alike(sums, least, _DISSOLVE)
        place, cosine = (faded, alike) if alike < cosine else (place, cosine)
    return TrackCut(int(rows[place - 1]), int(rows[place]), cosine)


def _least_alike(sums: npt.NDArray[np.float64], least: int, gap: int) -> tuple[int, float]:
    """The place at which the faces on either side, but for so many next to it, are least alike, and their cosine.

    Args:
        sums: (n + 1, D) sums of the embeddings before each face, and of all.
        least: Faces that must be on either side.
        gap: Faces on either side that are left out.
    """
    count = len(sums) - 1
    place = np.arange(least + gap, count - least - gap + 1)
    left = sums[place - gap] - sums[np.maximum(place - gap - _WINDOW, 0)]
    right = sums[np.minimum(place + gap + _WINDOW, count)] - sums[place + gap]
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    cosine = (left * right).sum(axis=1) / np.maximum(norms, np.finfo(np.float64).tiny)
    best = int(np.argmin(cosine))
    return int(place[best]), float(cosine[best])


def _steps(faces: Faces, tracks: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """The rows at which a track is another look than before, and was steady before and is after; in order of time."""
    order = np.lexsort((faces.pts, tracks))
    before, after = order[:-1], order[1:]
    products = faces.embedding[before].astype(np.float32) * faces.embedding[after].astype(np.float32)
    cosine = products.sum(axis=1, dtype=np.float64)
    is_good = faces.quality >= _STEP_QUALITY
    is_step = (cosine < _CONTRADICTION) & (tracks[before] == tracks[after]) & is_good[before] & is_good[after]
    is_steady = np.concatenate([[False], (cosine >= _STEADY) & (tracks[before] == tracks[after]), [False]])
    # Of n faces there are n - 1 links: the one before link i is at i, the one after at i + 2.
    rows: npt.NDArray[np.int64] = after[is_step & is_steady[:-2] & is_steady[2:]]
    return rows[np.argsort(faces.pts[rows], kind="stable")]


def _suspects(faces: Faces, tracks: npt.NDArray[np.int32], good: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """The tracks two good faces of which, a window apart or less, are hardly alike."""
    found = [np.empty(0, np.int32)]
    for lag in (1, _WINDOW):
        left, right = good[:-lag], good[lag:]
        is_one = tracks[left] == tracks[right]
        left, right = left[is_one], right[is_one]
        products = faces.embedding[left].astype(np.float32) * faces.embedding[right].astype(np.float32)
        found.append(tracks[left[products.sum(axis=1, dtype=np.float64) < _NEAR]])
    return np.unique(np.concatenate(found))


def _number(faces: Faces, tracks: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """The tracks numbered in order of first appearance, then from left to right."""
    order = np.lexsort((*faces.boxes.T[::-1], faces.time))
    _, first, place = np.unique(tracks[order], return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int32)
    rank[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    numbered = np.empty(len(tracks), np.int32)
    numbered[order] = rank[place.ravel()]
    return numbered
