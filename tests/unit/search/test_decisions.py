"""Stored decisions meet the faces of an index again: after another scan, and whatever was decided later."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from gallery_tools import axis, faces_of, gallery, mixed, target

from fastface.index.anchors import encode_look
from fastface.search.decision_store import DecidedFace, StoredDecision
from fastface.search.decisions import Decisions, IndexedVideo
from fastface.types import BY_DECISION, Faces

CONTRACT = "contract"
LOOK = mixed(0.3)
PERSONS = gallery(target("Ann", axis(0)), target("Bob", axis(1)))


def video(period: float, seconds: float = 10.0) -> Faces:
    """One face that moves slowly, and another one that stands far from it from 5 s on."""
    count = round(seconds / period)
    rows = [(step * period, 3, 10.0 + step * period) for step in range(count)]
    rows += [(step * period, 8, 500.0) for step in range(count) if step * period >= 5]
    rows.sort()
    boxes = [(left, 0.0, left + 100, 100.0) for *_, left in rows]
    looks = [LOOK if track == 3 else axis(2) for _, track, _ in rows]
    return replace(
        faces_of(looks, [row[0] for row in rows], [row[1] for row in rows], boxes),
        quality=np.full(len(rows), 0.8, np.float32),
    )


def face(faces: Faces, row: int, quality: float = 0.8) -> DecidedFace:
    x1, y1, x2, y2 = faces.boxes[row].tolist()
    look = encode_look(faces.embedding[row], CONTRACT)
    time = float(faces.time[row])
    return DecidedFace(time=time, box=(x1, y1, x2, y2), look=look, quality=quality, yaw=0.0, is_typical=True)


def decision(
    faces: Faces, track: int, times: list[float], verdict: str = "confirmed", *, label: str = "Ann", person: str = ""
) -> StoredDecision:
    """A decision on the faces of a track at some times."""
    rows = [int(np.flatnonzero((faces.track == track) & np.isclose(faces.time, time))[0]) for time in times]
    return StoredDecision(
        video="a.mp4",
        target=label,
        start=min(times),
        end=max(times),
        what="span",
        verdict=verdict,
        person=person or None,
        tracks=(tuple(face(faces, row) for row in rows),),
    )


def only(faces: Faces, **changes: object) -> Callable[[str], IndexedVideo | None]:
    """An index with one video."""
    indexed = replace(IndexedVideo(faces, CONTRACT, True), **changes)
    return lambda video_id: indexed if video_id == "a.mp4" else None


def owners(decisions: Decisions, faces: Faces) -> dict[int, set[int]]:
    """{track: targets that its faces are confirmed for}"""
    found = decisions.find("a.mp4", faces, is_film=True)
    assert found is not None
    return {track: set(found.owner[faces.track == track].tolist()) for track in np.unique(faces.track).tolist()}


@pytest.mark.parametrize("period", [0.2, 0.04, 0.125, 0.5])
def test_a_decision_finds_its_track_after_a_scan_at_another_rate(period: float) -> None:
    faces = video(0.2)
    now = video(period)
    now = replace(now, track=now.track + 20)
    decisions = Decisions([decision(faces, 3, [1.0, 6.0])], PERSONS, 0.5, only(now))
    assert owners(decisions, now) == {23: {0}, 28: {-1}}
    assert (decisions.num_used, decisions.num_unplaced) == (1, 0)


def test_another_film_under_the_name_is_not_decided() -> None:
    faces = video(0.2)
    other = replace(faces, embedding=np.roll(faces.embedding, 1, axis=1))
    decisions = Decisions([decision(faces, 3, [1.0, 6.0])], PERSONS, 0.5, only(other))
    assert owners(decisions, other) == {3: {-1}, 8: {-1}}
    assert (decisions.num_used, decisions.num_unplaced) == (0, 1)


def test_a_decision_counts_for_its_label_alone() -> None:
    faces = video(0.2)
    for label in ("Carol", "ann"):
        decisions = Decisions([decision(faces, 3, [1.0], label=label)], PERSONS, 0.5, only(faces))
        assert decisions.find("a.mp4", faces, is_film=True) is None
        assert decisions.teach(PERSONS) == PERSONS
    both = Decisions([decision(faces, 8, [6.0], label="Bob")], PERSONS, 0.5, only(faces))
    assert owners(both, faces) == {3: {-1}, 8: {1}}
    assert both.find("b.mp4", faces, is_film=True) is None


def test_the_later_decision_on_a_moment_wins() -> None:
    faces = video(0.2)
    first, second = decision(faces, 3, [1.0, 4.0]), decision(faces, 3, [1.4, 4.2], "rejected")
    for order, owner in (([first, second], {-1}), ([second, first], {0})):
        decisions = Decisions(order, PERSONS, 0.5, only(faces))
        found = decisions.find("a.mp4", faces, is_film=True)
        assert found is not None
        assert owners(decisions, faces)[3] == owner
        assert found.rejected[0][faces.track == 3].all() == (owner == {-1})
        ann = decisions.teach(PERSONS).targets[0]
        assert (len(ann.added), len(ann.rejected)) == ((0, 1) if owner == {-1} else (1, 0))


def test_of_decisions_on_two_moments_of_a_track_each_face_follows_the_nearer_one() -> None:
    faces = video(0.2)
    said = [decision(faces, 3, [1.0, 2.0]), decision(faces, 3, [7.0, 8.0], "rejected")]
    found = Decisions(said, PERSONS, 0.5, only(faces)).find("a.mp4", faces, is_film=True)
    assert found is not None
    own = np.flatnonzero(faces.track == 3)
    # In the middle of 2 s and 7 s lies 4.5 s.
    assert found.owner[own].tolist() == [0 if time < 4.5 else -1 for time in faces.time[own]]
    assert found.rejected[0][own].tolist() == [time > 4.5 for time in faces.time[own]]


def test_a_moment_given_to_another_person_is_no_moment_of_the_first() -> None:
    faces = video(0.2)
    given = decision(faces, 3, [1.0, 4.0], "given", label="Ann", person="Bob")
    decisions = Decisions([decision(faces, 3, [1.0, 4.0]), given], PERSONS, 0.5, only(faces))
    found = decisions.find("a.mp4", faces, is_film=True)
    assert found is not None
    assert owners(decisions, faces)[3] == {1}
    assert found.rejected[0][faces.track == 3].all()
    ann, bob = decisions.teach(PERSONS).targets
    assert (len(ann.added), len(ann.rejected), len(bob.added), len(bob.rejected)) == (0, 1, 1, 0)
    # To confirm it for Ann again takes it from Bob.
    back = Decisions([given, decision(faces, 3, [1.0, 4.0])], PERSONS, 0.5, only(faces))
    assert owners(back, faces)[3] == {0}
    assert [len(one.added) for one in back.teach(PERSONS).targets] == [1, 0]


def test_confirmed_faces_become_references_with_their_origin() -> None:
    faces = video(0.2)
    decisions = Decisions([decision(faces, 3, [1.0, 4.0])], PERSONS, 0.5, only(faces))
    ann, bob = decisions.teach(PERSONS).targets
    assert bob == PERSONS.targets[1]
    (added,) = ann.added  # the second face is a double of the first
    assert (added.anchor, added.video_id, added.time, added.quality) == (BY_DECISION, "a.mp4", 1.0, pytest.approx(0.8))
    assert ann.sources == ("Ann0.jpg", "a.mp4 at 1.000 s, confirmed")
    assert np.allclose(ann.embeddings, [axis(0), LOOK], atol=1e-3)
    assert np.array_equal(ann.photo_embeddings, axis(0)[None])


@pytest.mark.parametrize(
    "poor", [{"quality": 0.4}, {"is_typical": False}, {"look": encode_look(LOOK.astype(np.float16), "another")}]
)
def test_a_poor_face_is_no_reference_but_its_track_stays_decided(poor: dict[str, object]) -> None:
    faces = video(0.2)
    one = decision(faces, 3, [1.0])
    worse = one.model_copy(update={"tracks": ((one.tracks[0][0].model_copy(update=poor),),)})
    decisions = Decisions([worse], PERSONS, 0.5, only(faces))
    assert decisions.teach(PERSONS).targets[0].added == ()
    assert owners(decisions, faces)[3] == {0}


def test_decisions_on_a_video_that_is_gone_still_teach() -> None:
    faces = video(0.2)
    said = [decision(faces, 3, [1.0], "rejected"), decision(faces, 3, [1.0])]
    decisions = Decisions(said, PERSONS, 0.5, lambda _: None)
    ann = decisions.teach(PERSONS).targets[0]
    assert (len(ann.added), len(ann.rejected)) == (1, 0)  # the later one of the same moment
    assert (decisions.num_used, decisions.num_unplaced) == (0, 1)


def test_pictures_are_found_by_their_look() -> None:
    faces = faces_of([axis(3), LOOK, axis(4)], [0.0, 0.04, 0.08], [0, 1, 2], [(0, 0, 90, 90)] * 3)
    moved = faces_of([axis(5), axis(3), LOOK], [0.0, 0.04, 0.08], [0, 1, 2], [(0, 0, 90, 90)] * 3)
    decisions = Decisions([decision(faces, 1, [0.04])], PERSONS, 0.5, only(moved, is_film=False))
    found = decisions.find("a.mp4", moved, is_film=False)
    assert found is not None
    assert found.owner.tolist() == [-1, -1, 0]
