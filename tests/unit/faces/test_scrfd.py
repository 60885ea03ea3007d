"""Suppression of overlapping boxes, and embeddings of any number of faces."""

import numpy as np
import pytest
from faces_tools import FixedSession
from hypothesis import given
from hypothesis import strategies as st

from fastface.faces.arcface import Recogniser, chunk_sizes, l2_normalise
from fastface.faces.scrfd import Detector
from fastface.suppression import suppress


def rows(*boxes: tuple[float, ...]) -> np.ndarray:
    """(1, K, 15) of (score, x1, y1, x2, y2) with landmarks at 1 … 10."""
    made = np.array([[*box, *range(1, 11)] for box in boxes], np.float32)
    return made[None]


def insightface_keeps(boxes: np.ndarray, scores: np.ndarray) -> list[int]:
    scrfd = pytest.importorskip("insightface.model_zoo.scrfd")
    network = scrfd.SCRFD.__new__(scrfd.SCRFD)
    network.nms_thresh = 0.4
    return [int(row) for row in network.nms(np.hstack([boxes, scores[:, None]]))]


@pytest.mark.parametrize("seed", range(20))
def test_suppression_is_that_of_insightface(seed: int) -> None:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 60, (80, 2))
    boxes = np.hstack([corners, corners + rng.uniform(2, 40, (80, 2))]).astype(np.float32)
    scores = np.sort(rng.uniform(0.5, 1, 80).astype(np.float32))[::-1]
    expected = insightface_keeps(boxes, scores)
    assert 2 < len(expected) < 80
    assert suppress(boxes, 0.4).tolist() == expected


def test_sides_are_counted_in_whole_pixels() -> None:
    # 10 × 10 pixels each, 4 columns shared: 40 / 160 = 0.25. With sides of 9 it would be 27 / 135 = 0.2.
    boxes = np.array([[0, 0, 9, 9], [6, 0, 15, 9]], np.float32)
    assert suppress(boxes, 0.24).tolist() == [0]
    assert suppress(boxes, 0.26).tolist() == [0, 1]
    assert suppress(boxes[:0], 0.4).tolist() == []


def test_threshold_includes_its_value_and_broken_rows_are_dropped() -> None:
    session = FixedSession(
        rows(
            (0.9, 0, 0, 9, 9), (0.5, 50, 0, 59, 9), (np.nan, 0, 50, 9, 59), (0.8, np.inf, 0, 9, 9), (0.49, 90, 0, 99, 9)
        )
    )
    (faces,) = Detector(session, 0.5).detect(np.zeros((1, 32, 32, 3), np.uint8))
    assert faces.det_score.tolist() == [np.float32(0.9), 0.5]
    assert faces.boxes.tolist() == [[0, 0, 9, 9], [50, 0, 59, 9]]
    assert faces.landmarks[1].tolist() == [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]]


def test_neighbours_that_rounding_exchanged_are_ranked_again() -> None:
    session = FixedSession(rows((0.8, 0, 0, 9, 9), (0.80001, 0, 0, 9, 10)))
    (faces,) = Detector(session, 0.5).detect(np.zeros((1, 32, 32, 3), np.uint8))
    assert faces.boxes.tolist() == [[0, 0, 9, 10]]


@given(st.integers(0, 300), st.sampled_from([1, 2, 8, 16]))
def test_chunks_are_falling_powers_of_two_without_padding(count: int, largest: int) -> None:
    sizes = chunk_sizes(count, largest)
    assert sum(sizes) == count
    assert sizes == sorted(sizes, reverse=True)
    assert all(size <= largest and size.bit_count() == 1 for size in sizes)


def test_embeddings_keep_the_order_and_are_unit_vectors() -> None:
    raw = np.random.default_rng(1).normal(size=(13, 64)).astype(np.float32)
    session = FixedSession(raw)
    embeddings, valid = Recogniser(session, 64, max_chunk=8).embed(np.zeros((13, 112, 112, 3), np.uint8))
    assert session.batches == [8, 4, 1]
    assert valid.tolist() == [True] * 13
    np.testing.assert_allclose(embeddings, raw / np.linalg.norm(raw, axis=1, keepdims=True), rtol=1e-6)
    nothing, none_valid = Recogniser(session, 64).embed(np.zeros((0, 112, 112, 3), np.uint8))
    assert (nothing.shape, none_valid.shape) == ((0, 64), (0,))


def test_rows_without_a_direction_are_refused_and_cost_the_others_nothing() -> None:
    rows_given = np.array([[3, 4], [0, 0], [np.nan, 1], [np.inf, 1], [3e38, 3e38], [1e-40, 0]], np.float32)
    unit, valid = l2_normalise(rows_given)
    assert valid.tolist() == [True, False, False, False, True, True]
    np.testing.assert_allclose(unit[valid], [[0.6, 0.8], [0.5**0.5, 0.5**0.5], [1, 0]], rtol=1e-6)
    assert not unit[~valid].any()
