"""COCO's boxes, read back by pycocotools; frames by hand arithmetic."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from pycocotools import mask
from pycocotools.coco import COCO
from timeline_tools import HOSTILE, boxes, hit, hostile_boxes, span, timeline

from fastface.export.timelines.boxes.coco import render_coco
from fastface.export.timelines.boxes.hit_boxes import BoxTimeline


def _read(folder: Path, video: BoxTimeline) -> COCO:
    (folder / "coco.json").write_text("".join(render_coco(video)), encoding="utf-8")
    return COCO(str(folder / "coco.json"))


def test_another_program_reads_the_box_of_each_hit(tmp_path: Path) -> None:
    rows = [
        hit("Alice", "1.000", (10.5, 20, 110, 220)),
        hit("Bob", "1.000", (300, 20, 400, 120), track=2),
        hit("Alice", "1.200", (12, 20, 112, 220)),
    ]
    read = _read(tmp_path, boxes(tmp_path, timeline(span("Alice", "1", "2"), span("Bob", "1", "2")), *rows))
    assert [one["name"] for one in read.loadCats(read.getCatIds())] == ["Alice", "Bob"]
    images = read.loadImgs(read.getImgIds())
    assert [(one["file_name"], one["width"], one["height"]) for one in images] == [
        ("frame_000025.jpg", 640, 360),
        ("frame_000030.jpg", 640, 360),
    ]
    alice = read.loadAnns(read.getAnnIds(catIds=read.getCatIds(catNms=["Alice"])))
    assert [one["bbox"] for one in alice] == [[10.5, 20, 99.5, 200], [12, 20, 100, 200]]
    assert [one["area"] for one in alice] == [19_900, 20_000]
    assert [one["attributes"]["similarity"] for one in alice] == [0.62, 0.62]
    first = read.loadAnns(read.getAnnIds(imgIds=[images[0]["id"]]))
    assert sorted(one["attributes"]["track_id"] for one in first) == [1, 2]
    # The polygon is the box: as many pixels as its area.
    assert mask.area(read.annToRLE(alice[1])) == 100 * 200


def test_a_frame_is_counted_at_the_rate_of_the_video(tmp_path: Path) -> None:
    rate = Fraction(30_000, 1001)
    row = hit("Alice", f"{float(5000 / rate):.3f}", (10, 20, 110, 220), offset="0.3")
    shown = timeline(span("Alice", "100", "200"), rate=rate, end="300", offset="0.3")
    read = _read(tmp_path, boxes(tmp_path, shown, row))
    assert [one["file_name"] for one in read.loadImgs(read.getImgIds())] == ["frame_005000.jpg"]


def test_boxes_are_in_pixels_of_the_file(tmp_path: Path) -> None:
    """A frame of 480 × 360 that is shown as 640 × 360: FFmpeg saves it with 480 columns."""
    shown = replace(timeline(span("Alice", "0", "1")), stored_size=(480, 360))
    read = _read(tmp_path, boxes(tmp_path, shown, hit("Alice", "0.000", (64, 20, 128, 220))))
    ((image,), (one,)) = read.loadImgs(read.getImgIds()), read.loadAnns(read.getAnnIds())
    assert (image["width"], image["height"], one["bbox"]) == (480, 360, [48, 20, 48, 200])


def test_boxes_lie_within_the_frame_and_ids_are_unique(tmp_path: Path) -> None:
    rows = [hit("Alice", f"{place}.000", (-8, 300, 700, 400)) for place in range(3)]
    read = _read(tmp_path, boxes(tmp_path, timeline(span("Alice", "0", "3")), *rows))
    assert [one["bbox"] for one in read.loadAnns(read.getAnnIds())] == [[0, 300, 640, 60]] * 3
    text = json.loads((tmp_path / "coco.json").read_text(encoding="utf-8"))
    assert [one["id"] for one in text["annotations"]] == [1, 2, 3]
    assert {one["iscrowd"] for one in text["annotations"]} == {0}


def test_hostile_names_are_categories(tmp_path: Path) -> None:
    read = _read(tmp_path, hostile_boxes(tmp_path))
    names = {one["name"] for one in read.loadCats(read.getCatIds())}
    assert len(names) == len(HOSTILE)
    assert {"quote \" and ' and `", "a --> b", "; comment # = \\", "👩‍👩‍👧 Zoë"} <= names
    assert len(read.getAnnIds()) == len(HOSTILE)
