"""Answered moments → precision, recall and screen time of each target, with intervals. Pure.

Seconds are what is counted: each moment stands for the time between two samples of its video, and each answered moment
of a stratum for as many seconds as the stratum's seconds over the answered ones. With

    found    the seconds of hits that show their target,
    missed   the seconds in which a target is seen, and no hit says so: in near misses, in faces of no target, in hits
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
    """A moment that was answered.

    Attributes:
        stratum: Place of its stratum.
        period: Seconds that it stands for.
        persons: Places of the targets that it shows: the face, or all persons on screen.
    """

    stratum: int
    period: float
    persons: frozenset[int]


@dataclass(frozen=True, slots=True)
class ScreenTime:
    """Seconds on screen.

    Attributes:
        reported: Seconds of the hits.
        true: Estimated.
        error: Reported minus true.
    """

    reported: float
    true: Estimate
    error: Estimate


@dataclass(frozen=True, slots=True)
class Scores:
    """Estimates for one target, or for all.

    Attributes:
        precision: Share of the reported seconds that is right; None if none is reported, or no hit was answered.
        recall: Share of the seconds on screen that is reported; None if the target was never seen, or no hit answered.
        face_recall: The same of seconds in which the scan saw the target's face.
        screen_time: Reported, estimated and the difference.
    """

    precision: Estimate | None
    recall: Estimate | None
    face_recall: Estimate | None
    screen_time: ScreenTime

    def to_object(self) -> dict[str, Any]:
        """The scores as result.json has them."""

        def rounded(found: Estimate | None, digits: int) -> dict[str, float] | None:
            return None if found is None else {name: round(value, digits) for name, value in asdict(found).items()}

        time = self.screen_time
        return {
            "precision": rounded(self.precision, 4),
            "recall": rounded(self.recall, 4),
            "face_recall": rounded(self.face_recall, 4),
            "reported_seconds": round(time.reported, 3),
            "true_seconds": rounded(time.true, 3),
            "error_seconds": rounded(time.error, 3),
        }


@dataclass(frozen=True, slots=True)
class AuditEstimates:
    """The scores of all targets together, and of each in the order of the targets."""

    overall: Scores
    targets: tuple[Scores, ...]


_Value = Callable[[Stratum, AnsweredMoment], float]


def estimate_audit(strata: Sequence[Stratum], answered: Sequence[AnsweredMoment], num_targets: int) -> AuditEstimates:
    """The estimates of an audit.

    Args:
        strata: All strata of the answer.
        answered: The moments that were answered; those left open, and those of which the user was unsure, are not
            among them.
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
        """The scores of the targets that are meant."""

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
        # A hit's own target is not missed there; any other may be the one that it shows.
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
