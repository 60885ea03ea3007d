"""Tracks → persons: as plain loops do it, whatever the order; constraints hold; many vectors; summaries of tracks."""

import math
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastface.census.clusters import neighbours as neighbours_module
from fastface.census.clusters.clustering import LinkRule, cluster_tracks
from fastface.census.clusters.neighbours import NUM_NEIGHBOURS, exact_cosines, neighbours
from fastface.types import Tracks

RULE = LinkRule(threshold=0.5, clear_score=0.6, strict_threshold=0.65)
NONE = np.empty((0, 2), np.int64)
ANY_OTHER = 1 << 60
"""More neighbours than any test has vectors."""

Pairs = list[tuple[int, int]]


# ── what the tests compare with: the same rounds, by plain loops over all pairs ─────────────────────────────────────


def tracks_of(embeddings: np.ndarray, quality: object = None, det_score: object = None) -> Tracks:
    """Tracks of which only embedding, quality and score matter."""
    count = len(embeddings)
    unit = np.asarray(embeddings, np.float64)
    unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    empty = Tracks.empty(unit.shape[1])[:0]
    columns = {name: np.zeros(count, getattr(empty, name).dtype) for name in empty.__dataclass_fields__}
    return Tracks(
        **{
            **columns,
            "quality": np.full(count, 0.5, np.float32) if quality is None else np.asarray(quality, np.float32),
            "det_score": np.full(count, 0.9, np.float32) if det_score is None else np.asarray(det_score, np.float32),
            "embedding": unit.astype(np.float16),
        }
    )


def pairs_of(pairs: Pairs) -> np.ndarray:
    return np.array(pairs, np.int64).reshape(-1, 2)


def labels_of(tracks: Tracks, apart: Pairs = [], together: Pairs = [], rule: LinkRule = RULE) -> list[int]:  # noqa: B006
    label, centroid = cluster_tracks(tracks, rule, apart=pairs_of(apart), together=pairs_of(together))
    assert (label.shape, centroid.dtype) == ((len(tracks),), np.float16)
    assert sorted(set(label.tolist())) == list(range(len(centroid)))
    firsts = list(dict.fromkeys(label.tolist()))
    assert firsts == sorted(firsts), "numbers follow the first tracks"
    np.testing.assert_allclose(np.linalg.norm(centroid.astype(np.float64), axis=1), 1, atol=2e-3)
    return [int(one) for one in label]


def cosine(left: list[float], right: list[float]) -> float:
    """Exact: the sum is rounded once, and needs no rounding."""
    return math.fsum(a * b for a, b in zip(left, right, strict=True))


Cluster = tuple[int, ...]
"""Its tracks, sorted; so it is called by the first."""

Mean = tuple[np.ndarray, float]
"""A centroid, rounded to halves, and how long the weighted sum of its tracks is."""


def mean_of(total: np.ndarray) -> Mean:
    length = float(np.linalg.norm(total[None], axis=1)[0])
    return (total / max(length, 1e-12)).astype(np.float16).astype(np.float64), length


class Loops:
    """The rounds, slowly: all pairs, one at a time."""

    def __init__(self, tracks: Tracks, apart: Pairs, together: Pairs, rule: LinkRule, near: int) -> None:
        self.rule, self.near = rule, near
        self.rows = tracks.embedding.astype(np.float64)
        self.weight = [max(float(quality), 1e-3) for quality in tracks.quality]
        self.clear = [float(score) >= np.float32(rule.clear_score) for score in tracks.det_score]
        self.apart = {frozenset(pair) for pair in apart if pair[0] != pair[1]}
        groups: list[Cluster] = [(one,) for one in range(len(tracks))]
        for pair in together:
            touched = [group for group in groups if set(group) & set(pair)]
            groups = [group for group in groups if group not in touched] + [tuple(sorted(sum(touched, ())))]
        self.mean: dict[Cluster, Mean] = dict.fromkeys(sorted(groups), (np.empty(0), 0.0))
        self.settle()

    def settle(self) -> None:
        """All means, of the tracks themselves."""
        for group in self.mean:
            self.mean[group] = self.rows[group[0]], self.weight[group[0]]
            if len(group) > 1:
                total = [math.fsum(self.weight[t] * x for t, x in zip(group, column, strict=True))
                         for column in self.rows[list(group)].T]  # fmt: skip
                self.mean[group] = mean_of(np.array(total))

    def likeness(self, one: Cluster, other: Cluster) -> float:
        return cosine(self.mean[one][0].tolist(), self.mean[other][0].tolist())

    def may_join(self, one: Cluster, other: Cluster, likeness: float) -> bool:
        is_clear = any(self.clear[t] for t in one) and any(self.clear[t] for t in other)
        if likeness < (self.rule.threshold if is_clear else self.rule.strict_threshold):
            return False
        return not any(frozenset((a, b)) in self.apart for a in one for b in other)

    def candidates(self) -> set[frozenset[Cluster]]:
        found = set()
        for one in self.mean:
            alike = sorted((-self.likeness(one, other), other) for other in self.mean if other != one)
            near = [other for low, other in alike if -low >= self.rule.threshold * 0.75][: self.near]
            found |= {frozenset((one, other)) for other in near}
        return found

    def is_apart(self, one: Cluster, other: Cluster) -> bool:
        return any(frozenset((a, b)) in self.apart for a in one for b in other)

    def groups(self, near: set[frozenset[Cluster]]) -> list[list[Cluster]]:
        """Those that become one now: mutual pairs, and who is nearly as like one of the two."""
        best: dict[Cluster, Cluster] = {}
        for one in self.mean:
            partners = [next(iter(pair - {one})) for pair in near if one in pair]
            alike = sorted((-self.likeness(one, other), other) for other in partners)
            allowed = [other for low, other in alike if self.may_join(one, other, -low)]
            best |= {one: allowed[0]} if allowed else {}
        found = []
        for one, other in best.items():
            if best.get(other) != one or other < one:
                continue
            strength = self.likeness(one, other)
            joiners = {}
            for third, hub in best.items():
                like = self.likeness(third, hub)
                is_other = hub in (one, other) and third not in (one, other)
                if is_other and like >= strength - 0.05 and not self.is_apart(third, one + other):
                    joiners[third] = like
            rank = sorted(joiners, key=lambda third: (-joiners[third], third))
            lost = {low for place, low in enumerate(rank) for high in rank[:place] if self.is_apart(low, high)}
            found.append(sorted({one, other, *joiners} - lost))
        return found

    def run(self) -> list[int]:
        before = -1
        while len(self.mean) != before:
            before = len(self.mean)
            near = self.candidates()
            while groups := self.groups(near):
                for group in groups:
                    whole = tuple(sorted(sum(group, ())))
                    means = [self.mean.pop(one) for one in group]
                    self.mean[whole] = mean_of(np.sum([mean * length for mean, length in means], axis=0))
                    near = {frozenset(whole if c in group else c for c in pair) for pair in near}
                near = {pair for pair in near if len(pair) == 2}
            self.settle()
        label = {t: number for number, group in enumerate(sorted(self.mean)) for t in group}
        return [label[t] for t in range(len(self.rows))]


def by_loops(tracks: Tracks, apart: Pairs, together: Pairs, rule: LinkRule = RULE, near: int = ANY_OTHER) -> list[int]:
    return Loops(tracks, apart, together, rule, near).run() if len(tracks) else []


def partition(label: list[int], names: list[int]) -> set[frozenset[int]]:
    found: dict[int, set[int]] = {}
    for one, name in zip(label, names, strict=True):
        found.setdefault(one, set()).add(name)
    return {frozenset(group) for group in found.values()}


def persons(
    rng: np.random.Generator, count: int, *, dimension: int = 16, num: int = 4, noise: float = 0.9
) -> np.ndarray:
    """Vectors about a few directions, of which some lie near each other's, some between."""
    centres = rng.normal(size=(num, dimension))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    return centres[rng.integers(num, size=count)] + rng.normal(size=(count, dimension)) * noise / np.sqrt(dimension)


# ── the same as plain loops ─────────────────────────────────────────────────────────────────────────────────────────


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Tracks, Pairs, Pairs]:
    """Up to 14 tracks of few small whole components, so that many are equal or as like as each other."""
    count = draw(st.integers(0, 14))
    parts = st.lists(st.integers(-2, 2), min_size=4, max_size=4).filter(any)
    rows = draw(st.lists(parts, min_size=count, max_size=count))
    quality = draw(st.lists(st.sampled_from([0.0, 0.001, 0.3, 0.5, 0.77, 1.0]), min_size=count, max_size=count))
    score = draw(st.lists(st.sampled_from([0.5, 0.59, 0.6, 0.9]), min_size=count, max_size=count))
    some = st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=5)
    apart, together = (draw(some) if count else [] for _ in range(2))
    return tracks_of(np.array(rows, float).reshape(-1, 4), quality, score), apart, together


@settings(max_examples=300, deadline=None, derandomize=True)
@given(scenes(), st.sampled_from([RULE, LinkRule(0.3, 0.6, 0.9), LinkRule(0.9, 0.6, 0.95)]))
def test_as_plain_loops_do_it_ties_and_all(scene: tuple[Tracks, Pairs, Pairs], rule: LinkRule) -> None:
    tracks, apart, together = scene
    assert labels_of(tracks, apart, together, rule) == by_loops(tracks, apart, together, rule)


@pytest.mark.parametrize("near", [1, 3, NUM_NEIGHBOURS])
@pytest.mark.parametrize("seed", range(4))
def test_as_plain_loops_do_it_where_only_the_nearest_are_looked_at(
    monkeypatch: pytest.MonkeyPatch, seed: int, near: int
) -> None:
    rng = np.random.default_rng(seed)
    count = 40
    tracks = tracks_of(persons(rng, count), rng.random(count), rng.random(count))
    apart = [tuple(pair) for pair in rng.integers(count, size=(12, 2)).tolist()]
    together = [tuple(pair) for pair in rng.integers(count, size=(2, 2)).tolist()]
    monkeypatch.setattr(neighbours_module, "NUM_NEIGHBOURS", near)
    found = labels_of(tracks, apart, together)
    assert found == by_loops(tracks, apart, together, near=near)
    assert 1 < len(set(found)) < count


@pytest.mark.parametrize("seed", range(6))
def test_the_order_of_tracks_changes_no_more_than_numbers(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    count = 60
    tracks = tracks_of(persons(rng, count, num=6), rng.random(count), rng.random(count))
    apart = rng.integers(count, size=(20, 2))
    expected = partition(labels_of(tracks, [tuple(p) for p in apart.tolist()]), list(range(count)))
    assert 2 < len(expected) < count
    for _ in range(3):
        order = rng.permutation(count)
        place = np.argsort(order)
        moved = [(int(place[b]), int(place[a])) for a, b in apart.tolist()]  # the other way round, too
        assert partition(labels_of(tracks[order], moved), order.tolist()) == expected


def test_centroids_are_the_same_to_the_last_bit_whatever_is_added_first(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    count, dimension = 300, 512
    middle = rng.normal(size=dimension)
    rows = middle / np.linalg.norm(middle) + rng.normal(size=(count, dimension)) * 0.4 / np.sqrt(dimension)
    tracks = tracks_of(rows, rng.random(count))
    chain = [(one, one + 1) for one in range(count - 1)]  # one person by decree, in one step
    monkeypatch.setattr("fastface.census.clusters.clustering._BLOCK_ROWS", 57)
    found = set()
    for _ in range(3):
        order = rng.permutation(count)
        label, centroid = cluster_tracks(tracks[order], RULE, apart=NONE, together=pairs_of(chain))
        assert not label.any()
        found.add(centroid.tobytes())
    monkeypatch.undo()
    label, centroid = cluster_tracks(tracks, RULE, apart=NONE, together=NONE)  # in many rounds
    assert not label.any()
    assert found == {centroid.tobytes()}
    sums = (tracks.embedding.astype(np.longdouble) * np.maximum(tracks.quality, 1e-3)[:, None]).sum(axis=0)
    expected = (sums / np.sqrt((sums**2).sum())).astype(np.float16)
    assert centroid[0].tolist() == expected.tolist()


# ── by hand ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def mixed(first: float, axis: int = 1, dimension: int = 8) -> list[float]:
    """A vector whose cosine to the first axis is known."""
    row = [0.0] * dimension
    row[0], row[axis] = first, math.sqrt(1 - first**2)
    return row


def test_nobody_and_one() -> None:
    label, centroid = cluster_tracks(Tracks.empty(8), RULE, apart=NONE, together=NONE)
    assert (label.shape, centroid.shape) == ((0,), (0, 8))
    one = tracks_of(np.array([mixed(0.3)]))
    label, centroid = cluster_tracks(one, RULE, apart=NONE, together=NONE)
    assert label.tolist() == [0]
    assert centroid.tobytes() == one.embedding.tobytes()


def test_the_threshold_is_of_the_cosine() -> None:
    for likeness, expected in ((0.51, [0, 0]), (0.49, [0, 1])):
        assert labels_of(tracks_of(np.array([mixed(1.0), mixed(likeness)]))) == expected


def test_a_track_that_is_not_clear_needs_the_strict_threshold() -> None:
    rows = np.array([mixed(1.0), mixed(0.6)])
    assert labels_of(tracks_of(rows, det_score=[0.9, 0.6])) == [0, 0]
    assert labels_of(tracks_of(rows, det_score=[0.9, 0.59])) == [0, 1]
    assert labels_of(tracks_of(rows, det_score=[0.5, 0.9])) == [0, 1]
    assert labels_of(tracks_of(np.array([mixed(1.0), mixed(0.66)]), det_score=[0.5, 0.5])) == [0, 0]


def test_a_cluster_with_one_clear_track_is_clear() -> None:
    # The second joins the first as 0.7 ≥ 0.65; then the third, at a cosine of 0.6 to both, needs 0.5 only.
    together = [mixed(1.0), mixed(0.7), mixed(0.6, axis=2)]
    unclear = tracks_of(np.array(together), det_score=[0.5, 0.9, 0.9])
    assert labels_of(unclear) == [0, 0, 0]
    assert labels_of(tracks_of(np.array(together), det_score=[0.5, 0.5, 0.9])) == [0, 0, 1]


def test_the_most_alike_join_first_and_decide_what_comes_after() -> None:
    # 1 is as like 0 (0.8) as to be one with it, and then what is like 1 alone (2) is not like both.
    rows = np.array([mixed(1.0), mixed(0.8), [0.8 * 0.55 - 0.6 * 0.835, 0.6 * 0.55 + 0.8 * 0.835, *[0.0] * 6]])
    likeness = rows @ rows.T
    assert likeness[1, 2] == pytest.approx(0.55, abs=0.01)
    assert labels_of(tracks_of(rows)) == [0, 0, 1]
    assert labels_of(tracks_of(rows), apart=[(1, 0)]) == [0, 1, 1]


def test_quality_is_weight() -> None:
    # The centroid of 0 and 1 lies where the better one is; 2 is like that one alone.
    rows = np.array([[1.0, 0, 0], [0.8, 0.6, 0], [0.45, -0.2, 0.87]])
    assert labels_of(tracks_of(rows, quality=[1.0, 0.01, 0.5]), rule=LinkRule(0.4, 0, 0.4)) == [0, 0, 0]
    assert labels_of(tracks_of(rows, quality=[0.01, 1.0, 0.5]), rule=LinkRule(0.4, 0, 0.4)) == [0, 0, 1]


def test_ties_go_to_the_earlier_track() -> None:
    rows = np.array([mixed(0.8, axis=1), mixed(0.8, axis=2), mixed(0.8, axis=3), mixed(1.0)])
    (found,) = {tuple(labels_of(tracks_of(rows), apart=[(0, 1), (0, 2), (1, 2)]))}
    assert found == (0, 1, 2, 0)


@pytest.mark.parametrize("seed", range(5))
def test_who_is_apart_never_gets_together_whatever_joins(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = 200
    rows = np.array([1.0, *[0.0] * 15]) + rng.normal(size=(count, 16)) * 0.1  # all are as like as one person
    tracks = tracks_of(rows, rng.random(count), rng.random(count))
    assert set(labels_of(tracks)) == {0}
    apart = [tuple(sorted(pair)) for pair in rng.integers(count, size=(60, 2)).tolist() if pair[0] != pair[1]]
    label = labels_of(tracks, apart)
    assert all(label[one] != label[other] for one, other in apart)
    # And no two are left that might have been joined: all are alike enough, so each two groups hold two that are apart.
    groups = partition(label, list(range(count)))
    assert 1 < len(groups) < 20
    for left, right in combinations(groups, 2):
        assert any((one in left) != (other in left) and {one, other} <= left | right for one, other in apart)


def test_what_is_said_to_be_together_is_whatever_speaks_against_it() -> None:
    rows = np.array([mixed(1.0), mixed(-0.8), mixed(0.0, axis=2), mixed(0.0, axis=2), mixed(0.99)])
    assert labels_of(tracks_of(rows)) == [0, 1, 2, 2, 0]
    # The centroid of 0 and 1 is as like one as the other (0.45): 4 is not alike enough any more.
    assert labels_of(tracks_of(rows), apart=[(0, 1), (2, 3)], together=[(1, 0)]) == [0, 0, 1, 2, 3]
    # A chain, named in any order, is one; what one of it is apart from, all of it are.
    found = labels_of(tracks_of(rows), apart=[(0, 2), (3, 4)], together=[(4, 2), (2, 0)])
    assert found[0] == found[2] == found[4] != found[3]


def test_what_a_member_is_apart_from_its_whole_group_is() -> None:
    rows = np.array([mixed(1.0), mixed(0.99), mixed(0.98, axis=2), mixed(0.97, axis=3)])
    assert labels_of(tracks_of(rows)) == [0, 0, 0, 0]
    label = labels_of(tracks_of(rows), apart=[(0, 3), (2, 0)], together=[(0, 1)])
    assert label == [0, 0, 1, 1]


def test_many_equal_vectors_are_one_person() -> None:
    rows = np.repeat(np.array([mixed(1.0), mixed(0.0)]), 300, axis=0)
    order = np.random.default_rng(2).permutation(600)
    label = labels_of(tracks_of(rows[order]))
    assert partition(label, order.tolist()) == {frozenset(range(300)), frozenset(range(300, 600))}


def test_two_looks_of_one_person_are_found_once_the_nearest_have_become_one() -> None:
    rng = np.random.default_rng(3)
    count, dimension = 3 * NUM_NEIGHBOURS, 64
    looks = np.zeros((2, dimension))
    looks[0, 0], looks[1, :2] = 1.0, (0.7, math.sqrt(1 - 0.49))
    noise = rng.normal(size=(2 * count, dimension)) * 0.3 / np.sqrt(dimension)
    tracks = tracks_of(np.repeat(looks, count, axis=0) + noise)
    pairs, _ = neighbours(tracks.embedding, RULE.threshold * 0.75)
    assert len(pairs) >= 2 * count * NUM_NEIGHBOURS // 2
    assert ((pairs < count).all(axis=1) | (pairs >= count).all(axis=1)).all(), "each look has all its neighbours in it"
    assert set(labels_of(tracks)) == {0}


# ── neighbours ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("floor", [-1.0, 0.2, 0.7, 1.1])
def test_neighbours_are_the_most_alike_by_plain_loops(monkeypatch: pytest.MonkeyPatch, floor: float) -> None:
    monkeypatch.setattr(neighbours_module, "_ROWS", 7)
    monkeypatch.setattr(neighbours_module, "_COLUMNS", 11)
    vectors = tracks_of(persons(np.random.default_rng(8), 60)).embedding
    rows = vectors.astype(np.float64)
    expected = set()
    for one in range(60):
        alike = sorted((-math.fsum(rows[one] * rows[other]), other) for other in range(60) if other != one)
        expected |= {tuple(sorted((one, other))) for low, other in alike[:NUM_NEIGHBOURS] if -low >= floor}
    pairs, cosines = neighbours(vectors, floor)
    assert [tuple(pair) for pair in pairs.tolist()] == sorted(expected)
    assert cosines.tolist() == [math.fsum(rows[a] * rows[b]) for a, b in pairs.tolist()]
    assert bool(len(pairs)) == (floor < 1)


def test_cosines_are_exact_whatever_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(9)
    vectors = tracks_of(rng.normal(size=(50, 512))).embedding
    pairs = rng.integers(50, size=(300, 2))
    expected = [float(sum(Fraction(float(a)) * Fraction(float(b)) for a, b in zip(vectors[x], vectors[y], strict=True)))
                for x, y in pairs[:40].tolist()]  # fmt: skip
    whole = exact_cosines(vectors, pairs)
    assert whole[:40].tolist() == expected
    monkeypatch.setattr(neighbours_module, "BLOCK_ROWS", 13)
    assert exact_cosines(vectors, pairs).tolist() == whole.tolist()
    assert exact_cosines(vectors, pairs[:, ::-1]).tolist() == whole.tolist()


def test_by_faiss_the_persons_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("faiss")
    rng = np.random.default_rng(11)
    count, num, dimension = 3000, 60, 128
    centres = rng.normal(size=(num, dimension))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    who = rng.integers(num, size=count)
    noise = rng.normal(size=(count, dimension)) * rng.uniform(0.3, 0.9, size=(count, 1)) / np.sqrt(dimension)
    tracks = tracks_of(centres[who] + noise, rng.random(count), rng.random(count))
    apart = [tuple(pair) for pair in rng.integers(count, size=(400, 2)).tolist() if who[pair[0]] != who[pair[1]]]
    exact = labels_of(tracks, apart)
    truth = partition(who.tolist(), list(range(count)))
    assert len(set(exact)) == num
    assert partition(exact, list(range(count))) == truth
    monkeypatch.setattr(neighbours_module, "EXACT_ROWS", 100)
    asked = []
    indexed = neighbours_module._search_index
    monkeypatch.setattr(
        neighbours_module, "_search_index", lambda *given: asked.append(len(given[0])) or indexed(*given)
    )
    assert labels_of(tracks, apart) == exact
    assert asked[0] == count


def test_how_many_are_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = neighbours_module.EXACT_ROWS
    monkeypatch.setattr(neighbours_module, "_has_faiss", lambda: False)
    assert [neighbours_module.is_quick(count) for count in (0, limit, limit + 1)] == [True, True, False]
    monkeypatch.setattr(neighbours_module, "_has_faiss", lambda: True)
    assert neighbours_module.is_quick(limit + 1)
