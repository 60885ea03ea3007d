"""Choose the hits of a target that are worth a picture, by the index alone. Pure.

Three sieves, each of which only takes away:

1. Of hits nearer than the gap the best one stays.
2. Of near-duplicates, wherever in the video they are, the best one stays.
3. Where at most a number is asked for, that many are taken which are good and unlike each other: maximal marginal
   relevance (Carbonell & Goldstein, "The use of MMR, diversity-based reranking", SIGIR 1998), λ = 1 − diversity.

Where so many crops are wanted (`count`) the gap gives way in steps: each hit has the step at which it comes in.

Products of float16 components are multiples of 2⁻⁴⁸ and sums of them over unit vectors stay below 2, which float64
holds without rounding: a cosine has the same bits on every machine and in every order of the hits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastface.config import ExportConfig
from fastface.types import DOUBLE_COSINE, Faces, Hits

SAME_YAW = 5.0
"""Degrees between two yaws that count as one: half of what the estimate is good to."""
SAME_SCALE = 1.15
"""Quotient of two face sizes that count as one: less is no other framing."""

_MOST_COMPARED = 16384
"""Hits among which the diverse are chosen, the best of them: 64 MiB of float64 at 512 components."""
_BLOCK = 1024
"""Hits that are looked at together."""
_KEPT_BLOCK = 4096
"""Kept hits that they are compared with at a time: 16 MiB of cosines."""

_ROUGH_ERROR = 1e-4
"""A float32 product of two unit vectors of 512 components is off by at most 512 × 2⁻²⁴ = 3e-5."""

_RIGHT_ANGLE = 90.0

_Rows = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]


_GAP_SHARES = (1.0, 0.5, 0.25, 0.0)
"""Shares of `min_gap` by which hits come in, step by step, where a number of crops is wanted."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Chosen hits, and how many each rule removed.

    Attributes:
        rows: Rows of the hits, ascending.
        step: (len(rows),) how far the gap had to give way for each; 0 is not at all.
        near: Hits that lie too near a better one.
        alike: Hits that are near-duplicates of a better one.
        beyond: Hits beyond `max_crops`, or the number that is wanted.
    """

    rows: _Rows
    step: _Rows
    near: int
    alike: int
    beyond: int


def choose_hits(faces: Faces, hits: Hits, config: ExportConfig) -> _Rows:
    """The rows of `choose_crops`."""
    return choose_crops(faces, hits, config).rows


def choose_crops(faces: Faces, hits: Hits, config: ExportConfig) -> Choice:
    """Choose the hits for crops: the best, no doubles, any two at least `min_gap` seconds apart.

    With `count` two may be nearer, where there are not as many otherwise; no more than `count` are chosen.

    Args:
        faces: The video's faces.
        hits: Hits of one target in them.
        config: `min_gap`, `max_crops`, `count` and `diversity` are taken from it. With `max_crops` the choice is made
            among the 16384 best.

    Returns:
        Of equally good hits the earlier goes first, then the one further left.
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
    """The rows that are taken if each is taken which lies at least `gap` from those taken before it.

    Args:
        times: (n,) seconds, the best first.
        gap: Seconds.
        before: Rows that are taken already; the result has only others.
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
    """The rows that are no near-duplicate of an earlier one that is kept, in order; at most `most`, 0 is no limit."""
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
    """(n, m) whether each of `left` and each of `right` are near-duplicates: of one embedding, yaw and size."""
    # Float32 tells nearly every pair apart in half the time; what it leaves in doubt is computed exactly.
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
    """(n,) side of the square of each box's area."""
    sides = boxes[:, 2:].astype(np.float64) - boxes[:, :2]
    size: _Floats = np.sqrt(sides[:, 0] * sides[:, 1])
    return size


def _diverse(faces: Faces, number: int, diversity: float) -> _Rows:
    """Rows by maximal marginal relevance: quality against the likeness to what is chosen already.

    Two faces are as like as the mean of their cosine and of how near their yaws are, 1 for the same and 0 for 90
    degrees. Costs `number` × n × D multiplications and keeps one likeness a face: never an n × n matrix.
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
