"""Crops and snapshots: which faces, which pixels, which colours."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage

from fastface.config import BodyConfig
from fastface.errors import ExportError
from fastface.export.crops.crops import cut_aligned, cut_body, cut_face, save_picture
from fastface.export.crops.snapshots import draw_boxes
from fastface.export.plan import BoxLabel, CropFacts, CropStyle
from fastface.types import Image

FACE = CropStyle("face", margin=0.25, size=256, ratios=(), body=BodyConfig())
BODY = replace(FACE, kind="body", ratios=("2:3", "1:1"))


@pytest.fixture
def places() -> Image:
    """A picture of 200×120 whose blue is x and whose green is y."""
    y, x = np.mgrid[0:120, 0:200]
    return np.dstack([x, y, np.zeros_like(x)]).astype(np.uint8)


def _corners(crop: Image) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2 of what a crop of `places` shows; x2 and y2 are the last column and row."""
    return (*crop[0, 0, :2].tolist(), *crop[-1, -1, :2].tolist())


def test_a_face_crop_is_the_square_around_the_box_with_its_margin(places: Image) -> None:
    # 40 wide, 32 high: the larger side and a quarter on each side of it make 60; the centre is (100, 56).
    crop, facts = cut_face(places, (80, 40, 120, 72), FACE)
    assert crop.shape == (60, 60, 3)
    assert _corners(crop) == (70, 26, 129, 85)
    assert facts == CropFacts(crop=(70, 26, 130, 86))


@pytest.mark.parametrize(
    ("box", "corners"),
    [
        ((-10, 10, 30, 50), (0, 0, 59, 59)),  # out on the left and at the top: moved in, not made smaller
        ((170, 90, 210, 130), (140, 60, 199, 119)),
        ((20, -40, 180, 160), (40, 0, 159, 119)),  # larger than the frame: as much as there is
        ((50.4, 50.4, 50.6, 50.6), (50, 50, 50, 50)),
    ],
)
def test_a_face_at_the_edge_gives_a_square_inside_the_frame(
    places: Image, box: tuple[float, float, float, float], corners: tuple[int, ...]
) -> None:
    crop, _ = cut_face(places, box, FACE)
    assert crop.shape[0] == crop.shape[1]
    assert _corners(crop) == corners


@pytest.mark.parametrize("degrees", [0, 35, -90, 180])
def test_an_aligned_crop_is_upright(degrees: float) -> None:
    """A face whose eyes are white and whose mouth is red, turned: eyes come to lie above the mouth, left is left."""
    turn = cv2.getRotationMatrix2D((160, 120), degrees, 1.3)
    upright = np.array([(140, 110), (180, 110), (160, 130), (145, 150), (175, 150)], np.float32)
    landmarks = upright @ turn[:, :2].T.astype(np.float32) + turn[:, 2].astype(np.float32)
    picture = np.zeros((240, 320, 3), np.uint8)
    colours = ((255, 255, 255), (0, 255, 0), (255, 0, 0), (0, 0, 255), (0, 255, 255))
    for (x, y), colour in zip(landmarks.tolist(), colours, strict=True):
        cv2.circle(picture, (round(x), round(y)), 5, colour, -1)
    crop, facts = cut_aligned(picture, landmarks, replace(FACE, margin=0.0, size=112))
    assert facts == CropFacts()
    assert crop.shape == (112, 112, 3)
    # insightface's template for 112×112.
    template = [(38, 52), (74, 52), (56, 72), (42, 92), (71, 92)]
    for (x, y), colour in zip(template, colours, strict=True):
        assert np.abs(crop[y, x].astype(int) - colour).max() < 60


def test_the_margin_of_an_aligned_crop_is_a_share_of_its_face() -> None:
    picture = np.full((400, 400, 3), 90, np.uint8)
    landmarks = np.array([(180, 190), (220, 190), (200, 212), (184, 235), (216, 235)], np.float32)
    for x, y in landmarks.tolist():
        cv2.circle(picture, (round(x), round(y)), 4, (255, 255, 255), -1)
    crop, _ = cut_aligned(picture, landmarks, replace(FACE, margin=0.5, size=400))
    # The template's square takes the middle half: its left eye, at 38.3 of 112, lies at 100 + 200 × 38.3 / 112.
    assert crop.shape == (400, 400, 3)
    assert crop[192, 168].tolist() == pytest.approx([255, 255, 255], abs=30)


def test_a_body_crop_shows_the_box_that_it_tells(places: Image) -> None:
    persons = np.array([(60, 10, 140, 118), (0, 0, 30, 30)], np.float32)
    cut = cut_body(places, (90, 20, 110, 44), persons, BODY)
    assert cut is not None
    crop, facts = cut
    assert facts.crop is not None
    x1, y1, x2, y2 = facts.crop
    assert _corners(crop) == (x1, y1, x2 - 1, y2 - 1)
    across, down = (int(part) for part in facts.ratio.split(":"))
    assert (x2 - x1) * down == (y2 - y1) * across
    assert facts.person == (60, 10, 140, 118)
    assert facts.is_estimate is False
    weights = BodyConfig().model_dump()
    assert facts.score == pytest.approx(sum(weights[name] * value for name, value in facts.parts.items()))


def test_without_a_person_network_the_body_is_an_estimate_and_says_so(places: Image) -> None:
    cut = cut_body(places, (90, 20, 110, 44), None, BODY)
    assert cut is not None
    assert cut[1].is_estimate is True
    assert CropFacts.from_facts(json.loads(json.dumps(cut[1].to_facts()))) == cut[1]


def test_a_frame_that_is_too_small_for_every_ratio_gives_no_body() -> None:
    assert cut_body(np.zeros((2, 1, 3), np.uint8), (0, 0, 1, 1), None, replace(BODY, ratios=("2:3",))) is None


def test_a_picture_says_where_it_is_from(tmp_path: Path) -> None:
    facts = json.dumps({"video": "caf\u00e9.mp4", "time": 1.5})
    for name in ("a.jpg", "a.png"):
        save_picture(tmp_path / name, np.zeros((8, 8, 3), np.uint8), facts)
    with PillowImage.open(tmp_path / "a.jpg") as picture:
        assert json.loads(picture.getexif()[0x010E]) == {"video": "café.mp4", "time": 1.5}
    with PillowImage.open(tmp_path / "a.png") as picture:
        assert json.loads(picture.info["Description"]) == {"video": "café.mp4", "time": 1.5}


def test_colours_and_pixels_come_through_a_file(tmp_path: Path) -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[:, :30] = (200, 40, 10)
    picture[:, 30:] = (10, 60, 230)
    for name, tolerance in (("a/b.png", 0), ("a/c.jpg", 6)):
        save_picture(tmp_path / name, picture)
        shown = cv2.imread(str(tmp_path / name))
        assert shown is not None
        assert np.abs(shown[:, ::8].astype(int) - picture[:, ::8]).max() <= tolerance
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    assert len(list((tmp_path / "a").iterdir())) == 2


def test_what_cannot_be_encoded_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"big\.jpg"):
        save_picture(tmp_path / "big.jpg", np.zeros((1, 70000, 3), np.uint8))  # JPEG ends at 65535
    assert list(tmp_path.iterdir()) == []


def test_boxes_lie_where_they_should_and_the_frame_is_not_touched() -> None:
    frame = np.full((360, 640, 3), 60, np.uint8)
    drawn = draw_boxes(frame, [BoxLabel((100, 120, 300, 320), "Ann 0.71", 0), BoxLabel((400, 200, 500, 300), "Bo", 1)])
    assert (frame == 60).all()
    assert drawn.shape == frame.shape
    first, second = drawn[120, 250], drawn[300, 450]  # the upper side of one, the lower side of the other
    assert first.tolist() == [100, 220, 80]
    assert first.tolist() != second.tolist()
    assert (drawn[130:310, 110:290] == 60).all()
    # The text stands above the box, dark on the box's colour.
    strip = drawn[100:119, 100:180]
    assert np.count_nonzero((strip == first).all(axis=2)) > 200
    assert (strip.max(axis=2) < 40).any()
    assert (drawn[330:, :] == 60).all()


def test_a_text_stays_inside_the_frame() -> None:
    frame = np.full((100, 160, 3), 60, np.uint8)
    drawn = draw_boxes(frame, [BoxLabel((130, 2, 158, 60), "A long name 0.99"), BoxLabel((0, 0, 1, 1), "\udcff\n")])
    assert drawn.shape == frame.shape
    assert (drawn[5:14, 60:150] != 60).any()
