"""Which of several faces in a photo is meant, and photos that only few of their siblings are like."""

import numpy as np
import pytest
from gallery_tools import axis, mixed
from photo_tools import ALIKE, ANN, BOB, ZOE, Drawn, remarks

from fastface.errors import ConfigError
from fastface.gallery.references import ReferenceRule, load_gallery


@pytest.fixture
def drawn(tmp_path) -> Drawn:
    return Drawn(tmp_path)


@pytest.mark.parametrize(
    ("faces", "remark"),
    [
        ("auto", "2 faces; the face most similar to the other photos of 'Ann' was taken (left, 100 px)"),
        ("largest", "2 faces; the largest was taken (right, 110 px)"),
        ("only", "2 faces, and only one is allowed: crop it, or allow more with --faces"),
    ],
)
def test_which_of_several_faces_is_meant_can_be_told(drawn, faces, remark):
    for number, second in enumerate((0, 0.2, -0.2)):
        drawn.photo(f"p/Ann/{number}.png", (mixed(0.9, second), 100))
    drawn.photo("p/Ann/two.png", (ZOE, 110), (mixed(0.8), 100))
    gallery, report = load_gallery(
        [drawn.folder / "p"], analyse=drawn.analyse, rule=ReferenceRule("c", ALIKE, faces=faces, tolerant=True)
    )
    two = next(photo for photo in report.photos if photo.source.endswith("two.png"))
    assert two.remarks[0] == remark
    # The largest is somebody else's, so that it is left out for another reason.
    assert two.used == (faces == "auto")
    if faces == "largest":
        assert two.remarks[1].startswith("not similar to any other photo of 'Ann' (at most 0.")
    assert len(gallery.targets[0].embeddings) == 3 + (faces == "auto")


@pytest.mark.parametrize(("faces", "expected"), [("auto", None), ("largest", ANN), ("only", None)])
def test_a_lone_photo_of_two_faces_of_one_size(drawn, faces, expected):
    photo = drawn.photo("Ann.png", (BOB, 90), (ANN, 100))
    options = {"analyse": drawn.analyse, "rule": ReferenceRule("c", ALIKE, faces=faces)}
    if expected is not None:
        gallery, _ = load_gallery([photo], **options)
        np.testing.assert_allclose(gallery.targets[0].embeddings, [expected], atol=1e-3)
        return
    with pytest.raises(ConfigError, match=r"'Ann' has no usable photo: .*2 faces"):
        load_gallery([photo], **options)


def test_two_photos_of_a_stranger_in_a_folder_are_told_though_they_are_alike(drawn):
    for number, second in enumerate((0, 0.3, -0.3, 0.1, -0.1)):
        drawn.photo(f"p/Ann/{number}.png", (mixed(0.9, second), 100))
    for number, fourth in enumerate((0.3, -0.3)):
        drawn.photo(f"p/Ann/stray{number}.png", (mixed(0, 0, 0.9, fourth), 100))
    gallery, report = drawn.load(drawn.folder / "p")
    assert len(gallery.targets[0].embeddings) == 7  # they may be the same person at another age: the user decides
    said = remarks(report)
    assert list(said) == ["stray0.png", "stray1.png"]
    (line,) = said["stray0.png"]
    # The last axis takes up 0.32 of each: 0.1 to each of Ann, and 0.81 - 0.09 + 0.1 to each other.
    assert line.startswith("not similar to most other photos of 'Ann' (median 0.1")
    assert line.endswith("stray1.png' (0.82): are they one person?")


def test_the_person_common_to_all_photos_is_meant_though_others_are_larger(drawn):
    for number, (other, fourth) in enumerate([(1, 0.3), (2, -0.3), (4, 0.0)]):
        drawn.photo(f"p/Ann/{number}.png", (axis(other), 200), (mixed(0.9, 0, 0, fourth), 60))
    gallery, report = drawn.load(drawn.folder / "p")
    assert len(gallery.targets[0].embeddings) == 3
    np.testing.assert_allclose(gallery.targets[0].embeddings[:, 0], 0.9, atol=1e-2)
    assert all("the face most similar to the other photos of 'Ann' was taken (left, 60 px)" in said[0]
               for said in remarks(report).values())  # fmt: skip
    assert len(remarks(report)) == 3


def test_of_a_couple_in_every_photo_the_larger_one_is_meant(drawn):
    for number, fourth in enumerate((0.3, -0.3, 0.0)):
        faces = (mixed(0, 0.9, 0, fourth), 70), (mixed(0.9, 0, 0, fourth), 100)
        drawn.photo(f"p/Ann/{number}.png", *faces)
    gallery, _ = drawn.load(drawn.folder / "p")
    np.testing.assert_allclose(gallery.targets[0].embeddings[:, 0], 0.9, atol=1e-2)


def test_a_collage_of_one_person_is_a_photo_of_one_person(drawn):
    photo = drawn.photo("Ann.png", (mixed(0.9, 0.3), 90), (mixed(0.9), 100), (mixed(0.9, -0.3), 95))
    gallery, report = drawn.load(photo)
    np.testing.assert_allclose(gallery.targets[0].embeddings, [mixed(0.9)], atol=1e-2)
    assert remarks(report) == {"Ann.png": ("3 faces of one person; the largest was taken (right, 100 px)",)}


def test_one_wrong_photo_of_three_is_left_out_where_the_others_agree(drawn):
    for number, second in enumerate((0.2, -0.2)):
        drawn.photo(f"p/Ann/{number}.png", (mixed(0.9, second), 100))
    drawn.photo("p/Ann/stray.png", (ZOE, 100))
    gallery, report = drawn.load(drawn.folder / "p")
    assert len(gallery.targets[0].embeddings) == 2
    assert [photo.source.rpartition("/")[2] for photo in report.photos if not photo.used] == ["stray.png"]


def test_two_photos_that_disagree_are_asked_about(drawn):
    drawn.photo("p/Ann/0.png", (ANN, 100))
    drawn.photo("p/Ann/1.png", (ZOE, 100))
    gallery, report = drawn.load(drawn.folder / "p")
    assert len(gallery.targets[0].embeddings) == 2
    assert [said[0].endswith("are they one person?") for said in remarks(report).values()] == [True, True]


def test_a_lookalike_that_is_as_like_as_a_photo_of_the_target_is_told_and_used(drawn):
    for number, second in enumerate((0.2, -0.2)):
        drawn.photo(f"p/Ann/{number}.png", (mixed(0.9, second), 100))
    same, sister = (
        drawn.photo("same.png", (mixed(0.7, 0.0, 0.5), 100)),
        drawn.photo("sister.png", (mixed(0.3, 0, 0.9), 100)),
    )
    gallery, report = drawn.load(drawn.folder / "p", lookalikes=[same, sister])
    assert [person.label for person in gallery.lookalikes] == ["same", "sister"]
    # 0.9 × 0.7 and what the last axis adds: sqrt(1 - 0.85) × sqrt(1 - 0.74) = 0.20; the siblings 0.81 - 0.04 + 0.15.
    (remark,) = report.remarks
    assert remark.startswith("'same' of --not may be the wanted person 'Ann': similarity 0.83, threshold 0.50")
    assert "among the photos of 'Ann' it is 0.92" in remark
    assert report.warnings[0] == remark


def test_a_face_that_is_turned_in_its_file_is_told(drawn):
    photo = drawn.photo("Ann.png", (ANN, 100))

    def analyse(path):
        found = drawn.analyse(path)
        found.landmarks[0, :2] = [[80, 50], [40, 52]]  # the left eye, as seen upright, lies to the right
        return found

    _, report = load_gallery([photo], analyse=analyse, rule=ReferenceRule("c", ALIKE))
    assert remarks(report) == {"Ann.png": ("turned by 180° in the file: the face was turned back",)}


def test_two_photos_that_are_hardly_alike_decide_against_a_stranger(drawn):
    """Turned to the left and to the right she is like herself by little more than half the threshold."""
    half = ALIKE * 0.6
    drawn.photo("p/Ann/left.png", (mixed(1.0), 100))
    drawn.photo("p/Ann/right.png", (mixed(half), 100))
    drawn.photo("p/Ann/stranger.png", (ZOE, 100))
    _, report = load_gallery([drawn.folder / "p"], analyse=drawn.analyse, rule=ReferenceRule("c", ALIKE, tolerant=True))
    used = {photo.source.rsplit("/", 1)[-1]: photo.used for photo in report.photos}
    assert used == {"left.png": True, "right.png": True, "stranger.png": False}
