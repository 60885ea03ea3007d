"""Tracks that are two persons' are taken apart where their good faces say so, and no others."""

from dataclasses import replace

import numpy as np
import pytest
from gallery_tools import axis, faces_of, mixed

from fastface.census.clusters.corrections import Corrections, cut_tracks
from fastface.index.anchor_record import Anchor
from fastface.index.anchors import encode_look
from fastface.tracking.face_tracks import link_tracks
from fastface.tracking.track_cuts import best_cut, cut_contradictions
from fastface.types import Faces

ANN, BOB = axis(0), axis(1)
BOX = (100, 100, 200, 220)
CONTRACT = "0123456789abcdef"


def good(embeddings: list[np.ndarray], *, quality: float = 0.6, yaw: float = 0) -> Faces:
    """Faces at one place, five a second."""
    count = len(embeddings)
    faces = faces_of(embeddings, [n / 5 for n in range(count)], boxes=[BOX] * count)
    return replace(faces, quality=np.full(count, quality, np.float32), yaw=np.full(count, yaw, np.float32))


def linked(faces: Faces) -> list[int]:
    return link_tracks(faces, np.zeros(len(faces), np.int32), 0.2).tolist()


def dissolve(steps: int) -> list[np.ndarray]:
    """Ann, who becomes Bob in so many steps: each is like the one before."""
    angles = np.linspace(0, np.pi / 2, steps + 2)[1:-1]
    between = [np.cos(angle) * ANN + np.sin(angle) * BOB for angle in angles]
    return [*[ANN] * 8, *between, *[BOB] * 8]


@pytest.mark.parametrize("steps", [0, 1, 3, 5])
def test_a_dissolve_joins_no_two_persons(steps: int) -> None:
    tracks = linked(good(dissolve(steps)))
    assert set(tracks[:8]) == {0}
    assert set(tracks[-8:]) == {1}
    assert tracks == sorted(tracks)


def test_many_persons_of_one_track_are_as_many_tracks() -> None:
    persons = [ANN, mixed(0.2, 0.9), axis(5), axis(6)]
    faces = good([persons[n // 6] for n in range(24)])
    found = cut_contradictions(faces, np.zeros(24, np.int32))
    assert found.tolist() == np.repeat(np.arange(4), 6).tolist()


@pytest.mark.parametrize(("quality", "yaw"), [(0.2, 0), (0.4, 45)])
def test_poor_and_turned_faces_contradict_nothing(quality: float, yaw: float) -> None:
    faces = good([ANN] * 6 + [BOB] * 6, quality=quality, yaw=yaw)
    whole = np.zeros(12, np.int32)
    assert cut_contradictions(faces, whole) is whole


def test_where_one_look_steps_to_another_the_picture_was_changed() -> None:
    """Turned portraits that follow each other at one place were one track where the picture around them stayed."""
    turned = np.array([40] * 5 + [-10] * 5, np.float32)
    slides = replace(good([ANN] * 5 + [mixed(0.15, 0.98)] * 5), yaw=turned)
    assert linked(slides) == [0] * 5 + [1] * 5
    # A head that turns: the samples on the way are like neither.
    way = [ANN, mixed(0.7), mixed(0.45), mixed(0.2)]
    turning = replace(good([*[ANN] * 5, *way[1:], *[mixed(0.1)] * 4]), yaw=np.linspace(0, 80, 12).astype(np.float32))
    assert linked(turning) == [0] * 12


def test_one_face_that_errs_takes_no_track_apart() -> None:
    faces = good([ANN] * 6 + [BOB] + [ANN] * 6)
    whole = np.zeros(13, np.int32)
    assert cut_contradictions(faces, whole).tolist() == [0] * 13


def test_a_person_who_changes_a_little_stays_one_track() -> None:
    faces = good([ANN] * 6 + [mixed(0.4)] * 6)
    assert linked(faces) == [0] * 12


def test_a_turned_head_is_followed_by_its_place_and_a_good_one_is_not() -> None:
    pair = [ANN, mixed(0.15)]
    assert linked(good(pair, quality=0.2)) == [0, 0]
    assert linked(good(pair, yaw=60)) == [0, 0]
    assert linked(good(pair)) == [0, 1]
    assert linked(good([ANN, mixed(0.05)], quality=0.2)) == [0, 1]


def test_other_tracks_keep_their_faces_in_any_order() -> None:
    mixed_up, other = good([ANN] * 5 + [BOB] * 5), good([axis(4)] * 10)
    other = replace(other, boxes=other.boxes + np.float32(500))
    faces = Faces.concatenate([mixed_up, other])
    tracks = np.repeat([0, 1], 10).astype(np.int32)
    expected = np.array([0] * 5 + [2] * 5 + [1] * 10)
    assert cut_contradictions(faces, tracks).tolist() == expected.tolist()
    shuffled = np.random.default_rng(4).permutation(20)
    assert cut_contradictions(faces[shuffled], tracks[shuffled]).tolist() == expected[shuffled].tolist()


def test_the_best_cut_is_where_persons_change() -> None:
    faces = good([ANN] * 7 + [BOB] * 3)
    cut = best_cut(faces, np.arange(10))
    assert cut is not None
    assert (cut.before, cut.after) == (6, 7)
    assert cut.cosine == pytest.approx(0, abs=1e-3)
    assert best_cut(faces, np.arange(1)) is None


def anchor(faces: Faces, row: int) -> Anchor:
    x1, y1, x2, y2 = faces.boxes[row].tolist()
    look = encode_look(faces.embedding[row], CONTRACT)
    return Anchor("a.mp4", float(faces.time[row]), (x1, y1, x2, y2), look=look)


def test_a_cut_by_hand_outlives_another_scan(tmp_path) -> None:
    path, alike = tmp_path / "corrections.json", [mixed(0.5), mixed(0.6)]
    faces = replace(good([alike[0]] * 5 + [alike[1]] * 5), track=np.zeros(10, np.int32))
    said = Corrections().with_cut(anchor(faces, 4), anchor(faces, 5))
    said.save(path)
    assert Corrections.load(path) == said
    assert said.different == (((anchor(faces, 4),), (anchor(faces, 5),)),)

    cut = cut_tracks(faces, said.cuts, contract=CONTRACT, is_film=True)
    assert cut.track.tolist() == [0] * 5 + [1] * 5
    assert cut_tracks(cut, said.cuts, contract=CONTRACT, is_film=True) is cut  # it is done
    # Scanned again at another rate, the track has another number and other faces.
    again = replace(faces[::2], track=np.full(5, 3, np.int32))
    found = cut_tracks(again, said.cuts, contract=CONTRACT, is_film=True)
    assert found.track.tolist() == [3, 3, 3, 4, 4]
    # Another film of that name has other faces: nothing is cut.
    other = replace(good([axis(4)] * 10), track=np.zeros(10, np.int32))
    assert cut_tracks(other, said.cuts, contract=CONTRACT, is_film=True) is other


def test_corrections_of_before_have_no_cuts(tmp_path) -> None:
    path = tmp_path / "corrections.json"
    path.write_text('{"schema_version": 1, "same": [], "different": [], "rejected": []}', encoding="utf-8")
    assert Corrections.load(path).cuts == ()
