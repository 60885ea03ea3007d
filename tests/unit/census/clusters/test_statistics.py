"""One row a track, and who is seen together in a frame: against plain loops, and by hand."""

import math
from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pytest

from fastface.census.clusters import statistics as summary
from fastface.census.clusters.statistics import frame_mates, summarize_video
from fastface.types import Faces


def random_faces(rng: np.random.Generator, frames: int, dimension: int = 8) -> Faces:
    """Up to five faces a frame; tracks that meet again and again; some faces without a track; in any order."""
    rows: list[tuple[int, int]] = []
    for frame in range(frames):
        numbers = rng.permutation(7)[: rng.integers(0, 6)].tolist()
        rows += [(frame, number if number < 6 else -1) for number in numbers]
    frame, track = np.array([rows[one] for one in rng.permutation(len(rows))], np.int64).reshape(-1, 2).T
    count = len(frame)
    corner = rng.uniform(-20, 600, size=(count, 2))
    embedding = rng.normal(size=(count, dimension))
    return Faces(
        time=frame * 0.2,
        pts=frame * 2560,
        boxes=np.concatenate([corner, corner + rng.uniform(20, 200, size=(count, 2))], axis=1).astype(np.float32),
        landmarks=np.zeros((count, 5, 2), np.float32),
        det_score=rng.random(count).astype(np.float32),
        quality=rng.choice([0.0, 0.2, 0.5, 0.5, 0.9], size=count).astype(np.float32),
        sharpness=np.zeros(count, np.float32),
        yaw=np.zeros(count, np.float32),
        track=track.astype(np.int32),
        damaged=np.zeros(count, np.bool_),
        embedding=(embedding / np.linalg.norm(embedding, axis=1, keepdims=True)).astype(np.float16),
    )


def members(faces: Faces) -> Iterator[tuple[int, list[int]]]:
    """The rows of each track, by number; a face without one has the number that is left for it."""
    found: dict[int, list[int]] = {}
    top = int(faces.track.max())
    for row, number in enumerate(faces.track.tolist()):
        found.setdefault(number if number >= 0 else top + 1 + row, []).append(row)
    yield from sorted(found.items())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("best", [1, 3, 50])
def test_a_track_in_one_row_is_what_plain_loops_say(seed: int, best: int) -> None:
    faces = random_faces(np.random.default_rng(seed), 12)
    tracks = summarize_video(faces, 0.25, 7, (640, 360), best)
    expected = list(members(faces))
    assert tracks.number.tolist() == [number for number, _ in expected]
    assert len(expected) >= 7
    assert set(tracks.video.tolist()) == {7}
    assert tracks.faces.sum() == len(faces)
    for row, (_, own) in enumerate(expected):
        ranked = sorted(own, key=lambda one: (-faces.quality[one], faces.time[one], one))
        assert tracks.start[row] == min(faces.time[own])
        assert tracks.end[row] == max(faces.time[own])
        assert tracks.seconds[row] == len(own) * 0.25
        assert (tracks.faces[row], tracks.best[row]) == (len(own), ranked[0])
        assert tracks.quality[row] == faces.quality[ranked[0]]
        scores = [float(faces.det_score[one]) for one in ranked[:best]]
        assert tracks.det_score[row] == pytest.approx(sum(scores) / len(scores), abs=1e-6)
        away = [math.dist(((x1 + x2) / 2, (y1 + y2) / 2), (320, 180)) / math.hypot(320, 180)
                for x1, y1, x2, y2 in faces.boxes[own].tolist()]  # fmt: skip
        assert tracks.centrality[row] == pytest.approx(sum(1 - min(one, 1) for one in away) / len(own), abs=1e-5)
        mean = sum(max(float(faces.quality[one]), 1e-3) * faces.embedding[one].astype(float) for one in ranked[:best])
        np.testing.assert_allclose(tracks.embedding[row].astype(float), mean / np.linalg.norm(mean), atol=6e-4)


def test_a_face_in_the_middle_is_wholly_central_and_one_in_a_corner_not_at_all() -> None:
    faces = random_faces(np.random.default_rng(1), 8)[:3]
    boxes = np.array([[300, 160, 340, 200], [-20, -10, 20, 10], [900, 900, 1000, 1000]], np.float32)
    placed = Faces(**{**{name: getattr(faces, name) for name in faces.__dataclass_fields__},
                      "boxes": boxes, "track": np.arange(3, dtype=np.int32)})  # fmt: skip
    assert summarize_video(placed, 1.0, 0, (640, 360)).centrality.tolist() == pytest.approx([1, 0, 0], abs=1e-6)


def test_no_face_is_no_track() -> None:
    tracks = summarize_video(Faces.empty(16), 0.2, 0, (640, 360))
    assert (len(tracks), tracks.embedding.shape) == (0, (0, 16))
    pairs, frames = frame_mates(np.empty(0, np.int64), np.empty(0, np.int64))
    assert (pairs.shape, frames.shape) == ((0, 2), (0,))


@pytest.mark.parametrize("block", [1, 3, 1 << 20])
@pytest.mark.parametrize("seed", range(4))
def test_who_is_in_one_frame_by_plain_loops(monkeypatch: pytest.MonkeyPatch, seed: int, block: int) -> None:
    monkeypatch.setattr(summary, "_BLOCK_PAIRS", block)
    faces = random_faces(np.random.default_rng(50 + seed), 25)
    number = {row: track for track, own in members(faces) for row in own}
    expected: dict[tuple[int, int], int] = {}
    crowd = 0
    for frame in sorted(set(faces.pts.tolist())):
        there = sorted(number[row] for row in np.flatnonzero(faces.pts == frame).tolist())
        crowd = max(crowd, len(there))
        for pair in combinations(there, 2):
            expected[pair] = expected.get(pair, 0) + 1
    assert crowd >= 4
    assert max(expected.values()) >= 3
    pairs, frames = frame_mates(faces.pts, faces.tracks)
    assert [tuple(pair) for pair in pairs.tolist()] == sorted(expected)
    assert frames.tolist() == [expected[pair] for pair in sorted(expected)]
