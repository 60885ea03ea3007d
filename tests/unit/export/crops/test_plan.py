"""Which crops are planned of one video's findings: none of faces that the frame cuts off, where its size is known."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from export_tools import make_faces, make_hits
from index_tools import plain_info

from fastface.config import Config, load_config
from fastface.errors import ConfigError
from fastface.export.crops.plan import plan_pictures
from fastface.index.records import VideoRecord
from fastface.search.searcher import VideoFindings
from fastface.types import Faces, VideoInfo

WHOLE, HALF = (500.0, 200.0, 571.0, 300.0), (1244.0, 200.0, 1280.0, 300.0)
INFO = plain_info(size=(1280, 720), coded_size=(1280, 720), duration=Fraction(60))


def planned(faces: Faces, info: VideoInfo = INFO, kind: str = "face", **export: float) -> list[float]:
    """The times of the crops of one target whose hits are all faces."""
    config: Config = load_config(environment={}, flags={"export": {"crops": kind, "min_gap": 1.0, **export}})
    record = VideoRecord(video_id=info.video_id, path=info.path, fingerprint="f", scan_key="k", state="done")
    hits = {"Ann": make_hits(faces, list(range(len(faces))))}
    found = VideoFindings(record, info, faces, hits, (), ())
    return [row.time for row in plan_pictures(found, config, None, Path("out")).crops]


@pytest.mark.parametrize("kind", ["face", "aligned", "body"])
def test_a_whole_face_is_taken_though_a_half_one_is_better(kind: str) -> None:
    faces = make_faces([1.0, 1.2, 5.0], boxes=[WHOLE, HALF, HALF])  # qualities rise
    assert planned(faces, kind=kind) == [1.0]
    assert planned(faces, kind=kind, min_shown=0) == [1.2, 5.0]


def test_where_the_size_is_not_known_no_face_is_left_out() -> None:
    faces = make_faces([1.0, 5.0], boxes=[HALF, WHOLE])
    assert planned(faces) == [5.0]
    assert planned(faces, replace(INFO, is_film=False)) == [1.0, 5.0]  # pictures of a folder, each of its own size
    assert planned(faces, replace(INFO, other_sizes=((640, 360),))) == [1.0, 5.0]  # a film that changes its size


def test_it_is_said_what_limits_the_number_of_crops() -> None:
    faces = make_faces([1.0, 1.2, 1.4, 9.0, 20.0], boxes=[WHOLE, WHOLE, WHOLE, HALF, WHOLE])
    config: Config = load_config(environment={}, flags={"export": {"crops": "body", "min_gap": 1.5, "max_crops": 1}})
    record = VideoRecord(video_id="film.mp4", path=INFO.path, fingerprint="f", scan_key="k", state="done")
    hits = {"Ann": make_hits(faces, list(range(len(faces))))}
    plan = plan_pictures(VideoFindings(record, INFO, faces, hits, (), ()), config, None, Path("out"))
    assert plan.tallies["Ann"].describe(config.export) == (
        "5 hits, 1 crop; left out: 2 by --min-gap 1.5, 1 by --max-crops 1, 1 turned, damaged or cut off by the frame"
    )


def test_a_number_of_crops_is_reached_by_nearer_ones_and_no_more() -> None:
    times = [1.0, 1.2, 1.4, 8.0, 20.0]
    faces = make_faces(times, boxes=[WHOLE] * 5)
    assert planned(faces, min_gap=1.5) == [1.4, 8.0, 20.0], "qualities rise"
    assert planned(faces, min_gap=1.5, count=4) == [1.0, 1.4, 8.0, 20.0], "the farthest from the others"
    assert planned(faces, min_gap=1.5, count=5) == times
    assert planned(faces, min_gap=1.5, count=2) == [8.0, 20.0]


@pytest.mark.parametrize(
    ("kind", "size", "is_fine"),
    [("body", "512x768", True), ("face", "512x768", False), ("face", "512x512", True), ("none", "64x32", False)],
)
def test_a_size_fits_the_kind_of_crops(kind: str, size: str, *, is_fine: bool) -> None:
    flags = {"export": {"crops": kind, "size": size}}
    if is_fine:
        width, height = map(int, size.split("x"))
        assert load_config(environment={}, flags=flags).export.size == (width, height)
        return
    with pytest.raises(ConfigError, match=r"add --crops (face or --crops )?body"):
        load_config(environment={}, flags=flags)
