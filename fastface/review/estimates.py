"""Estimate precision, recall and screen time of each target from answered moments, with intervals. No I/O.

`audit` calls `estimate_audit`. The unit is seconds: a moment stands for the time between two samples of its video. An
answered moment of a stratum stands for the stratum's seconds divided by the number of its answered moments. With

    found    the seconds of hits that show their target,
    missed   the seconds in which a target is visible without a hit: in near misses, in faces without a target, in hits
             of another target, beside the faces, and in samples without any face,

precision is found / reported, recall is found / (found + missed), and the true screen time is found + missed.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fastface.review.intervals import AnsweredStratum, Estimate, add_estimates, estimate_share, share_of_sum
from fastface.review.sampling import Role, Stratum

_BY_FACE: tuple[Role, ...] = ("hit", "near", "face")
_UNFOUND: tuple[Role, ...] = ("near", "face", "beside", "empty")


@dataclass(frozen=True, slots=True)
class AnsweredMoment:
    """A moment with an answer.

    Attributes:
        stratum: Place of its stratum.
        period: Seconds that it stands for.
        persons: Places of the visible targets: of the face, or of all persons on screen.
    """

    stratum: int
    period: float
    persons: frozenset[int]


@dataclass(frozen=True, slots=True)
class ScreenTime:
    """Seconds on screen.

    Attributes:
        reported: Seconds of the hits.
        true: Estimated true seconds.
        error: Reported minus true seconds.
    """

    reported: float
    true: Estimate
    error: Estimate


@dataclass(frozen=True, slots=True)
class Scores:
    """Estimates for one target, or for all.

    Attributes:
        precision: Correct share of the reported seconds, 0–1; None if none is reported, or no hit was answered.
        recall: Reported share of the seconds on screen, 0–1; None if the target was never visible, or no hit answered.
        face_recall: Recall of the seconds in which the scan found the target's face.
        screen_time: Reported and estimated seconds, and their difference.
    """

    precision: Estimate | None
    recall: Estimate | None
    face_recall: Estimate | None
    screen_time: ScreenTime

    def to_object(self) -> dict[str, Any]:
        """Return the scores as in result.json."""

        def round_estimate(found: Estimate | None, digits: int) -> dict[str, float] | None:
            return None if found is None else {name: round(value, digits) for name, value in asdict(found).items()}

        time = self.screen_time
        return {
            "precision": round_estimate(self.precision, 4),
            "recall": round_estimate(self.recall, 4),
            "face_recall": round_estimate(self.face_recall, 4),
            "reported_seconds": round(time.reported, 3),
            "true_seconds": round_estimate(time.true, 3),
            "error_seconds": round_estimate(time.error, 3),
        }


@dataclass(frozen=True, slots=True)
class AuditEstimates:
    """Scores of all targets together, and of each target in order."""

    overall: Scores
    targets: tuple[Scores, ...]


_Value = Callable[[Stratum, AnsweredMoment], float]


def estimate_audit(strata: Sequence[Stratum], answered: Sequence[AnsweredMoment], num_targets: int) -> AuditEstimates:
    """Estimate the scores of an audit.

    Args:
        strata: All strata of the answer.
        answered: Moments with a certain answer; open and unsure moments are not included.
        num_targets: Number of targets.
    """
    table = _Table(strata, answered)
    targets = tuple(table.scores(frozenset({place})) for place in range(num_targets))
    return AuditEstimates(table.scores(frozenset(range(num_targets))), targets)


class _Table:
    """The answered moments by stratum."""

    def __init__(self, strata: Sequence[Stratum], answered: Sequence[AnsweredMoment]) -> None:
        self._strata = strata
        self._answered: list[list[AnsweredMoment]] = [[] for _ in strata]
        for one in answered:
            self._answered[one.stratum].append(one)

    def scores(self, meant: frozenset[int]) -> Scores:
        """Compute the scores of the targets in `meant`."""

        def is_right(stratum: Stratum, one: AnsweredMoment) -> float:
            return float(stratum.target in one.persons)

        def num_missed(stratum: Stratum, one: AnsweredMoment) -> float:
            said = stratum.target if stratum.role == "hit" else None
            return float(len((one.persons & meant) - {said}))

        own = [one for one in self._strata if one.role == "hit" and one.target in meant]
        reported = sum(one.seconds for one in own)
        precision = self._share(own, is_right)
        found = precision.times(reported)
        by_role: dict[Role, list[Stratum]] = {
            role: [one for one in self._strata if one.role == role] for role in _UNFOUND
        }
        # A hit's own target is not missed there; it may show any other target.
        by_role["hit"] = [one for one in self._strata if one.role == "hit" and meant - {one.target}]
        missed = {
            role: self._share(part, num_missed, is_rare=True).times(sum(one.seconds for one in part))
            for role, part in by_role.items()
            if part
        }
        all_missed = add_estimates(list(missed.values()))
        with_face = add_estimates([one for role, one in missed.items() if role in _BY_FACE])
        true = add_estimates([found, all_missed])
        error = Estimate(reported - true.value, reported - true.high, reported - true.low)
        is_judged = any(self._answered[place] for place, one in enumerate(self._strata) if one in own)
        return Scores(
            precision=precision if is_judged else None,
            recall=share_of_sum(found, all_missed) if is_judged or not own else None,
            face_recall=share_of_sum(found, with_face) if is_judged or not own else None,
            screen_time=ScreenTime(reported, true, error),
        )

    def _share(self, strata: Sequence[Stratum], value: _Value, *, is_rare: bool = False) -> Estimate:
        return estimate_share([self._sample(one, value) for one in strata], is_rare=is_rare)

    def _sample(self, stratum: Stratum, value: _Value) -> AnsweredStratum:
        answered = self._answered[self._strata.index(stratum)]
        return AnsweredStratum(
            moments=stratum.moments,
            seconds=stratum.seconds,
            periods=np.array([one.period for one in answered], np.float64),
            values=np.array([value(stratum, one) for one in answered], np.float64),
        )
