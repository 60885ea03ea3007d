"""Tracks of bodies: one person, one shot, hidden for a moment at most, never two bodies of one frame."""

import time

import numpy as np
from gallery_tools import DIMENSION, axis, faces_of, mixed
from hypothesis import given, settings
from hypothesis import strategies as st

from fastface.tracking.body_tracks import link_bodies
from fastface.types import NUM_COLOURS, Bodies, Faces

ANN, BOB = axis(0), axis(1)
LEFT, RIGHT = (100, 100, 200, 400), (400, 100, 500, 400)
"""Bodies of 100 × 300 pixels, whose size is 173: moved by 54 they overlap too little, by 87 they have moved too far."""

NO_CLUSTER = Faces.empty(DIMENSION)


def clothes(*components: float) -> np.ndarray:
    """(128,) colours of the given first components; the last one takes up the rest of the length."""
    vector = np.zeros(NUM_COLOURS)
    vector[: len(components)] = components
    vector[-1] = np.sqrt(1 - np.sum(np.square(components)))
    return vector


RED, BLUE = clothes(1), clothes(0, 1)


def bodies_of(
    times: list[float],
    boxes: list[tuple[float, ...]],
    colours: list[np.ndarray] | None = None,
) -> Bodies:
    """Bodies that are all dressed in red."""
    count = len(times)
    return Bodies(
        time=np.array(times, np.float64),
        pts=np.round(np.array(times) * 90000).astype(np.int64),
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        person_score=np.full(count, 0.8, np.float32),
        colours=np.array(colours or [RED] * count, np.float16).reshape(-1, NUM_COLOURS),
        face=np.full(count, -1, np.int32),
        track=np.full(count, -1, np.int32),
        jpeg=np.full(count, None, np.object_),
    )


def shifted(box, x, y=0):
    return (box[0] + x, box[1] + y, box[2] + x, box[3] + y)


def face_on(box):
    """A face at the top of a body."""
    return (box[0] + 30, box[1] + 5, box[0] + 70, box[1] + 55)


def one_shot(bodies: Bodies) -> np.ndarray:
    return np.zeros(len(bodies), np.int32)


def linked(bodies: Bodies, faces: Faces = NO_CLUSTER, period: float = 0.2, shots: list[int] | None = None) -> list[int]:
    shot = one_shot(bodies) if shots is None else np.array(shots, np.int32)
    found = link_bodies(bodies, shot, faces, period)
    assert (found.track.dtype, found.face.dtype) == (np.int32, np.int32)
    return found.track.tolist()


def pair(*, move: float = 0, seconds: float = 0.2, alike: float = 1) -> list[int]:
    """The tracks of two bodies."""
    places, colours = [LEFT, shifted(LEFT, move)], [RED, clothes(alike)]
    return linked(bodies_of([0, seconds], places, colours))


def test_who_walks_is_one_track():
    steps = range(12)
    bodies = bodies_of([n / 5 for n in steps], [shifted(LEFT, 40 * n, 3 * n) for n in steps])
    assert linked(bodies) == [0] * 12


def test_two_persons_side_by_side_are_two_tracks_numbered_by_appearance_and_from_the_left():
    bodies = bodies_of([0.0, 0.2, 0.2, 0.4, 0.4], [RIGHT, LEFT, RIGHT, RIGHT, LEFT])
    assert linked(bodies) == [0, 1, 0, 0, 1]
    assert linked(bodies_of([0.0, 0.0], [RIGHT, LEFT])) == [1, 0]


def test_place_and_clothes_decide_together():
    assert pair(alike=0.90) == [0, 0]  # in place, of other light
    assert pair(alike=0.86) == [0, 1]  # in place, somebody else
    assert pair(move=70, alike=0.95) == [0, 0]
    assert pair(move=70, alike=0.90) == [0, 1]
    assert pair(move=100) == [0, 1]  # dressed alike, too far away


def test_a_body_that_is_of_another_size_and_elsewhere_is_another_persons():
    whole, half = (100, 100, 200, 400), (100, 100, 200, 200)
    assert linked(bodies_of([0, 0.2], [whole, half])) == [0, 0]  # behind a table now: a third of it is seen in place
    assert linked(bodies_of([0, 0.2], [whole, (100, 330, 200, 430)])) == [0, 1]
    assert linked(bodies_of([0, 0.2], [whole, (160, 100, 260, 400)])) == [0, 0]
    assert linked(bodies_of([0, 0.2], [whole, (160, 150, 220, 330)])) == [0, 1]


def test_persons_who_pass_each_other_keep_their_tracks():
    places = [(0, 100), (35, 65), (65, 35), (100, 0)]
    boxes = [shifted(LEFT, x) for both in places for x in both]
    bodies = bodies_of(np.repeat([0.0, 0.2, 0.4, 0.6], 2).tolist(), boxes, [RED, BLUE] * 4)
    assert linked(bodies) == [0, 1] * 4


def test_who_walks_into_anothers_place_is_told_from_the_other_by_the_clothes():
    # By place alone the left one of the second frame would be the right one of the first.
    boxes = [shifted(LEFT, x) for x in (0, 40, 22, 62)]
    bodies = bodies_of([0, 0, 0.2, 0.2], boxes, [RED, clothes(0.9)] * 2)
    assert linked(bodies) == [0, 1, 0, 1]


def test_the_best_pairs_are_linked_first():
    # One stands higher than the other and is passed by the other's left side.
    boxes = [LEFT, shifted(LEFT, 10, -40), shifted(LEFT, 12), shifted(LEFT, 2, -40)]
    assert linked(bodies_of([0, 0, 0.2, 0.2], boxes)) == [0, 1, 0, 1]


def test_a_cut_ends_all_tracks_though_place_and_clothes_agree():
    times = np.repeat([0.0, 0.2, 0.4, 0.6], 2).tolist()
    bodies = bodies_of(times, [LEFT, RIGHT] * 4)
    assert linked(bodies) == [0, 1] * 4
    assert linked(bodies, shots=[0] * 4 + [1] * 4) == [0, 1] * 2 + [2, 3] * 2


def test_a_cut_away_and_back_ends_all_tracks():
    times = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2]
    bodies = bodies_of(times, [LEFT] * 7)
    assert linked(bodies, shots=[0, 0, 1, 1, 1, 2, 2]) == [0, 0, 1, 1, 1, 2, 2]


def test_who_is_hidden_for_less_than_two_seconds_and_back_in_place_is_one_track():
    def hidden(seconds: float, **changes: float) -> int:
        times = [0, 0.2, 0.4, 0.4 + seconds, 0.6 + seconds]
        places = [LEFT] * 3 + [shifted(LEFT, changes.get("move", 0))] * 2
        colours = [RED] * 3 + [clothes(changes.get("alike", 1))] * 2
        tracks = linked(bodies_of(times, places, colours))
        assert tracks in ([0] * 5, [0] * 3 + [1] * 2)
        return len(set(tracks))

    assert hidden(1.5) == 1
    assert hidden(2.5) == 2
    assert hidden(1.5, move=100) == 2
    # Over a longer gap the clothes must agree more than from one sample to the next.
    assert (hidden(0.4, alike=0.9), hidden(1.5, alike=0.9), hidden(1.5, alike=0.95)) == (1, 2, 1)


def test_who_is_hidden_is_found_again_though_others_are_seen_meanwhile():
    times = [0.0, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.0]
    boxes = [LEFT, RIGHT, RIGHT, RIGHT, RIGHT, RIGHT, LEFT, RIGHT]
    assert linked(bodies_of(times, boxes)) == [0, 1, 1, 1, 1, 1, 0, 1]


def test_sparse_samples_bridge_more():
    boxes = [LEFT, LEFT]
    assert linked(bodies_of([0, 6], boxes), period=2) == [0, 0]
    assert linked(bodies_of([0, 8], boxes), period=2) == [0, 1]


def test_faces_that_contradict_each_other_are_two_persons():
    bodies = bodies_of([0, 0.2], [LEFT, LEFT])

    def with_faces(*embeddings: np.ndarray) -> list[int]:
        times = [0.0, 0.2][2 - len(embeddings) :]
        return linked(bodies, faces_of(list(embeddings), times, boxes=[face_on(LEFT)] * len(embeddings)))

    assert with_faces(ANN, BOB) == [0, 1]
    assert with_faces(ANN, ANN) == [0, 0]
    assert with_faces(ANN, mixed(0.3)) == [0, 0]  # a turned head
    assert with_faces(ANN) == [0, 0]  # who turns away


def test_of_two_who_are_dressed_alike_the_faces_say_who_is_who():
    # They change places behind something: by place and clothes each would be the other.
    bodies = bodies_of([0, 0, 0.2, 0.2], [LEFT, shifted(LEFT, 60)] * 2)
    faces = faces_of(
        [ANN, BOB, BOB, ANN], [0, 0, 0.2, 0.2], boxes=[face_on(box) for box in [LEFT, shifted(LEFT, 60)]] * 2
    )
    assert linked(bodies) == [0, 1, 0, 1]
    assert linked(bodies, faces) == [0, 1, 1, 0]


def test_two_bodies_of_one_frame_never_share_a_track():
    # A detector's double: the same person twice in each frame.
    bodies = bodies_of([0.0, 0.0, 0.2, 0.2], [LEFT, shifted(LEFT, 10)] * 2)
    assert linked(bodies) == [0, 1, 0, 1]
    assert linked(bodies_of([0.0, 0.2, 0.2], [LEFT, LEFT, shifted(LEFT, 10)])) == [0, 0, 1]
    assert linked(bodies_of([0.0, 0.0, 0.2], [LEFT, shifted(LEFT, 10), LEFT])) == [0, 1, 0]


def test_no_bodies_have_no_tracks():
    assert linked(Bodies.empty()) == []
    assert linked(Bodies.empty(), faces_of([ANN], [0.0])) == []


def test_in_pictures_that_do_not_follow_each_other_each_body_is_a_track_of_its_own():
    bodies = bodies_of([0, 0, 1, 2], [LEFT, RIGHT, LEFT, LEFT])
    faces = faces_of([ANN, ANN], [0, 1], boxes=[face_on(LEFT)] * 2)
    found = link_bodies(bodies, one_shot(bodies), faces, 1.0, is_film=False)
    assert found.track.tolist() == [0, 1, 2, 3]
    assert found.face.tolist() == [0, -1, 1, -1]


def test_the_face_of_a_body_is_the_row_of_the_face_that_is_on_it():
    bodies = bodies_of([0.4, 0.0, 0.4, 0.2, 0.6], [LEFT, LEFT, RIGHT, RIGHT, LEFT])
    faces = faces_of(
        [ANN] * 6,
        [0.0, 0.2, 0.4, 0.4, 0.6, 0.8],
        boxes=[face_on(LEFT), face_on(LEFT), face_on(RIGHT), face_on(LEFT), (150, 390, 190, 440), face_on(LEFT)],
    )
    # At 0.2 s the face is on nobody who was found, at 0.6 s it is at somebody's feet, and at 0.8 s there is no body.
    found = link_bodies(bodies, one_shot(bodies), faces, 0.2)
    assert found.face.tolist() == [3, 0, 2, -1, -1]
    backwards = link_bodies(bodies[::-1], one_shot(bodies), faces[::-1], 0.2)
    assert backwards.face.tolist() == [-1, -1, 5 - 2, 5 - 0, 5 - 3]


def test_nothing_else_of_the_bodies_is_changed():
    bodies = bodies_of([0.2, 0.0], [LEFT, RIGHT])
    found = link_bodies(bodies, one_shot(bodies), NO_CLUSTER, 0.2)
    for name in set(Bodies.__dataclass_fields__) - {"face", "track"}:
        assert getattr(found, name) is getattr(bodies, name), name
    assert bodies.track.tolist() == [-1, -1]


SEEN = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 15), st.integers(0, 2), st.booleans()),
    min_size=1,
    max_size=40,
    unique_by=lambda row: row[:2],
)
"""Sample, place, person, and whether the face is seen."""


@settings(max_examples=60)
@given(SEEN, st.randoms(use_true_random=False))
def test_any_order_of_rows_gives_the_same_tracks(rows, random):
    rows = sorted(rows)
    bodies = bodies_of(
        [sample / 5 for sample, *_ in rows],
        [shifted(LEFT, 12 * place) for _, place, *_ in rows],
        [clothes(*np.eye(3)[person]) for *_, person, _ in rows],
    )
    shot = np.array([sample >= 7 for sample, *_ in rows], np.int32)
    seen = [row for row in rows if row[3]]
    faces = faces_of(
        [axis(person) for *_, person, _ in seen],
        [sample / 5 for sample, *_ in seen],
        boxes=[face_on(shifted(LEFT, 12 * place)) for _, place, *_ in seen],
    )
    found = link_bodies(bodies, shot, faces, 0.2)
    members = {frozenset(np.flatnonzero(found.track == number).tolist()) for number in set(found.track.tolist())}
    assert found.face[found.face >= 0].tolist() == list(range(len(seen)))
    assert [rows[row] for row in np.flatnonzero(found.face >= 0)] == seen

    shuffled = np.array(random.sample(range(len(rows)), len(rows)))
    other = np.array(random.sample(range(len(seen)), len(seen)), np.int64)
    again = link_bodies(bodies[shuffled], shot[shuffled], faces[other], 0.2)
    assert again.track.tolist() == found.track[shuffled].tolist()
    named = [other[face] if face >= 0 else -1 for face in again.face.tolist()]
    assert named == found.face[shuffled].tolist()

    for track in members:
        samples = [rows[row][0] for row in sorted(track)]
        assert len(set(samples)) == len(samples)
        assert len({rows[row][2] for row in track}) == 1
        assert len({sample < 7 for sample in samples}) == 1
        assert max(np.diff(samples), default=0) <= 10
    firsts = [rows[int(np.flatnonzero(found.track == number)[0])][:2] for number in range(len(members))]
    assert firsts == sorted(firsts)


def test_a_hundred_thousand_bodies_take_seconds():
    # 25,000 frames of four persons who sway, dressed otherwise, with noise; the first one's face is seen.
    chance = np.random.default_rng(3)
    num_frames, num_persons = 25_000, 4
    person = np.tile(np.arange(num_persons), num_frames)
    frame = np.repeat(np.arange(num_frames), num_persons)
    colours = chance.dirichlet([0.3] * NUM_COLOURS, num_persons)[person]
    colours = np.sqrt(0.97 * colours + 0.03 / NUM_COLOURS * chance.random(colours.shape))
    x = 110.0 * person + 60 * np.sin(frame / 20 + person)
    places = np.stack([x, x * 0 + 50, x + 100, x * 0 + 350], axis=1)
    bodies = Bodies(
        time=frame / 25,
        pts=frame,
        boxes=places.astype(np.float32),
        person_score=np.ones(len(person), np.float32),
        colours=(colours / np.linalg.norm(colours, axis=1, keepdims=True)).astype(np.float16),
        face=np.full(len(person), -1, np.int32),
        track=np.full(len(person), -1, np.int32),
        jpeg=np.full(len(person), None, np.object_),
    )
    seen = np.flatnonzero(person == 0)
    faces = faces_of([ANN] * len(seen), (frame[seen] / 25).tolist(), boxes=[face_on(places[row]) for row in seen])
    faces.pts[:] = frame[seen]
    begin = time.process_time()
    found = link_bodies(bodies, one_shot(bodies), faces, 0.04)
    assert time.process_time() - begin < 15
    assert (found.track == person).all()
    assert (found.face[seen] == np.arange(len(seen))).all()
