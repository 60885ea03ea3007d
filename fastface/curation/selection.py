"""Select the pictures of a set: one picture a moment, quotas of framings, and diversity within each quota. Pure.

`commands.curate` calls `select` last, with scored candidates. A candidate that is not selected gets the reason.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np

from fastface.config import CurateConfig
from fastface.curation.candidates import FRAMINGS, Candidate
from fastface.curation.likeness import CandidateArrays
from fastface.types import FramingClass

_PLURALS: dict[FramingClass, str] = {
    "close-up": "close-ups",
    "portrait": "portraits",
    "half": "half figures",
    "full": "full figures",
}


def select(candidates: Sequence[Candidate], settings: CurateConfig) -> list[Candidate]:
    """Select the set; give each other candidate the reason.

    First, cut-off faces and further pictures of a moment are dropped, then profiles beyond their share of the set. Then
    each framing gets its share of `max`.

    Args:
        candidates: Open candidates with scores, in order of their sources.
        settings: Quotas and weights.

    Returns:
        The selected candidates, by framing from near to far, then in the order of selection.
    """
    keep_moments(candidates, settings)
    profiles = [candidate for candidate in candidates if candidate.is_open and candidate.pose == "profile"]
    num_others = sum(candidate.is_open for candidate in candidates) - len(profiles)
    most = _most_profiles(num_others, settings)
    _leave_out(profiles, spread(profiles, most, settings.relevance), _beyond(most, len(profiles), "profiles"))
    pools = [[one for one in candidates if one.is_open and one.framing == framing] for framing in FRAMINGS]
    shares = (settings.close_up, settings.portrait, settings.half, settings.full)
    quotas = deal([len(pool) for pool in pools], shares, settings.max_pictures)
    chosen = []
    for framing, pool, quota in zip(FRAMINGS, pools, quotas, strict=True):
        taken = spread(pool, quota, settings.relevance)
        _leave_out(pool, taken, _beyond(quota, len(pool), _PLURALS[framing]))
        chosen += taken
    return chosen


def keep_moments(candidates: Sequence[Candidate], settings: CurateConfig) -> None:
    """Keep the best picture of each moment of a film, and no face that its picture cuts off.

    If fewer than `min` pictures are left, others come back: whole faces first. Among these, the picture farthest in
    time from all kept pictures comes first; if two are equally far, the better one.

    Args:
        candidates: Open candidates with scores, in order of their sources.
        settings: Limits; `moment` and `min` are used.
    """
    stays: list[Candidate] = []
    spare: list[Candidate] = []
    of_strand: dict[str, list[Candidate]] = {}
    for candidate in sorted(candidates, key=lambda candidate: -candidate.score):
        neighbours = of_strand.setdefault(candidate.source.strand, [])
        near = min(neighbours, key=partial(_seconds_between, candidate), default=None)
        if not candidate.portrait.is_uncut:
            candidate.reason = "the picture cuts the face off"
        elif near is not None and (apart := _seconds_between(candidate, near)) < settings.moment:
            candidate.reason = f"the same moment as {str(near.source.path)!r}: {apart:.1f} s apart"
        if candidate.reason:
            spare.append(candidate)
        else:
            stays.append(candidate)
            neighbours.append(candidate)
    while spare and len(stays) < min(settings.min_pictures, settings.max_pictures):
        distances = [min((_seconds_between(one, other) for other in stays), default=np.inf) for one in spare]
        order = [(one.portrait.is_uncut, apart, one.score) for one, apart in zip(spare, distances, strict=True)]
        back = spare.pop(order.index(max(order)))
        back.reason = ""
        stays.append(back)


def _seconds_between(one: Candidate, other: Candidate) -> float:
    """Return the seconds between two pictures of one film; infinity for pictures of different films."""
    is_one_film = one.source.is_film and other.source.is_film and one.source.strand == other.source.strand
    return abs(one.source.time - other.source.time) if is_one_film else np.inf


def _most_profiles(num_others: int, settings: CurateConfig) -> int:
    """Return the maximum number of profiles: their share of the set, or of the smallest set that is large enough."""
    share = settings.profile
    if share >= 1:
        return settings.max_pictures
    beside_others = int(share * num_others / (1 - share) + 1e-9)
    smallest = min(settings.min_pictures, settings.max_pictures)
    return min(int(share * settings.max_pictures + 1e-9), max(beside_others, int(share * smallest + 1e-9)))


def deal(available: Sequence[int], shares: Sequence[float], total: int) -> list[int]:
    """Divide `total` over classes by their shares; what one class cannot fill goes to the others in proportion.

    If only classes without a share have pictures left, they get the rest in equal parts. Numbers are rounded by the
    largest remainders; of equal remainders, the first class gets more.

    Args:
        available: Number of pictures in each class.
        shares: At least 0, in any unit.
        total: Number of pictures to divide; fewer are dealt if fewer are available.
    """
    dealt = [0] * len(available)
    while (left := total - sum(dealt)) > 0:
        open_classes = [place for place, most in enumerate(available) if dealt[place] < most]
        if not open_classes:
            break
        weights = {place: shares[place] for place in open_classes}
        if not sum(weights.values()):
            weights = dict.fromkeys(open_classes, 1.0)
        for place, count in _apportion(weights, left).items():
            dealt[place] = min(available[place], dealt[place] + count)
    return dealt


def _apportion(weights: dict[int, float], total: int) -> dict[int, int]:
    """Divide by Hamilton's method: whole parts, then one more for the largest remainders."""
    whole = sum(weights.values())
    exact = {place: weight * total / whole for place, weight in weights.items()}
    counts = {place: int(part) for place, part in exact.items()}
    # Rounded, so that parts that are equal in arithmetic are equal in floating point.
    order = sorted(exact, key=lambda place: (round(counts[place] - exact[place], 9), place))
    for place in order[: total - sum(counts.values())]:
        counts[place] += 1
    return counts


def spread(candidates: Sequence[Candidate], count: int, relevance: float) -> list[Candidate]:
    """Choose good and dissimilar pictures by greedy maximal marginal relevance.

    Each step takes the candidate with the largest `relevance × score − (1 − relevance) × likeness`; the first at a tie.
    The likeness is that to the most similar chosen picture (Carbonell and Goldstein, "The use of MMR, diversity-based
    reranking", SIGIR 1998).

    Args:
        candidates: Candidates in order of their sources.
        count: Number to choose; all are taken if there are fewer.
        relevance: Weight λ of the score, 0–1.
    """
    if not candidates:
        return []
    likeness = CandidateArrays.of(candidates)
    scores = np.array([candidate.score for candidate in candidates])
    nearest = np.zeros(len(candidates))
    is_free = np.ones(len(candidates), np.bool_)
    chosen: list[Candidate] = []
    while len(chosen) < min(count, len(candidates)):
        gains = np.where(is_free, relevance * scores - (1 - relevance) * nearest, -np.inf)
        best = int(gains.argmax())
        is_free[best] = False
        nearest = np.maximum(nearest, likeness.alike(best))
        chosen.append(candidates[best])
    return chosen


def _beyond(quota: int, available: int, named: str) -> str:
    """Return the reason for candidates that exceed the quota of a class."""
    return f"beyond the quota: the set takes {quota} of {available} {named}, and others are better or more different"


def _leave_out(candidates: Sequence[Candidate], chosen: Sequence[Candidate], reason: str) -> None:
    kept = {id(candidate) for candidate in chosen}
    for candidate in candidates:
        if id(candidate) not in kept:
            candidate.reason = reason
