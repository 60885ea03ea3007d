"""Evidence of tracks for targets, and what is decided by it. Cosines by construction."""

from dataclasses import replace

import numpy as np
import pytest
from gallery_tools import DIMENSION, USUAL, axis, faces_of, gallery, target
from hypothesis import given
from hypothesis import strategies as st

from fastface.gallery.matching import EVERYONE, Matches, VideoFaces, match, match_tracks
from fastface.gallery.reference_set import ReferenceSet
from fastface.gallery.thresholds import MatchThresholds, TrackRule
from fastface.gallery.track_voting import Cohort, EvidenceModel
from fastface.grouping import summarize_tracks
from fastface.impostors import ImpostorDistribution
from fastface.types import HIT_KINDS, Faces, Gallery, GrownReference, SampledFrames, Target

ANN, BOB = axis(0), axis(1)
ONLY_ANN = gallery(target("Ann", ANN))
RULE = TrackRule(anywhere=0.5, in_film=0.4, in_shot=0.3, expected_false=0.0)


def towards(cosine: float, rest: int, other: float = 0.0) -> np.ndarray:
    """A unit vector so near to Ann and to Bob; what is left of its length lies on the axis `rest`."""
    vector = np.zeros(DIMENSION)
    vector[0], vector[1] = cosine, other
    vector[rest] = np.sqrt(1 - cosine**2 - other**2)
    return vector


def one_track(embeddings: list[np.ndarray], quality: list[float] | None = None) -> Faces:
    faces = faces_of(embeddings, [number / 5 for number in range(len(embeddings))])
    return faces if quality is None else replace(faces, quality=np.array(quality, np.float32))


def tracks_of(*tracks: tuple[float, list[np.ndarray]]) -> Faces:
    """Tracks that begin at a time, a face each fifth of a second."""
    embeddings = [embedding for _, found in tracks for embedding in found]
    times = [start + number / 5 for start, found in tracks for number in range(len(found))]
    numbers = [number for number, (_, found) in enumerate(tracks) for _ in found]
    return faces_of(embeddings, times, numbers)


def frames_of(seconds: float, cuts: tuple[float, ...] = ()) -> SampledFrames:
    """Five frames a second, with a cut before each of some times."""
    time = np.arange(round(seconds * 5)) / 5
    shot = np.searchsorted(np.array(cuts), time, "right").astype(np.int32)
    return SampledFrames(time, np.round(time * 90000).astype(np.int64), shot, np.empty((len(time), 0), np.uint8))


def decided(
    faces: Faces,
    persons: Gallery = ONLY_ANN,
    rule: TrackRule = RULE,
    frames: SampledFrames | None = None,
    usual: ImpostorDistribution = USUAL,
) -> Matches:
    frames = frames or frames_of(0.0)
    video = VideoFaces(faces, summarize_tracks(faces, frames), np.full(len(faces), 0.2))
    references = ReferenceSet(persons)
    return match_tracks(video, references, MatchThresholds(0.5, 0.4, 0.05, rule), EvidenceModel(references, usual))


def rows(matches: Matches, label: str = "Ann") -> list[int]:
    return matches.hits[label].face.tolist() if label in matches.hits else []


def kinds(matches: Matches, label: str = "Ann") -> list[str]:
    return [HIT_KINDS[kind] for kind in matches.hits[label].by.tolist()] if label in matches.hits else []


def test_turned_faces_of_a_sure_track_are_hits_and_marked() -> None:
    faces = one_track([towards(c, 2) for c in (0.6, 0.3, 0.6, 0.25, 0.6)], [0.9, 0.1, 0.9, 0.1, 0.9])
    found = decided(faces)
    assert rows(found) == [0, 1, 2, 3, 4]
    assert kinds(found) == ["face", "track", "face", "track", "face"]
    np.testing.assert_allclose(found.hits["Ann"].similarity, [0.6, 0.3, 0.6, 0.25, 0.6], atol=1e-3)
    np.testing.assert_allclose(found.hits["Ann"].margin, [1.6, 1.3, 1.6, 1.25, 1.6], atol=1e-3)
    assert found.near_misses == ()
    alone = match(faces, ReferenceSet(ONLY_ANN), MatchThresholds(0.5, 0.4, 0.05), np.full(5, 0.2))
    assert alone["Ann"].face.tolist() == [0, 2, 4]


def test_a_face_unlike_its_track_is_left_out_unless_it_lies_shortly_between_two_that_are() -> None:
    faces = one_track([*(towards(0.6, 2) for _ in range(3)), axis(4), towards(0.6, 2), axis(4)], [0.9] * 3 + [0.1] * 3)
    assert rows(decided(faces)) == [0, 1, 2, 3, 4]
    late = replace(faces, time=np.array([0.0, 0.2, 0.4, 1.6, 2.8, 3.0]))
    assert rows(decided(late)) == [0, 1, 2, 4]


def test_faces_that_are_nearly_alike_decide_together() -> None:
    # Each is 0.45 alike and the rest of each another way: together 3 × 0.45 / √((3 × 0.45)² + 3 × (1 − 0.45²)) = 0.658.
    found = decided(one_track([towards(0.45, rest) for rest in (2, 3, 4)]))
    assert rows(found) == [0, 1, 2]
    assert kinds(found) == ["track"] * 3


def test_lucky_faces_do_not_make_a_track() -> None:
    found = decided(one_track([towards(c, 2) for c in [0.55] * 3 + [0.2] * 6], [0.1] * 3 + [0.9] * 6))
    assert rows(found) == []
    assert found.near_misses == ()


def test_the_best_eight_faces_decide() -> None:
    embeddings = [towards(0.6, 2)] * 8 + [axis(4)] * 20
    assert len(rows(decided(one_track(embeddings, [0.9] * 8 + [0.1] * 20)))) == 8
    assert rows(decided(one_track(embeddings, [0.1] * 8 + [0.9] * 20))) == []


def test_another_persons_face_in_a_track_stays_out() -> None:
    faces = one_track([*(towards(0.7, 2) for _ in range(3)), towards(0.3, 2, 0.6)], [0.9, 0.9, 0.9, 0.1])
    found = decided(faces, gallery(target("Ann", ANN), target("Bob", BOB)))
    assert (rows(found), rows(found, "Bob")) == ([0, 1, 2], [])
    assert rows(decided(faces, gallery(target("Ann", ANN), lookalikes=(target("Bob", BOB),)))) == [0, 1, 2]


def test_a_track_of_too_few_faces_is_a_doubt() -> None:
    found = decided(one_track([towards(0.6, 2)] * 2), rule=replace(RULE, least_faces=3))
    assert rows(found) == []
    assert [near_miss.reason for near_miss in found.near_misses] == ["too few faces: 2"]
    assert rows(decided(one_track([towards(0.6, 2)] * 3), rule=replace(RULE, least_faces=3))) == [0, 1, 2]


@pytest.mark.parametrize(("cosine", "reasons"), [(0.41, []), (0.43, ["just below the threshold"])])
def test_what_is_nearly_alike_is_a_doubt(cosine: float, reasons: list[str]) -> None:
    found = decided(one_track([towards(cosine, rest) for rest in (2, 2, 2, 2)]))
    assert rows(found) == []
    assert [near_miss.reason for near_miss in found.near_misses] == reasons
    for near_miss in found.near_misses:
        assert (near_miss.target, near_miss.faces, near_miss.start, near_miss.end) == (
            "Ann",
            4,
            0.0,
            pytest.approx(0.6),
        )
        assert (near_miss.evidence, near_miss.similarity, near_miss.best_similarity) == pytest.approx(
            (cosine,) * 3, abs=1e-3
        )


def test_two_persons_that_are_as_near_are_a_doubt() -> None:
    persons = gallery(target("Ann", ANN), target("Bob", BOB))
    found = decided(one_track([towards(0.55, 2, 0.53)] * 3), persons)
    assert (rows(found), rows(found, "Bob")) == ([], [])
    (near_miss,) = found.near_misses
    assert (near_miss.target, near_miss.reason) == ("Ann", "another person is nearly as similar")
    assert near_miss.margin == pytest.approx(0.02, abs=1e-3)


def test_a_track_that_is_nearer_to_a_lookalike_is_no_doubt() -> None:
    persons = gallery(target("Ann", ANN), lookalikes=(target("Bob", BOB),))
    found = decided(one_track([towards(0.48, 2, 0.6)] * 3), persons)
    assert (rows(found), found.near_misses) == ([], ())


def test_faces_without_a_track_stand_alone() -> None:
    faces = replace(one_track([towards(0.6, 2), towards(0.3, 2), towards(0.3, 2)]), track=np.full(3, -1, np.int32))
    assert rows(decided(faces)) == [0]


def test_a_track_needs_less_evidence_in_a_film_and_least_in_a_shot_with_the_target() -> None:
    sure, in_film, in_shot = ([towards(cosine, 2)] * 3 for cosine in (0.6, 0.45, 0.35))
    faces = tracks_of((0.0, sure), (2.0, in_shot), (4.0, in_shot), (6.0, in_film))
    found = decided(faces, frames=frames_of(8.0, cuts=(3.0, 5.0)))
    assert found.hits["Ann"].time.tolist() == pytest.approx([0.0, 0.2, 0.4, 2.0, 2.2, 2.4, 6.0, 6.2, 6.4])
    assert kinds(found) == ["face"] * 3 + ["cluster"] * 6
    alone = decided(tracks_of((2.0, in_shot), (6.0, in_film)), frames=frames_of(8.0, cuts=(3.0, 5.0)))
    assert rows(alone) == []


def test_nobody_is_in_one_shot_twice_at_a_time() -> None:
    sure, other = [towards(0.6, 2)] * 3, [towards(0.45, 3)] * 3
    assert decided(tracks_of((0.0, sure), (0.4, other))).hits["Ann"].time.max() == pytest.approx(0.4)
    assert decided(tracks_of((0.0, sure), (0.6, other))).hits["Ann"].time.max() == pytest.approx(1.0)


def test_where_shots_are_unknown_no_track_is_in_the_shot_of_another() -> None:
    faces = tracks_of((0.0, [towards(0.6, 2)] * 3), (2.0, [towards(0.35, 2)] * 3))
    assert len(rows(decided(faces))) == 3


def test_many_photos_count_by_their_centroid_or_the_nearest_less_what_chance_gives() -> None:
    photos = target("Ann", towards(0.8, 2), towards(0.8, 3))
    # The centroid is at 1.6 / √(1.6² + 2 × 0.6²) = 0.8835 to Ann's own axis; the nearest photo at 0.8.
    usual = replace(USUAL, nearest_gain=0.1)
    model = EvidenceModel(ReferenceSet(gallery(photos)), usual)
    own = model.weigh(np.array([ANN], np.float16), -1.0)
    assert own.evidence[0] == pytest.approx(0.8835, abs=1e-3)
    # The photo itself: 0.8 × 0.8835 + 0.6 × 0.6 / √2 / ... = 1 − gain by the nearest, gain = 0.1 × √(2 ln 2).
    same = model.weigh(photos.embeddings[:1].astype(np.float16), -1.0)
    assert same.evidence[0] == pytest.approx(max(1 - 0.1 * np.sqrt(2 * np.log(2)), 0.905), abs=2e-3)


def grown(embedding: np.ndarray) -> Target:
    added = GrownReference("Ann", "film", 0.0, (0, 0, 1, 1), "Ann0.jpg", 0.9, 0.9, 0.9, 0.9, 0.0)
    return Target("Ann", np.stack([ANN, embedding.astype(np.float32)]), ("Ann0.jpg", "film at 0 s"), (added,))


def test_references_out_of_films_count_less_than_photos_and_add_up_with_them() -> None:
    found = EvidenceModel(ReferenceSet(gallery(grown(axis(2)))), USUAL).weigh(
        np.array([axis(2), towards(0.3, 3), 0.6 * axis(2) + 0.8 * axis(3)], np.float16), -1.0
    )
    # The film's faces share 0.1 whoever they are of: a cosine of 1 counts 0.9, one of 0.6 counts 0.5.
    np.testing.assert_allclose(found.evidence, [0.9, 0.3, 0.5], atol=2e-3)
    np.testing.assert_allclose(found.by_photos, [0.0, 0.3, 0.0], atol=2e-3)
    # 0.3 by the photo and 0.4 by the film are, for two that say the same (correlation 1), (0.3 + 0.4) / 2; for two
    # that are independent (0), (0.3 + 0.4) / √2 = 0.495.
    both = np.array([towards(0.3, 3)], np.float64)
    both[0, 2], both[0, 3] = 0.5, np.sqrt(1 - 0.09 - 0.25)
    for correlation, expected in ((1.0, 0.4), (0.0, 0.495)):
        model = EvidenceModel(ReferenceSet(gallery(grown(axis(2)))), replace(USUAL, film_correlation=correlation))
        assert model.weigh(both.astype(np.float16), -1.0).evidence[0] == pytest.approx(expected, abs=2e-3)


def test_an_archive_of_strangers_who_are_like_the_target_lowers_the_evidence() -> None:
    chance = np.random.default_rng(3)
    cohort = Cohort(2, USUAL)
    strangers = chance.normal(0.0, 0.06, (4000, 2)).astype(np.float32)
    strangers[:, 0] += 0.05
    cohort.observe(strangers)
    offset, spread = cohort.corrections()
    assert offset[0] == pytest.approx(0.05 * 4000 / 4200, abs=0.004)
    assert offset[1] == pytest.approx(0.0, abs=0.004)
    np.testing.assert_allclose(spread, 1.0, atol=0.03)
    persons = gallery(target("Ann", ANN), target("Bob", BOB))
    found = EvidenceModel(ReferenceSet(persons), USUAL, cohort).weigh(np.array([towards(0.6, 2)], np.float16), -1.0)
    assert found.evidence[0] == pytest.approx(0.6 - offset[0], abs=0.02)


def test_an_archive_full_of_the_target_changes_nothing() -> None:
    cohort = Cohort(1, USUAL)
    cohort.observe(np.full((5000, 1), 0.6, np.float32))
    offset, spread = cohort.corrections()
    assert (offset.tolist(), spread.tolist()) == ([0.0], [1.0])


@given(st.permutations(range(40)))
def test_the_order_of_the_archive_does_not_matter(order: list[int]) -> None:
    evidence = np.random.default_rng(1).normal(0.02, 0.07, (40, 3)).astype(np.float32)
    one, other = Cohort(3, USUAL), Cohort(3, USUAL)
    one.observe(evidence)
    for row in order:
        other.observe(evidence[row : row + 1])
    assert [part.tolist() for part in one.corrections()] == [part.tolist() for part in other.corrections()]


def test_a_track_like_a_lookalike_is_not_everyones() -> None:
    persons = gallery(lookalikes=(target("Bob", BOB),), everyone=True)
    faces = tracks_of((0.0, [towards(0.0, 2, 0.6)] * 3 + [axis(3)]), (0.0, [axis(4)] * 2))
    quality = replace(faces, quality=np.array([0.9, 0.9, 0.9, 0.1, 0.9, 0.9], np.float32))
    assert rows(decided(quality, persons), EVERYONE) == [4, 5]


@given(st.permutations(range(9)))
def test_the_order_of_the_faces_does_not_matter(order: list[int]) -> None:
    cosines = [0.6, 0.3, 0.6, 0.25, 0.6, 0.55, 0.44, 0.44, 0.44]
    faces = faces_of([towards(c, 2) for c in cosines], [n / 5 for n in range(9)], [0] * 5 + [1] * 4)
    faces = replace(faces, quality=np.array([0.9, 0.1, 0.9, 0.1, 0.9, 0.1, 0.9, 0.9, 0.9], np.float32))
    rule = replace(RULE, in_film=0.5)
    expected, found = decided(faces, rule=rule), decided(faces[np.array(order)], rule=rule)
    assert found.hits["Ann"].time.tolist() == expected.hits["Ann"].time.tolist()
    assert found.hits["Ann"].by.tolist() == expected.hits["Ann"].by.tolist()
    assert found.near_misses == expected.near_misses
    assert len(found.near_misses) == 1
