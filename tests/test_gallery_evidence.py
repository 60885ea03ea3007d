"""Tracks that decide as a whole: what their best faces make of the others. Cosines by construction."""

from dataclasses import replace

import numpy as np
import pytest
from gallery_tools import DIMENSION, axis, faces_of, gallery, target
from hypothesis import given
from hypothesis import strategies as st

from fastface.gallery.limits import Limits, TrackRule
from fastface.gallery.matching import Matches, match
from fastface.types import Faces

ANN, BOB = axis(0), axis(1)
ONLY_ANN = gallery(target("Ann", ANN))


def towards(cosine: float, rest: int, other: float = 0.0) -> np.ndarray:
    """A unit vector so near to Ann and to Bob; what is left of its length lies on the axis `rest`."""
    vector = np.zeros(DIMENSION)
    vector[0], vector[1] = cosine, other
    vector[rest] = np.sqrt(1 - cosine**2 - other**2)
    return vector


def one_track(embeddings: list[np.ndarray], quality: list[float] | None = None) -> Faces:
    faces = faces_of(embeddings, [number / 5 for number in range(len(embeddings))])
    return faces if quality is None else replace(faces, quality=np.array(quality, np.float32))


def decided(faces: Faces, persons=ONLY_ANN, rule: TrackRule | None = None, margin: float = 0.05) -> Matches:
    periods = np.full(len(faces), 0.2)
    return match(faces, persons, Limits(0.5, 0.4, margin, rule or TrackRule()), periods)


def rows(matches: Matches, label: str = "Ann") -> list[int]:
    return matches.hits[label].face.tolist()


def test_turned_faces_of_a_sure_track_are_hits_and_marked() -> None:
    faces = one_track([towards(c, 2) for c in (0.6, 0.3, 0.6, 0.25, 0.6)], [0.9, 0.1, 0.9, 0.1, 0.9])
    found = decided(faces)
    assert rows(found) == [0, 1, 2, 3, 4]
    assert found.hits["Ann"].by_track.tolist() == [False, True, False, True, False]
    np.testing.assert_allclose(found.hits["Ann"].similarity, [0.6, 0.3, 0.6, 0.25, 0.6], atol=1e-3)
    np.testing.assert_allclose(found.hits["Ann"].margin, [1.6, 1.3, 1.6, 1.25, 1.6], atol=1e-3)
    assert found.doubts == ()
    alone = match(faces, ONLY_ANN, Limits(0.5, 0.4, 0.05), np.full(5, 0.2))
    assert rows(alone) == [0, 2, 4]


def test_a_face_that_is_not_like_its_track_is_left_out() -> None:
    faces = one_track([*(towards(0.6, 2) for _ in range(3)), axis(4), towards(0.0, 3)], [0.9, 0.9, 0.9, 0.1, 0.1])
    assert rows(decided(faces)) == [0, 1, 2]


def test_faces_that_are_nearly_alike_open_together() -> None:
    # Each is 0.45 alike and the rest of each another way: together 3 × 0.45 / √((3 × 0.45)² + 3 × (1 − 0.45²)) = 0.658.
    found = decided(one_track([towards(0.45, rest) for rest in (2, 3, 4)]))
    assert rows(found) == [0, 1, 2]
    assert found.hits["Ann"].by_track.all()


@pytest.mark.parametrize(("lucky", "expected"), [(1, []), (2, []), (3, [0, 1, 2])])
def test_one_or_two_lucky_faces_do_not_make_a_track(lucky: int, expected: list[int]) -> None:
    cosines = [0.55] * lucky + [0.2] * 6
    found = decided(one_track([towards(c, 2) for c in cosines], [0.1] * lucky + [0.9] * 6))
    assert rows(found) == expected
    if not expected:
        (doubt,) = found.doubts
        assert doubt.reason == f"{lucky} of {lucky + 6} faces alike, the best ones together are not"
        assert (doubt.target, doubt.faces) == ("Ann", lucky + 6)
        assert doubt.best_similarity == pytest.approx(0.55, abs=1e-3)
        assert doubt.similarity == pytest.approx(0.2, abs=1e-3)
        assert (doubt.start, doubt.end) == (0.0, pytest.approx((lucky + 5) / 5))


def test_a_short_track_of_lucky_faces_stands_as_there_is_nothing_against_it() -> None:
    assert rows(decided(one_track([towards(0.55, 2)]))) == [0]
    assert rows(decided(one_track([towards(0.55, 2), towards(0.45, 2)]))) == [0, 1]


def test_the_best_faces_are_those_of_the_best_quality() -> None:
    embeddings = [towards(c, 2) for c in (0.55, 0.55, 0.3, 0.3, 0.3)]
    # 0.3 each, all one way: 0.3 together, below the exit threshold.
    assert rows(decided(one_track(embeddings, [0.1, 0.1, 0.9, 0.9, 0.9]))) == []
    # (0.9 × 0.55 × 2 + 0.2 × 0.3) to Ann and (0.9 × 0.835 × 2 + 0.2 × 0.954) the other way: 0.527 together.
    assert rows(decided(one_track(embeddings, [0.9, 0.9, 0.1, 0.1, 0.2]))) == [0, 1, 2, 3, 4]


def test_another_persons_face_in_a_track_stays_that_persons() -> None:
    persons = gallery(target("Ann", ANN), target("Bob", BOB))
    faces = one_track([*(towards(0.7, 2) for _ in range(3)), towards(0.3, 2, 0.6)], [0.9, 0.9, 0.9, 0.1])
    found = decided(faces, persons)
    assert (rows(found), rows(found, "Bob")) == ([0, 1, 2], [3])


def test_a_lookalikes_face_in_a_track_is_nobodys() -> None:
    persons = gallery(target("Ann", ANN), lookalikes=(target("Bob", BOB),))
    faces = one_track([*(towards(0.7, 2) for _ in range(3)), towards(0.3, 2, 0.6)], [0.9, 0.9, 0.9, 0.1])
    assert rows(decided(faces, persons)) == [0, 1, 2]


def test_a_track_of_too_few_faces_is_a_doubt() -> None:
    found = decided(one_track([towards(0.6, 2)] * 2), rule=TrackRule(least=3))
    assert rows(found) == []
    assert [doubt.reason for doubt in found.doubts] == ["too few faces: 2"]
    assert rows(decided(one_track([towards(0.6, 2)] * 3), rule=TrackRule(least=3))) == [0, 1, 2]


@pytest.mark.parametrize(("cosine", "doubts"), [(0.44, []), (0.46, ["nearly like enough"])])
def test_what_is_nearly_alike_is_a_doubt(cosine: float, doubts: list[str]) -> None:
    found = decided(one_track([towards(cosine, 2)] * 4))
    assert rows(found) == []
    assert [doubt.reason for doubt in found.doubts] == doubts


def test_two_persons_that_are_as_near_are_a_doubt() -> None:
    persons = gallery(target("Ann", ANN), target("Bob", BOB))
    found = decided(one_track([towards(0.55, 2, 0.53)] * 3), persons)
    assert (rows(found), rows(found, "Bob")) == ([], [])
    (doubt,) = found.doubts
    assert (doubt.target, doubt.reason) == ("Ann", "another person is nearly as like")
    assert doubt.margin == pytest.approx(0.02, abs=1e-3)


def test_a_track_that_is_nearer_to_a_lookalike_is_no_doubt() -> None:
    persons = gallery(target("Ann", ANN), lookalikes=(target("Bob", BOB),))
    found = decided(one_track([towards(0.48, 2, 0.6)] * 3), persons)
    assert (rows(found), found.doubts) == ([], ())


def test_faces_without_a_track_stand_alone() -> None:
    faces = replace(one_track([towards(0.6, 2), towards(0.3, 2), towards(0.3, 2)]), track=np.full(3, -1, np.int32))
    assert rows(decided(faces)) == [0]


@given(st.permutations(range(9)))
def test_the_order_of_the_faces_does_not_matter(order: list[int]) -> None:
    cosines = [0.6, 0.3, 0.6, 0.25, 0.6, 0.55, 0.2, 0.2, 0.2]
    faces = faces_of([towards(c, 2) for c in cosines], [n / 5 for n in range(9)], [0] * 5 + [1] * 4)
    faces = replace(faces, quality=np.array([0.9, 0.1, 0.9, 0.1, 0.9, 0.1, 0.9, 0.9, 0.9], np.float32))
    expected, found = decided(faces), decided(faces[np.array(order)])
    assert found.hits["Ann"].time.tolist() == expected.hits["Ann"].time.tolist()
    assert found.hits["Ann"].by_track.tolist() == expected.hits["Ann"].by_track.tolist()
    assert found.doubts == expected.doubts
    assert len(found.doubts) == 1
