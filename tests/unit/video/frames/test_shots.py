"""Shots: hard cuts are seen; pans, flashes, exposure, a passer-by and noise are none; results depend on no blocks."""

import itertools
from dataclasses import replace

import cv2
import numpy as np
import pytest

from fastface.types import SIGNATURE_SIZE, SampledFrames
from fastface.video.frames import shots
from fastface.video.frames.shots import number_shots
from fastface.video.frames.signature import compute_signature

SIZE = (640, 360)
NUM_PLACES = 24


def panorama(seed: int, width: int = 4000) -> np.ndarray:
    """A wide backdrop as places have them: large areas of muted colours, with things in front of them."""
    chance = np.random.default_rng(seed)
    picture = np.empty((SIZE[1], width, 3), np.uint8)
    picture[:] = chance.integers(40, 200, 3)
    for _ in range(width // 40):
        x, y = chance.integers(0, width), chance.integers(0, SIZE[1])
        sides = chance.integers(20, 160, 2)
        colour = [int(level) for level in chance.integers(20, 235) + chance.integers(-40, 40, 3)]
        cv2.rectangle(picture, (x, y), (x + int(sides[0]), y + int(sides[1])), colour, -1)
    return cv2.GaussianBlur(picture, (9, 9), 0)


def view(place: np.ndarray, left: float = 0) -> np.ndarray:
    return place[:, int(left) : int(left) + SIZE[0]]


def frames_of(pictures: list[np.ndarray], rate: float = 5) -> SampledFrames:
    count = len(pictures)
    return SampledFrames(
        time=np.arange(count) / rate,
        pts=np.arange(count, dtype=np.int64),
        shot=np.full(count, -1, np.int32),
        signature=np.array([compute_signature(picture) for picture in pictures], np.uint8).reshape(-1, SIGNATURE_SIZE),
    )


def shots_of(pictures: list[np.ndarray], rate: float = 5) -> list[int]:
    found = number_shots(frames_of(pictures, rate))
    assert found.shot.dtype == np.int32
    return found.shot.tolist()


PLACES = [panorama(seed) for seed in range(NUM_PLACES)]


def test_every_hard_cut_is_seen_and_nothing_else() -> None:
    pictures = [view(place) for place in PLACES for _ in range(3)]
    assert shots_of(pictures) == np.repeat(np.arange(NUM_PLACES), 3).tolist()


@pytest.mark.parametrize("rate", [5, 25])
@pytest.mark.parametrize("speed", [100, 450])
def test_a_pan_is_no_cut(rate: int, speed: int) -> None:
    """Up to two thirds of a frame's width in a second, with the shake of a hand."""
    for seed, place in enumerate(PLACES):
        shake = np.random.default_rng(seed).normal(0, 4, 3 * rate)
        pictures = [view(place, 100 + speed * n / rate + shake[n]) for n in range(3 * rate)]
        assert set(shots_of(pictures, rate)) == {0}, seed


def test_light_that_changes_is_no_cut() -> None:
    for seed, place in enumerate(PLACES):
        pictures = [cv2.convertScaleAbs(view(place), alpha=alpha) for alpha in (1, 1, 0.8, 0.6, 0.7, 0.9, 1.1, 1.2)]
        assert set(shots_of(pictures)) == {0}, seed


@pytest.mark.parametrize("lit", [1, 2])
def test_a_shot_goes_on_after_a_flash(lit: int) -> None:
    for seed, place in enumerate(PLACES):
        calm, bright = view(place), cv2.convertScaleAbs(view(place), alpha=1.6, beta=110)
        found = shots_of([*[calm] * 3, *[bright] * lit, *[calm] * 3])
        assert found[:3] == found[-3:] == [0] * 3, seed


def test_a_white_flash_is_a_shot_of_its_own() -> None:
    calm, white = view(PLACES[0]), np.full((SIZE[1], SIZE[0], 3), 255, np.uint8)
    assert shots_of([calm, calm, white, calm, calm]) == [0, 0, 1, 0, 0]
    # What is seen again after a second is another shot: somebody else may be there by now.
    assert shots_of([calm, calm, *[white] * 5, calm, calm]) == [0, 0, *[1] * 5, 2, 2]


def test_a_passer_by_is_hardly_ever_a_cut() -> None:
    """A dark person, a third of the frame wide, crosses close to the camera in a second, before drawn places."""
    cuts = 0
    for place in PLACES:
        pictures = []
        for step in range(8):
            picture = view(place).copy()
            left = -220 + 125 * step
            picture[60:, max(0, left) : max(0, left + 220)] = (40, 35, 50)
            pictures.append(picture)
        cuts += len(set(shots_of(pictures))) - 1
    assert cuts <= NUM_PLACES / 10


def test_noise_and_stills_are_no_cuts() -> None:
    chance = np.random.default_rng(1)
    for place in PLACES:
        noisy = [np.clip(view(place) + chance.normal(0, 8, (360, 640, 3)), 0, 255).astype(np.uint8) for _ in range(3)]
        assert shots_of(noisy) == [0] * 3


def test_black_frames_are_alike_and_what_follows_is_a_shot() -> None:
    black = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    noise = np.random.default_rng(2).integers(0, 4, black.shape, np.uint8)
    calm, other = view(PLACES[0]), view(PLACES[1])
    assert shots_of([black, noise, black, *[calm] * 5, black, noise, other]) == [0] * 3 + [1] * 5 + [2, 2, 3]


def test_pictures_of_a_folder_are_shots_of_their_own() -> None:
    found = number_shots(frames_of([view(PLACES[0])] * 3), is_film=False)
    assert found.shot.tolist() == [0, 1, 2]


def test_no_frames_have_no_shots() -> None:
    assert len(number_shots(SampledFrames.empty())) == 0
    assert shots_of([view(PLACES[0])]) == [0]


@pytest.mark.parametrize("block", [1, 3, 7, 4096])
def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    frames = frames_of([view(place, 50 * n) for place in PLACES[:5] for n in range(6)])
    expected = number_shots(frames).shot
    changes = shots.measure_changes(frames.signature[:-1], frames.signature[1:])
    monkeypatch.setattr(shots, "_BLOCK", block)
    assert np.array_equal(number_shots(frames).shot, expected)
    assert np.array_equal(shots.measure_changes(frames.signature[:-1], frames.signature[1:]), changes)


def test_the_shot_of_a_face_is_that_of_its_frame() -> None:
    frames = number_shots(frames_of([view(place) for place in PLACES[:3] for _ in range(2)]))
    frames = replace(frames, pts=frames.pts * 512 + 7)
    assert frames.find_shot(np.array([7 + 512 * 5, 7, 7 + 512 * 2, 7])).tolist() == [2, 0, 1, 0]
    assert frames.find_shot(np.empty(0, np.int64)).tolist() == []
    with pytest.raises(AssertionError, match="not sampled"):
        frames.find_shot(np.array([8]))


def test_a_signature_is_fields_and_colours() -> None:
    picture = np.zeros((360, 640, 3), np.uint8)
    picture[:, 320:] = 255
    found = compute_signature(picture)
    assert (found.dtype, found.shape) == (np.uint8, (SIGNATURE_SIZE,))
    fields = found[:192].reshape(8, 8, 3)
    assert (fields[:, :4, 0] == 0).all()
    assert (fields[:, 4:, 0] == 255).all()
    assert (fields[..., 1:] == 128).all()  # grey
    # Half of the frame is black, half white: two colours, each with the root of a half.
    assert sorted(found[192:][found[192:] > 0].tolist()) == [180, 180]
    for size in ((1, 1, 3), (17, 640, 3), (640, 360, 3)):
        assert compute_signature(np.full(size, 90, np.uint8)).max() == 255


def test_the_layout_distance_is_that_of_the_best_shift() -> None:
    """Of colours that have nothing in common a change is the layout distance alone: here by NumPy, shift by shift."""
    chance = np.random.default_rng(3)
    before, after = chance.integers(0, 256, (2, 20, SIGNATURE_SIZE), np.uint8)
    after[:10, :192].reshape(-1, 8, 8, 3)[:, :7, 2:] = before[:10, :192].reshape(-1, 8, 8, 3)[:, 1:, :6]  # a pan
    before[:, 192:], after[:, 192:] = 0, 0
    before[:, 192 + 40], after[:, 192 + 80] = 255, 255

    def covariance(one: np.ndarray, other: np.ndarray) -> float:
        """Of the channels together, each about its own mean; 4 is what noise adds."""
        return sum(float(np.cov(one[..., k].ravel(), other[..., k].ravel(), bias=True)[0, 1]) for k in range(3)) + 4

    expected = []
    for left, right in zip(before[:, :192].reshape(-1, 8, 8, 3), after[:, :192].reshape(-1, 8, 8, 3), strict=True):
        correlations = []
        for down, across in itertools.product((-1, 0, 1), (-2, -1, 0, 1, 2)):
            one = left[max(0, down) : 8 + min(0, down), max(0, across) : 8 + min(0, across)]
            other = right[max(0, -down) : 8 + min(0, -down), max(0, -across) : 8 + min(0, -across)]
            correlations.append(covariance(one, other) / np.sqrt(covariance(one, one) * covariance(other, other)))
        expected.append(1 - max(correlations))
    assert max(expected[:10]) < 0.01
    assert min(expected[10:]) > 0.5
    np.testing.assert_allclose(shots.measure_changes(before, after, least=0), expected, atol=1e-9)
