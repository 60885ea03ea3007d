"""What is told of hits of a grown gallery: no face is compared with itself, nor with its own track."""

from dataclasses import replace

import numpy as np
import pytest
from gallery_tools import axis, faces_of, gallery, show, target

from fastface.gallery.growth import GalleryGrower, GrowthRule
from fastface.gallery.matching import match
from fastface.gallery.own_tracks import without_own_tracks
from fastface.gallery.reference_set import ReferenceSet
from fastface.gallery.thresholds import MatchThresholds
from fastface.types import Faces, Gallery, Hits

LIMITS = MatchThresholds(enter=0.5, exit=0.4, margin=0.05)


def near(cosine: float, rest: int, other: float = 0.0) -> np.ndarray:
    """A unit vector so near to Ann and to Bob, the rest of it on another axis."""
    vector = np.zeros(8)
    vector[0], vector[1] = cosine, other
    vector[rest] = np.sqrt(1 - cosine**2 - other**2)
    return vector


ANN_AND_BOB = gallery(target("Ann", axis(0)), target("Bob", axis(1)))

# Two tracks of Ann: three looks that are 0.8 like her photo and 0.64 like each other, then one that is 0.6 like the
# photo and 0.8 × 0.6 + √(1 − 0.8² − 0.1²) × 0.8 = 0.953 like the third of those.
FILM = faces_of(
    [near(0.8, 2), near(0.8, 3), near(0.8, 4, 0.1), near(0.6, 4)],
    [0.0, 0.2, 0.4, 5.0],
    [3, 3, 3, 7],
    [(0, 0, 100, 100), (10, 0, 110, 100), (20, 0, 120, 100), (0, 0, 100, 100)],
)


def grown(video_id: str, faces: Faces) -> Gallery:
    grower = GalleryGrower(ReferenceSet(ANN_AND_BOB), GrowthRule(threshold=0.6, margin=0.2))
    show(grower, ANN_AND_BOB, video_id, faces)
    found, evidence = grower.grown()
    assert [added.time for added in evidence] == [0.0, 0.2, 0.4]  # a track of one face gives none
    return found


def told(video_id: str, faces: Faces, persons: Gallery) -> tuple[Hits, Hits]:
    """Ann's hits as they were decided, and as they are told; they are the same hits."""
    references = ReferenceSet(persons)
    decided = match(faces, references, LIMITS, np.full(len(faces), 0.2))
    reported = without_own_tracks(video_id, faces, decided, references)
    assert list(reported) == list(decided) == ["Ann"]
    for name in ("face", "time", "period", "by"):
        assert getattr(reported["Ann"], name).tolist() == getattr(decided["Ann"], name).tolist()
    return decided["Ann"], reported["Ann"]


def test_a_face_that_joined_is_compared_with_the_photo_and_with_other_tracks() -> None:
    before, after = told("film", FILM, grown("film", FILM))
    assert before.similarity.tolist() == pytest.approx([1, 1, 1, 0.953], abs=2e-3)
    # The track that gave the references has the photo; the other one has them too.
    assert after.similarity.tolist() == pytest.approx([0.8, 0.8, 0.8, 0.953], abs=2e-3)
    assert after.margin.tolist() == pytest.approx([0.8, 0.8, 0.7, 0.953], abs=2e-3)


def test_in_another_video_nothing_is_left_out() -> None:
    before, after = told("other", FILM, grown("film", FILM))
    assert after.similarity.tolist() == before.similarity.tolist()
    assert after.margin.tolist() == before.margin.tolist()


def test_the_tracks_numbers_may_have_changed_and_the_very_face_be_gone() -> None:
    persons = grown("film", FILM)
    # A closer look: other track numbers, and frames a little beside those that gave the references.
    closer = replace(FILM, track=np.array([0, 0, 0, 1], np.int32), time=FILM.time + 0.04, boxes=FILM.boxes + 2)
    _, after = told("film", closer, persons)
    assert after.similarity.tolist()[:3] == pytest.approx([0.8, 0.8, 0.8], abs=2e-3)


def test_who_stands_beside_at_the_same_moment_is_another_track() -> None:
    persons = grown("film", FILM)
    beside = faces_of([near(0.8, 2)], [0.0], [9], [(600, 0, 700, 100)])
    faces = Faces.concatenate([FILM, beside])
    _, after = told("film", faces[np.array([0, 1, 2, 4])], persons)
    by_face = dict(zip(after.face.tolist(), after.similarity.tolist(), strict=True))
    # In one frame a target has one face: of equals the first, whose own track has given the reference.
    assert by_face[0] == pytest.approx(0.8, abs=2e-3)


def test_a_margin_below_0_says_that_only_the_own_track_makes_it_a_hit() -> None:
    # The fourth face is 0.3 like Ann's photo, 0.5 like Bob's, and 0.24 + 0.5 × 0.6 = 0.73 like the track's others.
    odd = near(0.3, 2, 0.5)
    faces = faces_of([*[near(0.8, rest) for rest in (2, 3, 4)], odd], [0.0, 0.2, 0.4, 0.6], [0, 0, 0, 0])
    persons = grown("film", faces)
    before, after = told("film", faces, persons)
    assert before.face.tolist() == after.face.tolist() == [0, 1, 2, 3]
    assert after.similarity.tolist()[3] == pytest.approx(0.3, abs=2e-3)
    assert after.margin.tolist()[3] == pytest.approx(-0.2, abs=2e-3)
