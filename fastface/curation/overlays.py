"""Find pictures with text or a mark over them, by comparison with a clean copy. Pure array code for `commands.curate`.

One picture alone does not show whether its edges are letters or a patterned shirt, and letters count as sharpness. Two
copies can be compared: where they differ, the copy with more edges has the overlay. Two moments of a film, two
compressions or a blurred copy instead differ along nearly all of their edges.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fastface.curation.candidates import Candidate
from fastface.curation.likeness import CandidateArrays

_SAME_LEVELS = 4.0
"""Maximum median difference of grey levels of two copies, apart from an overlay."""
_DIFFERENT_LEVELS = 10.0
"""Minimum difference of grey levels in thumbnails that does not come from compression and scaling."""
_LEAST_AREA, _MOST_AREA = 0.003, 0.4
"""Minimum and maximum share of differing pixels: a short word in a corner; lines of text across the whole picture."""
_ONE_SIDED = 0.45
"""Minimum share of the differences that is left when they are added with their signs over 5×5 neighbours. Measured on
75 photos: letters, also outlined and half transparent ones, leave at least 0.49 in 95 of 100. A blurred or sharpened
copy leaves at most 0.43 in 95 of 100."""
_MORE_EDGES = 1.25
"""Minimum quotient of the edges, where two copies differ, for one of them to have letters there."""
_HASH_REACH = 20
"""Maximum number of differing bits for two pictures to be compared: large letters change a hash more than doubles may
differ."""

_Thumbnail = npt.NDArray[np.uint8]


def is_overlaid(picture: _Thumbnail, other: _Thumbnail) -> bool:
    """Return whether a picture is a copy of another one with text or a mark laid over it.

    Args:
        picture: (n, n) grey, from `measures.measure`.
        other: (n, n) grey, from the other picture.
    """
    signed = picture.astype(np.float32) - other
    difference = np.abs(signed)
    if float(np.median(difference)) > _SAME_LEVELS:
        return False
    differs = difference >= _DIFFERENT_LEVELS
    if not _LEAST_AREA <= float(differs.mean()) <= _MOST_AREA:
        return False
    around = _dilate(differs)
    mine, others = (float(_edges(thumbnail)[around].mean()) for thumbnail in (picture, other))
    elsewhere = difference[~around]
    is_copy = not elsewhere.size or float(elsewhere.mean()) <= _SAME_LEVELS
    left_over = np.abs(_box_sums(signed))[differs].sum() / _box_sums(difference)[differs].sum()
    return is_copy and bool(left_over >= _ONE_SIDED) and mine > _MORE_EDGES * others


def find_overlays(candidates: Sequence[Candidate]) -> dict[int, int]:
    """Return {row of a picture with an overlay: row of its clean copy}, among candidates with faces."""
    if len(candidates) < 2:
        return {}
    likeness = CandidateArrays.of(candidates)
    found: dict[int, int] = {}
    for row in range(len(candidates)):
        near = np.flatnonzero(likeness.distances_to(row) <= _HASH_REACH)
        thumbnail = candidates[row].seen.measures.thumbnail
        for other in near[near != row].tolist():
            if is_overlaid(thumbnail, candidates[other].seen.measures.thumbnail):
                found[row] = other
                break
    return found


def _dilate(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the mask, extended by the eight neighbours of each of its pixels."""
    rows = mask.copy()
    rows[1:] |= mask[:-1]
    rows[:-1] |= mask[1:]
    wide = rows.copy()
    wide[:, 1:] |= rows[:, :-1]
    wide[:, :-1] |= rows[:, 1:]
    return wide


def _box_sums(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the sum of the 5×5 pixels around each pixel; pixels outside are 0."""
    padded = np.pad(values, 2)
    rows = sum((padded[place : place + len(values)] for place in range(5)), np.zeros((), np.float32))
    width = values.shape[1]
    sums: npt.NDArray[np.float32] = sum(
        (rows[:, place : place + width] for place in range(5)), np.zeros((), np.float32)
    ).astype(np.float32)
    return sums


def _edges(thumbnail: _Thumbnail) -> npt.NDArray[np.float32]:
    down, across = np.gradient(thumbnail.astype(np.float32))
    edges: npt.NDArray[np.float32] = np.hypot(down, across).astype(np.float32)
    return edges
