"""CVAT for video 1.1: the structure that CVAT documents, and its boxes by frame as CVAT fills them in."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from timeline_tools import HOSTILE, boxes, hit, hostile_boxes, span, timeline

from fastface.export.timelines.boxes.cvat import render_cvat
from fastface.export.timelines.boxes.hit_boxes import BoxTimeline

SIDES = ("xtl", "ytl", "xbr", "ybr")
ATTRIBUTES = {"frame", "keyframe", "outside", "occluded", "z_order", *SIDES}


def _read(video: BoxTimeline) -> Element:
    """The root of the file, whose parts are those of "XML annotation format", version 1.1, of CVAT's manual."""
    root = ElementTree.fromstring("".join(render_cvat(video)))
    assert (root.tag, root.findtext("version"), root.findtext("meta/task/mode")) == (
        "annotations",
        "1.1",
        "interpolation",
    )
    assert [child.tag for child in root][:2] == ["version", "meta"]
    labels = [one.text for one in root.iterfind("meta/task/labels/label/name")]
    assert len(set(labels)) == len(labels)
    size = int(root.findtext("meta/task/size") or "")
    width, height = (int(root.findtext(f"meta/task/original_size/{side}") or "") for side in ("width", "height"))
    tracks = root.findall("track")
    assert [track.get("id") for track in tracks] == [str(number) for number in range(len(tracks))]
    for track in tracks:
        assert track.get("label") in labels
        frames = [int(box.attrib["frame"]) for box in track]
        assert frames == sorted(set(frames))
        assert 0 <= frames[0] <= frames[-1] < size
        for box in track:
            assert set(box.attrib) == ATTRIBUTES
            left, top, right, bottom = (float(box.attrib[side]) for side in SIDES)
            assert 0 <= left < right <= width
            assert 0 <= top < bottom <= height
    return root


def _shown(track: Element, num_frames: int) -> dict[int, tuple[float, ...]]:
    """{frame: box} as CVAT fills a track in: in a line between two keyframes, until a box that is outside."""
    keys = [
        (int(box.attrib["frame"]), box.attrib["outside"] == "1", [float(box.attrib[side]) for side in SIDES])
        for box in track
    ]
    found: dict[int, tuple[float, ...]] = {}
    for place, (frame, is_outside, box) in enumerate(keys):
        if is_outside:
            continue
        end, is_last, other = keys[place + 1] if place + 1 < len(keys) else (num_frames, True, box)
        for one in range(frame, end):
            share = 0.0 if is_last else (one - frame) / (end - frame)
            found[one] = tuple(round(a + share * (b - a), 3) for a, b in zip(box, other, strict=True))
    return found


def test_each_frame_between_two_hits_has_a_box(tmp_path: Path) -> None:
    rows = [hit("Alice", time, (left, 20, left + 100, 220)) for time, left in (("1.000", 10), ("1.200", 20))]
    root = _read(boxes(tmp_path, timeline(span("Alice", "1", "1.4")), *rows))
    (track,) = root.findall("track")
    # Frames 25 to 30, in five steps of two pixels.
    assert _shown(track, 1500) == {
        frame: (2 * (frame - 20), 20, 2 * (frame - 20) + 100, 220) for frame in range(25, 31)
    }
    assert root.findtext("meta/task/size") == "1500"


def test_a_person_that_is_away_has_no_box(tmp_path: Path) -> None:
    rows = [hit("Alice", time, (10, 20, 110, 220)) for time in ("1.000", "1.200", "1.400", "5.000", "5.200")]
    root = _read(boxes(tmp_path, timeline(span("Alice", "1", "6")), *rows))
    (track,) = root.findall("track")
    assert sorted(_shown(track, 1500)) == [*range(25, 36), *range(125, 131)]


def test_each_track_of_a_person_is_a_track(tmp_path: Path) -> None:
    rows = [
        hit("Alice", "0.000", (10, 20, 110, 220), track=4),
        hit("Bob", "0.000", (200, 20, 300, 220), track=5),
        hit("Alice", "0.200", (12, 20, 112, 220), track=4),
        hit("Alice", "2.000", (50, 20, 150, 220), track=9),
    ]
    root = _read(boxes(tmp_path, timeline(span("Alice", "0", "3"), span("Bob", "0", "1")), *rows))
    found = [(track.get("label"), min(_shown(track, 1500))) for track in root.findall("track")]
    assert found == [("Alice", 0), ("Alice", 50), ("Bob", 0)]


@pytest.mark.parametrize("rate", [Fraction(24_000, 1001), Fraction(30_000, 1001), Fraction(60_000, 1001), Fraction(12)])
@pytest.mark.parametrize("first", [0, 12_345, 86_399])
def test_a_time_rounded_to_a_thousandth_is_its_frame(tmp_path: Path, rate: Fraction, first: int) -> None:
    """Frames count from the first of the video, whatever a player shows before it."""
    numbers = range(first, first + 40)
    rows = [hit("Alice", f"{float(number / rate):.3f}", (10, 20, 110, 220), offset="1.7") for number in numbers]
    root = _read(boxes(tmp_path, timeline(span("Alice", "0", "1"), rate=rate, end="90000", offset="1.7"), *rows))
    (track,) = root.findall("track")
    assert [int(box.attrib["frame"]) for box in track if box.attrib["outside"] == "0"] == list(numbers)


def test_boxes_are_in_pixels_of_the_file(tmp_path: Path) -> None:
    """A frame of 480 × 360 that is shown as 640 × 360: CVAT opens it with 480 columns."""
    shown = replace(timeline(span("Alice", "0", "1")), stored_size=(480, 360))
    root = _read(boxes(tmp_path, shown, hit("Alice", "0.000", (64, 20, 128, 220))))
    box = next(root.iter("box"))
    assert [box.attrib[side] for side in SIDES] == ["48.0", "20.0", "96.0", "220.0"]
    assert root.findtext("meta/task/original_size/width") == "480"


def test_the_last_frame_of_the_video_has_no_box_after_it(tmp_path: Path) -> None:
    root = _read(boxes(tmp_path, timeline(span("Alice", "0", "1"), end="1"), hit("Alice", "0.960", (1, 2, 3, 4))))
    assert [box.attrib["frame"] for box in root.iter("box")] == ["24"]


def test_hostile_names_are_labels(tmp_path: Path) -> None:
    root = _read(hostile_boxes(tmp_path))
    labels = {track.get("label") for track in root.findall("track")}
    assert len(labels) == len(HOSTILE)
    assert {"a --> b", "<b>&amp;</b>{\\an8}", "quote \" and ' and `", "👩‍👩‍👧 Zoë", "line_break__here"} <= labels
