"""Whose a face is: similarity, lead, hysteresis, one face a frame; and cosines that no batch changes."""

import numpy as np
import pytest
from gallery_tools import DIMENSION, axis, faces_of, gallery, mixed, target
from hypothesis import given, settings
from hypothesis import strategies as st

from fastface import cosine
from fastface.cosine import References, cosine_blocks, near_rows, normalize_rows
from fastface.gallery.matching import EVERYONE, match
from fastface.gallery.reference_set import ReferenceSet
from fastface.gallery.thresholds import MatchThresholds
from fastface.types import Faces

ANN, BOB = axis(0), axis(1)


def matched(faces: Faces, persons, *, enter=0.5, exit=0.4, margin=0.05):
    return match(faces, ReferenceSet(persons), MatchThresholds(enter, exit, margin), np.full(len(faces), 0.2))


def rows(hits) -> list[int]:
    return hits.face.tolist()


def test_similarity_is_the_cosine_to_the_nearest_reference_and_the_margin_the_lead():
    persons = gallery(target("Ann", axis(3), ANN), target("Bob", BOB))
    faces = faces_of([mixed(0.75, 0.25)], [3.0])
    hits = matched(faces, persons)
    assert hits["Ann"].similarity.tolist() == [0.75]
    assert hits["Ann"].margin.tolist() == [0.5]
    assert hits["Ann"].time.tolist() == [3.0]
    assert hits["Ann"].period.tolist() == [0.2]
    assert list(hits) == ["Ann"]


def test_a_lone_target_leads_over_the_smallest_cosine_there_is():
    hits = matched(faces_of([mixed(0.75)], [0.0]), gallery(target("Ann", ANN)))
    assert hits["Ann"].margin.tolist() == [1.75]


def test_a_track_opens_at_the_threshold_and_holds_to_the_exit_threshold():
    cosines = [0.45, 0.5, 0.45, 0.40625, 0.39, 0.45, 0.6, 0.41]
    faces = faces_of([mixed(value) for value in cosines], [i / 5 for i in range(8)])
    hits = matched(faces, gallery(target("Ann", ANN)))
    assert rows(hits["Ann"]) == [1, 2, 3, 6, 7]


def test_hysteresis_does_not_pass_from_track_to_track_nor_to_faces_without_one():
    times = [0.0, 0.2, 0.4, 0.6]
    embeddings = [mixed(0.6), mixed(0.45), mixed(0.45), mixed(0.45)]
    assert rows(matched(faces_of(embeddings, times, [0, 1, 0, 1]), gallery(target("Ann", ANN)))["Ann"]) == [0, 2]
    assert rows(matched(faces_of(embeddings, times, [-1] * 4), gallery(target("Ann", ANN)))["Ann"]) == [0]


def test_a_track_ends_for_a_target_where_another_is_nearer():
    persons = gallery(target("Ann", ANN), target("Bob", BOB))
    faces = faces_of([mixed(0.6), mixed(0.45, 0.46), mixed(0.45), mixed(0.3, 0.7)], [0, 0.2, 0.4, 0.6])
    hits = matched(faces, persons)
    assert rows(hits["Ann"]) == [0]
    assert rows(hits["Bob"]) == [3]


@pytest.mark.parametrize(("other", "expected"), [(0.5, [0, 1]), (0.5625, [])])
def test_the_lead_is_needed_to_open_only(other, expected):
    persons = gallery(target("Ann", ANN), target("Bob", BOB))
    faces = faces_of([mixed(0.5625, other), mixed(0.5, 0.46875)], [0.0, 0.2])
    hits = matched(faces, persons, margin=0.0625)
    assert (rows(hits["Ann"]) if hits else []) == expected


def test_a_lookalike_takes_the_lead_and_ends_a_track():
    persons = gallery(target("Ann", ANN), lookalikes=(target("Zoe", axis(2)),))
    near = faces_of([mixed(0.6, 0, 0.58), mixed(0.6, 0, 0.3), mixed(0.5, 0, 0.52), mixed(0.5, 0, 0.4)], [0, 1, 2, 3])
    hits = matched(near, persons, enter=0.55)
    assert rows(hits["Ann"]) == [1]
    assert list(hits) == ["Ann"]


def test_a_target_claims_one_face_a_frame_the_most_similar():
    faces = faces_of([mixed(0.6), mixed(0.75), mixed(0.6)], [1.0, 1.0, 2.0], [0, 1, 2])
    assert rows(matched(faces, gallery(target("Ann", ANN)))["Ann"]) == [1, 2]


def test_of_two_equal_faces_the_surer_detection_is_claimed():
    faces = faces_of([mixed(0.75)] * 2, [1.0, 1.0], [0, 1], det_score=[0.6, 0.8])
    assert rows(matched(faces, gallery(target("Ann", ANN)))["Ann"]) == [1]


def test_everyone_is_every_face_but_the_lookalikes():
    faces = faces_of([mixed(0.6), mixed(0, 0.3), mixed(0, 0.8)], [1.0, 1.0, 0.0], [0, 1, 2])
    persons = gallery(target("Ann", ANN), lookalikes=(target("Bob", BOB),), everyone=True)
    hits = matched(faces, persons)
    assert rows(hits["Ann"]) == [0]
    assert rows(hits[EVERYONE]) == [0, 1]
    assert hits[EVERYONE].similarity.tolist() == [1.0, 1.0]
    assert hits[EVERYONE].margin.tolist() == [2.0, 2.0]


def test_no_target_is_nobody():
    assert matched(faces_of([mixed(0.6)], [0.0]), gallery()) == {}
    only_lookalikes = gallery(lookalikes=(target("Bob", BOB),))
    assert matched(faces_of([mixed(0.6)], [0.0]), only_lookalikes) == {}


def test_no_faces_give_no_entry():
    assert matched(Faces.empty(DIMENSION), gallery(target("Ann", ANN), target("Bob", BOB))) == {}


COSINES = st.lists(
    st.tuples(st.integers(0, 2), st.floats(0, 0.6875, width=16), st.floats(0, 0.6875, width=16)),
    min_size=1,
    max_size=30,
)


def by_hand(cosines, enter, exit, margin) -> dict[str, list[int]]:
    """The same rules as a plain walk through each track: one face a frame, so that no face is contested."""
    found: dict[str, list[int]] = {}
    holder: dict[int, str] = {}
    for row, (track, ann, bob) in enumerate(cosines):
        label, best, other = ("Ann", ann, bob) if ann >= bob else ("Bob", bob, ann)
        held = holder.get(track) == label and best >= exit
        opened = best >= enter and best - other >= margin
        if held or opened:
            holder[track] = label
            found.setdefault(label, []).append(row)
        else:
            holder.pop(track, None)
    return found


@given(COSINES)
def test_hits_are_those_of_a_walk_along_each_track(cosines):
    faces = faces_of(
        [mixed(ann, bob) for _, ann, bob in cosines], [i / 4 for i in range(len(cosines))], [t for t, _, _ in cosines]
    )
    hits = matched(faces, gallery(target("Ann", ANN), target("Bob", BOB)), enter=0.5, exit=0.25, margin=0.125)
    assert {label: rows(found) for label, found in hits.items()} == by_hand(cosines, 0.5, 0.25, 0.125)


def test_a_face_has_the_same_bits_whatever_is_beside_it(monkeypatch):
    generator = np.random.default_rng(1)
    embeddings = normalize_rows(generator.normal(size=(1000, 512))).astype(np.float16)
    references = normalize_rows(generator.normal(size=(7, 512)))

    def together(block_rows: int, rows: np.ndarray, columns: int = 7) -> np.ndarray:
        monkeypatch.setattr(cosine, "BLOCK_ROWS", block_rows)
        blocks = [values for _, values in cosine_blocks(embeddings[rows], references[:columns])]
        return np.concatenate(blocks)

    expected = together(8192, np.arange(1000))
    shuffled = generator.permutation(1000)
    assert together(1, np.arange(100)).tobytes() == expected[:100].tobytes()
    assert together(37, shuffled).tobytes() == expected[shuffled].tobytes()
    assert together(256, np.arange(1000), columns=1).tobytes() == expected[:, :1].tobytes()


def test_cosines_agree_with_plain_double_precision():
    generator = np.random.default_rng(2)
    embeddings = normalize_rows(generator.normal(size=(50, 512))).astype(np.float16)
    references = normalize_rows(generator.normal(size=(3, 512)))
    ((rows_slice, values),) = cosine_blocks(embeddings, references)
    assert rows_slice == slice(0, 50)
    expected = [
        [sum(a * b for a, b in zip(map(float, e), map(float, r), strict=True)) for r in references] for e in embeddings
    ]
    np.testing.assert_allclose(values, expected, atol=1e-6)


@settings(max_examples=20)
@given(st.integers(1, 6))
def test_normalising_refuses_what_has_no_direction(bad_row):
    embeddings = np.ones((8, 4))
    np.testing.assert_allclose(normalize_rows(embeddings), 0.5)
    for bad in (0.0, np.nan, np.inf):
        embeddings[bad_row] = bad
        with pytest.raises(ValueError, match="not finite or has the length zero"):
            normalize_rows(embeddings)


def test_every_row_that_may_reach_the_floor_is_near_and_few_others():
    chance = np.random.default_rng(3)
    references = normalize_rows(chance.standard_normal((5, 64)))
    faces = normalize_rows(chance.standard_normal((9000, 64)) + 2 * references[chance.integers(0, 5, 9000)])
    embeddings = faces.astype(np.float16)
    embeddings[:100] *= np.float16(1e-3)  # components down to subnormal numbers
    best = (embeddings.astype(np.float64) @ references.T.astype(np.float64)).max(axis=1)
    for floor in (-1.0, 0.0, 0.3, *best[:20].tolist(), 0.999):
        near = near_rows(embeddings, [References(references[:2]), References(references[2:])], floor)
        assert set(np.flatnonzero(best >= floor)) <= set(near)
        assert (best[near] > floor - 0.002).all()
        assert (np.diff(near) > 0).all()


def test_every_finite_half_precision_number_is_widened_exactly():
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)]
    wide = cosine.widen(halves[None])[0]
    assert wide.dtype == np.float32
    assert np.array_equal(wide, halves.astype(np.float32))
