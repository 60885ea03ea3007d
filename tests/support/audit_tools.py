"""Archives of chance with known truth, as an audit sees them: moments by stratum, and what each really shows."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from fastface.review.estimates import AnsweredMoment, AuditEstimates, estimate_audit
from fastface.review.sampling import Stratum, allocate, choose_rows

PERIOD = 0.2


@dataclass(frozen=True)
class Archive:
    """A drawn archive.

    `shown` has, for each stratum, what each of its moments really shows. `found`, `reported` and `present` are seconds
    of each target: of right hits, of all hits, and on screen.
    """

    strata: list[Stratum]
    shown: list[list[frozenset[int]]]
    found: np.ndarray
    reported: np.ndarray
    present: np.ndarray

    def audit(self, count: int, seed: int, unsure: float = 0.0) -> AuditEstimates:
        """A whole audit by a user who knows, and is unsure of this share of moments by chance."""
        chance = np.random.default_rng([seed, 7])
        answered = []
        for place, (stratum, number) in enumerate(zip(self.strata, allocate(self.strata, count), strict=True)):
            answered += [
                AnsweredMoment(place, PERIOD, self.shown[place][row])
                for row in choose_rows(stratum, number, seed)
                if chance.random() >= unsure
            ]
        return estimate_audit(self.strata, answered, len(self.present))


def draw_archive(seed: int, samples: int, *, missed: float = 0.2, wrong: float = 0.05, persons: int = 3) -> Archive:
    """An archive of so many samples.

    Each person is on screen a share of the time, often in company; a share of these is missed, half of it without a
    face; a share of the hits is wrong, half of it another target's.
    """
    chance = np.random.default_rng(seed)
    moments: dict[tuple[str, str, int | None], list[frozenset[int]]] = defaultdict(list)
    found, reported, present = np.zeros(persons), np.zeros(persons), np.zeros(persons)
    weights = [0.2, 0.08, 0.02, *([0.05] * persons)][:persons]
    for _ in range(samples):
        on_screen = [place for place in range(persons) if chance.random() < weights[place]]
        present[on_screen] += PERIOD
        hits: set[int] = set()
        unseen: set[int] = set()
        has_face = False
        for place in on_screen:
            draw = chance.random()
            if draw < missed / 2:
                unseen.add(place)
                continue
            has_face = True
            if draw < missed * 0.65:
                moments["near", "", place].append(frozenset({place}))
            elif draw < missed:
                moments["face", "", None].append(frozenset({place}))
            else:
                said = place
                if persons > 1 and chance.random() < wrong / 2:
                    said = int(chance.choice([one for one in range(persons) if one != place]))
                if said in hits:
                    moments["face", "", None].append(frozenset({place}))
                    continue
                hits.add(said)
                kind = "track" if chance.random() < 0.2 else "face"
                moments["hit", kind, said].append(frozenset({place}))
                reported[said] += PERIOD
                found[said] += PERIOD * (said == place)
        for _ in range(int(chance.poisson(0.3))):  # strangers
            has_face = True
            said = int(chance.integers(persons))
            if chance.random() < wrong / 4 and said not in hits:
                hits.add(said)
                reported[said] += PERIOD
                moments["hit", "track", said].append(frozenset())
            else:
                moments["face", "", None].append(frozenset())
        moments["beside" if has_face else "empty", "", None].append(frozenset(unseen))
    keys = sorted(moments, key=str)
    strata = [Stratum(*key, moments=len(moments[key]), seconds=PERIOD * len(moments[key])) for key in keys]  # type: ignore[arg-type]
    return Archive(strata, [moments[key] for key in keys], found, reported, present)
