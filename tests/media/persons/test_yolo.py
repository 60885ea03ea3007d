"""Person boxes of real networks on real pictures, and the placing of pictures by hand arithmetic."""

import pickle
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from faces_tools import FixedSession, PlainSession, frames_of

from fastface.backends import DeviceInfo
from fastface.faces.analyse import letterbox
from fastface.faces.scrfd import Detector
from fastface.models.graph import inspect_graph, prepare_detector, prepare_person
from fastface.persons.containment import match_person
from fastface.persons.network import PersonNetwork
from fastface.persons.yolo import PersonDetections, PersonDetector, open_person_detector, place

NAMES = ("yolo11n_int8_mwc.onnx", "yolox_nano.onnx")
BACKENDS = ("onnxruntime", "openvino")
LEAST_FACE = 40
"""Height in pixels of the faces that are looked for."""


def ious(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Overlap of each box with each."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    common = (high - low).clip(0).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (one, other)]
    return common / (areas[0][:, None] + areas[1][None] - common)


@pytest.fixture(scope="module")
def networks(shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, PersonNetwork]:
    cache = tmp_path_factory.mktemp("cache")
    made = {}
    for name in NAMES:
        path = shared_models / "person" / name
        facts = inspect_graph(path)
        assert facts.family is not None
        assert facts.input_size is not None
        made[name] = PersonNetwork(prepare_person(path, cache), facts.family, facts.input_size)
    return made


@pytest.fixture(scope="module")
def detectors(networks: dict[str, PersonNetwork], tmp_path_factory: pytest.TempPathFactory) -> dict[Any, Any]:
    """Every network on every backend, opened as another process would: from what was pickled."""
    cache = tmp_path_factory.mktemp("cache")
    return {
        (name, backend): open_person_detector(
            pickle.loads(pickle.dumps(network)),
            DeviceInfo(backend, "CPU", "float32", "test", "test"),
            threads=1,
            cache_folder=cache,
        )
        for name, network in networks.items()
        for backend in BACKENDS
    }


@pytest.fixture(scope="module")
def frames(shared_media: Path) -> list[npt.NDArray[np.uint8]]:
    """Ten frames of a scene of several persons, and one each of three other clips, of other sizes."""
    found = frames_of(shared_media / "clips/friends.mp4", tuple(range(20, 620, 60)))
    for name in ("hamilton", "azvi_billhyland", "street"):
        found += frames_of(shared_media / f"clips/{name}.mp4", (30,))
    assert len({frame.shape for frame in found}) > 2
    return found


def same(one: PersonDetections, other: PersonDetections, pixels: float, score: float) -> bool:
    return (
        len(one) == len(other)
        and bool(np.abs(one.boxes - other.boxes).max(initial=0) < pixels)
        and bool(np.abs(one.person_score - other.person_score).max(initial=0) < score)
    )


@pytest.mark.parametrize("key", tuple(product(NAMES, BACKENDS)), ids=" ".join)
def test_every_face_lies_in_the_box_of_a_person(detectors, shared_models: Path, frames, tmp_path: Path, key) -> None:
    faces = Detector(PlainSession(prepare_detector(shared_models / "buffalo_s/det_500m.onnx", tmp_path)), 0.5)
    seen = 0
    scene = frames[:10]
    for frame, persons in zip(scene, detectors[key].detect(scene), strict=True):
        canvas, factor = letterbox(frame, 640)
        boxes = faces.detect(canvas[None])[0].boxes / factor
        boxes = boxes[boxes[:, 3] - boxes[:, 1] >= LEAST_FACE]
        seen += len(boxes)
        owners = [match_person(box, persons.boxes) for box in boxes]
        assert None not in owners
        assert len(set(owners)) == len(owners)
    assert seen > 15


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_pictures_in_batches_give_what_each_gives_alone(detectors, frames, name: str, backend: str) -> None:
    detector = detectors[name, backend]
    together = detector.detect(frames)
    assert len(together) == len(frames) == 13
    assert sum(map(len, together)) > 20
    for frame, persons in zip(frames, together, strict=True):
        (alone,) = detector.detect([frame])
        assert same(persons, alone, 0.1, 1e-4)
    assert detector.detect([]) == []


@pytest.mark.parametrize("name", NAMES)
def test_boxes_are_of_float32_within_the_picture_and_fall_by_score(detectors, frames, name: str) -> None:
    for frame, persons in zip(frames, detectors[name, "openvino"].detect(frames), strict=True):
        height, width = frame.shape[:2]
        assert (persons.boxes.dtype, persons.person_score.dtype) == (np.float32, np.float32)
        assert persons.boxes.shape == (len(persons), 4)
        assert (persons.boxes >= 0).all()
        assert (persons.boxes <= (width, height, width, height)).all()
        assert all(high >= low for high, low in pairwise(persons.person_score))
        assert (persons.person_score >= 0.3).all()


def clear_ones(found: list[PersonDetections], least: float) -> list[PersonDetections]:
    return [persons[persons.person_score >= least] for persons in found]


def test_both_runtimes_find_the_same_persons(detectors, frames) -> None:
    one, other = (detectors["yolox_nano.onnx", backend].detect(frames) for backend in BACKENDS)
    assert all(same(a, b, 0.5, 1e-3) for a, b in zip(one, other, strict=True))
    # Networks of eight bits measure their ranges as they run, and each runtime rounds its own way.
    one, other = (detectors["yolo11n_int8_mwc.onnx", backend].detect(frames) for backend in BACKENDS)
    for clear, found in zip(clear_ones(one, 0.6), other, strict=True):
        assert len(clear) == 0 or ious(clear.boxes, found.boxes).max(axis=1).min() > 0.9


def test_both_families_find_the_same_clear_persons(detectors, frames) -> None:
    one, other = (detectors[name, "openvino"].detect(frames) for name in NAMES)
    overlaps = [
        ious(clear.boxes, found.boxes).max(axis=1)
        for clear, found in zip(clear_ones(one, 0.6), other, strict=True)
        if len(clear)
    ]
    best = np.concatenate(overlaps)
    assert len(best) > 20
    assert best.min() > 0.5
    assert np.median(best) > 0.85


def test_noise_shows_nobody(detectors) -> None:
    noise = np.random.default_rng(5).integers(0, 256, (300, 500, 3), np.uint8)
    for detector in detectors.values():
        (persons,) = detector.detect([noise])
        assert len(persons) == 0
        assert persons.boxes.shape == (0, 4)


def test_a_photo_of_any_shape_is_taken(detectors) -> None:
    for shape in ((1, 1, 3), (1, 900, 3), (900, 1, 3), (7, 5, 3)):
        for name in NAMES:
            assert len(detectors[name, "onnxruntime"].detect([np.zeros(shape, np.uint8)])[0]) == 0


# A picture of 200 × 100 in a canvas of 64 × 64: factor 0.32, 64 × 32 pixels, 32 rows left.
@pytest.mark.parametrize(("family", "left", "top"), [("yolo", 0, 16), ("yolox", 0, 0)])
def test_a_picture_lies_where_its_family_was_trained(family, left: int, top: int) -> None:
    canvas = np.zeros((64, 64, 3), np.uint8)
    placement = place(np.full((100, 200, 3), 9, np.uint8), canvas, family)
    assert (placement.factor, placement.left, placement.top) == (0.32, left, top)
    assert (canvas[top : top + 32] == 9).all()
    assert (np.delete(canvas, slice(top, top + 32), axis=0) == 114).all()
    box = np.array([[16, top + 8, 32, top + 16]], np.float32)
    np.testing.assert_allclose(placement.in_picture(box), [[50, 25, 100, 50]], rtol=1e-6)


def test_an_odd_pixel_goes_below_and_a_part_of_one_is_rounded_by_yolo_and_dropped_by_yolox() -> None:
    # 100 × 51 in 64 × 64: factor 0.64, 32.64 rows; 31 rows are left, 15 above and 16 below.
    picture = cv2.cvtColor(np.full((51, 100), 9, np.uint8), cv2.COLOR_GRAY2BGR)
    for family, rows, top in (("yolo", 33, 15), ("yolox", 32, 0)):
        canvas = np.zeros((64, 64, 3), np.uint8)
        assert place(picture, canvas, family).top == top
        assert ((canvas == 9).all(axis=(1, 2))).sum() == rows


def answered(rows: list[list[float]], **session: Any) -> PersonDetections:
    """What a detector makes of a network's rows for a picture of 128 × 64 in a canvas of 64 × 64, top left."""
    fixed = FixedSession(np.array([rows], np.float32))
    detector = PersonDetector(fixed, PersonNetwork(Path("x"), "yolox", (64, 64)), 0.5, **session)
    (persons,) = detector.detect([np.zeros((64, 128, 3), np.uint8)])
    return persons


def test_rows_become_boxes_of_the_picture_one_a_person() -> None:
    found = answered(
        [
            [0.9, -4, 2, 20, 30],  # reaches over the left edge
            [0.8, -4, 3, 20, 31],  # the same person
            [0.7, 30, 4, 50, 40],  # reaches over the picture's lower edge, at 32 in the canvas
            [0.6, 4, 40, 20, 60],  # wholly in the grey below the picture
            [np.nan, 30, 4, 50, 20],
            [0.55, 30, 4, np.inf, 20],
            [0.4, 5, 5, 9, 9],
        ]
    )
    np.testing.assert_allclose(found.boxes, [[0, 4, 40, 60], [60, 8, 100, 64]])
    np.testing.assert_allclose(found.person_score, [0.9, 0.7])


def test_a_network_of_one_picture_is_given_one_at_a_time() -> None:
    pictures = [np.zeros((8, 8, 3), np.uint8)] * 5
    for first, per_picture, batches in ((None, False, [2, 2, 1]), (1, False, [1] * 5), (1, True, [2, 2, 1])):
        session = FixedSession(np.zeros((5, 1, 5), np.float32))
        session.input_shape, session.per_picture = (first, 64, 64, 3), per_picture
        detector = PersonDetector(session, PersonNetwork(Path("x"), "yolo", (64, 64)), batch=2)
        assert [len(persons) for persons in detector.detect(pictures)] == [0] * 5
        assert session.batches == batches
