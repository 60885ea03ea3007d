"""What each recogniser must do, whatever its network: ArcFace, dlib's, SFace, OpenVINO's, and the demo's.

The weights of SFace and OpenVINO's cannot be had here. A real ArcFace stands in, with their inputs and outputs.
AuraFace and EdgeFace have the interface of ArcFace.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from cartoon_tools import Cartoon
from faces_tools import PlainSession
from family_tools import openvino_of_arcface, sface_of_arcface

from fastface.faces.align import ALIGNMENTS, align_picture
from fastface.faces.arcface import Recogniser
from fastface.faces.scrfd import Detector
from fastface.models.graph import prepare_detector, prepare_recogniser
from fastface.models.packs import read_network


@dataclass(frozen=True)
class Persons:
    """A recogniser, and aligned faces of several persons: `faces[k]` is of person `labels[k]`."""

    recogniser: Recogniser
    faces: npt.NDArray[np.uint8]
    labels: tuple[str, ...]


@pytest.fixture(params=["arcface", "dlib", "sface", "openvino", "drawn"])
def persons(request: pytest.FixtureRequest, tmp_path: Path) -> Persons:
    if request.param == "drawn":
        cartoon: Cartoon = request.getfixturevalue("cartoon")
        graphs = {read_network(path).kind: path for path in cartoon.models.rglob("*.onnx")}
        detector, graph = graphs["detector"], graphs["recogniser"]
        photos = {path: path.stem for path in sorted(cartoon.photos.glob("*"))}
    else:
        media: Path = request.getfixturevalue("shared_media")
        models: Path = request.getfixturevalue("shared_models") / "buffalo_s"
        detector = models / "det_500m.onnx"
        graph = models / "w600k_mbf.onnx"
        if request.param == "dlib":
            graph = request.getfixturevalue("free_pack") / "dlib_resnet.onnx"
        elif request.param == "sface":
            graph = sface_of_arcface(graph, tmp_path / "sface.onnx")
        elif request.param == "openvino":
            graph = openvino_of_arcface(graph, tmp_path / "openvino.onnx")
        folders = sorted((media / "photos" / "jurassic").iterdir())
        photos = {path: folder.name for folder in folders for path in sorted(folder.iterdir())[:3]}
    network = read_network(graph)
    assert (network.kind, network.aligned_size in ALIGNMENTS) == ("recogniser", True)
    assert network.dimension is not None
    alignment = ALIGNMENTS[network.aligned_size]
    finder = Detector(PlainSession(prepare_detector(detector, tmp_path)), 0.5)
    faces, labels = [], []
    for path, label in photos.items():
        photo = cv2.imread(str(path))
        factor = 1.0 if request.param == "drawn" else 512 / max(photo.shape[:2])
        small = cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        canvas = np.zeros((*(side + 128 + -side % 32 for side in small.shape[:2]), 3), np.uint8)
        canvas[64 : 64 + small.shape[0], 64 : 64 + small.shape[1]] = small
        (found,) = finder.detect(canvas[None])
        if len(found):
            faces.append(align_picture(canvas, found.landmarks[0], alignment=alignment))
            labels.append(label)
    recogniser = Recogniser(
        PlainSession(prepare_recogniser(graph, tmp_path)), network.dimension, max_chunk=4, alignment=alignment
    )
    return Persons(recogniser, np.stack(faces), tuple(labels))


def test_embeddings_are_unit_vectors_of_the_stated_dimension(persons: Persons) -> None:
    vectors, valid = persons.recogniser.embed(persons.faces)
    assert vectors.shape == (len(persons.faces), persons.recogniser.dimension)
    assert valid.all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_face_has_one_embedding_in_any_batch(persons: Persons) -> None:
    together, _ = persons.recogniser.embed(persons.faces)
    for place in range(0, len(persons.faces), 3):
        alone, _ = persons.recogniser.embed(persons.faces[place : place + 1])
        np.testing.assert_allclose(together[place], alone[0], atol=1e-4)


def test_faces_of_one_person_are_nearer_than_those_of_others(persons: Persons) -> None:
    vectors, _ = persons.recogniser.embed(persons.faces)
    labels = np.array(persons.labels)
    mirrored, _ = persons.recogniser.embed(np.ascontiguousarray(persons.faces[:, :, ::-1]))
    own = (vectors * mirrored).sum(axis=1)
    cosines = vectors @ vectors.T
    is_other = labels[:, None] != labels
    assert is_other.any()
    others = cosines[is_other]
    assert np.median(own) > others.mean() + 4 * others.std(), (own, others.mean(), others.std())
    is_same = ~is_other & ~np.eye(len(labels), dtype=bool)
    if is_same.any():
        assert cosines[is_same].mean() > others.mean() + 2.5 * others.std()
