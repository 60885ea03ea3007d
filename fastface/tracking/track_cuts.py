"""Split tracks that contain faces of two persons. Pure array code; `face_tracks` and the corrections call it.

Links between neighbours cannot detect this: a dissolve leads from one face to another in small steps. Two crossing
persons may be confused in one blurred sample. Embeddings averaged over several good frontal faces are reliable.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastface.faces.succession import is_telling
from fastface.types import Faces

_WINDOW = 5
"""Number of faces compared on either side of a cut: one second at 5 samples a second."""

_DISSOLVE = 3
"""Number of faces on either side of a cut that may be blends, if adjacent faces do not contradict."""

_LEAST_FACES = 2
"""Minimum number of good faces on either side of an automatic cut: a single face is unreliable."""

_LEAST_WEIGHT = 0.01
"""Minimum weight of a face; the weight is its quality."""

_CONTRADICTION = 0.28
"""Cosine of the means on either side below which they are two persons. Frontal faces of one person in one shot of a
film have at least 0.32; two persons have less than 0.21 in 99 of 100 pairs."""

_STEADY = 0.8
"""Minimum cosine of two samples of one look."""
_STEP_QUALITY = 0.5
"""Minimum quality (0–1) of the faces at a change of look: embeddings of poorer faces may differ as much by error."""

_NEAR = 0.5
"""Minimum cosine of all good faces to those a window later for a track of one person: most tracks, at no cost."""


@dataclass(frozen=True, slots=True)
class TrackCut:
    """The time at which a track most clearly changes from one person to another.

    Attributes:
        before: Row of the last face of the first part.
        after: Row of the first face of the second part.
        cosine: Cosine of the means of the faces on either side.
    """

    before: int
    after: int
    cosine: float


def cut_contradictions(faces: Faces, tracks: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Split tracks whose good frontal faces show two persons, or in which one look changes abruptly to another.

    Args:
        faces: Faces of one video, in any order.
        tracks: (n,) track of each face, from `link_tracks`.

    Returns:
        (n,) int32: `tracks`, renumbered by first appearance if any track was split.
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
    """Find the time at which the faces of a track on either side are least similar; None for too few faces.

    Args:
        faces: Faces of one video.
        rows: Rows of one track, in order of time.
        least: Minimum number of faces on either side.
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
    """Find the place with the least similar faces on either side, without the adjacent ones; return it with the cosine.

    Args:
        sums: (n + 1, D) sums of the embeddings before each face, and of all.
        least: Minimum number of faces on either side.
        gap: Number of adjacent faces on either side that are ignored.
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
    """Return the rows, in order of time, at which a steady look changes to another steady look."""
    order = np.lexsort((faces.pts, tracks))
    before, after = order[:-1], order[1:]
    products = faces.embedding[before].astype(np.float32) * faces.embedding[after].astype(np.float32)
    cosine = products.sum(axis=1, dtype=np.float64)
    is_good = faces.quality >= _STEP_QUALITY
    is_step = (cosine < _CONTRADICTION) & (tracks[before] == tracks[after]) & is_good[before] & is_good[after]
    is_steady = np.concatenate([[False], (cosine >= _STEADY) & (tracks[before] == tracks[after]), [False]])
    # n faces have n - 1 links: in the padded array, the link before link i is at i, and the link after it at i + 2.
    rows: npt.NDArray[np.int64] = after[is_step & is_steady[:-2] & is_steady[2:]]
    return rows[np.argsort(faces.pts[rows], kind="stable")]


def _suspects(faces: Faces, tracks: npt.NDArray[np.int32], good: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """Return the tracks with two good faces, at most a window apart, that are hardly similar."""
    found = [np.empty(0, np.int32)]
    for lag in (1, _WINDOW):
        left, right = good[:-lag], good[lag:]
        is_one = tracks[left] == tracks[right]
        left, right = left[is_one], right[is_one]
        products = faces.embedding[left].astype(np.float32) * faces.embedding[right].astype(np.float32)
        found.append(tracks[left[products.sum(axis=1, dtype=np.float64) < _NEAR]])
    return np.unique(np.concatenate(found))


def _number(faces: Faces, tracks: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Renumber the tracks by first appearance, then from left to right."""
    order = np.lexsort((*faces.boxes.T[::-1], faces.time))
    _, first, place = np.unique(tracks[order], return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int32)
    rank[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    numbered = np.empty(len(tracks), np.int32)
    numbered[order] = rank[place.ravel()]
    return numbered
