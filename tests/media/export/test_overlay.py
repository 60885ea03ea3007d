"""Boxes over time: where they are between samples, and that there are none outside their time."""

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from export_tools import make_faces, make_hits
from media_tools import ffmpeg
from video_tools import MAX_PIXELS

from fastface.errors import ExportError
from fastface.export.clips.overlay_video import write_boxed
from fastface.export.overlay import box_tracks, select_boxes
from fastface.types import Faces
from fastface.video.discover import VideoFile
from fastface.video.probe import probe

FRAME = 0.04


def _faces(times: list[float], lefts: list[float], tracks: list[int]) -> Faces:
    boxes = [(left, 10.0, left + 40, 60.0) for left in lefts]
    return replace(make_faces(times, boxes=boxes), track=np.array(tracks, np.int32))


def test_a_box_moves_evenly_between_the_samples_of_its_track() -> None:
    faces = _faces([1.0, 1.2, 1.4], [0, 20, 60], [0, 0, 0])
    tracks = box_tracks(faces, {"Ann": make_hits(faces, [0, 1, 2], [0.5, 0.75, 0.6])}, 0.0, 2.0)
    (label,) = select_boxes(tracks, 1.05, FRAME)
    assert label.box == pytest.approx((5, 10, 45, 60))
    assert (label.text, label.colour) == ("Ann 0.50", 0)
    (label,) = select_boxes(tracks, 1.3, FRAME)
    assert label.box == pytest.approx((40, 10, 80, 60))
    assert label.text == "Ann 0.75"


@pytest.mark.parametrize(("time", "shown"), [(0.99, 0), (1.0, 1), (1.4, 1), (1.43, 1), (1.45, 0)])
def test_there_is_no_box_before_the_first_or_after_the_last_sample(time: float, shown: int) -> None:
    faces = _faces([1.0, 1.2, 1.4], [0, 20, 60], [0, 0, 0])
    tracks = box_tracks(faces, {"Ann": make_hits(faces, [0, 1, 2])}, 0.0, 2.0)
    assert len(select_boxes(tracks, time, FRAME)) == shown


def test_a_gap_is_bridged_only_where_the_track_bridges_it() -> None:
    faces = _faces([1.0, 1.7, 3.0], [0, 70, 0], [0, 0, 0])  # 0.7 s are three and a half samples
    tracks = box_tracks(faces, {"Ann": make_hits(faces, [0, 1, 2])}, 0.0, 4.0)
    (label,) = select_boxes(tracks, 1.35, FRAME)
    assert label.box[0] == pytest.approx(35)
    assert select_boxes(tracks, 2.0, FRAME) == []


def test_two_tracks_of_one_person_are_not_joined_and_targets_have_colours_of_their_own() -> None:
    faces = _faces([1.0, 1.2, 1.0], [0, 100, 200], [0, 1, 2])
    hits = {"Bob": make_hits(faces, [2]), "Ann": make_hits(faces, [0, 1])}
    tracks = box_tracks(faces, hits, 0.0, 2.0)
    assert [(label.text[:3], label.colour) for label in select_boxes(tracks, 1.0, FRAME)] == [("Ann", 0), ("Bob", 1)]
    assert select_boxes(tracks, 1.1, FRAME) == []


def test_a_box_that_is_moving_where_the_stretch_begins_or_ends_is_there() -> None:
    faces = _faces([0.9, 1.1], [0, 20], [0, 0])
    hits = {"Ann": make_hits(faces, [0, 1])}
    for start, end in ((1.0, 2.0), (0.0, 1.05)):
        (label,) = select_boxes(box_tracks(faces, hits, start, end), 1.0, FRAME)
        assert label.box[0] == pytest.approx(10)


def test_the_copy_shows_the_frames_at_their_times_with_boxes(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    ffmpeg("-f lavfi -i color=gray:size=161x121:rate=10:duration=3 -c:v libx264 -pix_fmt yuv444p {0}", film)
    info = probe(VideoFile(film, "film"), MAX_PIXELS).info
    faces = _faces([1.0, 1.2], [20, 40], [0, 0])
    tracks = box_tracks(faces, {"Ann": make_hits(faces, [0, 1])}, 0.85, 2.0)
    write_boxed(info, 0.85, 2.0, tracks, tmp_path / "out" / "boxed.mp4", alive=lambda: None)
    with av.open(str(tmp_path / "out" / "boxed.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 160, 120)
        frames = list(container.decode(stream))
        times = [frame.pts * stream.time_base for frame in frames]
        pictures = [frame.to_ndarray(format="bgr24") for frame in frames]
    assert [float(time) for time in times] == pytest.approx([n / 10 - 0.85 for n in range(9, 20)], abs=1e-3)
    drawn = [int(picture.max(axis=2).max()) - int(picture.min(axis=2).min()) > 60 for picture in pictures]
    assert drawn == [0.95 < 0.9 + number / 10 < 1.25 for number in range(11)]


def test_a_stretch_without_frames_leaves_no_file(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    ffmpeg("-f lavfi -i color=gray:size=64x64:rate=10:duration=1 -c:v libx264 -pix_fmt yuv420p {0}", film)
    info = probe(VideoFile(film, "film"), MAX_PIXELS).info
    with pytest.raises(ExportError, match="no frame between"):
        write_boxed(info, 5.0, 6.0, (), tmp_path / "boxed.mp4", alive=lambda: None)
    assert list(tmp_path.iterdir()) == [film]
