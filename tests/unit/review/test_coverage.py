"""Hundreds of audits of archives with known truth: the intervals hold it as often as they say."""

import math
from collections import defaultdict

import numpy as np
import pytest
from audit_tools import Archive, draw_archive

from fastface.review.intervals import Estimate

AUDITS = 600
LEAST, MOST = 0.93, 1.0

ARCHIVES = {
    "large": ({"seed": 1, "samples": 20_000}, 0.0),
    "small, and the user is unsure of a tenth": ({"seed": 4, "samples": 600, "persons": 2}, 0.1),
    "poor answers about one person": ({"seed": 6, "samples": 5_000, "missed": 0.4, "wrong": 0.2, "persons": 1}, 0.0),
}


def _truths(archive: Archive) -> dict[str, float]:
    persons = [slice(None), *(slice(one, one + 1) for one in range(len(archive.present)))]
    truths = {}
    for place, one in enumerate(persons):
        found, reported, present = (part[one].sum() for part in (archive.found, archive.reported, archive.present))
        truths |= {f"precision {place}": found / reported, f"recall {place}": found / present}
        truths |= {f"seconds {place}": present, f"error {place}": reported - present}
    return truths


@pytest.mark.parametrize("name", ARCHIVES)
def test_the_truth_is_inside_as_often_as_is_said(name: str) -> None:
    drawn, unsure = ARCHIVES[name]
    archive = draw_archive(**drawn)  # type: ignore[arg-type]
    truths = _truths(archive)
    inside: dict[str, int] = defaultdict(int)
    values: dict[str, list[float]] = defaultdict(list)
    for seed in range(AUDITS):
        found = archive.audit(200, seed, unsure)
        for place, scores in enumerate((found.overall, *found.targets)):
            pairs: dict[str, Estimate | None] = {
                f"precision {place}": scores.precision,
                f"recall {place}": scores.recall,
                f"seconds {place}": scores.screen_time.true,
                f"error {place}": scores.screen_time.error,
            }
            for key, estimate in pairs.items():
                assert estimate is not None
                assert estimate.low <= estimate.value <= estimate.high
                inside[key] += estimate.low - 1e-9 <= truths[key] <= estimate.high + 1e-9
                values[key].append(estimate.value)
    assert len(truths) == 4 * (1 + len(archive.present))
    coverage = {key: inside[key] / AUDITS for key in truths}
    assert all(LEAST <= share <= MOST for share in coverage.values()), coverage
    for key, truth in truths.items():
        if key.startswith("recall"):  # a ratio: only its parts are without bias
            continue
        error = np.std(values[key]) / math.sqrt(AUDITS)
        assert np.mean(values[key]) == pytest.approx(truth, abs=4 * error + 1e-9), key
