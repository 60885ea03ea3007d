"""Whose a body is while the face is not seen, and what that comes to: drawn rows, owners and stretches by hand."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from gallery_tools import axis, faces_of
from hypothesis import given, settings
from hypothesis import strategies as st

from fastface.census.clusters.person_summaries import NO_CLUSTER
from fastface.census.clusters.unseen_bodies import SEEN, BodyStretches, owners, stretches
from fastface.types import NUM_COLOURS, Bodies, Faces

ANN, BO = 0, 1
"""Clusters of faces."""

NO_FACE = -1

Body = tuple[float, int, int] | tuple[float, int, int, float]
"""Time, track, row of the face on it, and the score."""


def bodies_of(rows: Sequence[Body]) -> Bodies:
    """Bodies whose score is 0.8 where none is given. Times that are quarters are told apart exactly."""
    time, track, face, score = zip(*((*row, 0.8)[:4] for row in rows), strict=True) if rows else ((), (), (), ())
    count = len(rows)
    return Bodies(
        time=np.array(time, np.float64),
        pts=np.round(np.array(time, np.float64) * 1000).astype(np.int64),
        boxes=np.tile(np.array([800, 400, 1120, 680], np.float32), (count, 1)),
        person_score=np.array(score, np.float32),
        colours=np.zeros((count, NUM_COLOURS), np.float16),
        face=np.array(face, np.int32),
        track=np.array(track, np.int32),
        jpeg=np.full(count, None, np.object_),
    )


def faces_at(*times: float) -> Faces:
    faces = faces_of([axis(0)] * len(times), list(times))
    faces.pts[:] = np.round(faces.time * 1000)
    return faces


def owned(rows: Sequence[Body], times: Sequence[float] = (), cluster: Sequence[int] = ()) -> list[int]:
    """The owners of bodies in a video with faces at these times, of these clusters."""
    found = owners(bodies_of(rows), faces_at(*times), np.array(cluster, np.int64))
    assert found.dtype == np.int64
    return found.tolist()


# ── owners ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_body_is_theirs_whose_face_is_nearest_in_time() -> None:
    rows = [(time, 4, {1: 0, 5: 1}.get(time, NO_FACE)) for time in (0, 1, 2, 3.25, 4, 5, 9)]
    # Where the face is on it, it tells nothing more. 3.25 s lies 2.25 s after Ann's face and 1.75 s before Bo's.
    assert owned(rows, [1, 5], [ANN, BO]) == [ANN, SEEN, ANN, BO, BO, SEEN, BO]


def test_of_two_faces_equally_near_the_earlier_tells() -> None:
    rows = [(1, 0, 0), (3, 0, NO_FACE), (5, 0, 1)]
    assert owned(rows, [1, 5], [ANN, BO]) == [SEEN, ANN, SEEN]
    assert owned(rows, [1, 5], [BO, ANN]) == [SEEN, BO, SEEN]
    assert owned([(1, 0, 1), (3, 0, NO_FACE), (5, 0, 0)], [5, 1], [BO, ANN]) == [SEEN, ANN, SEEN]  # as faces may lie


def test_two_faces_are_equally_near_at_any_rate_of_sampling() -> None:
    for first in range(30):
        earlier, time, later = first / 5, (first + 1) / 5, (first + 2) / 5
        rows = [(earlier, 0, 0), (time, 0, NO_FACE), (later, 0, 1)]
        assert owned(rows, [earlier, later], [ANN, BO]) == [SEEN, ANN, SEEN], time


@pytest.mark.parametrize("scale", [1, 90, 1_000_000])
def test_timestamps_may_count_from_the_epoch_and_tracks_be_many(scale: int) -> None:
    rows = [(1, 49_999, 0), (3, 49_999, NO_FACE), (4, 49_999, NO_FACE), (6, 49_999, 1), (3.5, 0, NO_FACE)]
    bodies, faces = bodies_of(rows), faces_at(1, 6)
    epoch = 1_700_000_000_000 * scale
    bodies, faces = (replace(one, pts=one.pts * scale + epoch) for one in (bodies, faces))
    assert owners(bodies, faces, np.array([ANN, BO])).tolist() == [SEEN, ANN, BO, SEEN, NO_CLUSTER]


def test_a_track_is_told_by_its_own_faces_alone() -> None:
    rows = [(2, 3, NO_FACE), (2, 5, 0), (2, 7, NO_FACE), (2.25, 3, NO_FACE), (99, 5, NO_FACE), (2.25, 7, NO_FACE)]
    assert owned(rows, [2], [ANN]) == [NO_CLUSTER, SEEN, NO_CLUSTER, NO_CLUSTER, ANN, NO_CLUSTER]


def test_a_face_that_is_too_poor_is_no_face() -> None:
    rows = [(1, 0, 0), (2, 0, NO_FACE), (3, 0, 1), (9, 0, NO_FACE)]
    assert owned(rows, [1, 3], [NO_CLUSTER, BO]) == [BO, BO, SEEN, BO]
    assert owned(rows, [1, 3], [NO_CLUSTER, NO_CLUSTER]) == [NO_CLUSTER] * 4


def test_where_the_face_is_seen_elsewhere_in_the_frame_the_body_tells_nothing() -> None:
    rows = [(1, 0, 0), (2, 0, NO_FACE), (3, 0, NO_FACE), (4, 0, NO_FACE)]
    # At 2 s Ann's face is on nobody's body, at 3 s Bo's is, and at 4 s one that is too poor.
    assert owned(rows, [1, 2, 3, 4], [ANN, ANN, BO, NO_CLUSTER]) == [SEEN, SEEN, ANN, ANN]
    # It is on another body.
    assert owned([*rows, (4, 1, 1)], [1, 4], [ANN, ANN]) == [SEEN, ANN, ANN, SEEN, SEEN]


@pytest.mark.parametrize(("scores", "expected"), [((0.7, 0.9), [SEEN, ANN]), ((0.9, 0.7), [ANN, SEEN])])
def test_of_two_bodies_of_one_person_in_a_frame_the_surer_one_counts(
    scores: tuple[float, float], expected: list[int]
) -> None:
    telling = [(1, 0, 0), (3, 1, 1)]
    both = [(2, 0, NO_FACE, scores[0]), (2, 1, NO_FACE, scores[1])]
    assert owned([*telling, *both], [1, 3], [ANN, ANN]) == [SEEN, SEEN, *expected]
    # Those of two persons both count, and so do those of nobody known.
    assert owned([*telling, *both], [1, 3], [ANN, BO]) == [SEEN, SEEN, ANN, BO]
    assert owned(both) == [NO_CLUSTER, NO_CLUSTER]


@pytest.mark.parametrize(
    ("scores", "is_somebody"),
    [((0.75, 0.25), False), ((0.75, 0.5), True), ((0.59, 0.59), False), ((0.6, 0.6), True), ((0.61, 0.58), False)],
)
def test_a_track_without_a_face_is_somebody_from_a_mean_score_on(
    scores: tuple[float, float], is_somebody: bool
) -> None:
    rows = [(place, 6, NO_FACE, score) for place, score in enumerate(scores)]
    assert owned(rows) == [NO_CLUSTER if is_somebody else SEEN] * 2
    # Another track's scores say nothing of it.
    sure = [(place, 2, NO_FACE, 1.0) for place in range(9)]
    assert owned([*sure, *rows])[9:] == owned(rows)
    assert owned([*sure, *rows])[:9] == [NO_CLUSTER] * 9


def test_whoever_shows_a_face_is_somebody_whatever_the_score() -> None:
    assert owned([(1, 0, 0, 0.1), (2, 0, NO_FACE, 0.1)], [1], [ANN]) == [SEEN, ANN]


def test_no_bodies_and_no_faces() -> None:
    assert owned([]) == []
    assert owned([], [1, 2], [ANN, NO_CLUSTER]) == []
    assert owned([(1, 0, NO_FACE), (2, 3, NO_FACE)]) == [NO_CLUSTER, NO_CLUSTER]


def plainly(bodies: Bodies, faces: Faces, cluster: list[int]) -> list[int]:
    """The same said row by row."""
    told = [NO_CLUSTER if face < 0 else cluster[face] for face in bodies.face.tolist()]
    time, track, score = bodies.time.tolist(), bodies.track.tolist(), bodies.person_score.tolist()
    seen = {(pts, whose) for pts, whose in zip(faces.pts.tolist(), cluster, strict=True) if whose != NO_CLUSTER}
    found = []
    for row in range(len(bodies)):
        telling = [other for other in range(len(bodies)) if track[other] == track[row] and told[other] != NO_CLUSTER]
        if told[row] != NO_CLUSTER:
            found.append(SEEN)
        elif telling:
            found.append(told[min(telling, key=lambda other: (abs(time[other] - time[row]), time[other]))])
        else:
            own = [one for one, number in zip(score, track, strict=True) if number == track[row]]
            found.append(NO_CLUSTER if sum(own) / len(own) >= 0.6 else SEEN)
    kept = []
    for row, whose in enumerate(found):
        frame = bodies.pts[row]
        rivals = [other for other in range(len(bodies)) if bodies.pts[other] == frame and found[other] == whose]
        is_told = (frame, whose) in seen or score[row] < max(score[other] for other in rivals)
        kept.append(SEEN if whose >= 0 and is_told else whose)
    return kept


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_any_video_is_told_as_row_by_row_and_in_any_order(data: st.DataObject) -> None:
    moments = st.tuples(st.integers(0, 7), st.integers(0, 3))
    places = data.draw(st.lists(moments, unique=True, max_size=16))
    scores = data.draw(st.permutations([0.5 + place / 64 for place in range(len(places))]))
    people = st.sampled_from([NO_CLUSTER, 0, 1, 2])
    rows, times, cluster = [], [], []
    for (time, track), score in zip(places, scores, strict=True):
        shown = data.draw(st.booleans())
        rows.append((time, track, len(times) if shown else NO_FACE, score))
        if shown:
            times.append(time)
            cluster.append(data.draw(people))
    for time in data.draw(st.lists(st.integers(0, 7), max_size=3)):  # on no body
        times.append(time)
        cluster.append(data.draw(people))
    bodies, faces = bodies_of(rows), faces_at(*times)
    expected = plainly(bodies, faces, cluster)
    assert owners(bodies, faces, np.array(cluster, np.int64)).tolist() == expected
    order = np.array(data.draw(st.permutations(range(len(rows)))), np.int64)
    shuffled = owners(bodies[order], faces, np.array(cluster, np.int64))
    assert shuffled.tolist() == [expected[row] for row in order]
    one = stretched(bodies, np.array(expected, np.int64))
    other = stretched(bodies[order], shuffled)
    assert other.of.tolist() == one.of[order].tolist()
    for name in ("number", "start", "end", "seconds", "det_score", "centrality"):
        assert getattr(other.tracks, name).tolist() == getattr(one.tracks, name).tolist(), name
    assert order[other.tracks.best].tolist() == one.tracks.best.tolist()


# ── stretches ───────────────────────────────────────────────────────────────────────────────────────────────────────


def stretched(
    bodies: Bodies, owner: Sequence[int] | np.ndarray, *, period: float = 0.25, video: int = 3
) -> BodyStretches:
    whose = np.array(owner, np.int64)
    return stretches(bodies, whose, period=period, video=video, size=(1920, 1080))


def test_a_row_for_each_track_and_owner() -> None:
    rows = [
        (3.0, 5, NO_FACE, 0.7), (1.0, 2, NO_FACE, 0.8), (1.0, 5, NO_FACE, 0.5), (2.0, 5, NO_FACE, 0.9),
        (7.0, 5, NO_FACE, 0.6), (1.25, 2, NO_FACE, 0.9), (4.0, 5, NO_FACE, 1.0), (2.5, 2, NO_FACE, 0.85),
    ]  # fmt: skip
    found = stretched(bodies_of(rows), [BO, NO_CLUSTER, ANN, ANN, BO, NO_CLUSTER, SEEN, NO_CLUSTER])
    tracks = found.tracks
    assert len(tracks) == 3
    assert found.owner.tolist() == [NO_CLUSTER, ANN, BO]
    assert found.of.tolist() == [2, 0, 1, 1, 2, 0, SEEN, 0]
    assert tracks.number.tolist() == [2, 5, 5]
    assert tracks.start.tolist() == [1.0, 1.0, 3.0]
    assert tracks.end.tolist() == [2.5, 2.0, 7.0]
    assert tracks.seconds.tolist() == [0.75, 0.5, 0.5]  # for each body a quarter of a second, however far apart
    assert tracks.best.tolist() == [5, 3, 0]  # the surest body, by its row in the video
    np.testing.assert_allclose(tracks.det_score, [0.9, 0.9, 0.7])
    assert tracks.video.tolist() == [3, 3, 3]
    assert tracks.faces.tolist() == [0, 0, 0]
    assert tracks.quality.tolist() == [0, 0, 0]
    assert tracks.embedding.shape == (3, 0)


def test_what_has_one_number_in_two_tracks_is_two() -> None:
    rows = [(1, 1, NO_FACE), (2, 2, NO_FACE)]
    for owner in ([ANN, ANN], [ANN, BO], [BO, ANN], [NO_CLUSTER, NO_CLUSTER]):
        found = stretched(bodies_of(rows), owner)
        assert (found.tracks.number.tolist(), found.owner.tolist(), found.of.tolist()) == ([1, 2], owner, [0, 1])


def test_the_middle_of_the_frame_is_one_and_a_corner_nothing() -> None:
    bodies = bodies_of([(1, 0, NO_FACE), (2, 0, NO_FACE), (1, 1, NO_FACE), (3, 0, NO_FACE)])
    bodies.boxes[:] = [(860, 440, 1060, 640), (0, 0, 0, 0), (1920, 1080, 1920, 1080), (1340, 810, 1540, 810)]
    # The last is half as far from the middle as a corner: 1, 0 and 0.5 on average. Of whom nothing is told, nothing.
    np.testing.assert_allclose(stretched(bodies, [ANN] * 4).tracks.centrality, [0.5, 0.0], atol=1e-6)
    np.testing.assert_allclose(stretched(bodies, [ANN, SEEN, SEEN, ANN]).tracks.centrality, [0.75], atol=1e-6)


@pytest.mark.parametrize("rows", [[], [(1, 0, NO_FACE), (2, 4, NO_FACE)]])
def test_of_bodies_that_tell_nothing_there_is_no_row(rows: list[Body]) -> None:
    found = stretched(bodies_of(rows), [SEEN] * len(rows))
    assert (len(found.tracks), found.owner.tolist(), found.of.tolist()) == (0, [], [SEEN] * len(rows))
    assert found.tracks.embedding.shape == (0, 0)


def test_a_track_is_cut_between_two_who_show_their_faces() -> None:
    times = [0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5]
    bodies = bodies_of([(time, 0, {0.25: 0, 1.25: 1}.get(time, NO_FACE)) for time in times])
    found = stretched(bodies, owners(bodies, faces_at(0.25, 1.25), np.array([ANN, BO])))
    assert found.owner.tolist() == [ANN, BO]
    assert (found.tracks.start.tolist(), found.tracks.end.tolist()) == ([0.0, 1.0], [0.75, 1.5])
    assert found.tracks.seconds.tolist() == [0.75, 0.5]
