"""Which of several faces in a photo is meant, and photos that only few of their siblings are like."""

import numpy as np
import pytest
from gallery_tools import mixed
from test_gallery_references import ALIKE, ANN, BOB, ZOE, Drawn, remarks

from fastface.errors import ConfigError
from fastface.gallery.references import ReferenceRule, load_gallery


@pytest.fixture
def drawn(tmp_path) -> Drawn:
    return Drawn(tmp_path)


@pytest.mark.parametrize(
    ("faces", "remark"),
    [
        ("auto", "2 faces; the one most like the other photos of 'Ann' was taken (left, 100 px)"),
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
        assert two.remarks[1].startswith("unlike every other photo of 'Ann' (at most 0.")
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
    assert line.startswith("unlike most other photos of 'Ann' (median 0.1")
    assert line.endswith("stray1.png' (0.82): are they one person?")
