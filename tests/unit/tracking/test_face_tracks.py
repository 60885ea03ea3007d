"""Tracks: one person, one shot, short gaps, never two faces of one frame."""

import time

import numpy as np
from gallery_tools import axis, faces_of, mixed
from hypothesis import given, settings
from hypothesis import strategies as st

from fastface.tracking.face_tracks import link_tracks
from fastface.types import Faces

ANN, BOB = axis(0), axis(1)
LEFT, RIGHT = (100, 100, 200, 220), (400, 100, 500, 220)


def shifted(box, x, y=0):
    return (box[0] + x, box[1] + y, box[2] + x, box[3] + y)


def linked(faces: Faces, period: float = 0.2, shot: list[int] | None = None) -> list[int]:
    tracks = link_tracks(faces, np.array(shot or [0] * len(faces), np.int32), period)
    assert tracks.dtype == np.int32
    return tracks.tolist()


def test_two_persons_side_by_side_are_two_tracks_numbered_by_appearance():
    faces = faces_of([BOB, ANN, ANN, BOB], [0.0, 0.2, 0.4, 0.4], boxes=[RIGHT, LEFT, LEFT, RIGHT])
    assert linked(faces) == [0, 1, 1, 0]


def test_another_person_in_the_same_place_is_another_track():
    assert linked(faces_of([ANN, BOB], [0.0, 0.2], boxes=[LEFT, LEFT])) == [0, 1]


def test_the_same_person_elsewhere_or_in_another_framing_is_another_track():
    assert linked(faces_of([ANN, ANN], [0.0, 0.2], boxes=[LEFT, RIGHT])) == [0, 1]
    close_up = (50, 50, 250, 290)
    assert linked(faces_of([ANN, ANN], [0.0, 0.2], boxes=[LEFT, close_up])) == [0, 1]


def test_a_quick_move_is_followed_by_the_embedding():
    # The boxes are 100 wide: moved by 120 they do not overlap.
    alike, unlike = mixed(0.75), mixed(0.25)
    assert linked(faces_of([ANN, alike], [0.0, 0.2], boxes=[LEFT, shifted(LEFT, 120)])) == [0, 0]
    assert linked(faces_of([ANN, unlike], [0.0, 0.2], boxes=[LEFT, shifted(LEFT, 120)])) == [0, 1]


def test_a_turned_head_is_followed_by_its_place():
    turned = mixed(0.25)
    assert linked(faces_of([ANN, turned], [0.0, 0.2], boxes=[LEFT, shifted(LEFT, 20)])) == [0, 0]


def test_persons_who_pass_each_other_keep_their_tracks():
    places = [(0, 60), (20, 40), (40, 20), (60, 0)]
    boxes = [shifted(LEFT, x) for pair in places for x in pair]
    faces = faces_of([ANN, BOB] * 4, np.repeat([0.0, 0.2, 0.4, 0.6], 2).tolist(), boxes=boxes)
    tracks = linked(faces)
    assert tracks == [0, 1] * 4


def test_two_missed_samples_are_bridged_and_three_are_not():
    assert linked(faces_of([ANN, ANN], [0.0, 0.6], boxes=[LEFT, LEFT])) == [0, 0]
    assert linked(faces_of([ANN, ANN], [0.0, 0.8], boxes=[LEFT, LEFT])) == [0, 1]
    assert linked(faces_of([ANN, ANN], [0.0, 3.0], boxes=[LEFT, LEFT]), period=1.0) == [0, 0]


def test_a_gap_is_bridged_while_another_person_is_seen():
    faces = faces_of([ANN, BOB, BOB, BOB, ANN], [0.0, 0.0, 0.2, 0.4, 0.6], boxes=[LEFT, RIGHT, RIGHT, RIGHT, LEFT])
    assert linked(faces) == [0, 1, 1, 1, 0]


def test_dense_stretches_among_sparse_samples_are_one_track():
    times = [0.0, 0.2, *(0.4 + i / 25 for i in range(10)), 0.8, 1.0]
    assert linked(faces_of([ANN] * len(times), times, boxes=[LEFT] * len(times))) == [0] * len(times)


def test_two_faces_of_one_frame_never_share_a_track():
    # A detector's double: the same face twice in each frame.
    faces = faces_of([ANN] * 4, [0.0, 0.0, 0.2, 0.2], boxes=[LEFT, shifted(LEFT, 10)] * 2)
    assert linked(faces) == [0, 1, 0, 1]


def test_no_faces_have_no_tracks():
    assert linked(Faces.empty(8)) == []


FACES = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 2), st.integers(0, 30)), min_size=1, max_size=40, unique=True
)


@settings(max_examples=40)
@given(FACES, st.randoms(use_true_random=False))
def test_any_order_of_faces_gives_the_same_tracks(rows, random):
    rows = sorted(rows)
    faces = faces_of(
        [axis(person) for _, person, _ in rows],
        [sample / 5 for sample, _, _ in rows],
        boxes=[shifted(LEFT, 12 * place) for _, _, place in rows],
    )
    shot = np.array([sample >= 7 for sample, _, _ in rows], np.int32)
    tracks = link_tracks(faces, shot, 0.2)
    shuffled = np.array(random.sample(range(len(rows)), len(rows)))
    members = {frozenset(np.flatnonzero(tracks == number).tolist()) for number in set(tracks.tolist())}
    again = link_tracks(faces[shuffled], shot[shuffled], 0.2)
    assert {frozenset(shuffled[again == number].tolist()) for number in set(again.tolist())} == members
    assert len({(sample, track) for (sample, _, _), track in zip(rows, tracks, strict=True)}) == len(rows)
    assert all(len({rows[row][1] for row in track}) == 1 for track in members)
    assert all(len({shot[row] for row in track}) == 1 for track in members)
    firsts = [rows[int(np.flatnonzero(tracks == number)[0])][0] for number in range(len(members))]
    assert firsts == sorted(firsts)


def test_a_hundred_thousand_faces_take_seconds():
    # 25,000 frames of four persons who sway; embeddings of 512 components with noise.
    generator = np.random.default_rng(3)
    num_frames, num_persons = 25_000, 4
    person = np.tile(np.arange(num_persons), num_frames)
    frame = np.repeat(np.arange(num_frames), num_persons)
    base = generator.normal(size=(num_persons, 512)).astype(np.float32)
    embedding = base[person] + 0.7 * generator.standard_normal((len(person), 512), dtype=np.float32)
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    x = 150.0 * person + 20 * np.sin(frame / 20)
    empty = Faces.empty(512)
    faces = Faces(
        **{
            **{
                name: np.zeros((len(person), *getattr(empty, name).shape[1:]))
                for name in ("landmarks", "yaw", "track", "damaged")
            },
            **{name: np.ones(len(person)) for name in ("det_score", "quality", "sharpness")},
        },
        time=frame / 25,
        pts=frame,
        boxes=np.stack([x, x * 0, x + 80, x * 0 + 100], axis=1).astype(np.float32),
        embedding=embedding.astype(np.float16),
    )
    begin = time.process_time()
    tracks = link_tracks(faces, np.zeros(len(faces), np.int32), 0.04)
    assert time.process_time() - begin < 10
    assert (tracks == person).all()
