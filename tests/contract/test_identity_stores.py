"""Stores of identities: one contract, both places."""

import math
from typing import Any

import numpy as np
import pytest
from store_tools import THRESHOLD, D, axis, between, facts, keep_only, only, opened, tell, unit

from fastface.census.store import register
from fastface.census.store.base import (
    Encounter,
    IdentityStore,
    Membership,
    Sighting,
    open_existing,
)
from fastface.errors import ConfigError, StoreError

# ── matching and refining ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_face_falls_to_an_identity_from_the_threshold_on(store: IdentityStore) -> None:
    assert tell(store, axis(0), "a") == 1
    assert tell(store, between(0, 1, 0.599), "b") == 2
    assert tell(store, between(0, 5, 0.601), "c") == 1
    assert facts(store) == [(1, "", 2, 2), (2, "", 1, 1)]


def test_the_nearest_wins_and_at_a_tie_the_smallest_number(store: IdentityStore) -> None:
    assert [tell(store, axis(place), str(place)) for place in (0, 1, 2)] == [1, 2, 3]
    assert tell(store, between(2, 1, 0.75), "nearest") == 3
    other = unit(axis(0) + axis(1))  # cosine 0.707 to 1 and 2, both of which are as they were
    assert tell(store, other, "tie") == 1


def test_the_centroid_is_the_running_mean_up_to_the_limit(where: str) -> None:
    rng = np.random.default_rng(1)
    faces = [unit(axis(0) + rng.normal(0, 0.05, D)).astype(np.float32) for _ in range(8)]
    expected = faces[0].astype(np.float64)
    for r, face in enumerate(faces[1:5], start=1):
        expected = unit((r * expected + face) / (r + 1))
    with opened(where, refine_limit=5) as store:
        assert {tell(store, face, f"v{place}", count=place + 1) for place, face in enumerate(faces)} == {1}
        one = only(store)
    np.testing.assert_allclose(one.centroid, expected, atol=1e-6)
    assert one.centroid.dtype == np.float32
    assert (one.refinements, one.count, one.sources) == (5, 36, 8)


def test_an_embedding_need_not_have_length_one(store: IdentityStore) -> None:
    tell(store, 17 * axis(3), "a")
    np.testing.assert_allclose(only(store).centroid, axis(3), atol=1e-7)


def person(face: np.ndarray, *seen: tuple[str, str, int], least: float | None = None) -> Encounter:
    return Encounter(face, tuple(Sighting(*one) for one in seen), least)


def test_persons_of_a_census_are_different_identities(store: IdentityStore) -> None:
    persons = [
        person(axis(0), ("a", "0", 3)),
        person(between(0, 1, 0.9), ("a", "1", 4)),
        person(axis(5), ("a", "2", 1)),
    ]
    assert store.tell(persons, seen=10) == [1, 2, 3]
    assert facts(store) == [(1, "", 3, 1), (2, "", 4, 1), (3, "", 1, 1)]
    # Who is more like somebody chooses first, whoever is told first; who has nobody left is new.
    near = [person(between(0, 7, 0.8), ("b", "0", 1)), person(between(0, 6, 0.95), ("b", "1", 1))]
    assert store.tell([near[0], near[1]], seen=20) == [2, 1]
    assert store.tell([person(axis(5), ("c", str(k), 1)) for k in range(3)], seen=30) == [3, 4, 5]


def test_of_several_who_surely_are_somebody_the_first_told_is(store: IdentityStore) -> None:
    tell(store, axis(0), "a")
    sure = [person(between(0, 1, 0.8), ("b", "0", 9)), person(between(0, 2, 0.9), ("b", "1", 1))]
    assert store.tell(sure, seen=1, sure=0.75) == [1, 2]


def test_a_person_who_is_not_seen_clearly_must_be_more_like_somebody(store: IdentityStore) -> None:
    tell(store, axis(0), "a")
    assert store.tell([person(between(0, 1, 0.7), ("b", "0", 1), least=0.75)], seen=1) == [2]
    assert store.tell([person(between(0, 2, 0.7), ("c", "0", 1))], seen=1) == [1]


def test_a_person_of_several_sources_refines_once_for_each(store: IdentityStore) -> None:
    face = between(0, 1, 0.9)
    assert store.tell([person(axis(0), ("a", "0", 2), ("b", "0", 3))], seen=5) == [1]
    assert store.tell([person(face, ("b", "0", 4), ("c", "0", 1), ("d", "0", 1))], seen=6) == [1]
    one = only(store)
    assert (one.count, one.sources, one.refinements, one.first_seen, one.last_seen) == (8, 4, 4, 5, 6)
    expected = unit(3 * unit(2 * axis(0) + face) + face)
    np.testing.assert_allclose(one.centroid, expected, atol=1e-6)


def test_many_persons_are_compared_before_the_change_and_again_if_others_were_faster(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    faces = np.linalg.qr(rng.normal(size=(D, D)))[0].astype(np.float32)
    persons = [person(face, ("film", str(k), 1)) for k, face in enumerate(faces)]
    persons += [person(-face, ("film", str(D + k), 1)) for k, face in enumerate(faces[:2])]
    compared, compare = [], register.match_identities
    with opened(where) as store, opened(where) as other:

        def slowly(*given: Any) -> Any:
            compared.append(len(given[1].faces))
            found = compare(*given)
            if compared == [len(persons)]:
                # Nobody waits for the comparison: in the meantime another has told of the last.
                assert tell(other, persons[-1].embedding, "elsewhere") == 1
                compared.append(0)
            return found

        monkeypatch.setattr(register, "match_identities", slowly)
        numbers = store.tell(persons, seen=1)
        assert [count for count in compared if count > 1] == [len(persons)] * 2
        assert numbers[-1] == 1
        assert sorted(numbers) == list(range(1, len(persons) + 1))
        assert facts(other)[0] == (1, "", 2, 2)


def test_a_census_is_one_change_of_the_store(where: str) -> None:
    with opened(where) as store, opened(where) as other:
        store.tell([person(axis(k), ("a", str(k), 1)) for k in range(5)], seen=1)
        bad = [person(axis(6), ("b", "0", 1)), person(np.zeros(D), ("b", "1", 1))]
        with pytest.raises(ValueError, match="length zero"):
            store.tell(bad, seen=1, kept={"a": []})
        assert facts(other) == [(k + 1, "", 1, 1) for k in range(5)]
        assert store.tell([person(axis(0), ("a", "0", 2))], seen=1, kept={"a": ["1"], "z": []}) == [1]
        assert facts(other) == [(1, "", 2, 1), (2, "", 1, 1)]


@pytest.mark.parametrize(
    "bad", [np.full(D, np.nan), np.full(D, np.inf), np.zeros(D), np.ones(D - 1), np.ones((1, D))], ids=str
)
def test_what_is_no_embedding_is_refused(store: IdentityStore, bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="embedding"):
        tell(store, bad, "a")
    assert store.identities() == []


def test_other_values_out_of_range_are_refused(store: IdentityStore, where: str) -> None:
    with pytest.raises(ValueError, match="seen at nan"):
        tell(store, axis(0), "a", seen=math.nan)
    with pytest.raises(ValueError, match="0 faces"):
        Sighting("a", "0", 0)
    for other in ({"dimension": 0}, {"threshold": math.nan}, {"refine_limit": 0}):
        with pytest.raises(ValueError, match="allowed"):
            opened(where, **other)


# ── counting ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_strangers_whom_a_trial_takes_for_somebody_do_not_change_whom_she_is_like(where: str) -> None:
    with opened(where) as store:
        number = tell(store, axis(0), "film", "track 0", count=5, seen=1)
        store.name(number, "Alice")
    with opened(where, threshold=-1, refine_from=THRESHOLD) as trial:
        for other, cosine in ((1, 0.1), (2, THRESHOLD - 0.01), (3, THRESHOLD + 0.01)):
            face = between(0, other, cosine)
            assert tell(trial, face, "other", f"track {other}", seen=2) == number
        (alice,) = trial.identities()
    assert (alice.name, alice.count, alice.refinements) == ("Alice", 8, 2)
    expected = unit(axis(0) + between(0, 3, THRESHOLD + 0.01))
    np.testing.assert_allclose(alice.centroid, expected, atol=1e-6)


def test_a_sighting_told_again_counts_once_and_refines_nothing(store: IdentityStore) -> None:
    tell(store, axis(0), "a", count=4, seen=50)
    face = between(0, 1, 0.8)
    tell(store, face, "b", count=5, seen=70)
    before = only(store)
    for count, seen in ((5, 70), (9, 60), (2, 90)):
        assert tell(store, face, "b", count=count, seen=seen) == 1
        assert only(store).count == 4 + count
    after = only(store)
    np.testing.assert_array_equal(after.centroid, before.centroid)
    assert (before.refinements, after.refinements, after.sources) == (2, 2, 2)
    assert (before.first_seen, before.last_seen, after.first_seen, after.last_seen) == (50, 70, 50, 90)


def test_a_sighting_moves_and_leaves_nothing_behind(store: IdentityStore) -> None:
    for place, source in ((0, "a"), (0, "b"), (1, "c"), (2, "d")):
        tell(store, axis(place), source, count=10)
    store.name(3, "Carol")
    tell(store, axis(1), "b", count=7)
    assert facts(store) == [(1, "", 10, 1), (2, "", 17, 2), (3, "Carol", 10, 1)]
    assert [one.refinements for one in store.identities()] == [2, 2, 1]
    tell(store, axis(1), "a", count=1)  # the last of 1, which has no name
    tell(store, axis(1), "d", count=2)  # the last of 3, which has one
    assert facts(store) == [(2, "", 20, 4), (3, "Carol", 0, 0)]
    assert tell(store, axis(0), "e") == 4  # 1 is not used again
    assert tell(store, axis(2), "f") == 3


def test_a_source_with_several_parts_is_one_source(store: IdentityStore) -> None:
    for part in ("0", "1", "2"):
        tell(store, axis(0), "a", part, count=2)
    assert facts(store) == [(1, "", 6, 1)]
    tell(store, axis(1), "a", "1", count=2)
    assert facts(store) == [(1, "", 4, 1), (2, "", 2, 1)]


def test_keep_only_takes_back_what_is_no_longer_told(store: IdentityStore) -> None:
    for place in (0, 1, 2):
        tell(store, axis(place), "a", str(place), count=3)
    tell(store, axis(0), "b", count=5)
    store.name(2, "Bob")
    keep_only(store, "a", ["0"])
    assert facts(store) == [(1, "", 8, 2), (2, "Bob", 0, 0)]
    keep_only(store, "a", [])
    keep_only(store, "nothing", [])
    assert facts(store) == [(1, "", 5, 1), (2, "Bob", 0, 0)]
    assert tell(store, axis(1), "c") == 2
    keep_only(store, "c", [])
    store.name(2, "")
    assert facts(store) == [(1, "", 5, 1)]


def test_a_forgotten_source_leaves_no_sighting_and_no_stranger(store: IdentityStore, where: str) -> None:
    for place in (0, 1, 2):
        tell(store, axis(place), "a", str(place), count=3)
    tell(store, axis(0), "b", count=5)
    store.name(2, "Bob")
    with open_existing(where) as other:  # without a network
        other.forget(["a", "nothing"])
    assert facts(store) == [(1, "", 5, 1), (2, "Bob", 0, 0)]
    store.forget([])
    store.forget(["b"])
    assert facts(store) == [(2, "Bob", 0, 0)]


# ── naming and merging ──────────────────────────────────────────────────────────────────────────────────────────────


def test_names_last_and_a_wrong_number_is_answered_with_the_right_ones(store: IdentityStore, where: str) -> None:
    for place in range(5):
        tell(store, axis(place), str(place))
    keep_only(store, "3", [])
    store.name(2, "Zoë \udce9 'x'")
    with pytest.raises(ConfigError, match=r"no identity 4: there are 1-3, 5$"):
        store.name(4, "Dora")
    with pytest.raises(ConfigError, match=r"no identity 77"):
        store.merge([1, 77])
    with pytest.raises(ConfigError, match=r"to merge"):
        store.merge([])
    with opened(where) as other:
        assert facts(other)[1] == (2, "Zoë \\xe9 'x'", 1, 1)


def test_merged_identities_are_one_person(store: IdentityStore) -> None:
    for place, seen in ((0, 30), (1, 10), (2, 90), (3, 50)):
        tell(store, axis(place), "common", str(place), count=10**place, seen=seen)
    tell(store, axis(1), "b", count=5, seen=20)
    store.name(4, "Dave")
    store.name(2, "Bob")
    assert store.merge([4, 2, 3]) == 2
    assert facts(store) == [(1, "", 1, 1), (2, "Bob", 1115, 2)]
    one = store.identities()[1]
    assert (one.first_seen, one.last_seen, one.refinements) == (10, 90, 4)
    np.testing.assert_allclose(one.centroid, unit(2 * axis(1) + axis(2) + axis(3)), atol=1e-6)
    # What was merged stays so: its face, its number and its sightings lead to the one that stayed.
    assert tell(store, axis(3), "common", "3", count=2000) == 2
    assert tell(store, axis(3), "new") == 2
    # Another who is told with it is somebody else.
    both = [person(axis(3), ("new", "0", 1)), person(between(3, 9, 0.9), ("other", "0", 1))]
    assert store.tell(both, seen=1) == [2, 5]
    store.name(4, "Robert")
    assert store.merge([3, 4]) == 2
    assert facts(store)[1] == (2, "Robert", 2116, 3)
    assert store.merge([3, 1]) == 1
    assert facts(store) == [(1, "Robert", 2117, 3), (5, "", 1, 1)]
    store.name(4, "")
    for source in ("common", "b", "new"):
        keep_only(store, source, [])
    assert facts(store) == [(5, "", 1, 1)]
    assert tell(store, axis(2), "z") == 6


def test_a_merger_and_a_name_can_be_taken_back(store: IdentityStore) -> None:
    for place in range(3):
        tell(store, axis(place), "film", str(place), count=10**place)
    store.name(1, "Alice")
    store.name(3, "Bob")
    groups = store.groups([1, 3])
    assert store.merge([3, 1]) == 1
    store.name(1, "Both")
    assert facts(store) == [(1, "Both", 101, 1), (2, "", 10, 1)]
    store.regroup(groups)
    # What is seen of each is told again, as the next census does.
    for place in range(3):
        tell(store, axis(place), "film", str(place), count=10**place)
    assert facts(store) == [(1, "Alice", 1, 1), (2, "", 10, 1), (3, "Bob", 100, 1)]
    store.regroup([*groups, Membership(77, 77, "nobody")])
    assert facts(store) == [(1, "Alice", 1, 1), (2, "", 10, 1), (3, "Bob", 100, 1)]


def test_opposite_faces_can_be_merged(store: IdentityStore) -> None:
    tell(store, axis(0), "a")
    tell(store, -axis(0), "b")
    store.merge([1, 2])
    np.testing.assert_array_equal(only(store).centroid, axis(0))
    assert tell(store, -axis(0), "c") == 1


# ── one store, several users ────────────────────────────────────────────────────────────────────────────────────────


def test_a_store_opened_again_is_as_it_was(where: str) -> None:
    with opened(where) as store:
        tell(store, axis(0), "a", count=3)
        tell(store, between(0, 1, 0.9), "b", count=4)
        store.name(1, "Alice")
        (before,) = store.identities()
    with opened(where) as store:
        after = only(store)
        np.testing.assert_array_equal(after.centroid, before.centroid)
        assert (after.name, after.count, after.refinements, after.sources) == ("Alice", 7, 2, 2)
        assert tell(store, axis(0), "c") == 1
        assert tell(store, axis(7), "c", "1") == 2


def test_what_one_changes_the_other_sees(where: str) -> None:
    with opened(where) as one, opened(where) as other:
        for place in range(40):
            assert tell((one, other)[place % 2], axis(place), str(place)) == place + 1
        other.merge([1, 2])
        keep_only(one, "4", [])
        assert tell(other, axis(1), "again") == 1
        assert tell(other, axis(4), "again", "1") == 41
        for one_or_other in (one, other):  # 40 took the place of 5 in the matrix
            assert tell(one_or_other, axis(39), "more") == 40
            assert tell(one_or_other, axis(4), "more", "1") == 41
        assert facts(one) == facts(other)
        assert len(facts(one)) == 39


def test_another_network_is_refused(where: str) -> None:
    with opened(where):
        pass
    for other in ({"contract": "xyz"}, {"dimension": D + 1}):
        with pytest.raises(StoreError, match="another network") as told:
            opened(where, **other)
        assert "\n" not in str(told.value)
    with opened(where) as store:
        tell(store, axis(0), "a")


def test_an_existing_store_can_be_named_and_cleared_without_a_network(where: str) -> None:
    with opened(where) as store:
        tell(store, axis(0), "a")
        with open_existing(where) as manager:
            manager.name(1, "Alice")
            with pytest.raises(ValueError, match="how faces are compared"):
                tell(manager, axis(0), "b")
        assert facts(store) == [(1, "Alice", 1, 1)]
        with open_existing(where) as manager:
            manager.clear()
            assert facts(manager) == facts(store) == []
    with opened(where, contract="xyz", dimension=3) as store:
        assert tell(store, np.ones(3), "a") == 1


def test_a_store_that_is_cleared_begins_again(where: str) -> None:
    with opened(where) as one, opened(where) as other:
        for place in range(5):
            tell(one, axis(place), str(place))
        assert len(facts(other)) == 5
        one.clear()
        assert facts(one) == []
        for place in range(5, 12):  # as many changes as before, and more: not to be taken for those
            assert tell(one, axis(place), str(place)) == place - 4
        assert [one.number for one in other.identities()] == list(range(1, 8))
        assert tell(other, axis(0), "0") == 8
