"""The boxes of hits.csv: by video, by person and by track."""

from pathlib import Path

import numpy as np
import pytest
from timeline_tools import HIT_COLUMNS, boxes, hit, span, timeline, write_hits

from fastface.errors import ConfigError
from fastface.export.timelines.boxes.hit_boxes import read_boxes

FACE = (10.0, 20.0, 110.0, 220.0)


def test_hits_are_sorted_into_tracks(tmp_path: Path) -> None:
    rows = [
        hit("Bob", "0.000", FACE, track=2),
        hit("Alice", "0.200", FACE, track=7),
        hit("Bob", "0.200", FACE, track=2),
        hit("Alice", "0.400", FACE, track=3),
    ]
    found = boxes(tmp_path, timeline(span("Alice", "0", "1"), span("Bob", "0", "1")), *rows)
    assert found.labels == ("Alice", "Bob")
    assert [(track.label, track.number, track.times.tolist()) for track in found.tracks] == [
        ("Alice", 3, [400]),
        ("Alice", 7, [200]),
        ("Bob", 2, [0, 200]),
    ]
    assert found.usual_gap == 200
    np.testing.assert_allclose(found.tracks[2].boxes, [FACE, FACE])


def test_one_video_is_read_at_a_time_and_others_are_passed_over(tmp_path: Path) -> None:
    rows = [hit("Alice", "1.000", FACE, video=name) for name in ("a.mp4", "b.mp4", "c.mp4")]
    write_hits(tmp_path / "hits.csv", rows)
    shown = timeline(span("Alice", "0", "2"))
    reader = read_boxes(tmp_path / "hits.csv", {"a.mp4": shown, "c.mp4": shown})
    assert next(reader).tracks[0].times.tolist() == [1000]
    with (tmp_path / "hits.csv").open("a", encoding="utf-8") as file:
        file.write("broken\r\n")
    with pytest.raises(ConfigError, match="1 cells in a row of 17 columns"):
        list(reader)


def test_hits_without_a_face_and_boxes_beyond_the_frame_have_no_box(tmp_path: Path) -> None:
    rows = [
        hit("Alice", "0.000", None),
        hit("Alice", "0.200", (-20, -10, 30, 40)),
        hit("Alice", "0.400", (-20, -10, -1, 40)),
        hit("Alice", "0.600", (600, 300, 700, 400)),
    ]
    (track,) = boxes(tmp_path, timeline(span("Alice", "0", "1")), *rows).tracks
    assert track.times.tolist() == [200, 600]
    np.testing.assert_allclose(track.boxes, [(0, 0, 30, 40), (600, 300, 640, 360)])  # the frame is 640 × 360


def test_a_name_that_a_spreadsheet_would_run_is_the_name_of_the_span(tmp_path: Path) -> None:
    found = boxes(tmp_path, timeline(span("=1+1", "0", "1")), hit("'=1+1", "0.000", FACE))
    assert found.labels == ("=1+1",)


def test_a_damaged_table_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "hits.csv"
    shown = {"film.mp4": timeline(span("Alice", "0", "1"))}
    with pytest.raises(ConfigError, match="search again to write it"):
        list(read_boxes(path, shown))
    path.write_text("video,target\r\nfilm.mp4,Alice\r\n")
    with pytest.raises(ConfigError, match="search again to write it"):
        list(read_boxes(path, shown))
    path.write_text(",".join(HIT_COLUMNS) + "\r\n")
    assert list(read_boxes(path, shown)) == []
    write_hits(path, [{**hit("Alice", "0.000", FACE), "x1": "left"}])
    with pytest.raises(ConfigError, match="search again to write it"):
        list(read_boxes(path, shown))
