"""Choose the hits of a target for crops, by the index alone. Pure.

`crops.plan` calls it. Three filters follow each other:

1. Of hits closer than the gap, keep the best.
2. Of near-duplicates anywhere in the video, keep the best.
3. If a maximum is set, choose good and diverse hits by maximal marginal relevance, λ = 1 − diversity (Carbonell &
   Goldstein, "The use of MMR, diversity-based reranking", SIGIR 1998).

If a number of crops is wanted (`count`), the gap shrinks in steps. Each hit has the step at which it is chosen.

Products of float16 components are multiples of 2⁻⁴⁸, and sums of them over unit vectors stay below 2. Float64 stores
these without rounding. A cosine has the same bits on every machine and in every order of the hits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastface.config import ExportConfig
from fastface.types import DOUBLE_COSINE, Faces, Hits

SAME_YAW = 5.0
"""Degrees between two yaws that count as one: half of the estimate's error."""
SAME_SCALE = 1.15
"""Ratio of two face sizes that count as one."""

_MOST_COMPARED = 16384
"""Maximum number of hits for the diverse choice, the best of them: 64 MiB of float64 at 512 components."""
_BLOCK = 1024
"""Number of hits that are compared together."""
_KEPT_BLOCK = 4096
"""Number of kept hits that they are compared with at a time: 16 MiB of cosines."""

_ROUGH_ERROR = 1e-4
"""Maximum error of a float32 product of two unit vectors of 512 components: 512 × 2⁻²⁴ = 3e-5."""

_RIGHT_ANGLE = 90.0

_Rows = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]


_GAP_SHARES = (1.0, 0.5, 0.25, 0.0)
"""Shares of `min_gap`, step by step, if a number of crops is wanted."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Chosen hits, and how many each rule removed.

    Attributes:
        rows: Rows of the hits, ascending.
        step: (len(rows),) step of the gap at which each was chosen; 0 is the full gap.
        near: Number of hits too close to a better one.
        alike: Number of near-duplicates of a better hit.
        beyond: Number of hits beyond `max_crops` or `count`.
    """

    rows: _Rows
    step: _Rows
    near: int
    alike: int
    beyond: int


def choose_crops(faces: Faces, hits: Hits, config: ExportConfig) -> Choice:
    """Choose the hits for crops: the best, without duplicates, any two at least `min_gap` seconds apart.

    With `count`, two may be closer if there are not enough hits otherwise; at most `count` are chosen.

    Args:
        faces: The video's faces.
        hits: Hits of one target in them.
        config: Source of `min_gap`, `max_crops`, `count` and `diversity`. With `max_crops`, the choice is made among
            the 16384 best.

    Returns:
        The choice. Of equally good hits the earlier is preferred, then the one further left.
    """
    boxes = faces.boxes[hits.face]
    best_first = np.lexsort((boxes[:, 1], boxes[:, 0], hits.time, -faces.quality[hits.face]))
    times = hits.time[best_first]
    taken, step = _space_out(times, config.min_gap), np.zeros(len(hits), np.int64)
    if config.count:
        for number, share in enumerate(_GAP_SHARES[1:], 1):
            more = _space_out(times, config.min_gap * share, taken)
            step[best_first[more]] = number
            taken = [*taken, *more]
    spaced = best_first[taken]
    most = config.count or (_MOST_COMPARED if config.max_crops else 0)
    distinct = spaced[_unlike(faces[hits.face[spaced]], most)]
    chosen = distinct
    if 0 < config.max_crops < len(chosen):
        chosen = chosen[_diverse(faces[hits.face[chosen]], config.max_crops, config.diversity)]
    is_cut = config.count > 0 and len(distinct) == config.count
    rows = np.sort(chosen)
    return Choice(
        rows=rows,
        step=step[rows],
        near=len(hits) - len(spaced),
        alike=0 if is_cut else len(spaced) - len(distinct),
        beyond=len(spaced) - len(chosen) if is_cut else len(distinct) - len(chosen),
    )


def _space_out(times: npt.NDArray[np.float64], gap: float, before: Sequence[int] = ()) -> list[int]:
    """Take each row that lies at least `gap` from all rows taken before it; return the new rows.

    Args:
        times: (n,) seconds, the best first.
        gap: Minimum distance in seconds.
        before: Rows that are already taken; the result does not contain them.
    """
    order = np.argsort(times, kind="stable")
    sorted_times = times[order].tolist()
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    is_blocked, is_before = bytearray(len(order)), frozenset(before)
    taken = []
    places = place.tolist()
    for row, at in [*((row, places[row]) for row in before), *enumerate(places)]:
        if is_blocked[at] and row not in is_before:
            continue
        if row not in is_before:
            taken.append(row)
        for others in (range(at, len(order)), range(at - 1, -1, -1)):
            for other in others:
                if abs(sorted_times[other] - sorted_times[at]) >= gap:
                    break
                is_blocked[other] = True
    return taken


def _unlike(faces: Faces, most: int) -> _Rows:
    """Return the rows, in order, without near-duplicates of an earlier kept row; at most `most`, 0 for no limit."""
    kept = np.empty(0, np.int64)
    for start in range(0, len(faces), _BLOCK):
        block = np.arange(start, min(start + _BLOCK, len(faces)))
        for first in range(0, len(kept), _KEPT_BLOCK):
            block = block[~_alike(faces, block, kept[first : first + _KEPT_BLOCK]).any(axis=1)]
        alike = _alike(faces, block, block)
        is_new = np.ones(len(block), np.bool_)
        for place in range(len(block)):
            if is_new[place]:
                is_new[place + 1 :] &= ~alike[place, place + 1 :]
        kept = np.concatenate([kept, block[is_new]])
        if 0 < most <= len(kept):
            return kept[:most]
    return kept


def _alike(faces: Faces, left: _Rows, right: _Rows) -> npt.NDArray[np.bool_]:
    """Return (n, m) whether `left` and `right` are near-duplicates: equal embedding, yaw and size."""
    # Float32 decides nearly every pair in half the time; doubtful pairs are computed exactly.
    rough = faces.embedding[left].astype(np.float32) @ faces.embedding[right].astype(np.float32).T
    row, column = np.nonzero(rough > DOUBLE_COSINE - _ROUGH_ERROR)
    one, other = left[row], right[column]
    sizes = [_size(faces.boxes[rows]) for rows in (one, other)]
    same = np.maximum(*sizes) <= SAME_SCALE * np.minimum(*sizes)
    same &= np.abs(faces.yaw[one].astype(np.float64) - faces.yaw[other]) <= SAME_YAW
    for pair in np.flatnonzero(same & (rough[row, column] < DOUBLE_COSINE + _ROUGH_ERROR)).tolist():
        first, second = (faces.embedding[rows[pair]].astype(np.float64) for rows in (one, other))
        same[pair] = first @ second >= DOUBLE_COSINE
    alike = np.zeros(rough.shape, np.bool_)
    alike[row[same], column[same]] = True
    return alike


def _size(boxes: npt.NDArray[np.float32]) -> _Floats:
    """Return the (n,) side of the square with each box's area."""
    sides = boxes[:, 2:].astype(np.float64) - boxes[:, :2]
    size: _Floats = np.sqrt(sides[:, 0] * sides[:, 1])
    return size


def _diverse(faces: Faces, number: int, diversity: float) -> _Rows:
    """Choose rows by maximal marginal relevance: quality against similarity to the chosen rows.

    The similarity of two faces is the mean of their cosine and the nearness of their yaws. The nearness is 1 for equal
    yaws and 0 at 90 degrees. It costs `number` × n × D multiplications and stores one value a face, never an n × n
    matrix.
    """
    embedding = faces.embedding.astype(np.float64)
    relevance = (1 - diversity) * faces.quality.astype(np.float64)
    likeness = np.full(len(faces), -np.inf)
    chosen: list[int] = []
    while len(chosen) < number:
        marginal = relevance - diversity * likeness if chosen else relevance.copy()
        marginal[chosen] = -np.inf
        newest = int(marginal.argmax())
        chosen.append(newest)
        nearness = 1 - np.abs(faces.yaw.astype(np.float64) - faces.yaw[newest]) / _RIGHT_ANGLE
        likeness = np.maximum(likeness, (embedding @ embedding[newest] + nearness) / 2)
    return np.array(chosen, np.int64)
