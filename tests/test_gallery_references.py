"""Photos and folders → gallery. The faces are drawn by the test: a picture's pixels say which faces it has."""

from pathlib import Path

import numpy as np
import pytest
from faces_tools import PlainSession
from gallery_tools import DIMENSION, axis, faces_of, mixed
from PIL import Image

from fastface.errors import ConfigError
from fastface.faces.analyse import FaceAnalyser
from fastface.faces.arcface import Recogniser
from fastface.faces.scrfd import Detector
from fastface.gallery.references import load_gallery, save_gallery
from fastface.gallery.sources import collect
from fastface.models.graph import prepare_detector, prepare_recogniser
from fastface.types import Faces

ALIKE = 0.5
ANN, BOB, ZOE = axis(0), axis(1), axis(2)

Face = tuple[np.ndarray, int]
"""Embedding and size in pixels."""


class Drawn:
    """Writes pictures of one colour each and, as the analyser, knows which faces each colour stands for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faces: list[tuple[list[Face], float]] = []

    def photo(self, name: str, *faces: Face, sharpness: float = 100.0) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (0, 0, len(self.faces))).save(path, "PNG")
        self.faces.append((list(faces), sharpness))
        return path

    def analyse(self, picture: np.ndarray) -> Faces:
        faces, sharpness = self.faces[picture[0, 0, 0]]
        if not faces:
            return Faces.empty(DIMENSION)
        boxes = [(0.0, 0.0, float(size), size * 1.25) for _, size in faces]
        found = faces_of([embedding for embedding, _ in faces], [0.0] * len(faces), boxes=boxes)
        found.sharpness[:] = sharpness
        return found

    def load(self, *targets: str | Path, lookalikes=(), tolerant=False):
        return load_gallery(
            targets, analyse=self.analyse, contract="c", alike=ALIKE, lookalikes=lookalikes, tolerant=tolerant
        )

    def faults(self, *targets: str | Path, lookalikes=()) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            self.load(*targets, lookalikes=lookalikes)
        assert caught.value.exit_code == 2
        return [fault.replace(f"{self.folder}/", "") for fault in caught.value.faults]


@pytest.fixture
def drawn(tmp_path) -> Drawn:
    return Drawn(tmp_path)


def sources(gallery) -> dict[str, list[str]]:
    return {target.label: [Path(source).name for source in target.sources] for target in gallery.targets}


def remarks(report) -> dict[str, tuple[str, ...]]:
    return {Path(photo.source).name: photo.remarks for photo in report.photos if photo.remarks}


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
        "-t '" + str(drawn.folder / "nothing.jpg") + "': no such file or folder".replace(f"{drawn.folder}/", ""),
        "-t '" + str(drawn.folder / "empty") + "': the folder is empty",
        "-t 'people/Nobody': the folder of 'Nobody' is empty",
    ]
