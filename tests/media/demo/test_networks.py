"""The cartoon networks are SCRFD and ArcFace to everyone who asks, and answer exactly, whatever befell the film."""

import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
from cartoon_tools import RUNTIMES, decoded, plain_onnxruntime

from fastface.demo.detector import DET_SCORE
from fastface.demo.film import Encoding, draw_film, draw_photo
from fastface.demo.networks import write_pack
from fastface.demo.persons import ADA, BO, DISGUISE_SIMILARITY, NUM_PERSONS, Disguise, person
from fastface.demo.recogniser import aligned_point, codebook
from fastface.demo.script import Appearance, Scene, Script, Sighting
from fastface.demo.scripts import random_script
from fastface.models.graph import inspect_graph, prepare_detector, prepare_recogniser

TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float32
)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pack(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def detector_file(pack: Path) -> Path:
    return pack / "cartoon_detector.onnx"


@pytest.fixture(scope="module")
def recogniser_file(pack: Path) -> Path:
    return pack / "cartoon_recogniser.onnx"


@pytest.fixture(scope="module")
def reference(detector_file: Path, recogniser_file: Path):
    """insightface's own objects for both files, and its alignment."""
    with warnings.catch_warnings():
        # Of insightface's own dependencies.
        warnings.simplefilter("ignore")
        model_zoo = pytest.importorskip("insightface.model_zoo")
        face_align = pytest.importorskip("insightface.utils.face_align")
        detector = model_zoo.get_model(str(detector_file), providers=["CPUExecutionProvider"])
        recogniser = model_zoo.get_model(str(recogniser_file), providers=["CPUExecutionProvider"])
    assert (type(detector).__name__, type(recogniser).__name__) == ("SCRFD", "ArcFaceONNX")
    detector.prepare(ctx_id=-1, input_size=(640, 640), det_thresh=0.5)
    return detector, recogniser, face_align.norm_crop


def aligned_by_hand(picture: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    transform, _ = cv2.estimateAffinePartial2D(landmarks, TEMPLATE, method=cv2.LMEDS)
    return cv2.warpAffine(picture, transform, (112, 112))


def check_faces(boxes: np.ndarray, landmarks: np.ndarray, expected: tuple[Sighting, ...], scale: float = 1) -> None:
    """Boxes and landmarks of one frame, in any order, are exactly those of the script."""
    assert len(boxes) == len(expected)
    order = np.argsort(boxes[:, 0], kind="stable") if len(boxes) else []
    for row, sighting in zip(order, expected, strict=True):
        np.testing.assert_array_equal(boxes[row, :4], np.float32(sighting.box) * scale)
        np.testing.assert_array_equal(landmarks[row], sighting.landmarks * scale)


@pytest.mark.filterwarnings("ignore:.estimate. is deprecated:FutureWarning")
@pytest.mark.parametrize("crf", [18, 35])
def test_insightface_sees_exactly_the_script(reference, tmp_path: Path, crf: int) -> None:
    detector, recogniser, norm_crop = reference
    script = random_script(crf, 60, num_persons=60)
    draw_film(tmp_path / "film.mp4", script, Encoding(crf=crf))
    frames = decoded(tmp_path / "film.mp4")
    assert len(frames) == 60
    faces = 0
    for number, (_, picture) in enumerate(frames):
        boxes, landmarks = detector.detect(picture)
        expected = script.sightings(number)
        check_faces(boxes, landmarks, expected)
        np.testing.assert_allclose(boxes[:, 4], DET_SCORE, atol=1e-6)
        for sighting in expected:
            embedding = recogniser.get_feat(norm_crop(picture, sighting.landmarks))[0]
            np.testing.assert_array_equal(embedding, codebook()[sighting.person.code])
            faces += 1
    assert faces > 60


def test_raw_outputs_are_laid_out_as_scrfd(detector_file: Path) -> None:
    run = plain_onnxruntime(detector_file)
    canvas = np.zeros((384, 640, 3), np.uint8)
    canvas[:360] = Script(1, (Appearance(ADA, 0, 1, (200, 176)),)).draw(0)
    outputs = run(((canvas[..., ::-1].astype(np.float32) - 127.5) / 128).transpose(2, 0, 1)[None])
    anchors = (640 * 384 // 64 * 2, 640 * 384 // 256 * 2, 640 * 384 // 1024 * 2)
    assert [one.shape for one in outputs] == [(n, c) for c in (1, 4, 10) for n in anchors]
    # Centre (200, 176) is column 25, row 22 of 80; two anchors a cell.
    first = (22 * 80 + 25) * 2
    assert np.flatnonzero(outputs[0] > 0.02).tolist() == [first, first + 1]
    assert outputs[0][first] > outputs[0][first + 1] > 0.9
    assert max(outputs[1].max(), outputs[2].max()) < 0.02
    assert outputs[3][first].tolist() == [5, 7, 5, 7]
    assert outputs[6][first].tolist() == [-2.5, -1.5, 2.5, -1.5, 0, 1.5, -2, 4.5, 2, 4.5]


@pytest.mark.parametrize(("scale", "place", "size"), [(2, (320, 176), (640, 360)), (4, (320, 320), (640, 640))])
def test_larger_faces_are_found_by_the_other_strides(reference, scale: int, place, size) -> None:
    detector, recogniser, _ = reference
    script = Script(1, (Appearance(BO, 0, 1, place, scale=scale),), size=size)
    picture = script.draw(0)
    boxes, landmarks = detector.detect(picture)
    (expected,) = script.sightings(0)
    check_faces(boxes, landmarks, (expected,))
    assert boxes[0, 2] - boxes[0, 0] == 80 * scale
    embedding = recogniser.get_feat(aligned_by_hand(picture, landmarks[0]))[0]
    np.testing.assert_array_equal(embedding, codebook()[BO.code])


@pytest.mark.parametrize("zoom", [2, 3])
def test_a_large_film_shrunk_to_the_canvas_gives_the_same_faces(reference, tmp_path: Path, zoom: int) -> None:
    detector, _, _ = reference
    script = random_script(4, 12, mean_frames=4)
    draw_film(tmp_path / "film.mp4", script, Encoding(zoom=zoom))
    frames = decoded(tmp_path / "film.mp4")
    assert len(frames) == 12
    for number, (_, picture) in enumerate(frames):
        assert picture.shape == (360 * zoom, 640 * zoom, 3)
        boxes, landmarks = detector.detect(picture)
        check_faces(boxes, landmarks, script.sightings(number), scale=zoom)


def test_all_persons_in_all_disguises_are_told_apart(recogniser_file: Path) -> None:
    run = plain_onnxruntime(recogniser_file)
    table = codebook()
    landmarks = Script(1, (Appearance(ADA, 0, 1, (320, 176)),)).sightings(0)[0].landmarks
    for code in range(NUM_PERSONS):
        disguise = Disguise(code % 4)
        picture = Script(1, (Appearance(person(code), 0, 1, (320, 176), disguise=disguise),)).draw(0)
        aligned = aligned_by_hand(picture, landmarks)[..., ::-1].astype(np.float32).transpose(2, 0, 1)[None]
        (embedding,) = run((aligned - 127.5) / 127.5)
        np.testing.assert_array_equal(embedding[0], table[code + 64 * disguise])


def test_similarities_are_those_documented() -> None:
    table = codebook().astype(np.float64)
    unit = table / np.linalg.norm(table, axis=1, keepdims=True)
    between = unit[:64] @ unit.T
    np.testing.assert_allclose(between[:, :64], np.eye(64), atol=1e-12)
    for disguise in Disguise:
        own = between[:, 64 * disguise : 64 * disguise + 64]
        np.testing.assert_allclose(np.diag(own), DISGUISE_SIMILARITY[disguise], atol=1e-12)
        np.testing.assert_allclose(own - np.diag(np.diag(own)), 0, atol=1e-12)


@pytest.mark.filterwarnings("ignore:.estimate. is deprecated:FutureWarning")
def test_zones_lie_where_insightface_puts_them_in_the_aligned_face() -> None:
    face_align = pytest.importorskip("insightface.utils.face_align")
    landmarks = Script(1, (Appearance(ADA, 0, 1, (320, 176)),)).sightings(0)[0].landmarks
    transform = face_align.estimate_norm(landmarks)
    for x, y in ((-24, -64), (0, 0), (32, 18)):
        np.testing.assert_allclose(aligned_point(x, y), transform @ (x + 320, y + 176, 1), atol=1e-3)


def test_a_pack_is_the_same_bytes_each_time(pack: Path, tmp_path: Path) -> None:
    again = write_pack(tmp_path)
    names = sorted(path.name for path in pack.iterdir())
    assert names == ["cartoon_detector.onnx", "cartoon_recogniser.onnx"]
    assert [(again / name).read_bytes() for name in names] == [(pack / name).read_bytes() for name in names]


def test_graphs_tell_what_they_are(detector_file: Path, recogniser_file: Path) -> None:
    detector, recogniser = inspect_graph(detector_file), inspect_graph(recogniser_file)
    assert (detector.kind, detector.has_landmarks, detector.input_size) == ("detector", True, None)
    assert (recogniser.kind, recogniser.dimension) == ("recogniser", 128)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_rewritten_networks_give_the_same_bits_in_every_batch_and_runtime(
    detector_file: Path, recogniser_file: Path, tmp_path: Path, runtime: str
) -> None:
    detect = RUNTIMES[runtime](prepare_detector(detector_file, tmp_path))
    embed = RUNTIMES[runtime](prepare_recogniser(recogniser_file, tmp_path))
    script = random_script(5, 80, num_persons=60)
    canvases = np.zeros((16, 384, 640, 3), np.uint8)
    expected = [script.sightings(number) for number in range(0, 80, 5)]
    for canvas, number in zip(canvases, range(0, 80, 5), strict=True):
        canvas[:360] = script.draw(number)
    assert sum(map(len, expected)) > 12
    for batch in (1, 3, 8):
        rows = np.concatenate([detect(canvases[i : i + batch]) for i in range(0, 16, batch)])
        for canvas, found, sightings in zip(canvases, rows, expected, strict=True):
            strong = found[found[:, 0] > 0.99]
            check_faces(strong[:, 1:5], strong[:, 5:].reshape(-1, 5, 2), sightings)
            np.testing.assert_allclose(strong[:, 0], DET_SCORE, atol=1e-6)
            if not sightings:
                continue
            aligned = np.stack([aligned_by_hand(canvas, one.landmarks) for one in sightings])
            codes = [one.person.code for one in sightings]
            np.testing.assert_array_equal(embed(aligned), codebook()[codes])


def test_photos_show_one_face_that_is_the_persons(reference) -> None:
    detector, recogniser, _ = reference
    for who in (ADA, BO, person(0), person(63)):
        encoded = cv2.imencode(".jpg", draw_photo(who), [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
        picture = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
        boxes, landmarks = detector.detect(picture)
        assert len(boxes) == 1
        embedding = recogniser.get_feat(aligned_by_hand(picture, landmarks[0]))[0]
        np.testing.assert_array_equal(embedding, codebook()[who.code])


def test_backdrops_and_backs_of_heads_hold_no_face(reference) -> None:
    detector, _, _ = reference
    turned = Appearance(ADA, 0, 6, (320, 176), away=True)
    kinds = ("title", "hills", "room", "night", "beach", "plain")
    script = Script(6, (turned,), tuple(Scene(n, kind) for n, kind in enumerate(kinds)))
    for number in range(6):
        boxes, _ = detector.detect(script.draw(number))
        assert len(boxes) == 0
        assert script.sightings(number) == ()
