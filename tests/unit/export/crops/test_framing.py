"""Body crops: what each part of the score is by hand, and what holds for every frame, face, person and ratio."""

from math import ceil, floor, gcd

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastface.config import BodyConfig, load_config
from fastface.errors import ConfigError
from fastface.export.crops.framing import PARTS, Box, Subject, frame_body, framing_class, score_parts

BODY = BodyConfig()
FACE = (400.0, 300.0, 480.0, 400.0)  # 80 wide, 100 tall, centre (440, 350)
PERSON = (350.0, 250.0, 550.0, 850.0)  # 200 × 600, centre across 450
SUBJECT = Subject((1000, 1000), FACE, PERSON, person_is_estimate=False)


def _parts(crop: tuple[int, int, int, int], subject: Subject = SUBJECT) -> dict[str, float]:
    (row,) = score_parts(np.array([crop], np.int64), subject, BODY)
    assert len(row) == len(PARTS) == 9
    return dict(zip(PARTS, row.tolist(), strict=True))


def test_parts_of_a_crop_that_holds_the_face_by_hand() -> None:
    # 400 × 600; 200 × 550 of it is the person. The aim is ((440 + 450) / 2, 350 + 1.1 × 100) = (445, 460).
    assert _parts((300, 200, 700, 800)) == pytest.approx(
        {
            "growth": (240_000 - 110_000) / 120_000,
            "cut": 0,
            "side": 0,
            "top": 0,
            "headroom": 0,  # 300 − 60 − 200 = 40 pixels of 600 is less than 0.12
            "torso": 0,
            "large": 0,
            "small": 1 - (100 / 600) / 0.18,
            "aim": 55 / 400 + 40 / 600,
        }
    )


def test_parts_of_a_crop_that_cuts_the_face_by_hand() -> None:
    # 120 × 180, all of it the person; 70 × 80 of the face's 80 × 100 are inside.
    assert _parts((410, 320, 530, 500)) == pytest.approx(
        {
            "growth": 0,
            "cut": 0.3,
            "side": 1,
            "top": 1,
            "headroom": 0,
            "torso": 1 - 100 / 150,
            "large": (100 / 180) / 0.42 - 1,
            "small": 0,
            "aim": 25 / 120 + 50 / 180,
        }
    )


@pytest.mark.parametrize(
    ("crop", "part", "value"),
    [
        ((300, 0, 700, 600), "headroom", 240 / 600 - 0.12),
        ((380, 200, 780, 800), "side", 0.5),  # 20 of 40 pixels on the left
        ((100, 200, 490, 800), "side", 0.75),  # 10 of 40 on the right
        ((300, 285, 700, 885), "top", 0.75),  # 15 of 60
        ((300, 200, 500, 500), "torso", 1 / 3),  # 100 of 150
        ((300, 300, 500, 500), "large", (100 / 200) / 0.42 - 1),
        ((0, 0, 1000, 1000), "small", 1 - 0.1 / 0.18),
    ],
)
def test_one_part_by_hand(crop: tuple[int, int, int, int], part: str, value: float) -> None:
    assert _parts(crop)[part] == pytest.approx(value)


def test_an_estimated_person_counts_half() -> None:
    crop = (300, 200, 700, 800)
    estimate = Subject(SUBJECT.frame, FACE, PERSON, person_is_estimate=True)
    assert _parts(crop, estimate)["growth"] == _parts(crop)["growth"] / 2


def test_what_the_frame_does_not_show_is_no_part_of_face_and_person() -> None:
    outside = Subject((1000, 1000), (-40.0, 300.0, 40.0, 400.0), (-150.0, 250.0, 50.0, 1250.0), False)
    # The person's box is 50 × 750 inside the frame; 40 × 100 of the face are, all of them in the crop.
    parts = _parts((0, 250, 100, 400), outside)
    assert parts["cut"] == 0
    assert parts["growth"] == pytest.approx((100 * 150 - 50 * 150) / (50 * 750))
    assert parts["side"] == 1  # −40 pixels


def test_the_score_is_the_sum_of_the_weighted_parts() -> None:
    framing = frame_body(SUBJECT, ("2:3",), BODY)
    assert framing is not None
    assert tuple(framing.parts) == PARTS
    assert framing.parts == _parts(framing.box)
    assert framing.score == pytest.approx(sum(getattr(BODY, name) * value for name, value in framing.parts.items()))


def test_a_standing_person_is_cut_at_the_body_with_room_above_the_head() -> None:
    subject = Subject((1920, 1080), (930.0, 300.0, 990.0, 380.0), (860.0, 250.0, 1060.0, 1000.0), False)
    framing = frame_body(subject, ("2:3", "1:1", "3:2"), BODY)
    assert framing is not None
    assert framing.framing in ("portrait", "half")
    assert framing.ratio == "2:3"  # a standing person is taller than wide
    flaws = {name for name in PARTS if framing.parts[name]}
    assert flaws <= {"growth", "aim"}


def test_a_ratio_that_would_cut_the_face_gives_way_to_one_that_does_not() -> None:
    face = (100.0, 40.0, 400.0, 390.0)
    subject = Subject((600, 400), face, face, person_is_estimate=False)
    alone = frame_body(subject, ("2:3",), BODY)  # at most 266 × 399
    assert alone is not None
    assert alone.parts["cut"] > 0
    # Whatever the weights: by its growth alone 2:3 would be better.
    both = frame_body(subject, ("2:3", "3:2"), BodyConfig.model_validate(dict.fromkeys(PARTS, 0) | {"growth": 1}))
    assert both is not None
    assert (both.ratio, both.parts["cut"]) == ("3:2", 0)


def test_a_frame_smaller_than_every_ratio_has_no_crop() -> None:
    tiny = Subject((1, 2), (0.0, 0.0, 1.0, 1.0), (0.0, 0.0, 1.0, 2.0), False)
    assert frame_body(tiny, ("2:3", "3:2"), BODY) is None
    framing = frame_body(tiny, ("2:3", "4:8"), BODY)
    assert framing is not None
    assert (framing.ratio, framing.box) == ("4:8", (0, 0, 1, 2))


@pytest.mark.parametrize(
    ("share", "name"),
    [
        (1.2, "close-up"), (0.36, "close-up"), (0.359, "portrait"), (0.2, "portrait"),
        (0.199, "half"), (0.12, "half"), (0.119, "full"), (0.01, "full"),
    ],
)  # fmt: skip
def test_the_class_is_by_the_face_share(share: float, name: str) -> None:
    assert framing_class(share) == name


def _boxes(least: int) -> st.SearchStrategy[Box]:
    """Boxes on quarters of pixels, which mirror exactly; they reach over the frame and outside of it."""
    place, side = st.integers(-400, 4000), st.integers(least * 4, 2400)
    return st.tuples(place, place, side, side).map(
        lambda box: (box[0] / 4, box[1] / 4, (box[0] + box[2]) / 4, (box[1] + box[3]) / 4)
    )


NAMES = ("2:3", "1:1", "3:2", "9:16", "16:9", "4:6", "100:99", "1:100")
RATIOS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3)
SIZES = st.tuples(st.integers(1, 1000), st.integers(1, 1000))
SUBJECTS = st.builds(Subject, SIZES, _boxes(1), _boxes(1), st.booleans())


def _largest(frame: tuple[int, int], ratio: str) -> tuple[int, int]:
    across, down = (int(part) for part in ratio.split(":"))
    across, down = across // gcd(across, down), down // gcd(across, down)
    scale = min(frame[0] // across, frame[1] // down)
    return across * scale, down * scale


def _seen(low: float, high: float, size: int) -> tuple[int, int]:
    """First pixel and end of what a frame shows of a box along one axis; the nearest pixel where that is nothing."""
    first = min(max(floor(low), 0), size - 1)
    return first, max(first + 1, min(ceil(high), size))


@settings(deadline=None, max_examples=150)
@given(SUBJECTS, RATIOS)
def test_every_crop_is_inside_in_an_asked_ratio_and_holds_the_face(subject: Subject, ratios: list[str]) -> None:
    framing = frame_body(subject, ratios, BODY)
    sizes = [_largest(subject.frame, ratio) for ratio in ratios]
    if framing is None:
        assert all(size == (0, 0) for size in sizes)
        return
    x1, y1, x2, y2 = framing.box
    across, down = (int(part) for part in framing.ratio.split(":"))
    assert framing.ratio in ratios
    assert (x2 - x1) * down == (y2 - y1) * across > 0
    assert 0 <= x1 < x2 <= subject.frame[0]
    assert 0 <= y1 < y2 <= subject.frame[1]
    left, right = _seen(subject.face[0], subject.face[2], subject.frame[0])
    top, bottom = _seen(subject.face[1], subject.face[3], subject.frame[1])
    if any(width >= right - left and height >= bottom - top for width, height in sizes):
        assert framing.parts["cut"] == 0
        assert x1 <= left < right <= x2
        assert y1 <= top < bottom <= y2
    assert framing == frame_body(subject, ratios, BODY)


@settings(deadline=None, max_examples=150)
@given(SUBJECTS, RATIOS)
def test_a_mirrored_frame_is_cut_with_the_same_score(subject: Subject, ratios: list[str]) -> None:
    width = subject.frame[0]
    face, person = ((width - x2, y1, width - x1, y2) for x1, y1, x2, y2 in (subject.face, subject.person))
    framing = frame_body(subject, ratios, BODY)
    mirrored = frame_body(Subject(subject.frame, face, person, subject.person_is_estimate), ratios, BODY)
    assert (framing is None) == (mirrored is None)
    if framing is not None and mirrored is not None:
        assert mirrored.score == framing.score
        assert (mirrored.ratio, mirrored.framing) == (framing.ratio, framing.framing)


@pytest.mark.parametrize(
    ("given_ratio", "ratios"),
    [
        ("2:3,1:1, 3:2", ("2:3", "1:1", "3:2")),
        (["16:9"], ("16:9",)),
        ("4:1,25:100", ("4:1", "25:100")),
        ("02:3", ("2:3",)),
    ],
)
def test_ratios_come_as_text_or_list(given_ratio: object, ratios: tuple[str, ...]) -> None:
    assert load_config(environment={}, flags={"export": {"ratio": given_ratio}}).export.ratio == ratios


@pytest.mark.parametrize("wrong", ["", "2", "0:1", "101:1", "1:-1", "a:b", "1.5:1", "2:3;1:1", [2.5]])
def test_what_is_no_ratio_is_a_fault(wrong: object) -> None:
    with pytest.raises(ConfigError, match=r"export\.ratio"):
        load_config(environment={}, flags={"export": {"ratio": wrong}})
