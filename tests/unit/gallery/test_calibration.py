"""Calibration: rates and tails against the literature and hand arithmetic; what photos and an index say, by hand."""

import math

import numpy as np
import pytest
from gallery_tools import USUAL, axis, faces_of, gallery, mixed, target

from fastface.gallery.calibration import (
    choose_threshold,
    counted_rate,
    fit_tail,
    needed_threshold,
    suggest_margin,
)
from fastface.gallery.reference_set import ReferenceSet
from fastface.gallery.track_voting import EvidenceModel
from fastface.gallery.trials import PhotoTrials, Trials, join_trials, photo_trials, track_trials
from fastface.grouping import summarize_tracks
from fastface.types import Gallery, SampledFrames

EXACT = 2e-3
"""What float16 embeddings leave of a cosine."""


def trials(evidence: np.ndarray | list[float]) -> Trials:
    return Trials(np.array(evidence, np.float32), np.arange(len(evidence)), "x.jpg and Ann")


def compared(persons: Gallery) -> PhotoTrials:
    references = ReferenceSet(persons)
    return photo_trials(references, EvidenceModel(references, USUAL))


def of_mates(evidence: list[float], lead: list[float]) -> PhotoTrials:
    return PhotoTrials(trials(evidence), np.array(lead, np.float32), trials([0.1] * 20))


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


def test_a_tail_is_as_sure_as_the_number_of_different_faces_in_it() -> None:
    drawn = np.random.default_rng(3).exponential(0.05, 2000).astype(np.float32)
    alone, shared = fit_tail(drawn), fit_tail(drawn, np.arange(2000) // 2000)
    assert (alone.count, shared.count) == (100, 1)
    assert alone.quantile(1e-5) == shared.quantile(1e-5)
    assert shared.rate(0.4).high > 100 * alone.rate(0.4).high


# ── the suggestion ──────────────────────────────────────────────────────────────────────────────────────────────────

RATE = 1e-5


def drawn(scale: float, count: int = 4000, seed: int = 4) -> Trials:
    """Strangers with an exponential tail: one in 100,000 exceeds `scale` × ln(100,000) = 11.5 × scale."""
    return trials(np.random.default_rng(seed).exponential(scale, count))


def test_the_needed_threshold_is_the_quantile_of_what_was_drawn() -> None:
    need = needed_threshold(drawn(0.03), RATE)
    assert need.value == pytest.approx(-0.03 * math.log(RATE), abs=0.04)
    assert need.low < need.value < need.high
    assert need.low == pytest.approx(need.value, abs=0.1)


@pytest.mark.parametrize(
    ("scale", "in_use", "word"),
    [
        (0.03, 0.35, "agree with it"),  # 11.5 × 0.03 = 0.345
        (0.045, 0.35, "more similar here than usual"),  # 0.52
        (0.015, 0.35, "less similar here than usual"),  # 0.17
        (0.07, 0.35, "No threshold separates them"),  # 0.81, and half of the photos reach 0.65
    ],
)
def test_another_threshold_is_suggested_only_where_the_comparisons_speak_against_the_one_in_use(
    scale: float, in_use: float, word: str
) -> None:
    mates = trials([0.65] * 20)
    threshold, (reason,) = choose_threshold(in_use, mates, drawn(scale), RATE)
    assert word in reason
    if "usual" in word:
        need = needed_threshold(drawn(scale), RATE)
        assert threshold == (need.value if threshold > in_use else need.high)
        assert abs(threshold + scale * math.log(RATE)) < 0.1
    else:
        assert threshold == in_use
        assert "keep the threshold in use" in reason


@pytest.mark.parametrize(
    ("mates", "strangers", "words"),
    [
        ([0.6] * 9, drawn(0.07), ["9 photos have another one"]),
        ([0.6] * 20, drawn(0.07, 1900), ["of 1900 comparisons with another person the highest twentieth has 95 "]),
        ([], trials([]), ["0 photos have", "of 0 comparisons"]),
    ],
)
def test_too_little_keeps_the_threshold_in_use_and_says_why(
    mates: list[float], strangers: Trials, words: list[str]
) -> None:
    threshold, reasons = choose_threshold(0.36, trials(mates), strangers, RATE)
    assert threshold == 0.36
    assert len(reasons) == len(words)
    assert all(word in reason for word, reason in zip(words, reasons, strict=True))


@pytest.mark.parametrize(
    ("evidence", "lead", "margin"),
    [
        ([0.6] * 10, [0.2] * 10, 0.05),  # any up to 0.2 does: the one in use stays
        ([0.6] * 10, [0.03] * 10, 0.03),  # the one in use would miss them all
        ([0.6] * 9 + [0.3], [0.2] * 9 + [0.01], 0.05),  # what is missed anyway says nothing
        ([0.6] * 9 + [0.5], [0.2] * 9 + [-0.06], 0.07),  # another leads by 0.06: from 0.07 on
    ],
)
def test_the_margin_in_use_stays_unless_another_separates_better(
    evidence: list[float], lead: list[float], margin: float
) -> None:
    assert suggest_margin(of_mates(evidence, lead), 0.45, 0.05) == pytest.approx(margin)


# ── what is compared ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_photo_is_weighed_against_the_others_of_its_person_and_against_each_other_person() -> None:
    persons = gallery(
        target("Ann", axis(0), mixed(0.8)), target("Bob", mixed(0.3, 0.9)), target("Cat", axis(2), axis(2))
    )
    found = compared(persons)
    assert found.mates.evidence.tolist() == pytest.approx([0.8, 0.8, 1, 1], abs=EXACT)
    assert found.mates.extreme == "Ann0.jpg"
    # Of Ann's first photo Bob is 0.3, of her second 0.8 × 0.3 + 0.6 × √(1 − 0.3² − 0.9²).
    second = 0.24 + 0.6 * math.sqrt(0.1)
    assert found.lead[:2].tolist() == pytest.approx([0.5, 0.8 - second], abs=EXACT)
    assert len(found.strangers) == 5 * 2
    assert found.strangers.evidence.max() == pytest.approx(second, abs=EXACT)
    assert found.strangers.extreme in ("Ann1.jpg and Bob", "Bob0.jpg and Ann")  # but for the last bit


def test_one_person_with_one_photo_has_nothing_to_compare() -> None:
    found = compared(gallery(target("Ann", axis(0))))
    assert (len(found.mates), len(found.strangers), len(found.lead)) == (0, 0, 0)


def test_a_track_is_a_stranger_to_all_but_the_nearest_and_to_who_is_on_screen_beside_it() -> None:
    persons = gallery(target("Ann", axis(0)), target("Bob", axis(1)))
    # Ann for a second; beside her a face that is 0.4 like Ann and nothing like Bob; later one that is 0.5 like Bob.
    faces = faces_of([mixed(0.9, 0.1)] * 2 + [mixed(0.4)] * 2 + [mixed(0.2, 0.5)], [0, 1, 0, 1, 5], [0, 0, 1, 1, 2])
    tracks = summarize_tracks(faces, SampledFrames.empty())
    references = ReferenceSet(persons)
    evidence = EvidenceModel(references, USUAL).by_photos(tracks.embedding)
    found = track_trials("film", tracks, evidence, np.array([0, -1, -1], np.int32), ["Ann", "Bob"])
    assert found.found.evidence.tolist() == pytest.approx([0.9], abs=EXACT)
    pairs = sorted(zip(found.strangers.face.tolist(), found.strangers.evidence.tolist(), strict=True))
    assert [face for face, _ in pairs] == [0, 1, 1, 2]
    assert [round(value, 1) for _, value in pairs] == [0.1, 0.0, 0.4, 0.2]
    assert found.strangers.extreme == "film: Ann and a face from 0.000 s on"


def test_videos_are_joined_with_faces_of_their_own() -> None:
    first, second = trials([0.1, 0.3]), Trials(np.array([0.2], np.float32), np.array([0]), "second")
    joined = join_trials([first, second], largest=True)
    assert (joined.evidence.tolist(), joined.face.tolist(), joined.extreme) == (
        pytest.approx([0.1, 0.3, 0.2]), [0, 1, 2], "x.jpg and Ann"
    )  # fmt: skip
    assert join_trials([first, second], largest=False).extreme == "x.jpg and Ann"
    assert len(join_trials([], largest=True)) == 0
