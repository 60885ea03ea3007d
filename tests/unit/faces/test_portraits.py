"""What a picture of a face is worth, and which faces are pictured: worked out by hand, and as properties of crowds."""

from dataclasses import replace

import numpy as np
import pytest
from index_tools import some_faces

from fastface.faces.portraits import choose_portraits, portrait_worth
from fastface.faces.wholeness import head_shares, is_uncut
from fastface.tracking.face_tracks import link_tracks
from fastface.types import Faces

FRAME = (1280, 720)
WHOLE, AT_EDGE = (500.0, 200.0, 571.0, 300.0), (1244.0, 200.0, 1280.0, 300.0)


def face_at(box: tuple[float, ...], yaw: float = 0.0, sharpness: float = 200.0, quality: float = 0.5) -> Faces:
    x1, y1, x2, y2 = box
    eyes, mouth = y1 + 0.4 * (y2 - y1), y1 + 0.8 * (y2 - y1)
    left, right = x1 + 0.3 * (x2 - x1), x1 + 0.7 * (x2 - x1)
    points = [[left, eyes], [right, eyes], [(left + right) / 2, (eyes + mouth) / 2], [left, mouth], [right, mouth]]
    return replace(
        some_faces(1),
        boxes=np.array([box], np.float32),
        landmarks=np.array([points], np.float32),
        yaw=np.array([yaw], np.float32),
        sharpness=np.array([sharpness], np.float32),
        quality=np.array([quality], np.float32),
    )


def test_the_fewest_faults_come_first_then_the_mildest_then_quality() -> None:
    in_order = [
        face_at(WHOLE, quality=0.9),
        face_at(WHOLE, quality=0.4),
        face_at(WHOLE, sharpness=10, quality=0.9),
        face_at(WHOLE, yaw=-70, quality=0.9),
        face_at(AT_EDGE, quality=0.99),
        face_at(WHOLE, yaw=70, sharpness=10, quality=0.9),
        face_at(AT_EDGE, sharpness=10, quality=0.9),
        face_at(AT_EDGE, yaw=70, quality=0.9),
        face_at(AT_EDGE, yaw=70, sharpness=10, quality=0.9),
    ]
    worth = [float(portrait_worth(face, FRAME)[0]) for face in in_order]
    assert worth == sorted(worth, reverse=True)
    assert [int(value) for value in worth] == [7, 7, 6, 5, 4, 3, 2, 1, 0]


def test_a_head_that_the_frame_cuts_is_worth_less_by_that_share() -> None:
    # With a fifth of the width beside and a third of the height above: of 133.3 rows 100 are in the frame.
    at_top = (500.0, 0.0, 571.0, 100.0)
    assert head_shares(np.array([at_top, WHOLE], np.float32), FRAME).tolist() == pytest.approx([0.75, 1.0])
    worth = portrait_worth(Faces.concatenate([face_at(at_top), face_at(WHOLE)]), FRAME)
    assert worth.tolist() == pytest.approx([7.375, 7.5])


def test_a_face_whose_mouth_lies_below_the_frame_is_cut_off() -> None:
    box = (500.0, 640.0, 571.0, 720.0)
    face = face_at(box)
    assert is_uncut(face.boxes, face.landmarks, FRAME).tolist() == [True]
    lower = face.landmarks.copy()
    lower[0, 3:, 1] = 726
    assert is_uncut(face.boxes, lower, FRAME).tolist() == [False]
    assert is_uncut(face.boxes, lower, FRAME, 0).tolist() == [True]  # whoever wants every face gets it


def crowd(seed: int, num_samples: int = 25) -> Faces:
    """Persons who walk about, some of whom leave for a while, are cut off by the frame, or swap places."""
    chance = np.random.default_rng(seed)
    persons = chance.normal(size=(12, 8))
    places, pace = chance.uniform(0, 1200, (12, 2)), chance.normal(0, 25, (12, 2))
    rows = []
    for sample in range(num_samples):
        places = places + pace
        here = np.flatnonzero(chance.random(12) < 0.8)
        faces = some_faces(len(here))
        corners = places[here].astype(np.float32)
        embedding = persons[here] + chance.normal(0, 0.25, (len(here), 8))
        rows.append(
            replace(
                faces,
                time=np.full(len(here), sample / 5),
                pts=np.full(len(here), sample * 200, np.int64),
                boxes=np.concatenate([corners, corners + np.float32([70, 100])], axis=1),
                quality=chance.uniform(0.1, 0.9, len(here)).astype(np.float32),
                track=np.full(len(here), -1, np.int32),
                embedding=(embedding / np.linalg.norm(embedding, axis=1, keepdims=True)).astype(np.float16),
            )
        )
    return Faces.concatenate(rows)


@pytest.mark.parametrize("seed", range(20))
def test_every_track_is_pictured_at_its_best_class_and_no_batch_misses_a_face(seed: int) -> None:
    faces = crowd(seed)
    chance = np.random.default_rng(seed)
    worth = (chance.integers(0, 8, len(faces)) + faces.quality).astype(np.float32)
    worth[chance.random(len(faces)) < 0.1] = -1  # in damaged frames
    due = np.isin(faces.pts, np.arange(0, 5000, 1000))
    cuts = np.array([1400, 3600])
    chosen = choose_portraits(faces, worth, due, 0.7, cuts)
    assert not chosen[worth < 0].any()
    assert chosen.sum() < (worth >= 0).sum()
    shot = np.searchsorted(cuts, faces.pts, "right").astype(np.int32)
    tracks = link_tracks(faces, shot, 0.2)
    assert len(np.unique(tracks)) >= 12
    for track in np.unique(tracks):
        own = np.flatnonzero((tracks == track) & (worth >= 0))
        if len(own):
            best = np.floor(worth[own]).max()
            assert (np.floor(worth[own[chosen[own]]]) == best).any()
    for size in (1, 3, 4):
        batch = faces.pts // (200 * size)
        parts = [
            choose_portraits(faces[batch == n], worth[batch == n], due[batch == n], 0.7, cuts) for n in np.unique(batch)
        ]
        assert (np.concatenate(parts) | ~chosen).all()


def test_of_a_still_crowd_all_are_pictured_once_and_the_best_again_when_due() -> None:
    one = crowd(3, 1)
    count = len(one)
    times = np.repeat(np.arange(10) / 5, count)
    faces = replace(
        Faces.concatenate([one] * 10), time=times, pts=(times * 1000).astype(np.int64), quality=np.full(10 * count, 0.5)
    )
    faces = replace(faces, boxes=faces.boxes + np.tile(np.arange(count)[:, None] * 300, (10, 1)).astype(np.float32))
    worth = np.tile(7 + np.arange(count) / 100, 10).astype(np.float32)
    chosen = choose_portraits(faces, worth, faces.pts == 1000, 0.7, np.empty(0, np.int64)).reshape(10, count)
    assert count > 8
    assert chosen[0].all()
    assert np.flatnonzero(chosen[5]).tolist() == list(range(count - 8, count))
    assert chosen.sum() == count + 8
