"""Which hits become crops: the best, apart in time, none twice, and as different as may be."""

import math
from dataclasses import replace

import numpy as np
import pytest
from export_tools import make_faces, make_hits
from hypothesis import given, settings
from hypothesis import strategies as st

from fastface.config import ExportConfig
from fastface.export.crops import choosing
from fastface.export.crops.choosing import SAME_SCALE, SAME_YAW, choose_crops
from fastface.faces.wholeness import shown_shares
from fastface.types import DOUBLE_COSINE, Faces


def _random_faces(seed: int, count: int) -> Faces:
    """Faces of a few looks, each seen many times, in order of time; some at the same time."""
    rng = np.random.default_rng(seed)
    looks = rng.normal(size=(4, 8))
    embedding = looks[rng.integers(4, size=count)] + rng.normal(size=(count, 8)) * 0.2
    corner, side = rng.integers(0, 500, size=(count, 2)), rng.integers(40, 60, size=(count, 1))
    return replace(
        make_faces(np.sort(rng.integers(0, 4 * count, size=count) / 10).tolist()),
        quality=(rng.integers(1, 20, size=count) / 20).astype(np.float32),
        yaw=rng.integers(-20, 20, size=count).astype(np.float32),
        boxes=np.concatenate([corner, corner + side], axis=1).astype(np.float32),
        embedding=(embedding / np.linalg.norm(embedding, axis=1, keepdims=True)).astype(np.float16),
    )


def _chosen(faces: Faces, **settings: float) -> list[int]:
    hits = make_hits(faces, list(range(len(faces))))
    return [int(row) for row in choose_crops(faces, hits, ExportConfig.model_validate(settings)).rows]


def _cosine(faces: Faces, one: int, other: int) -> float:
    return float(faces.embedding[one].astype(np.float64) @ faces.embedding[other].astype(np.float64))


def _is_alike(faces: Faces, one: int, other: int) -> bool:
    sides = [(faces.boxes[row, 2:] - faces.boxes[row, :2]).tolist() for row in (one, other)]
    sizes = sorted(math.sqrt(width * height) for width, height in sides)
    same_yaw = abs(float(faces.yaw[one]) - float(faces.yaw[other])) <= SAME_YAW
    return _cosine(faces, one, other) >= DOUBLE_COSINE and same_yaw and sizes[1] <= SAME_SCALE * sizes[0]


def _by_definition(faces: Faces, gap: float, most: int, diversity: float) -> list[int]:
    """The three sieves, one face and one pair at a time."""
    rank = sorted(range(len(faces)), key=lambda r: (-faces.quality[r], faces.time[r], *faces.boxes[r, :2].tolist()))
    spaced: list[int] = []
    for row in rank:
        if all(abs(faces.time[row] - faces.time[other]) >= gap for other in spaced):
            spaced.append(row)
    unlike: list[int] = []
    for row in spaced:
        if not any(_is_alike(faces, row, other) for other in unlike):
            unlike.append(row)
    if not 0 < most < len(unlike):
        return sorted(unlike)
    chosen: list[int] = []
    while len(chosen) < most:
        scores = {}
        for row in (row for row in unlike if row not in chosen):
            nearness = [1 - abs(float(faces.yaw[row]) - float(faces.yaw[other])) / 90 for other in chosen]
            likeness = [(_cosine(faces, row, o) + near) / 2 for o, near in zip(chosen, nearness, strict=True)]
            scores[row] = (1 - diversity) * float(faces.quality[row]) - diversity * max(likeness, default=0)
        chosen.append(max(scores, key=scores.__getitem__))
    return sorted(chosen)


def test_the_best_go_first_and_keep_their_distance() -> None:
    faces = make_faces([0.0, 0.5, 1.0, 1.5, 3.0])  # qualities rise: 0.1, 0.2 … 0.5
    # 3.0 and 1.5 are best; 1.0 is too near to 1.5; 0.5 is a whole second away; 0.0 is too near to that.
    assert _chosen(faces, min_gap=1.0) == [1, 3, 4]
    assert _chosen(faces, min_gap=1.5) == [0, 3, 4]
    assert _chosen(faces, min_gap=0.0) == [0, 1, 2, 3, 4]
    assert choose_crops(faces, make_hits(faces, []), ExportConfig()).rows.tolist() == []


def test_rows_are_those_of_the_hits_and_not_of_the_faces() -> None:
    faces = make_faces([0.0, 5.0, 10.0, 15.0])
    assert choose_crops(faces, make_hits(faces, [1, 3]), ExportConfig()).rows.tolist() == [0, 1]


def test_of_equally_good_ones_the_earlier_goes_first_then_the_one_further_left() -> None:
    boxes: list[tuple[float, ...]] = [(90.0, 0.0, 130.0, 40.0), (10.0, 0.0, 50.0, 40.0), (0.0, 0.0, 40.0, 40.0)]
    faces = replace(make_faces([1.0, 1.0, 2.0], boxes=boxes), quality=np.full(3, 0.5, np.float32))
    assert _chosen(faces, min_gap=1.5) == [1]


@pytest.mark.parametrize(
    ("cosine", "yaw", "side", "is_twice"),
    [
        (1.0, 0.0, 40.0, True),
        (0.975, 5.0, 45.0, True),
        (0.96, 0.0, 40.0, False),  # another look
        (1.0, 5.5, 40.0, False),  # turned
        (1.0, 0.0, 47.0, False),  # 40 × 1.15 = 46: nearer
    ],
)
def test_the_better_of_near_duplicates_stays(cosine: float, yaw: float, side: float, is_twice: bool) -> None:
    faces = replace(
        make_faces([0.0, 100.0], boxes=[(0.0, 0.0, side, side), (5.0, 5.0, 45.0, 45.0)]),
        yaw=np.array([yaw, 0], np.float32),
        embedding=np.array([[cosine, np.sqrt(1 - cosine**2), 0, 0], [1, 0, 0, 0]], np.float16),
    )
    assert _chosen(faces) == ([1] if is_twice else [0, 1])


def test_without_diversity_the_best_are_taken_and_with_it_an_other_look() -> None:
    faces = replace(
        make_faces([0.0, 10.0, 20.0]),
        quality=np.array([0.9, 0.8, 0.7], np.float32),
        yaw=np.array([0, 9, -40], np.float32),
        embedding=np.array([[1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]], np.float16),
    )
    assert _chosen(faces, max_crops=2, diversity=0.0) == [0, 1]
    # 0.75 × 0.8 − 0.25 × (1 + 0.9) / 2 = 0.3625 is less than 0.75 × 0.7 − 0.25 × (0 + 5 / 9) / 2 = 0.4556.
    assert _chosen(faces, max_crops=2, diversity=0.25) == [0, 2]
    assert _chosen(faces, max_crops=1) == [0]
    assert _chosen(faces, max_crops=3) == [0, 1, 2]


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 60), st.sampled_from([0.0, 0.5, 1.5, 7.0]),
    st.sampled_from([0, 1, 3, 10]), st.sampled_from([0.0, 0.25, 1.0]),
)  # fmt: skip
def test_it_is_what_the_definition_says(seed: int, count: int, gap: float, most: int, diversity: float) -> None:
    faces = _random_faces(seed, count)
    chosen = _chosen(faces, min_gap=gap, max_crops=most, diversity=diversity)
    assert chosen == _by_definition(faces, gap, most, diversity)
    assert len(chosen) >= 1
    assert all(b - a >= gap for a, b in zip(faces.time[chosen], faces.time[chosen][1:], strict=False))
    assert most == 0 or len(chosen) <= most


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 5]))
def test_the_order_of_the_hits_does_not_matter(seed: int, most: int) -> None:
    faces = _random_faces(seed, 40)
    order = np.random.default_rng(seed).permutation(40)
    config = ExportConfig(min_gap=0.5, max_crops=most)
    shuffled = make_hits(faces, order.tolist())
    assert sorted(shuffled.face[choose_crops(faces, shuffled, config).rows].tolist()) == _chosen(
        faces, min_gap=0.5, max_crops=most
    )


def test_blocks_do_not_show_in_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    faces = _random_faces(7, 300)
    whole = _chosen(faces, min_gap=0.0)
    assert 20 < len(whole) < 300
    monkeypatch.setattr(choosing, "_BLOCK", 7)
    monkeypatch.setattr(choosing, "_KEPT_BLOCK", 5)
    assert _chosen(faces, min_gap=0.0) == whole == _by_definition(faces, 0.0, 0, 0.25)


def test_a_limit_is_met_among_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    faces = _random_faces(8, 100)
    best = _chosen(faces, max_crops=6, diversity=0.0)
    assert len(best) == 6
    assert _chosen(faces, max_crops=6, diversity=0.9) != best
    monkeypatch.setattr(choosing, "_MOST_COMPARED", 6)
    assert _chosen(faces, max_crops=6, diversity=0.9) == best


def test_a_cosine_on_the_border_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        looks = 1 + rng.normal(size=(2, 512)) * 0.15
        unit = (looks / np.linalg.norm(looks, axis=1, keepdims=True)).astype(np.float16)
        faces = replace(make_faces([0.0, 100.0]), embedding=unit)
        cosine = _cosine(faces, 0, 1)
        monkeypatch.setattr(choosing, "DOUBLE_COSINE", cosine)
        assert _chosen(faces) == [1]
        monkeypatch.setattr(choosing, "DOUBLE_COSINE", np.nextafter(cosine, 2))
        assert _chosen(faces) == [0, 1]


@pytest.mark.parametrize(
    ("box", "share"),
    [
        ((500, 200, 571, 300), 1.0),
        ((500, 200, 541, 300), 1.0),  # narrow, as a profile is, but away from every edge
        ((0, 200, 71, 300), 1.0),  # at the edge, and whole: 71 to 100
        ((0, 200, 35.5, 300), 0.5),  # half of that width is left
        ((1244.5, 200, 1280, 300), 0.5),
        ((-71, 200, 71, 400), 0.5),  # reaches over the edge by itself
        ((500, 0, 571, 50), 0.5),  # without its upper half
        ((500, 670, 571, 720), 0.5),
        ((-50, 200, -10, 260), 0.0),
        ((1, 146, 62, 328), 61 / (0.71 * 182)),  # of friends.mp4 at 19.436 s: 0.47
    ],
)
def test_how_much_of_a_face_a_frame_shows(box: tuple[float, ...], share: float) -> None:
    shown = shown_shares(np.array([box], np.float32), (1280, 720))
    assert shown.tolist() == [pytest.approx(share, abs=1e-3)]
