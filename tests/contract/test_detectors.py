"""What each detector must do, whatever its network: SCRFD, CenterFace, YuNet, and the drawn one of the demo.

YuNet's weights cannot be had here. A real SCRFD stands in, with YuNet's inputs, outputs and arithmetic.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from cartoon_tools import Cartoon
from faces_tools import PlainSession
from family_tools import yunet_of_scrfd

from fastface.faces.scrfd import Detector
from fastface.models.graph import inspect_graph, prepare_detector

SHIFT = 64  # pixels: a whole number of the largest stride


@dataclass(frozen=True)
class Seen:
    """A detector, and a canvas with one face."""

    detector: Detector
    canvas: npt.NDArray[np.uint8]


@pytest.fixture(params=["scrfd", "centerface", "yunet", "drawn"])
def seen(request: pytest.FixtureRequest, tmp_path: Path) -> Seen:
    if request.param == "drawn":
        cartoon: Cartoon = request.getfixturevalue("cartoon")
        graph, photo = next(cartoon.models.rglob("*det*.onnx")), next(iter(sorted(cartoon.photos.glob("*"))))
        height = 0  # the drawn network sees figures of their own size only
    else:
        media: Path = request.getfixturevalue("shared_media")
        photo, height = next(iter(sorted((media / "photos" / "jurassic" / "alan_grant").glob("*")))), 256
        if request.param == "centerface":
            graph = request.getfixturevalue("free_pack") / "centerface.onnx"
        else:
            graph = request.getfixturevalue("shared_models") / "buffalo_s" / "det_500m.onnx"
        if request.param == "yunet":
            graph = yunet_of_scrfd(graph, tmp_path / "yunet.onnx")
    assert inspect_graph(graph).kind == "detector"
    picture = cv2.imread(str(photo))
    factor = height / max(picture.shape[:2]) if height else 1.0
    small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    canvas = np.zeros((*(side + -side % 32 for side in small.shape[:2]), 3), np.uint8)
    canvas[: small.shape[0], : small.shape[1]] = small
    return Seen(Detector(PlainSession(prepare_detector(graph, tmp_path)), 0.5), canvas)


def test_one_face_has_its_landmarks_in_its_box(seen: Seen) -> None:
    (found,) = seen.detector.detect(seen.canvas[None])
    assert len(found) == 1
    (box,), (points,), (score,) = found.boxes, found.landmarks, found.det_score
    assert 0.5 <= score <= 1
    assert ((points > box[:2]) & (points < box[2:])).all()
    left, right, nose, mouth_left, mouth_right = points
    assert left[0] < nose[0] < right[0]
    assert mouth_left[0] < mouth_right[0]
    assert max(left[1], right[1]) < nose[1] < min(mouth_left[1], mouth_right[1])


def test_rows_are_fifteen_numbers_by_falling_score(seen: Seen) -> None:
    (rows,) = seen.detector.session.infer(seen.canvas[None])
    assert (rows.dtype, rows.shape[0], rows.shape[2]) == (np.dtype(np.float32), 1, 15)
    assert (np.diff(rows[0, :, 0]) <= 1e-6).all()


def test_a_batch_gives_the_rows_of_each_picture_alone(seen: Seen) -> None:
    dark = np.zeros_like(seen.canvas)
    batch = np.stack([dark, seen.canvas, seen.canvas[:, ::-1], dark])
    together = seen.detector.detect(batch)
    assert [len(found) for found in together] == [0, 1, 1, 0]
    for found, picture in zip(together, batch, strict=True):
        (alone,) = seen.detector.detect(picture[None])
        np.testing.assert_allclose(found.boxes, alone.boxes, atol=0.05)
        np.testing.assert_allclose(found.landmarks, alone.landmarks, atol=0.05)


def test_a_face_that_moves_by_whole_strides_is_found_that_far_away(seen: Seen) -> None:
    height, width, _ = seen.canvas.shape
    larger = np.zeros((height + SHIFT, width + SHIFT, 3), np.uint8)
    larger[SHIFT:, SHIFT:] = seen.canvas
    (before,), (after,) = seen.detector.detect(seen.canvas[None]), seen.detector.detect(larger[None])
    assert len(before) == len(after) == 1
    size = float((before.boxes[0, 2:] - before.boxes[0, :2]).max())
    # Another border around the picture changes the features a little.
    np.testing.assert_allclose(after.boxes - SHIFT, before.boxes, atol=0.06 * size)
    np.testing.assert_allclose(after.landmarks - SHIFT, before.landmarks, atol=0.06 * size)
