"""Photos and folders → gallery. The faces are drawn by the test: a picture's pixels say which faces it has."""

import contextlib
import errno
import os
from pathlib import Path

import numpy as np
import pytest
from gallery_tools import DIMENSION, axis, mixed
from photo_tools import ALIKE, ANN, BOB, ZOE, Drawn, remarks

from fastface.errors import ConfigError
from fastface.gallery.photo_set.sources import collect
from fastface.gallery.references import ReferenceRule, load_gallery, save_gallery


@pytest.fixture
def drawn(tmp_path) -> Drawn:
    return Drawn(tmp_path)


def sources(gallery) -> dict[str, list[str]]:
    return {target.label: [Path(source).name for source in target.sources] for target in gallery.targets}


def test_a_photo_a_folder_and_a_loose_photo_are_persons(drawn):
    photo = drawn.photo("Zoe.png", (ZOE, 100))
    drawn.photo("people/Ann/1.png", (ANN, 100))
    drawn.photo("people/Ann/more/2.png", (mixed(0.8), 100))
    drawn.photo("people/Bob.png", (BOB, 100))
    gallery, report = drawn.load(photo, drawn.folder / "people")
    assert sources(gallery) == {"Ann": ["1.png", "2.png"], "Bob": ["Bob.png"], "Zoe": ["Zoe.png"]}
    assert (gallery.contract, gallery.everyone, gallery.lookalikes) == ("c", False, ())
    np.testing.assert_allclose(gallery.targets[0].embeddings, [ANN, mixed(0.8)], atol=1e-3)
    assert gallery.targets[0].embeddings.dtype == np.float32
    assert report.warnings == ()
    first, _, bob, _ = report.photos
    assert first.sibling_similarity == pytest.approx(0.8, abs=1e-3)
    assert (first.face_size, first.sharpness, first.used) == (100, 100, True)
    assert (bob.sibling_similarity, bob.other_similarity) == (None, pytest.approx(0, abs=1e-3))


def test_one_label_from_two_places_is_one_person(drawn):
    paths = [drawn.photo("a/Ann.png", (ANN, 100)), drawn.photo("b/Ann.png", (mixed(0.7), 100))]
    gallery, _ = drawn.load(*paths, drawn.folder / "a")
    assert sources(gallery) == {"Ann": ["Ann.png", "Ann.png"]}


def test_composed_and_decomposed_names_are_one_label(drawn):
    paths = [drawn.photo("a/Zo\u00eb.png", (ZOE, 100)), drawn.photo("b/Zoe\u0308.png", (mixed(0, 0, 0.8), 100))]
    assert list(sources(drawn.load(*paths)[0])) == ["Zo\u00eb"]


def test_all_faults_are_listed_at_once(drawn):
    for folder in ("empty", "people/Nobody"):
        (drawn.folder / folder).mkdir(parents=True)
    drawn.photo("people/Ann.png")
    drawn.photo("people/Bob.png", (BOB, 19))
    drawn.photo("people/Cat.png", (axis(3), 100), sharpness=4)
    drawn.photo("people/Dan.png", (axis(4), 100), (axis(5), 80))
    (drawn.folder / "people/Eve.jpg").write_bytes(b"text")
    (drawn.folder / "people/bank.npz").write_bytes(b"no bank")
    drawn.photo("people/Fay.png", (axis(6), 100))
    drawn.photo("people/Guy.png", (axis(6), 100))
    names = [drawn.folder / name for name in ("nothing.jpg", "empty", "people")]
    assert drawn.faults(*names, lookalikes=["*"]) == [
        "target 'nothing.jpg': no such file or folder",
        "target 'empty': the folder is empty",
        "target 'people/Nobody': the folder of 'Nobody' is empty",
        "'*' cannot be used with --not",
        "'people/bank.npz': not a bank, or a damaged one: File is not a zip file",
        "'Ann' has no usable photo: people/Ann.png: no face found",
        "'Bob' has no usable photo: people/Bob.png: the face is too small: 19 pixels, at least 20 are needed",
        "'Cat' has no usable photo: people/Cat.png: the face is too blurred: sharpness 4.0, at least 5 is needed",
        "'Dan' has no usable photo: people/Dan.png: 2 faces of similar size: which one is 'Dan'? Crop it",
        "'Eve' has no usable photo: people/Eve.jpg: not a picture, or of a format that is not read",
        "'Fay', 'Guy' have the same face (people/Fay.png and people/Guy.png: 1.00); if they are one person,"
        " put the photos into one sub-folder with the name, or write -t NAME=FOLDER (enroll: NAME=FOLDER)",
    ]


def test_what_is_allowed_is_reported_and_the_rest_is_used(drawn):
    good, bad = drawn.photo("Ann.png", (ANN, 100)), drawn.photo("Bob.png")
    twins = drawn.photo("Cat.png", (ZOE, 100)), drawn.photo("Dan.png", (ZOE, 100))
    gallery, report = drawn.load(good, bad, *twins, tolerant=True)
    assert list(sources(gallery)) == ["Ann", "Cat", "Dan"]
    assert len(report.faults) == 2
    assert report.warnings[-2:] == report.faults


def test_no_usable_target_is_never_everybody(drawn):
    bad = drawn.photo("Bob.png")
    (drawn.folder / "empty").mkdir()
    for targets in ((), (bad,), (drawn.folder / "empty",), (drawn.folder / "nothing",)):
        with pytest.raises(ConfigError, match="no usable photo"):
            drawn.load(*targets, tolerant=True)


def test_everyone_needs_no_photo_and_is_written_to_no_bank(drawn):
    gallery, report = drawn.load("*")
    assert (gallery.everyone, gallery.targets) == (True, ())
    with pytest.raises(ConfigError, match="nothing to write"):
        save_gallery(drawn.folder / "b.npz", gallery, report)
    assert not (drawn.folder / "b.npz").exists()


def test_everyone_stands_beside_named_targets_but_not_beside_one_of_that_name(drawn):
    gallery, _ = drawn.load("*", drawn.photo("Ann.png", (ANN, 100)))
    assert (gallery.everyone, list(sources(gallery))) == (True, ["Ann"])
    (fault,) = drawn.faults("*", drawn.photo("everyone.png", (BOB, 100)))
    assert "rename it" in fault


def test_one_bad_photo_of_many_is_left_out_by_name(drawn):
    drawn.photo("p/Ann/1.png", (ANN, 100))
    drawn.photo("p/Ann/2.png")
    (drawn.folder / "p/Ann/3.jpg").write_bytes(b"")
    (drawn.folder / "p/Ann/.hidden.jpg").write_bytes(b"")
    gallery, report = drawn.load(drawn.folder / "p")
    assert sources(gallery) == {"Ann": ["1.png"]}
    assert remarks(report) == {"2.png": ("no face found",), "3.jpg": ("empty file",)}
    assert sum("LEFT OUT" in line for line in report.lines) == 2
    assert len(report.lines) == 3


def test_a_note_beside_loose_photos_is_no_person(drawn):
    drawn.photo("p/Ann.png", (ANN, 100))
    (drawn.folder / "p/README.txt").write_text("photos of Ann")
    gallery, report = drawn.load(drawn.folder / "p")
    assert list(sources(gallery)) == ["Ann"]
    assert len(report.lines) == 1  # of the note there is nothing to say


def test_a_folder_with_only_a_note_has_no_target(drawn):
    (drawn.folder / "README.md").write_text("put photos here")
    (fault,) = drawn.faults(drawn.folder)
    assert fault.startswith("target ")
    assert fault.endswith(": no photo in it")  # and not once more that there is no usable target


def test_a_photo_without_a_pictures_suffix_is_one_by_its_content(drawn):
    drawn.photo("p/Ann.jpg?w=640&fit=crop", (ANN, 100))
    drawn.photo("p/Bob.jpg?w=640")
    assert drawn.faults(drawn.folder / "p") == ["'Bob' has no usable photo: p/Bob.jpg?w=640: no face found"]


@pytest.mark.parametrize(("second", "used"), [(70, True), (71, False)])
def test_of_several_faces_in_a_lone_photo_the_one_of_twice_the_area_is_meant(drawn, second, used):
    # 100² is 2.04 times 70², and 1.98 times 71².
    photo = drawn.photo("Ann.png", (BOB, second), (ANN, 100))
    if not used:
        assert "2 faces of similar size: which one is 'Ann'?" in drawn.faults(photo)[0]
        return
    gallery, report = drawn.load(photo)
    np.testing.assert_allclose(gallery.targets[0].embeddings, [ANN], atol=1e-3)
    assert remarks(report) == {"Ann.png": ("2 faces; the largest was taken (right, 100 px)",)}


def test_of_several_faces_the_one_like_the_other_photos_is_meant(drawn):
    drawn.photo("p/Ann/1.png", (ANN, 100))
    drawn.photo("p/Ann/2.png", (BOB, 300), (mixed(0.7), 60))
    gallery, report = drawn.load(drawn.folder / "p")
    np.testing.assert_allclose(gallery.targets[0].embeddings, [ANN, mixed(0.7)], atol=1e-3)
    assert remarks(report) == {
        "2.png": ("2 faces; the face most similar to the other photos of 'Ann' was taken (left, 60 px)",)
    }


def test_small_and_blurred_faces_are_used_with_a_remark(drawn):
    gallery, report = drawn.load(drawn.photo("Ann.png", (ANN, 39), sharpness=14))
    assert len(gallery.targets) == 1
    assert remarks(report)["Ann.png"] == (
        "a small face: 39 pixels, 40 and more are good",
        "a blurred face: sharpness 14.0, 15 and more is good",
    )


def test_the_same_picture_twice_is_one_reference(drawn):
    drawn.photo("p/Ann/1.png", (ANN, 100))
    drawn.photo("p/Ann/2.png", (mixed(0.999), 90))
    gallery, report = drawn.load(drawn.folder / "p")
    assert sources(gallery) == {"Ann": ["1.png"]}
    assert "the same picture as" in remarks(report)["2.png"][0]


def test_a_stranger_among_photos_that_agree_is_left_out(drawn):
    for number, third in enumerate((0.3, -0.3, 0.1), start=1):
        drawn.photo(f"p/Ann/{number}.png", (mixed(0.9, 0, third), 100))
    drawn.photo("p/Ann/4.png", (BOB, 100))
    gallery, report = drawn.load(drawn.folder / "p")
    assert sources(gallery) == {"Ann": ["1.png", "2.png", "3.png"]}
    assert list(remarks(report)) == ["4.png"]


def test_photos_that_all_differ_are_kept_with_a_doubt(drawn):
    for number in range(3):
        drawn.photo(f"p/Mike/{number}.png", (axis(number), 100))
    gallery, report = drawn.load(drawn.folder / "p")
    assert len(gallery.targets[0].embeddings) == 3
    assert [text[0].endswith("are they one person?") for text in remarks(report).values()] == [True] * 3


def test_photos_filed_with_the_wrong_person_are_left_out(drawn):
    # Two of Bob's lie with Ann: they have each other as siblings, so only Bob's own photos give them away.
    for number, third in enumerate((0.3, -0.3, 0.1), start=1):
        drawn.photo(f"p/Ann/{number}.png", (mixed(0.9, 0, third), 100))
    for number, (name, third) in enumerate([("Ann", 0.2), ("Ann", -0.2), ("Bob", 0.3), ("Bob", -0.3), ("Bob", 0.0)]):
        drawn.photo(f"p/{name}/bob{number}.png", (mixed(0, 0.9, 0, third), 100))
    gallery, report = drawn.load(drawn.folder / "p")
    assert sources(gallery) == {"Ann": ["1.png", "2.png", "3.png"], "Bob": ["bob2.png", "bob3.png", "bob4.png"]}
    assert all("looks like 'Bob', not like 'Ann'" in text[0] for text in remarks(report).values())


def shot(face: np.ndarray, seed: int) -> np.ndarray:
    """A photo of a face: no two are the same, all are alike."""
    found = face + np.random.default_rng(seed).normal(0, 0.1, DIMENSION).astype(np.float32)
    return found / np.linalg.norm(found)


def test_loose_photos_that_agree_are_one_person_named_by_the_folder(drawn):
    drawn.photo("Ross/1.jpg", (ANN, 100))
    drawn.photo("Ross/2.jpg", (shot(ANN, 1), 100))
    drawn.photo("Ross/group.jpg", (BOB, 90), (shot(ANN, 2), 80), (ZOE, 100))  # no face is far larger
    (drawn.folder / "Ross" / "notes.txt").write_text("from the album")
    gallery, report = drawn.load(drawn.folder / "Ross")
    assert sources(gallery) == {"Ross": ["1.jpg", "2.jpg", "group.jpg"]}
    assert report.remarks == (f"Ross: the photos in '{drawn.folder / 'Ross'}' show one face: taken for one person",)
    # So it is from within, where the folder has no name as it is written.
    with contextlib.chdir(drawn.folder / "Ross"):
        assert list(sources(drawn.load(".")[0])) == ["Ross"]


def test_loose_photos_of_different_faces_are_persons(drawn):
    drawn.photo("people/Ann.jpg", (ANN, 100))
    drawn.photo("people/Bob.jpg", (BOB, 100))
    gallery, report = drawn.load(drawn.folder / "people")
    assert (list(sources(gallery)), report.remarks) == (["Ann", "Bob"], ())


def test_many_loose_photos_of_several_persons_are_one_fault_that_says_what_works(drawn):
    for number in range(60):
        drawn.photo(f"all/img_{number}.jpg", (shot(axis(number % 5), number), 100))
    for number in range(60, 66):
        drawn.photo(f"all/img_{number}.jpg")
    (fault,) = drawn.faults(drawn.folder / "all")
    assert fault.startswith("'all': each photo in it stands for a person of its own, but 60 of the 66 show 5 persons")
    assert "(img_0.jpg = img_10.jpg = img_15.jpg; " in fault
    assert fault.endswith(f"or, if all are one person: -t all={drawn.folder / 'all'}".replace(f"{drawn.folder}/", ""))
    # What it says works: each person in a folder, or all under one name.
    assert list(sources(drawn.load(f"all={drawn.folder / 'all'}", tolerant=True)[0])) == ["all"]


def test_persons_a_level_deeper_are_explained(drawn):
    for name, face in (("Ann", ANN), ("Bob", BOB)):
        for number in range(2):
            drawn.photo(f"people/Family/{name}/{number}.jpg", (shot(face, number), 100))
    (fault,) = drawn.faults(drawn.folder / "people")
    assert fault == (
        "'people/Family' holds the folders 'Ann', 'Bob', which show different persons: with -t people/Family each"
        " folder is one person, with -t Family=people/Family all are one person"
    )
    assert list(sources(drawn.load(drawn.folder / "people" / "Family")[0])) == ["Ann", "Bob"]
    assert list(sources(drawn.load(f"Family={drawn.folder / 'people' / 'Family'}")[0])) == ["Family"]
    # Folders of one person, as by year, are that person's.
    for year, number in ((2019, 3), (2020, 4)):
        drawn.photo(f"more/Ann/{year}/1.jpg", (shot(ANN, number), 100))
    assert list(sources(drawn.load(drawn.folder / "more")[0])) == ["Ann"]


def test_of_several_faces_the_box_of_the_one_that_was_taken_is_told(drawn):
    drawn.photo("Ann.jpg", (BOB, 50), (ANN, 100))
    drawn.photo("Zoe.jpg", (ZOE, 100))
    _, report = drawn.load(drawn.folder / "Ann.jpg", drawn.folder / "Zoe.jpg")
    assert [photo.taken_box for photo in report.photos] == [(0.0, 0.0, 100.0, 125.0), None]


@pytest.mark.parametrize(("cosine", "num_faults"), [(0.49, 0), (0.51, 1)])
def test_two_labels_with_one_face_are_a_fault_from_the_threshold(drawn, cosine, num_faults):
    paths = drawn.photo("Ann.png", (ANN, 100)), drawn.photo("Bob.png", (mixed(cosine), 100))
    if num_faults:
        assert len(drawn.faults(*paths)) == 1
    else:
        assert len(drawn.load(*paths)[0].targets) == 2


def test_a_chain_of_labels_with_one_face_is_one_fault(drawn):
    for number in range(7):
        drawn.photo(f"Bill/{number}.png", (mixed(0.8, 0.05 * number), 100))
    (fault,) = drawn.faults(*sorted((drawn.folder / "Bill").iterdir()))
    assert fault.startswith("'0', '1', '2', '3', '4' and 2 more have the same face (Bill/0.png and Bill/1.png: 1.00)")


def test_a_lookalike_may_be_alike_but_not_the_target_itself(drawn):
    ann, twin = drawn.photo("Ann.png", (ANN, 100)), drawn.photo("Twin.png", (mixed(0.8), 100))
    gallery, report = drawn.load(ann, lookalikes=[twin])
    assert [target.label for target in gallery.lookalikes] == ["Twin"]
    assert report.photos[0].nearest_other == "Twin"
    assert report.photos[0].other_similarity == pytest.approx(0.8, abs=1e-3)
    (fault,) = drawn.faults(ann, lookalikes=[ann])
    assert "is a target" in fault


def test_a_bank_gives_back_the_gallery_and_joins_with_photos(drawn):
    gallery, report = drawn.load(drawn.photo("Ann.png", (ANN, 100)), drawn.photo("Bob.png", (BOB, 64)))
    path = drawn.folder / "bank.npz"
    save_gallery(path, gallery, report)
    again, report = drawn.load(path)
    assert sources(again) == sources(gallery)
    assert [photo.face_size for photo in report.photos] == [100, 64]
    for found, expected in zip(again.targets, gallery.targets, strict=True):
        np.testing.assert_array_equal(found.embeddings, expected.embeddings)
    more = drawn.photo("more/Ann.png", (mixed(0.8), 100))
    assert sources(drawn.load(path, more, drawn.folder / "Bob.png")[0]) == {
        "Ann": ["Ann.png", "Ann.png"],
        "Bob": ["Bob.png"],
    }


def test_a_bank_of_another_network_is_a_fault(drawn):
    gallery, report = drawn.load(drawn.photo("Ann.png", (ANN, 100)))
    save_gallery(drawn.folder / "bank.npz", gallery, report)
    with pytest.raises(ConfigError, match="made with another network"):
        load_gallery([drawn.folder / "bank.npz"], analyse=drawn.analyse, rule=ReferenceRule("d", ALIKE))


def test_names_cannot_leave_the_output_folder_and_links_in_a_circle_end(drawn):
    drawn.photo("p/..Ann\\x.png", (ANN, 100))
    drawn.photo("p/NUL.png", (BOB, 100))
    drawn.photo("p/Zoe/1.png", (ZOE, 100))
    (drawn.folder / "p/Zoe/loop").symlink_to(drawn.folder / "p")
    found = collect([drawn.folder / "p", "a\0b"])
    assert found.faults == ("'a\\x00b': no such file or folder",)
    labels = [photo.label for photo in found.photos]
    assert len(set(labels)) == len(labels) == 2
    for label in labels:
        assert not set(label) & set("/\\\0")
        assert not label.startswith(".")
        assert label != "NUL"


def test_what_leads_into_a_closed_place_is_a_fault_by_name(drawn):
    # A link to a name longer than names can be: the system refuses to look, as it does in a closed folder.
    drawn.photo("p/Ann.png", (ANN, 100))
    for name in ("p/Bob.png", "Zoe.png"):
        (drawn.folder / name).symlink_to("n" * 300)
    assert drawn.faults(drawn.folder / "p", drawn.folder / "Zoe.png") == [
        "target 'Zoe.png': cannot be read: File name too long",
        "'Bob' has no usable photo: p/Bob.png: cannot be read: File name too long",
    ]
    assert drawn.faults("n" * 300)[0].endswith("cannot be read: File name too long")


def test_a_closed_folder_of_a_person_is_not_called_empty(drawn, monkeypatch):
    drawn.photo("p/Ann/1.png", (ANN, 100))
    (drawn.folder / "p/Bob").mkdir()
    scan = os.scandir

    def scan_or_refuse(path):
        if str(path).endswith("Bob"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scan_or_refuse)
    assert drawn.faults(drawn.folder / "p") == ["target 'p/Bob': cannot be read: Permission denied"]
