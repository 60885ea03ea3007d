"""Clusters → persons: rank, who is listed, appearances, who is seen with whom. By hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastface.census.clusters.person_summaries import (
    NO_CLUSTER,
    Meetings,
    VideoFacts,
    rank_clusters,
    renumber,
    summarize_persons,
)
from fastface.types import Tracks

NO_CLUSTER_MEETS = Meetings(np.empty((0, 2), np.int64), np.empty(0))


def track(
    start: float = 0.0,
    end: float = 1.0,
    *,
    video: int = 0,
    seconds: float | None = None,
    faces: int = 5,
    quality: float = 0.5,
    centrality: float = 0.5,
) -> Tracks:
    given = {"video": video, "start": start, "end": end, "faces": faces, "quality": quality, "centrality": centrality,
             "seconds": end - start if seconds is None else seconds}  # fmt: skip
    empty = Tracks.empty(8)
    columns = {
        name: np.array([given.get(name, 0)], getattr(empty, name).dtype)
        for name in empty.__dataclass_fields__
        if name != "embedding"
    }
    return Tracks(**columns, embedding=np.zeros((1, 8), np.float16))


def tracks(*parts: Tracks) -> Tracks:
    return Tracks.concatenate([Tracks.empty(8), *parts])


def order_by(
    rank: str, found: Tracks, label: list[int], *, min_faces: int = 1, min_seconds: float = 2, top: int = 0
) -> list[int]:
    limits = {"min_faces": min_faces, "min_seconds": min_seconds, "top": top}
    return rank_clusters(found, np.array(label, np.int64), rank, **limits).tolist()  # type: ignore[arg-type]


# ── rank ────────────────────────────────────────────────────────────────────────────────────────────────────────────

FOUR = tracks(
    track(0, 4, seconds=4, faces=20, quality=0.3, centrality=0.9),  # 0
    track(0, 1, seconds=1, faces=5, quality=0.9, centrality=0.2),  # 1: from 0 to 30 in one video,
    track(29, 30, seconds=1, faces=5, quality=0.1, centrality=0.4),  # 1
    track(2, 3, video=1, seconds=1, faces=5, quality=0.2, centrality=0.3),  # 1: and a second of another
    track(5, 25, seconds=6, faces=30, quality=0.5, centrality=0.1),  # 2
    track(0, 0, seconds=0.2, faces=1, quality=0.95, centrality=1.0),  # 3
    track(0, 90, seconds=90, faces=900, quality=1.0, centrality=1.0),  # nobody
    track(8, 8.5, seconds=0.5, faces=10, quality=0.35, centrality=0.0),  # 0
)
WHOSE = [0, 1, 1, 1, 2, 3, NO_CLUSTER, 0]


@pytest.mark.parametrize(
    ("rank", "expected"),
    [
        ("seconds", [2, 0, 1, 3]),  # 6, 4.5, 3, 0.2
        ("coverage", [1, 2, 0, 3]),  # 30 + 1, 20, 8.5, 0
        ("centrality", [3, 0, 1, 2]),  # 1; (20 × 0.9 + 10 × 0) / 30 = 0.6; (0.2 + 0.4 + 0.3) / 3 = 0.3; 0.1
        ("quality", [3, 1, 2, 0]),  # 0.95, 0.9, 0.5, 0.35
    ],
)
def test_each_rank_by_hand(rank: str, expected: list[int]) -> None:
    assert order_by(rank, FOUR, WHOSE) == expected
    for top in range(1, 6):
        assert order_by(rank, FOUR, WHOSE, top=top) == expected[:top]
    # 0 has 30 faces, 1 has 15, 2 has 30, 3 has 1.
    assert order_by(rank, FOUR, WHOSE, min_faces=2) == [one for one in expected if one != 3]
    assert order_by(rank, FOUR, WHOSE, min_faces=16) == [one for one in expected if one in (0, 2)]
    assert order_by(rank, FOUR, WHOSE, min_faces=30, top=1) == [one for one in expected if one in (0, 2)][:1]
    assert order_by(rank, FOUR, WHOSE, min_faces=31) == []


@pytest.mark.parametrize("rank", ["seconds", "coverage", "centrality", "quality"])
def test_equals_are_ranked_by_screen_time_then_by_the_first_track(rank: str) -> None:
    same = tracks(*(track(0, 10, seconds=seconds, faces=5) for seconds in (1, 2, 1, 2)))
    assert order_by(rank, same, [0, 1, 2, 3]) == [1, 3, 0, 2]


def test_three_tenths_are_three_tenths_however_they_were_added() -> None:
    split = tracks(track(seconds=0.3), track(seconds=0.1), track(seconds=0.1), track(seconds=0.1), track(seconds=0.3))
    assert order_by("seconds", split, [0, 1, 1, 1, 2]) == [0, 1, 2]


BODIES = tracks(
    track(0, 2, seconds=2, faces=4, quality=0.4, centrality=0.4),  # 0
    track(0, 30, seconds=20, faces=0, quality=0, centrality=1),  # 1: the face is never seen
    track(0, 1, seconds=1, faces=2, quality=0.9, centrality=0.2),  # 2
    track(3, 9, seconds=6, faces=0, quality=0, centrality=1),  # 2: only the body
    track(0, 2, seconds=2.25, faces=0, quality=0, centrality=0.9),  # 3: never
    track(40, 42, video=1, seconds=2.25, faces=0, quality=0, centrality=0),  # 3
    track(0, 9, seconds=90, faces=0, quality=0, centrality=1),  # nobody
    track(0, 1.5, seconds=1.5, faces=0, quality=0, centrality=1),  # 5: never. And 4 has no track at all
)
OWNERS = [0, 1, 2, 2, 3, 3, NO_CLUSTER, 5]


@pytest.mark.parametrize(
    ("rank", "expected"),
    [
        ("seconds", [2, 0, 1, 3]),  # 7 and 2; then 20 and 4.5
        ("coverage", [2, 0, 1, 3]),  # 9 and 2; then 30 and 2 + 2
        ("centrality", [0, 2, 1, 3]),  # 0.4 and 0.2, over the faces; then by screen time
        ("quality", [2, 0, 1, 3]),  # 0.9 and 0.4; then by screen time
    ],
)
def test_whose_face_is_never_seen_comes_after_all_others(rank: str, expected: list[int]) -> None:
    assert order_by(rank, BODIES, OWNERS) == expected
    for top in range(1, 6):
        assert order_by(rank, BODIES, OWNERS, top=top) == expected[:top]
    # 2 has two faces, and is seen by the body alone for six seconds.
    assert order_by(rank, BODIES, OWNERS, min_faces=3) == expected
    assert order_by(rank, BODIES, OWNERS, min_faces=3, min_seconds=6.5) == [0, 1]
    assert order_by(rank, BODIES, OWNERS, min_faces=99) == [2, 1, 3]
    # Whoever shows faces enough is listed however shortly.
    assert order_by(rank, BODIES, OWNERS, min_seconds=5) == [*expected[:2], 1]
    assert order_by(rank, BODIES, OWNERS, min_seconds=99) == expected[:2]
    assert order_by(rank, BODIES, OWNERS, min_seconds=1.5) == [*expected, 5]
    assert order_by(rank, BODIES, OWNERS, min_seconds=0) == [*expected, 5]


def test_the_least_time_is_reached_however_it_was_added() -> None:
    tenths = tracks(*(track(seconds=0.1, faces=0) for _ in range(3)), track(seconds=0.29, faces=0))
    assert 0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1 < 0.8
    eight = tracks(*(track(seconds=0.1, faces=0) for _ in range(8)))
    assert order_by("seconds", eight, [0] * 8, min_seconds=0.8) == [0]
    assert order_by("seconds", tenths, [0, 0, 0, 1], min_seconds=0.3) == [0]


@pytest.mark.parametrize("rank", ["seconds", "coverage", "centrality", "quality"])
def test_nobody_at_all(rank: str) -> None:
    assert order_by(rank, Tracks.empty(8), []) == []
    assert order_by(rank, tracks(track(), track()), [NO_CLUSTER, NO_CLUSTER]) == []


def test_numbers_are_places_in_the_order() -> None:
    label = np.array([0, 2, 1, NO_CLUSTER, 2, 3])
    assert renumber(label, np.array([2, 0])).tolist() == [1, 0, NO_CLUSTER, NO_CLUSTER, 0, NO_CLUSTER]
    assert renumber(label, np.empty(0, np.int64)).tolist() == [NO_CLUSTER] * 6
    assert renumber(np.empty(0, np.int64), np.empty(0, np.int64)).tolist() == []


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_any_rank_is_what_plain_sorting_gives(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 12))
    tenths = st.integers(0, 20).map(lambda n: n / 4)
    rows = [(data.draw(st.integers(0, 4)), data.draw(st.integers(0, 2)), data.draw(tenths), data.draw(tenths),
             data.draw(st.integers(1, 5))) for _ in range(count)]  # fmt: skip
    numbers = {one: place for place, one in enumerate(dict.fromkeys(row[0] for row in rows))}
    label = [numbers[row[0]] for row in rows]
    found = tracks(*(track(start, start + long, video=video, faces=faces) for _, video, start, long, faces in rows))
    own = {number: [row for row, one in zip(rows, label, strict=True) if one == number] for number in set(label)}
    seconds = {number: sum(row[3] for row in mine) for number, mine in own.items()}
    coverage = {
        number: sum(
            max(row[2] + row[3] for row in mine if row[1] == video) - min(row[2] for row in mine if row[1] == video)
            for video in {row[1] for row in mine}
        )
        for number, mine in own.items()
    }
    least = data.draw(st.integers(1, 8))
    many = [number for number, mine in own.items() if sum(row[4] for row in mine) >= least]
    for rank, key in (("seconds", seconds), ("coverage", coverage)):
        expected = sorted(many, key=lambda one: (-key[one], -seconds[one], one))
        assert order_by(rank, found, label, min_faces=least) == expected


# ── persons ─────────────────────────────────────────────────────────────────────────────────────────────────────────

VIDEOS = (VideoFacts("a.mp4", 20.0, 0.5), VideoFacts("b.mp4", 30.0, 0.25), VideoFacts("live", None, 1.0))


def test_persons_by_hand() -> None:
    found = tracks(
        track(0, 2, seconds=2.5, faces=5, quality=0.4),
        track(1, 2, video=1, seconds=1.25, faces=5, quality=0.8),
        track(10, 12, seconds=2.5, faces=5, quality=0.6),
        track(3, 3, video=2, seconds=1.0, faces=1, quality=0.7),
        track(3, 4, seconds=1.5, faces=3, quality=0.9),
    )
    meetings = Meetings(np.array([[0, 1], [0, 2], [2, 4], [1, 3]]), np.array([0.5, 1.5, 9.0, 0.25]))
    one, two = summarize_persons(found, np.array([1, 0, 0, 1, NO_CLUSTER]), VIDEOS, meetings, 2.0)
    assert (one.number, one.name, one.title, one.faces, one.tracks, one.videos) == (1, "", "person 1", 10, 2, 2)
    assert (one.seconds, one.share, one.best_quality) == (3.75, 0.075, np.float32(0.8))
    assert [(a.video_id, a.start, a.end, a.faces) for a in one.appearances] == [
        ("a.mp4", 10.0, 12.5, 5), ("b.mp4", 1.0, 2.25, 5),
    ]  # fmt: skip
    assert (two.number, two.faces, two.tracks, two.videos, two.seconds, two.share) == (2, 6, 2, 2, 3.5, 0.07)
    assert [(a.video_id, a.start, a.end, a.faces) for a in two.appearances] == [
        ("a.mp4", 0.0, 2.5, 5), ("live", 3.0, 4.0, 1),
    ]  # fmt: skip
    assert one.together == {2: 2.25}
    assert two.together == {1: 2.25}
    assert (one.portraits, replace(one, name="Ann").title) == ((), "Ann")


@pytest.mark.parametrize(
    ("gap", "expected"),
    [
        (0.0, [(0, 1.5, 10), (2, 3.5, 5), (5, 6.5, 5)]),
        (0.5, [(0, 3.5, 15), (5, 6.5, 5)]),  # 1.5 and 2 are half a second apart: just near enough
        (1.5, [(0, 6.5, 20)]),
    ],
)
def test_tracks_near_each_other_are_one_appearance(gap: float, expected: list[tuple[float, float, int]]) -> None:
    found = tracks(track(5, 6), track(0, 1), track(0.5, 0.6), track(2, 3), track(6.2, 6.4, video=1))
    (one,) = summarize_persons(found, np.zeros(5, np.int64), VIDEOS, NO_CLUSTER_MEETS, gap)
    first = [(a.start, a.end, a.faces) for a in one.appearances if a.video_id == "a.mp4"]
    assert first == expected
    assert [(a.start, round(a.end, 9), a.faces) for a in one.appearances if a.video_id == "b.mp4"] == [(6.2, 6.65, 5)]
    assert sum(a.faces for a in one.appearances) == one.faces == 25


def test_a_long_track_holds_those_within_it() -> None:
    found = tracks(track(0, 10, faces=3), track(1, 2, faces=4), track(10.5, 11, faces=5))
    (one,) = summarize_persons(found, np.zeros(3, np.int64), VIDEOS, NO_CLUSTER_MEETS, 0.0)
    assert [(a.start, a.end, a.faces) for a in one.appearances] == [(0, 11.5, 12)]


def test_appearances_never_go_over_from_one_video_to_the_next() -> None:
    found = tracks(track(0, 20, video=0), track(0, 30, video=1), track(0, 1, video=2))
    (one,) = summarize_persons(found, np.zeros(3, np.int64), VIDEOS, NO_CLUSTER_MEETS, 1e9)
    assert [(a.video_id, a.start, a.end) for a in one.appearances] == [
        ("a.mp4", 0, 20.5), ("b.mp4", 0, 30.25), ("live", 0, 2),
    ]  # fmt: skip


def test_the_share_is_at_most_all() -> None:
    found = tracks(track(0, 45, seconds=45), track(0, 6, video=2, seconds=6), track(0, 5, seconds=5))
    one, two = summarize_persons(found, np.array([0, 0, 1]), VIDEOS, NO_CLUSTER_MEETS, 0.0)
    assert (one.seconds, one.share) == (51, 1.0)  # of 50 seconds that are declared
    assert two.share == 0.1
    (only,) = summarize_persons(track(video=2), np.zeros(1, np.int64), VIDEOS[2:] * 3, NO_CLUSTER_MEETS, 0.0)
    assert only.share == 0.0  # of nothing that is known


def test_the_share_is_of_what_was_searched() -> None:
    """A video that could not be read declares a length, and nobody was looked for in it."""
    facts = (VIDEOS[0], replace(VIDEOS[1], coverage=0.0), VideoFacts("cut.mp4", 40.0, 0.5, coverage=0.5))
    (one,) = summarize_persons(tracks(track(0, 10, seconds=10)), np.zeros(1, np.int64), facts, NO_CLUSTER_MEETS, 0.0)
    assert one.share == 0.25  # of 20 and 20 seconds


def test_who_is_with_whom_is_symmetric_and_leaves_out_oneself_and_nobody() -> None:
    found = tracks(*(track() for _ in range(6)))
    label = np.array([0, 1, 2, 0, NO_CLUSTER, 1])
    pairs = np.array([[0, 1], [5, 3], [1, 2], [0, 3], [0, 4], [4, 5], [2, 0]])
    seconds = np.array([1.0, 0.5, 4.0, 100.0, 100.0, 100.0, 0.25])
    persons = summarize_persons(found, label, VIDEOS, Meetings(pairs, seconds), 0.0)
    assert [one.together for one in persons] == [{2: 1.5, 3: 0.25}, {1: 1.5, 3: 4.0}, {1: 0.25, 2: 4.0}]


def test_seconds_in_which_only_the_body_is_seen_count_and_are_told() -> None:
    found = tracks(
        track(0, 2, seconds=2.5, faces=5, quality=0.4),
        track(2.5, 5.5, seconds=3.5, faces=0, quality=0),
        track(6, 7, seconds=1.5, faces=3, quality=0.6),
        track(1, 2, video=1, seconds=1.25, faces=0, quality=0),
        track(3, 9, video=1, seconds=6.25, faces=0, quality=0),
        track(0, 9, seconds=9.5, faces=0, quality=0),
    )
    one, two = summarize_persons(found, np.array([0, 0, 0, 0, 1, NO_CLUSTER]), VIDEOS, NO_CLUSTER_MEETS, 0.5)
    assert (one.faces, one.tracks, one.videos, one.best_quality) == (8, 2, 2, np.float32(0.6))
    assert (one.seconds, one.body_seconds, one.share, one.is_faceless) == (8.75, 4.75, 0.175, False)
    assert [(a.video_id, a.start, a.end, a.faces) for a in one.appearances] == [
        ("a.mp4", 0.0, 7.5, 8), ("b.mp4", 1.0, 2.25, 0),
    ]  # fmt: skip
    assert (two.faces, two.tracks, two.videos, two.best_quality) == (0, 0, 1, 0)
    assert (two.seconds, two.body_seconds, two.share, two.is_faceless) == (6.25, 6.25, 0.125, True)
    assert [(a.video_id, a.start, a.end, a.faces) for a in two.appearances] == [("b.mp4", 3.0, 9.25, 0)]


def test_no_person_of_no_track() -> None:
    assert summarize_persons(Tracks.empty(8), np.empty(0, np.int64), (), NO_CLUSTER_MEETS, 1.0) == []
    assert summarize_persons(tracks(track()), np.array([NO_CLUSTER]), VIDEOS, NO_CLUSTER_MEETS, 1.0) == []
