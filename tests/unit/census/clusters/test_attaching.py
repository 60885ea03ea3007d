"""Poor clusters join the person of their film that they surely are; plain ones never."""

from dataclasses import replace

import numpy as np
import pytest

from fastface.census.clusters.attaching import attach_poor
from fastface.census.clusters.clustering import LinkRule, cluster_tracks
from fastface.models.catalog import THRESHOLDS
from fastface.types import Tracks

USUAL = THRESHOLDS["w600k_mbf"].impostors
RULE = LinkRule(threshold=0.45, clear_score=0.6, strict_threshold=0.6)
DIMENSION = 64

# Each person has a direction of her own; a track leans towards some of them and is else unlike anybody.


def track(
    number: int, *, plain: float = 1.0, score: float = 0.9, faces: int = 10, video: int = 0, **like: float
) -> Tracks:
    """A track with the cosine `like` to each named person (a, b, c …), the rest in a direction of its own."""
    vector = np.zeros(DIMENSION)
    for name, cosine in like.items():
        vector[ord(name) - ord("a")] = cosine
    vector[10 + number] = np.sqrt(max(0.0, 1 - (vector**2).sum()))
    empty = Tracks.empty(DIMENSION)
    given = {"video": video, "number": number, "faces": faces, "plain": plain, "det_score": score, "quality": 0.7}
    columns = {
        name: np.array([given.get(name, 0)], getattr(empty, name).dtype)
        for name in empty.__dataclass_fields__
        if name != "embedding"
    }
    return Tracks(**columns, embedding=vector[None].astype(np.float16))


def labels_of(*parts: Tracks, apart: tuple[tuple[int, int], ...] = ()) -> list[int]:
    tracks = Tracks.concatenate(list(parts))
    pairs = np.array(apart, np.int64).reshape(-1, 2)
    before = cluster_tracks(tracks, RULE, apart=pairs, together=np.empty((0, 2), np.int64))
    label, centroid = attach_poor(tracks, before, RULE, pairs, USUAL)
    assert sorted(set(label.tolist())) == list(range(len(centroid)))
    kept = {tuple(row) for row in before[1].tolist()}
    assert {tuple(row) for row in centroid.tolist()} <= kept, "persons stay as they are"
    return [int(one) for one in label]


ANN, BO = track(0, a=1.0), track(1, b=1.0)


@pytest.mark.parametrize("poor", [{"plain": 0.0}, {"score": 0.5}, {"plain": 0.25, "score": 0.4}])
def test_a_poor_track_is_the_person_of_its_film_that_it_is_like(poor: dict[str, float]) -> None:
    assert labels_of(ANN, BO, track(2, **poor, a=0.42, b=0.1)) == [0, 1, 0]


def test_a_plain_track_is_another_person() -> None:
    assert labels_of(ANN, BO, track(2, a=0.42, b=0.1)) == [0, 1, 2]


@pytest.mark.parametrize("like", [{"a": 0.25, "b": 0.0}, {"a": 0.42, "b": 0.36}])
def test_what_is_not_sure_stays_by_itself(like: dict[str, float]) -> None:
    """Strangers of one film reach 0.25 now and then, and a lead of 0.06 is none."""
    assert labels_of(ANN, BO, track(2, plain=0.0, **like)) == [0, 1, 2]


def test_other_films_do_not_count() -> None:
    assert labels_of(ANN, BO, track(2, plain=0.0, video=1, a=0.42)) == [0, 1, 2]


def test_who_is_seen_beside_a_person_is_not_her() -> None:
    assert labels_of(ANN, BO, track(2, plain=0.0, a=0.42), apart=((0, 2),)) == [0, 1, 2]


def test_two_that_are_seen_together_are_not_both_one_person() -> None:
    """The one that is more like her joins her, and then the other cannot."""
    poor = [track(2, plain=0.0, a=0.40), track(3, plain=0.0, a=0.44)]
    assert labels_of(ANN, BO, *poor, apart=((2, 3),)) == [0, 1, 2, 0]
    assert labels_of(ANN, BO, *poor) == [0, 1, 0, 0]


def test_the_smaller_of_two_poor_clusters_joins_the_larger() -> None:
    long, short = track(0, plain=0.0, faces=50, a=1.0), track(1, plain=0.0, faces=4, a=0.42)
    assert labels_of(long, short) == [0, 0]
    one, other = replace(short, faces=np.array([50])), replace(long, faces=np.array([4]))
    assert labels_of(one, other) == [0, 0]


def test_heads_that_nothing_calls_clear_join_no_other_such_head() -> None:
    assert labels_of(track(0, score=0.5, a=1.0, faces=50), track(1, score=0.5, a=0.42)) == [0, 1]


def test_a_film_of_many_asks_for_more() -> None:
    """As many more comparisons, as many more chances to be wrong."""
    few = [track(0, a=1.0), track(1, plain=0.0, a=0.36)]
    assert labels_of(*few) == [0, 0]
    many = [track(number, plain=0.0, video=0) for number in range(2, 50)]
    assert labels_of(*few, *many)[:2] == [0, 1]
