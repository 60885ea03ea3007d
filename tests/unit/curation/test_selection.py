"""Classes, scenes, doubles, persons, quotas: over candidates made up for each case, with results worked out by hand."""

import math
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastface.config import CurateConfig, load_config
from fastface.curation.candidates import (
    Candidate,
    PictureMeasures,
    ReadPicture,
    classify_framing,
    classify_pose,
    score_candidate,
    take_face,
)
from fastface.curation.identity import CandidateMatches, compare_with_medoid, take_asked_faces, take_largest_faces
from fastface.curation.likeness import drop_copies, drop_doubles, number_scenes
from fastface.curation.selection import deal, keep_moments, select, spread
from fastface.curation.sources import Source
from fastface.errors import ConfigError
from fastface.types import Faces

SETTINGS = CurateConfig()
DIMENSION = 8


def embedding(angle: float, axis: int = 1) -> np.ndarray:
    """A unit vector whose cosine to `embedding(0)` is that of `angle` in degrees."""
    vector = np.zeros(DIMENSION, np.float16)
    vector[0], vector[axis] = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return vector


def faces_of(*rows: dict[str, Any]) -> Faces:
    """Faces with these angles of embeddings, shares of a height of 1000, and yaws."""
    count = len(rows)
    tops = [row.get("share", 0.5) * 1000 for row in rows]
    return Faces(
        time=np.zeros(count),
        pts=np.zeros(count, np.int64),
        boxes=np.array([[0, 0, top * 0.7, top] for top in tops], np.float32).reshape(count, 4),
        landmarks=np.zeros((count, 5, 2), np.float32),
        det_score=np.full(count, 0.8, np.float32),
        quality=np.full(count, 0.5, np.float32),
        sharpness=np.array([row.get("sharpness", 100.0) for row in rows], np.float32),
        yaw=np.array([row.get("yaw", 0.0) for row in rows], np.float32),
        track=np.full(count, -1, np.int32),
        damaged=np.zeros(count, np.bool_),
        embedding=np.array([embedding(row.get("angle", 0.0), row.get("axis", 1)) for row in rows], np.float16).reshape(
            count, DIMENSION
        ),
    )


def candidate(name: str, *rows: dict[str, Any], phash: int = 0, time: float = 0.0, **measures: float) -> Candidate:
    given = {"mean": 0.5, "crushed": 0.0, "blown": 0.0, "border": 0.0, "text": 0.0, "sharpness": 1.0, **measures}
    thumbnail = np.zeros((96, 96), np.uint8)
    measured = PictureMeasures(size=(1000, 1000), phash=phash, thumbnail=thumbnail, **given)
    looked = ReadPicture(measured, faces_of(*rows), ".jpg", name)
    return Candidate(Source(Path("/set") / name, True, "/set/film", time), looked)


def with_face(name: str, score: float = 0.5, *, scene: int = 0, phash: int = 0, **row: Any) -> Candidate:
    made = candidate(name, row, phash=phash)
    take_face(made, 0, SETTINGS)
    made.score, made.scene = score, scene
    return made


def bits(count: int) -> int:
    return (1 << count) - 1


# ── classes and scores ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("share", "framing"),
    [(1.0, "close-up"), (0.36, "close-up"), (0.359, "portrait"), (0.2, "portrait"), (0.199, "half"), (0.12, "half"),
     (0.119, "full"), (0.0, "full")],
)  # fmt: skip
def test_framing_goes_by_the_face_share(share: float, framing: str) -> None:
    assert classify_framing(share, SETTINGS) == framing


@pytest.mark.parametrize(
    ("yaw", "pose"),
    [(0, "frontal"), (-19.9, "frontal"), (20, "three-quarter"), (-49.9, "three-quarter"), (50, "profile"),
     (-90, "profile")],
)  # fmt: skip
def test_pose_goes_by_the_yaw(yaw: float, pose: str) -> None:
    assert classify_pose(yaw, SETTINGS) == pose


def test_the_score_is_the_documented_sum() -> None:
    one = candidate("a", {"sharpness": 300.0}, mean=0.25, crushed=0.1, blown=0.1, border=0.2, text=0.5)
    take_face(one, 0, SETTINGS)
    one.similarity = 0.6
    by_hand = 0.45 * 0.6 + 0.30 * 0.75 + 0.20 * (0.75 * 0.8) + 0.05 * 0.8 - 0.5 * 0.2 - 0.3 * 0.5
    assert score_candidate(one, SETTINGS) == pytest.approx(by_hand, abs=1e-6)


def test_a_face_that_reaches_over_the_edge_counts_by_what_is_seen() -> None:
    one = candidate("a", {"share": 1.6})
    take_face(one, 0, SETTINGS)
    assert one.portrait.share == 1.0


def test_limits_that_contradict_each_other_are_named() -> None:
    for key, value in (("half_face", "0.5"), ("frontal_yaw", "60"), ("max", "0"), ("double_distance", "65")):
        with pytest.raises(ConfigError) as caught:
            load_config(environment={}, flags={"curate": {key: value}})
        assert len(caught.value.faults) == 1
        assert caught.value.faults[0].startswith("curate")


# ── persons ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_largest_face_is_taken_and_no_face_is_out() -> None:
    two, none = candidate("two", {"share": 0.1, "yaw": 5}, {"share": 0.3, "yaw": 60}), candidate("none")
    take_largest_faces([two, none], SETTINGS)
    assert (two.framing, two.pose, two.reason) == ("portrait", "profile", "")
    assert (none.face, none.reason) == (None, "no face found")


def test_the_person_asked_for_is_taken_though_another_face_is_larger() -> None:
    both = candidate("both", {"share": 0.3}, {"share": 0.15})
    other, none = candidate("other", {"share": 0.2}), candidate("none")
    asked = CandidateMatches(np.array([False, True, False]), np.array([0.1, 0.7, 0.2], np.float32), 0.45)
    take_asked_faces([both, none, other], asked, SETTINGS)
    assert (both.framing, both.reason) == ("half", "")
    assert both.similarity == pytest.approx(0.7)
    assert other.reason == "another person: similarity 0.20, 0.45 is needed"
    assert none.reason == "no face found"


def test_without_a_target_the_middle_of_the_set_tells_who_is_another() -> None:
    turned = ((0.0, 1), (10.0, 1), (-10.0, 1), (20.0, 1), (70.0, 2), (90.0, 2))  # cosines 1, .98, .98, .94, .34, 0
    people = [with_face(f"{angle}", angle=angle, axis=axis) for angle, axis in turned]
    assert compare_with_medoid(people, alike=0.5) == ""
    assert [one.reason != "" for one in people] == [False] * 5 + [True]
    assert [one.remark != "" for one in people] == [False] * 4 + [True, False]
    assert people[5].reason.startswith("looks like someone else")


def test_a_set_of_several_persons_loses_nobody() -> None:
    people = [with_face(f"{axis}{turn}", angle=90, axis=axis) for axis in (1, 2, 3) for turn in range(4)]
    assert "show several persons" in compare_with_medoid(people, alike=0.5)
    assert all(one.is_open and one.similarity is None and not one.remark for one in people)


# ── scenes and doubles ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_scene_ends_where_hash_and_face_change_or_time_jumps() -> None:
    row: dict[str, Any] = {"angle": 0.0}
    made = [
        candidate("a", row, time=0, phash=0),
        candidate("b", row, time=1, phash=bits(14)),  # 14 bits: the same
        candidate("c", row, time=2, phash=bits(40)),  # 26 bits, but the same face
        candidate("d", {"angle": 60.0}, time=3, phash=0),  # neither
        candidate("e", {"angle": 60.0}, time=14, phash=0),  # too late
    ]
    for one in made:
        take_face(one, 0, SETTINGS)
    number_scenes(made, SETTINGS)
    assert [one.scene for one in made] == [0, 0, 0, 1, 2]


@pytest.mark.parametrize(("distance", "same_scene", "is_double"), [(8, True, True), (9, True, False), (7, False, True),
                                                                    (8, False, False)])  # fmt: skip
def test_doubles_by_hash(distance: int, same_scene: bool, is_double: bool) -> None:
    better = with_face("better", 0.9, phash=0, axis=1, angle=90)
    worse = with_face("worse", 0.1, phash=bits(distance), scene=0 if same_scene else 1, axis=2, angle=90)
    drop_doubles([worse, better], SETTINGS, {})
    assert better.is_open
    assert worse.is_open is not is_double
    if is_double:
        assert worse.reason == f"double of '/set/better': {distance} of 64 bits differ"


@pytest.mark.parametrize(
    ("angle", "yaw", "scene", "is_double"),
    [(14, 0, 0, True), (15, 0, 0, False), (14, 11, 0, False), (14, 0, 1, False)],  # cos 14° = .970, cos 15° = .966
)
def test_doubles_by_face(angle: float, yaw: float, scene: int, is_double: bool) -> None:
    better = with_face("better", 0.9, phash=0)
    worse = with_face("worse", 0.1, phash=bits(40), angle=angle, yaw=yaw, scene=scene)
    drop_doubles([better, worse], SETTINGS, {})
    assert worse.is_open is not is_double


def test_equal_files_are_doubles_though_they_are_far_apart() -> None:
    """One of two equal files is a double of a third in its scene; the other, in another scene, would have stayed."""
    best = with_face("best", 0.9, phash=0, axis=1, angle=90)
    copies = [with_face(name, 0.5, phash=bits(8), scene=scene) for scene, name in enumerate(("film_1.000_0", "copy"))]
    copies = [replace(one, looked=replace(one.seen, sha256="equal")) for one in copies]
    drop_copies([best, *copies])
    drop_doubles([one for one in (best, *copies) if one.is_open], SETTINGS, {})
    assert [one.is_open for one in (best, *copies)] == [True, False, False]
    assert copies[1].reason == "double of '/set/film_1.000_0': the same file, byte for byte"


def test_of_equal_files_the_one_whose_video_is_known_stays() -> None:
    loose, crop = (replace(with_face(name), looked=replace(with_face(name).seen, sha256="equal")) for name in "ab")
    loose.source = replace(loose.source, strand="/set")  # the folder alone
    drop_copies([loose, crop])
    assert (loose.is_open, crop.is_open) == (False, True)


def test_nothing_is_dropped_for_one_that_is_dropped() -> None:
    """A chain: the middle is a double of the best, and the last of the middle alone."""
    chain = [
        with_face(str(n), score, phash=bits(6 * n), axis=n + 1, angle=90) for n, score in enumerate((0.9, 0.8, 0.7))
    ]
    drop_doubles(chain, SETTINGS, {})
    assert [one.is_open for one in chain] == [True, False, True]


# ── quotas ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("available", "shares", "total", "dealt"),
    [
        ([100, 100, 100, 100], (0.25, 0.40, 0.20, 0.15), 200, [50, 80, 40, 30]),
        ([500, 500, 500, 500], (0.25, 0.40, 0.20, 0.15), 10, [3, 4, 2, 1]),  # 2.5, 4, 2, 1.5: the first of equal halves
        ([300, 0, 0, 0], (0.25, 0.40, 0.20, 0.15), 200, [200, 0, 0, 0]),
        ([100, 10, 100, 0], (0.25, 0.40, 0.20, 0.15), 100, [50, 10, 40, 0]),  # 50, 40: five to four of what is left
        ([5, 5, 5, 5], (0.25, 0.40, 0.20, 0.15), 200, [5, 5, 5, 5]),
        ([10, 10, 10, 10], (1, 0, 0, 0), 16, [10, 2, 2, 2]),
        ([10, 10], (0, 0), 5, [3, 2]),
        ([0, 0], (0.5, 0.5), 5, [0, 0]),
    ],
)
def test_what_a_class_cannot_fill_is_dealt_to_the_others(
    available: list[int], shares: tuple[float, ...], total: int, dealt: list[int]
) -> None:
    assert deal(available, shares, total) == dealt


def test_dealing_never_gives_more_than_there_is_or_is_asked_for() -> None:
    chance = random.Random(7)
    for _ in range(500):
        available = [chance.randrange(40) for _ in range(4)]
        shares, total = [chance.choice((0, 0.1, 0.25, 0.7)) for _ in range(4)], chance.randrange(1, 150)
        dealt = deal(available, shares, total)
        assert all(0 <= count <= most for count, most in zip(dealt, available, strict=True))
        assert sum(dealt) == min(total, sum(available))


def crowd() -> list[Candidate]:
    """A hundred of each framing; every tenth a profile."""
    chance = random.Random(5)
    shares = {"close-up": 0.5, "portrait": 0.25, "half": 0.12, "full": 0.05}
    made = []
    for framing, share in shares.items():
        for number in range(100):
            yaw = 70 if number % 10 == 0 else chance.uniform(-45, 45)
            given = {"share": share, "yaw": yaw, "angle": chance.uniform(0, 40), "phash": chance.getrandbits(64)}
            made.append(with_face(f"{framing} {number}", chance.random(), scene=number, **given))
    return made


def test_quotas_by_framing_and_a_limit_on_profiles() -> None:
    made = crowd()
    chosen = select(made, SETTINGS)
    assert Counter(one.framing for one in chosen) == {"close-up": 50, "portrait": 80, "half": 40, "full": 30}
    assert sum(one.pose == "profile" for one in chosen) <= 20
    left = [one for one in made if not one.is_open]
    assert len(left) == 200
    profiles = "beyond the quota: the set takes 20 of 40 profiles, and others are better or more different"
    assert sum(one.reason == profiles for one in left) == 20
    halves = [one.reason for one in left if one.framing == "half" and one.reason != profiles]
    assert halves
    assert all(reason.startswith("beyond the quota: the set takes 40 of ") for reason in halves)
    assert all(" half figures, " in reason for reason in halves)
    # Quality counts: of each class the mean score of those chosen is above that of those left.
    assert np.mean([one.score for one in chosen]) > np.mean([one.score for one in left])


def in_film(name: str, time: float, score: float, *, is_film: bool = True, **row: Any) -> Candidate:
    made = with_face(name, score, **row)
    made.source = Source(Path("/set") / name, True, "/set/film.mp4", time, is_film)
    return made


def enough(count: int) -> CurateConfig:
    return SETTINGS.model_copy(update={"min_pictures": count})


def names(candidates: list[Candidate]) -> list[str]:
    return [one.source.path.name for one in candidates if one.is_open]


def test_of_one_moment_the_best_picture_stays() -> None:
    times = {"a": (0.0, 0.5), "b": (0.2, 0.9), "c": (0.4, 0.6), "d": (1.8, 0.4), "e": (3.0, 0.8)}
    made = [in_film(name, *given) for name, given in times.items()]
    keep_moments(made, enough(2))
    # b (0.2 s) and e (3.0 s) first; c and a are nearer than 1.5 s to b, d is 1.2 s before e.
    assert names(made) == ["b", "e"]
    assert made[2].reason == "the same moment as '/set/b': 0.2 s apart"


def test_where_the_set_would_be_too_small_the_farthest_in_time_come_back() -> None:
    times = {"a": (0.0, 0.5), "b": (0.2, 0.9), "c": (0.4, 0.6), "d": (1.8, 0.4), "e": (3.0, 0.8)}
    made = [in_film(name, *given) for name, given in times.items()]
    keep_moments(made, enough(4))
    # d is 1.2 s from e; then a and c are 0.2 s from b, and c is better.
    assert names(made) == ["b", "c", "d", "e"]


def test_pictures_of_a_folder_are_moments_of_their_own() -> None:
    made = [in_film(str(number), 0.04 * number, 0.5, is_film=False) for number in range(5)]
    keep_moments(made, enough(0))
    assert len(names(made)) == 5


def test_a_face_that_its_picture_cuts_off_stays_only_where_whole_ones_are_too_few() -> None:
    def cut_off() -> list[Candidate]:
        made = [with_face(str(number), 0.5 + number / 100) for number in range(3)]
        made[2].face = replace(made[2].portrait, is_uncut=False)
        return made

    made = cut_off()
    keep_moments(made, enough(2))
    assert names(made) == ["0", "1"]
    assert made[2].reason == "the picture cuts the face off"
    made = cut_off()
    keep_moments(made, enough(3))
    assert names(made) == ["0", "1", "2"]


def test_profiles_are_a_share_of_the_set_and_not_of_the_most_that_it_may_hold() -> None:
    made = [with_face(f"profile {n}", 0.9, yaw=70, angle=n, scene=n, phash=n) for n in range(30)]
    made += [with_face(f"frontal {n}", 0.5, angle=n, scene=n, phash=n << 20) for n in range(45)]
    chosen = select(made, SETTINGS)
    assert Counter(one.pose for one in chosen) == {"frontal": 45, "profile": 5}  # a tenth of 50
    few = [with_face(f"profile {n}", 0.9, yaw=70, angle=n, scene=n) for n in range(30)]
    assert len(select(few, SETTINGS)) == 2  # a tenth of 20, the smallest set


def test_the_clean_copy_stays_though_the_marked_one_has_the_higher_score() -> None:
    marked, clean, other = (
        with_face("marked", 0.9),
        with_face("clean", 0.5, phash=bits(12), angle=40),
        with_face("other", 0.95, phash=bits(40), angle=80),
    )
    drop_doubles([marked, clean, other], SETTINGS, {0: 1})
    assert names([marked, clean, other]) == ["clean", "other"]
    assert marked.reason == "double of '/set/clean': the same picture without the text or logo of this one"


def test_the_next_is_good_and_unlike_those_chosen() -> None:
    best = with_face("best", 0.9, phash=0)
    twin = with_face("twin", 0.85, phash=bits(10))
    other = with_face("other", 0.7, phash=bits(32), angle=90)
    # twin: .75 × .85 − .25 × (1 − 10/32 + 1) / 2 = .427; other: .75 × .7 − 0 = .525
    assert [one.source.path.name for one in spread([twin, best, other], 2, 0.75)] == ["best", "other"]
    assert [one.source.path.name for one in spread([twin, best, other], 2, 1.0)] == ["best", "twin"]
    assert spread([], 5, 0.75) == []
