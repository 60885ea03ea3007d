"""Which faces of films join a gallery: of tracks that are surely a target's, no doubles, spread. By construction."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gallery_tools import axis, faces_of, gallery, show, target

from fastface.gallery.growth import GalleryGrower, GrowthRule
from fastface.gallery.reference_set import ReferenceSet
from fastface.search.archive_survey import write_growth
from fastface.types import Faces, Gallery, GrownReference

DIMENSION = 8
ANN, BOB = axis(0), axis(1)
RULE = GrowthRule(threshold=0.6, margin=0.1)
ONLY_ANN = gallery(target("Ann", ANN))


def near(cosine: float, rest: int, other: float = 0.0) -> np.ndarray:
    """A unit vector so near to Ann and to Bob, the rest of it on another axis."""
    vector = np.zeros(DIMENSION)
    vector[0], vector[1] = cosine, other
    vector[rest] = np.sqrt(1 - cosine**2 - other**2)
    return vector


def track_of(embeddings: list[np.ndarray], **columns: list[float]) -> Faces:
    made = faces_of(embeddings, [float(number) for number in range(len(embeddings))])
    return replace(made, **{name: np.array(values, np.float32) for name, values in columns.items()})


def grown(persons: Gallery, *videos: Faces, rule: GrowthRule = RULE) -> tuple[Gallery, tuple[GrownReference, ...]]:
    grower = GalleryGrower(ReferenceSet(persons), rule)
    for number, found in enumerate(videos):
        show(grower, persons, f"video{number}", found)
    return grower.grown()


def test_faces_of_a_sure_track_join_with_their_evidence() -> None:
    persons = gallery(target("Ann", axis(5), ANN), target("Bob", BOB))
    # 0.5 each, the rest three ways: together 3 × 0.5 / √((3 × 0.5)² + 3 × 0.75) = 0.7071.
    found, evidence = grown(persons, track_of([near(0.5, rest) for rest in (2, 3, 4)]))
    assert [len(one.embeddings) for one in found.targets] == [5, 1]
    np.testing.assert_allclose(found.targets[0].embeddings[2], near(0.5, 2), atol=1e-3)
    assert found.targets[0].sources[:3] == ("Ann0.jpg", "Ann1.jpg", "video0 at 0.000 s")
    assert [added.time for added in evidence] == [0.0, 1.0, 2.0]
    first = evidence[0]
    assert (first.target, first.video_id, first.anchor, first.box) == ("Ann", "video0", "Ann1.jpg", (0, 0, 100, 100))
    assert first.track_evidence == pytest.approx(0.7071, abs=1e-3)
    assert first.similarity == pytest.approx(0.5, abs=1e-3)
    assert first.margin == pytest.approx(0.7071, abs=1e-3)


def test_where_there_is_no_other_person_the_table_has_no_margin(tmp_path: Path) -> None:
    table = tmp_path / "bank_growth.csv"
    _, evidence = grown(ONLY_ANN, track_of([near(0.62, rest) for rest in (2, 3, 4)]))
    write_growth(table, evidence)
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["target"], row["margin"]) for row in rows] == [("Ann", "")] * 3


@pytest.mark.parametrize(("cosine", "count", "joined"), [(0.58, 3, 0), (0.62, 2, 0), (0.62, 3, 1)])
def test_a_track_must_be_near_and_long_enough(cosine: float, count: int, joined: int) -> None:
    assert len(grown(ONLY_ANN, track_of([near(cosine, 2)] * count))[1]) == joined  # of doubles one


def test_anchors_stay_as_they_are_and_nothing_grows_out_of_what_was_added() -> None:
    # The second track is 0.9 alike to the first, and 0.5 to Ann: it may join only what is near to a photo.
    first = near(0.7, 2)
    second = 0.9 * first + np.sqrt(1 - 0.81) * axis(3)
    second[0] = 0.5
    second /= np.linalg.norm(second)
    faces = replace(track_of([first] * 3 + [second] * 3), track=np.array([0, 0, 0, 1, 1, 1], np.int32))
    found, evidence = grown(ONLY_ANN, faces)
    assert len(evidence) == 1
    assert found.targets[0].embeddings[0].tolist() == ANN.tolist()


@pytest.mark.parametrize("other", [0.55, 0.65])
def test_a_track_that_another_person_is_nearly_as_near_to_gives_nothing(other: float) -> None:
    for persons in (
        gallery(target("Ann", ANN), target("Bob", BOB)),
        gallery(target("Ann", ANN), lookalikes=(target("Bob", BOB),)),
    ):
        _, evidence = grown(persons, track_of([near(0.62, 2, other)] * 3))
        assert [added for added in evidence if added.target == "Ann"] == []


def test_what_is_not_like_its_track_or_is_somebody_elses_stays_out() -> None:
    persons = gallery(target("Ann", ANN), target("Bob", BOB))
    sure = [near(0.8, 2)] * 3
    stranger, bob = near(0.3, 5), near(0.5, 2, 0.6)
    faces = track_of([*sure, stranger, bob], quality=[0.9, 0.9, 0.9, 0.6, 0.6])
    assert [added.time for added in grown(persons, faces)[1]] == [0.0]


def test_poor_and_damaged_faces_stay_out() -> None:
    faces = track_of([near(0.8, rest) for rest in (2, 3, 4)], quality=[0.49, 0.5, 0.5])
    faces = replace(faces, damaged=np.array([False, False, True]))
    assert [added.time for added in grown(ONLY_ANN, faces)[1]] == [1.0]


def test_doubles_of_a_photo_or_of_each_other_join_once() -> None:
    # Vectors of 0.99 and 0.8 to Ann, and one that is 0.98 alike to the second.
    alike = near(0.8, 2) + 0.2 * axis(3)
    faces = track_of([near(0.99, 2), near(0.8, 2), alike / np.linalg.norm(alike)], quality=[0.9, 0.8, 0.7])
    assert [added.time for added in grown(ONLY_ANN, faces)[1]] == [1.0]


def test_videos_and_poses_take_turns_and_the_number_is_limited() -> None:
    crowded = track_of(
        [near(0.7, rest) for rest in (2, 3, 4, 5, 6)], quality=[0.9, 0.9, 0.9, 0.9, 0.8], yaw=[0, 0, 0, 0, 60]
    )
    other = track_of([near(0.9, 7)] * 3, quality=[0.6] * 3)
    found, evidence = grown(ONLY_ANN, crowded, other, rule=replace(RULE, most=4))
    assert [(added.video_id, added.time) for added in evidence] == [
        ("video0", 0.0),
        ("video0", 4.0),
        ("video1", 0.0),
        ("video0", 1.0),
    ]
    assert len(found.targets[0].embeddings) == 5


def test_the_order_of_the_videos_does_not_matter() -> None:
    videos = {"a": track_of([near(0.7, 2)] * 3), "b": track_of([near(0.8, 3)] * 3)}
    both = []
    for names in ("ab", "ba"):
        grower = GalleryGrower(ReferenceSet(ONLY_ANN), RULE)
        for name in names:
            show(grower, ONLY_ANN, name, videos[name])
        both.append(grower.grown()[1])
    assert both[0] == both[1]
    assert len(both[0]) == 2


def test_nobody_to_look_for_grows_nothing() -> None:
    found, evidence = grown(gallery(everyone=True))
    assert (found.targets, evidence) == ((), ())
