"""Calibration: rates and tails against the literature and hand arithmetic; what photos and an index say, by hand."""

import math

import numpy as np
import pytest
from gallery_tools import axis, faces_of, gallery, mixed, target

from fastface.gallery.calibration import (
    contradictions,
    counted_rate,
    fit_tail,
    judged_kinds,
    shortages,
    suggest_margin,
    suggest_threshold,
)
from fastface.gallery.photos import Reference
from fastface.gallery.trials import PhotoTrials, Trials, frame_trials, photo_trials, track_trials, video_trials
from fastface.types import Faces

EXACT = 2e-3
"""What float16 embeddings leave of a cosine."""


def photos(**persons: list[np.ndarray]) -> dict[str, list[Reference]]:
    return {
        name: [Reference(f"{name}{row}.jpg", embedding, 100.0, 100.0, 0.9) for row, embedding in enumerate(found)]
        for name, found in persons.items()
    }


def trials(*cosines: float) -> Trials:
    return Trials(np.array(cosines, np.float32))


def of_mates(similarity: list[float], lead: list[float]) -> PhotoTrials:
    nothing = np.empty(0, np.float32)
    return PhotoTrials(trials(*similarity), np.array(lead, np.float32), trials(*[0.1] * 20), nothing, nothing)


# ── rates ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("errors", "total", "low", "high"),
    [
        # R: binom::binom.confint(x, n, methods = "wilson"); the first is Newcombe's example (Stat. Med. 1998), 81/263.
        (81, 263, 0.2553, 0.3662),
        (10, 100, 0.0552, 0.1744),
        (1, 20, 0.0089, 0.2361),
        (20, 20, 0.8389, 1.0),
    ],
)
def test_a_counted_rate_has_the_interval_of_wilson(errors: int, total: int, low: float, high: float) -> None:
    rate = counted_rate(errors, total)
    assert rate.value == errors / total
    assert (rate.low, rate.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))
    assert rate.method == "Wilson"


@pytest.mark.parametrize(("total", "high"), [(300, 0.01), (30, 0.1), (2, 1.0)])
def test_where_nothing_was_counted_the_upper_end_is_three_by_n(total: int, high: float) -> None:
    rate = counted_rate(0, total)
    assert (rate.value, rate.low, rate.high, rate.method) == (0.0, 0.0, pytest.approx(high), "rule of three")


def test_the_tail_of_exponential_cosines_is_what_it_was_drawn_from() -> None:
    drawn = np.random.default_rng(1).exponential(0.05, 20_000).astype(np.float32)
    tail = fit_tail(drawn)
    assert (tail.count, tail.share) == (1000, 0.05)
    for share in (1e-3, 1e-4, 1e-5):
        assert tail.quantile(share) == pytest.approx(-0.05 * math.log(share), abs=0.03)
        estimate = tail.rate(-0.05 * math.log(share))
        assert estimate.low < share < estimate.high
        assert estimate.method == "exponential tail"
        assert tail.rate(tail.quantile(share)).value == pytest.approx(share)


def test_the_interval_of_an_estimate_holds_the_truth_nineteen_times_of_twenty() -> None:
    generator = np.random.default_rng(2)
    truth = -0.05 * math.log(1e-4)
    held = 0
    for _ in range(400):
        estimate = fit_tail(generator.exponential(0.05, 1000).astype(np.float32)).rate(truth)
        held += estimate.low <= 1e-4 <= estimate.high
    assert 0.90 <= held / 400 <= 0.99


def test_equal_cosines_have_a_tail_that_ends_soon() -> None:
    tail = fit_tail(np.full(30, 0.1, np.float32))
    assert tail.quantile(1e-6) < 0.12


# ── the suggestion ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_threshold_lies_above_every_stranger_that_was_seen() -> None:
    strangers = trials(*np.linspace(-0.2, 0.1, 99), 0.64)
    assert suggest_threshold([strangers], 1e-3) >= 0.65
    many = trials(*np.linspace(-0.2, 0.1, 1999), 0.64)
    assert suggest_threshold([many], 1e-3) < 0.64  # two of two thousand may


def test_the_threshold_is_enough_against_each_group() -> None:
    low, high = trials(*np.linspace(-0.2, 0.1, 100)), trials(*np.linspace(-0.2, 0.3, 100))
    assert suggest_threshold([low, high], 1e-3) == suggest_threshold([high], 1e-3) > suggest_threshold([low], 1e-3)


def test_a_small_kind_is_judged_with_the_others_only() -> None:
    kinds = {"many": trials(*[0.1] * 1000), "few": trials(*[0.2] * 30)}
    judged = judged_kinds(kinds, 1e-3, "all")
    assert {name: len(found) for name, found in judged.items()} == {"all": 1030, "many": 1000}
    assert list(judged_kinds({"few": kinds["few"]}, 1e-3, "all")) == ["few"]


@pytest.mark.parametrize(
    ("similarity", "lead", "margin"),
    [
        ([0.6] * 10, [0.2] * 10, 0.1),  # any up to 0.2 does: the middle
        ([0.6] * 10, [0.5] * 10, 0.15),  # no more than 0.3 is looked at
        ([0.6] * 9 + [0.3], [0.2] * 9 + [0.01], 0.1),  # who is missed anyway says nothing
        ([0.6] * 9 + [0.5], [0.2] * 9 + [-0.06], 0.13),  # another leads by 0.06: from 0.07 to 0.2
    ],
)
def test_the_margin_is_the_middle_of_those_that_separate_best(
    similarity: list[float], lead: list[float], margin: float
) -> None:
    assert suggest_margin(of_mates(similarity, lead), 0.45) == pytest.approx(margin)


def test_too_little_is_said_in_plain_words() -> None:
    assert shortages(1, None) == ["too little to calibrate with: 1 person with usable photos, 2 are needed"]
    few = photo_trials(photos(Ann=[axis(0), mixed(0.8)], Bob=[axis(1)]))
    assert [line.split(":")[1].split(",")[0].strip() for line in shortages(2, few)] == [
        "2 photos have another one of the same person beside them",
        "3 comparisons of a photo with another person",
    ]
    assert shortages(2, of_mates([0.6] * 10, [0.2] * 10)) == []


# ── what is compared ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_photo_is_compared_with_the_nearest_other_of_each_person() -> None:
    persons = photos(Ann=[axis(0), mixed(0.8), mixed(0.6)], Bob=[mixed(0.3, 0.9)], Cat=[axis(2), axis(2)])
    found = photo_trials(persons)
    # Of 0.8 and 0.6 the last axis takes 0.6 and 0.8: their cosine is 0.48 + 0.48.
    assert found.mates.similarity.tolist() == pytest.approx([0.8, 0.96, 0.96, 1, 1], abs=1e-6)
    assert found.lead[0] == pytest.approx(0.8 - 0.3, abs=1e-6)
    assert found.mates.extreme == "Ann0.jpg"
    assert len(found.lead) == 5
    assert len(found.strangers) == 6 * 2
    assert found.strangers.extreme.startswith("Ann")
    assert (len(found.same_pairs), len(found.other_pairs)) == (3 + 1, 15 - 4)
    assert np.sort(found.same_pairs).tolist() == pytest.approx([0.6, 0.8, 0.96, 1], abs=1e-6)


def test_two_faces_of_one_frame_are_strangers_once_a_pair_of_tracks() -> None:
    faces = faces_of(
        [axis(0), mixed(0.3), axis(0), mixed(0.5), axis(3), mixed(0.9)], [0, 0, 1, 1, 1, 2], [0, 1, 0, 1, -1, 0]
    )
    found = frame_trials(faces)
    assert sorted(found.similarity.tolist()) == pytest.approx([0, 0, 0.5], abs=EXACT)
    assert found.extreme == "two faces at 1.000 s"
    assert len(frame_trials(Faces.empty(8))) == 0


def test_the_ends_of_a_track_are_mates() -> None:
    faces = faces_of([axis(0), axis(1), mixed(0.7), axis(2), axis(3)], [2, 0, 1, 0, 5], [0, 1, 0, -1, 0])
    found = track_trials(faces)
    assert found.similarity.tolist() == pytest.approx([0.0], abs=EXACT)  # from 1 s, mixed(0.7), to 5 s, axis 3
    assert found.extreme == "a track from 1.000 s on"
    assert len(track_trials(Faces.empty(8))) == 0


def test_a_track_is_compared_with_all_persons_but_the_nearest() -> None:
    persons = gallery(target("Ann", axis(0), axis(4)), target("Bob", axis(1)), target("Cat", axis(2)))
    faces = faces_of([mixed(0.8, 0.1, 0.2), mixed(0.7, 0.3, 0.1), mixed(0, 0.5, 0.4)], [0, 1, 1], [3, 3, -1])
    found = video_trials(faces, persons)
    # Of the track, Bob's 0.3 and Cat's 0.2; of the other face, Ann's 0 and Cat's 0.4.
    assert sorted(found.similarity.tolist()) == pytest.approx([0, 0.2, 0.3, 0.4], abs=EXACT)
    assert found.extreme == "Cat and a face from 1.000 s on"
    assert len(video_trials(Faces.empty(8), persons)) == 0


def test_strangers_that_are_as_alike_as_mates_are_named() -> None:
    mates = trials(0.5, 0.6, 0.7)
    plain, few, blurred = [0.1] * 30, [0.2, 0.3], [0.1] * 29 + [0.99]
    kinds = {"plain": trials(*plain), "few": trials(*few), "mirror": trials(0.8), "blurred": trials(*blurred)}
    found = contradictions(kinds, mates, 1e-3)
    assert list(found) == ["mirror", "blurred"]
    assert found["mirror"] == pytest.approx(0.8)
    assert found["blurred"] >= 0.99
