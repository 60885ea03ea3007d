"""Body crops of real films with real networks: the right person, whole, in exact ratios, apart in time."""

import json
from itertools import pairwise
from pathlib import Path

import av
import pytest
import run_tools
from cli_tools import fastface
from PIL import Image

from fastface.config import BodyConfig
from fastface.export.crops.framing import PARTS

CLIPS = {"friends": "friends", "hamilton": "hamilton", "azvi_billhyland": "hyland"}
"""Clip → photos of the persons in it."""

RATIOS = {"2:3", "1:1"}
MIN_GAP = 1.5


@pytest.fixture(scope="module")
def crops(
    shared_models: Path, shared_media: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[dict[str, str]]]:
    """OUT, and the rows of crops.csv."""
    out = tmp_path_factory.mktemp("bodies") / "out"
    photos = [part for name in CLIPS.values() for part in ("-t", shared_media / "photos" / name)]
    clips = [shared_media / "clips" / f"{name}.mp4" for name in CLIPS]
    # The reference knows hits of photos from a cosine of 0.40 on.
    style = ("--clips", "none", "--crops", "body", "--ratio", ",".join(sorted(RATIOS)), "--no-grow", "--threshold", 0.4)
    done = fastface("run", *clips, *photos, "--models", shared_models, "-o", out, *style, "--allow-faults", "-q")
    assert done.returncode == 0, done.stderr
    rows = run_tools.rows(out / "crops" / "crops.csv")
    assert len(rows) > 30
    return out, rows


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split())


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Intersection over union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    common = max(width, 0.0) * max(height, 0.0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return common / (areas - common)


def test_every_crop_is_of_its_target(crops: tuple[Path, list[dict[str, str]]], shared_media: Path) -> None:
    """By the reference: insightface's own classes on every frame; a hit is time, similarity and box."""
    seen: dict[tuple[str, str], list[list[float]]] = {}
    for name in CLIPS:
        reference = json.loads((shared_media / "reference" / f"{name}.json").read_text())["hits"]
        seen.update({(f"{name}.mp4", target): hits for target, hits in reference.items()})
    for row in crops[1]:
        time, box = float(row["time"]), _numbers(row["box"])
        same_time = [hit for hit in seen[row["video"], row["target"]] if abs(hit[0] - time) < 0.01]
        assert len(same_time) == 1, row
        assert _overlap(box, tuple(same_time[0][2:])) > 0.8, row


def test_ratios_are_exact_and_no_face_is_cut_by_an_edge(
    crops: tuple[Path, list[dict[str, str]]], shared_media: Path
) -> None:
    out, rows = crops
    sizes = {}
    for name in CLIPS:
        with av.open(str(shared_media / "clips" / f"{name}.mp4")) as container:
            sizes[f"{name}.mp4"] = container.streams.video[0].width, container.streams.video[0].height
    weights = BodyConfig().model_dump()
    for row in rows:
        x1, y1, x2, y2 = _numbers(row["crop"])
        across, down = (int(part) for part in row["ratio"].split(":"))
        assert row["ratio"] in RATIOS
        assert (x2 - x1) * down == (y2 - y1) * across
        with Image.open(out / row["file"]) as picture:
            assert picture.size == (x2 - x1, y2 - y1)
            told = json.loads(picture.getexif()[0x010E])
        assert (told["video"], told["target"]) == (row["video"], row["target"])
        left, top, right, bottom = _numbers(row["box"])
        # Where the frame itself cuts the face, its edge is as far as a crop can go.
        assert x1 <= max(left, 0) + 0.1, row
        assert y1 <= max(top, 0) + 0.1, row
        assert x2 >= min(right, sizes[row["video"]][0]) - 0.1, row
        assert y2 >= min(bottom, sizes[row["video"]][1]) - 0.1, row
        assert row["estimated"] == "no"
        score = sum(weights[part] * float(row[part]) for part in PARTS)
        assert float(row["score"]) == pytest.approx(score, abs=5e-3)


def test_two_crops_of_a_target_are_apart(crops: tuple[Path, list[dict[str, str]]]) -> None:
    times: dict[tuple[str, str], list[float]] = {}
    for row in crops[1]:
        times.setdefault((row["video"], row["target"]), []).append(float(row["time"]))
    gaps = [later - earlier for found in times.values() for earlier, later in pairwise(sorted(found))]
    assert len(gaps) > 20
    assert min(gaps) >= MIN_GAP - 2e-3


def test_no_crop_is_of_a_face_that_the_frame_cuts_in_two(crops: tuple[Path, list[dict[str, str]]]) -> None:
    """At 19.4 s of friends.mp4 Chandler's face is 61 × 182 pixels at the left edge: looked at, it is less than half."""
    at_edge = [row for row in crops[1] if row["video"] == "friends.mp4" and _numbers(row["box"])[0] < 5]
    assert at_edge == []
    chandler = [float(row["time"]) for row in crops[1] if row["target"] == "Chandler"]
    assert len(chandler) > 3
    assert not any(19 < time < 23 for time in chandler)  # all of that shot
