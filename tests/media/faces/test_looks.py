"""Close-ups, turned heads, and small faces in large pictures: what one look at one canvas misses.

Where a face is in a test's picture follows from where the detector finds it in the photo that the picture is made of:
upright, at an ordinary size.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from faces_tools import PlainSession

from fastface.faces.align import align_picture
from fastface.faces.arcface import Recogniser
from fastface.faces.looks import find_in_frames, find_in_picture, letterbox
from fastface.faces.scrfd import Detections, Detector
from fastface.models.graph import prepare_detector, prepare_recogniser
from fastface.types import SecondLooks

ONE_LOOK = SecondLooks(close_ups=False, turned=False)
TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


@dataclass(frozen=True)
class Portrait:
    """A photo of one clear face."""

    pixels: npt.NDArray[np.uint8]
    face: Detections


@pytest.fixture(scope="module")
def detector(shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Detector:
    graph = prepare_detector(shared_models / "buffalo_s/det_500m.onnx", tmp_path_factory.mktemp("detector"))
    return Detector(PlainSession(graph), 0.5)


@pytest.fixture(scope="module")
def recogniser(shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Recogniser:
    graph = prepare_recogniser(shared_models / "buffalo_s/w600k_mbf.onnx", tmp_path_factory.mktemp("recogniser"))
    return Recogniser(PlainSession(graph), 512)


@pytest.fixture(scope="module")
def portraits(detector: Detector, shared_media: Path) -> list[Portrait]:
    found = []
    for folder in ("claire_dearing", "owen_grady", "ian_malcolm", "alan_grant"):
        for path in sorted((shared_media / "photos" / "jurassic" / folder).iterdir())[:3]:
            pixels = cv2.imread(str(path))
            canvas, factor = letterbox(pixels, 640)
            (faces,) = detector.detect(canvas[None])
            if len(faces) == 1 and faces.det_score[0] > 0.75:
                found.append(Portrait(pixels, faces.scale(np.full(2, 1 / factor, np.float32))))
    assert len(found) >= 6
    return found


def warped(portrait: Portrait, matrix: npt.NDArray[np.float64], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    return cv2.warpAffine(portrait.pixels, matrix, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)


def placed(portrait: Portrait, side: float, centre: tuple[float, float], angle: float = 0.0) -> npt.NDArray[np.float64]:
    """The matrix that puts the portrait's face at a centre, `side` pixels high and turned counter-clockwise."""
    box = portrait.face.boxes[0]
    factor = side / float(box[3] - box[1])
    middle = (float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2)
    matrix = cv2.getRotationMatrix2D(middle, angle, factor)
    matrix[:, 2] += np.array(centre) - middle
    return matrix


def overlap(box: npt.NDArray[np.float32], boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared = (high - low).clip(0).prod(axis=1)
    return shared / ((box[2:] - box[:2]).prod() + (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) - shared)


def embedding(recogniser: Recogniser, picture: npt.NDArray[np.uint8], landmarks: npt.NDArray[np.float32]):
    vectors, _ = recogniser.embed(align_picture(picture, landmarks)[None])
    return vectors[0].astype(np.float32)


@pytest.mark.parametrize(
    ("size", "canvas"), [((640, 640), (640, 640)), ((640, 480), (480, 640)), ((360, 640), (640, 384))]
)
@pytest.mark.parametrize("share", [0.5, 0.8, 1.2])
def test_close_ups_are_found_in_frames_of_any_aspect(
    detector: Detector, portraits: list[Portrait], size: tuple[int, int], canvas: tuple[int, int], share: float
) -> None:
    """A face above 70 % of a square frame was not found, and a film of one was `done` with no face."""
    assert len(portraits) >= 6
    for portrait in portraits:
        matrix = placed(portrait, share * min(size), (size[0] / 2, size[1] / 2))
        frame = np.zeros((1, *canvas, 3), np.uint8)
        frame[0, : size[1], : size[0]] = warped(portrait, matrix, size)
        found, _ = find_in_frames(detector, frame, 1, size, SecondLooks())
        corners = portrait.face.boxes[0].reshape(2, 2) @ matrix[:, :2].T + matrix[:, 2]
        assert len(found) == 1
        assert overlap(corners.reshape(-1).astype(np.float32), found.boxes)[0] > 0.5


@pytest.mark.parametrize("angle", [-120, -75, 75, 120, 180])
def test_lying_and_upside_down_heads_get_their_own_landmarks(
    detector: Detector, recogniser: Recogniser, portraits: list[Portrait], angle: float
) -> None:
    """The upright look finds most of them, with landmarks of an upright face: a cosine of 0.1 to the person."""
    cosines, once = [], []
    for portrait in portraits:
        matrix = placed(portrait, 150, (320, 180), angle)
        frame = np.zeros((1, 384, 640, 3), np.uint8)
        frame[0, :360] = warped(portrait, matrix, (640, 360))
        known = embedding(recogniser, portrait.pixels, portrait.face.landmarks[0])
        truth = portrait.face.landmarks[0] @ matrix[:, :2].T + matrix[:, 2]
        for looks, told in ((ONE_LOOK, once), (SecondLooks(), cosines)):
            found, _ = find_in_frames(detector, frame, 1, (640, 360), looks)
            near = [n for n in range(len(found)) if np.hypot(*(found.landmarks[n].mean(0) - truth.mean(0))) < 40]
            vectors = [embedding(recogniser, frame[0], found.landmarks[n]) for n in near]
            told.append(max((float(known @ vector) for vector in vectors), default=0.0))
    num_known, num_once = (int((np.array(told) > 0.6).sum()) for told in (cosines, once))
    assert num_known >= max(0.7 * len(portraits), num_once)
    assert abs(angle) <= 90 or num_once <= 0.2 * len(portraits)  # else this proves nothing


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_turned_photo_gives_the_face_of_the_upright_one(
    detector: Detector, recogniser: Recogniser, portraits: list[Portrait], turn: int
) -> None:
    assert len(portraits) >= 6
    for portrait in portraits:
        turned = cv2.rotate(portrait.pixels, TURNS[turn])
        found = find_in_picture(detector, turned)
        known = embedding(recogniser, portrait.pixels, portrait.face.landmarks[0])
        assert len(found) == 1
        assert embedding(recogniser, turned, found.landmarks[0]) @ known > 0.8


def test_a_portrait_that_is_all_face_is_found(detector: Detector, portraits: list[Portrait]) -> None:
    for portrait in portraits:
        left, top, right, bottom = portrait.face.boxes[0].clip(0).astype(int)
        tight = cv2.resize(portrait.pixels[top:bottom, left:right], (112, 112), interpolation=cv2.INTER_AREA)
        found = find_in_picture(detector, tight)
        assert len(found) == 1
        assert overlap(np.array([0, 0, 112, 112], np.float32), found.boxes)[0] > 0.6


def test_small_faces_of_a_large_picture_are_found_each_once(detector: Detector, portraits: list[Portrait]) -> None:
    """Of 96 faces in a class photo of 4000 pixels one was found."""
    picture = np.full((2400, 3200, 3), (120, 130, 110), np.uint8)
    truth = []
    for number in range(30):
        portrait = portraits[number % len(portraits)]
        x, y = 250 + number % 6 * 540, 240 + number // 6 * 480
        matrix = placed(portrait, 48, (96, 96))
        picture[y - 96 : y + 96, x - 96 : x + 96] = warped(portrait, matrix, (192, 192))
        corners = portrait.face.boxes[0].reshape(2, 2) @ matrix[:, :2].T + matrix[:, 2]
        truth.append((corners + np.array([x - 96, y - 96])).reshape(-1).astype(np.float32))
    canvas, _ = letterbox(picture, 640)
    assert len(detector.detect(canvas[None])[0]) < 10
    found = find_in_picture(detector, picture)
    best = [overlap(box, found.boxes).max() for box in truth]
    assert sum(value > 0.5 for value in best) >= 28
    assert len(found) <= 31


def test_what_is_found_in_a_frame_does_not_depend_on_those_beside_it(
    detector: Detector, portraits: list[Portrait]
) -> None:
    frames = np.zeros((4, 384, 640, 3), np.uint8)
    for frame, portrait, (side, angle) in zip(
        frames, portraits, [(150, 0), (500, 0), (150, 90), (60, 0)], strict=False
    ):
        frame[:360] = warped(portrait, placed(portrait, side, (320, 180), angle), (640, 360))
    together, number = find_in_frames(detector, frames, 4, (640, 360), SecondLooks())
    assert set(number.tolist()) == {0, 1, 2, 3}
    for place in range(4):
        alone = np.zeros_like(frames)
        alone[0] = frames[place]
        found, _ = find_in_frames(detector, alone, 1, (640, 360), SecondLooks())
        np.testing.assert_array_equal(found.boxes, together.boxes[number == place])
        np.testing.assert_array_equal(found.landmarks, together.landmarks[number == place])


def test_a_clear_face_is_that_of_the_first_look_to_the_bit(detector: Detector, portraits: list[Portrait]) -> None:
    frames = np.zeros((len(portraits), 384, 640, 3), np.uint8)
    for frame, portrait in zip(frames, portraits, strict=True):
        frame[:360] = warped(portrait, placed(portrait, 120, (320, 180)), (640, 360))
    first, _ = find_in_frames(detector, frames, len(frames), (640, 360), ONE_LOOK)
    found, _ = find_in_frames(detector, frames, len(frames), (640, 360), SecondLooks())
    assert len(first) == len(portraits)
    np.testing.assert_array_equal(found.boxes, first.boxes)
    np.testing.assert_array_equal(found.det_score, first.det_score)
