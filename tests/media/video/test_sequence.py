from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from video_tools import EVERY_FRAME, MAX_PIXELS

from fastface.errors import VideoError
from fastface.types import Sampling, Unit
from fastface.video.decode import open_source
from fastface.video.discover import VideoFile
from fastface.video.frames.canvas import choose_geometry
from fastface.video.frames.display_frames import decode_frames
from fastface.video.frames.planes import PlaneWriter
from fastface.video.probe import probe


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Twelve pictures, brighter by ten each; number 4 is damaged, number 7 is of another shape."""
    folder = tmp_path / "shots"
    folder.mkdir()
    for number in range(12):
        size = (48, 96) if number == 7 else (48, 64)
        cv2.imwrite(str(folder / f"{number}.png"), np.full((*size, 3), 10 * number, np.uint8))
    (folder / "4.png").write_bytes(b"no picture")
    return folder


def unit(sampling: Sampling, start: int = 0, end: int | None = None) -> Unit:
    return Unit("v", 0, Fraction(start, 25), None if end is None else Fraction(end, 25), sampling)


def test_pictures_in_natural_order_at_25_a_second(shots: Path) -> None:
    info = probe(VideoFile(shots, "v", sequence=True), MAX_PIXELS).info
    assert (info.size, info.duration, info.rate) == ((64, 48), Fraction(12, 25), 25)
    source = open_source(info)
    frames = [(frame.pts, frame.time, int(frame.content[0, 0, 0])) for frame in source.frames(unit(EVERY_FRAME))]
    assert frames == [(n, Fraction(n, 25), 10 * n) for n in range(12) if n != 4]
    assert (source.report.decoded, source.report.sampled, source.report.errors) == (11, 11, 1)
    assert source.report.covered == Fraction(11, 25)


def test_numbered_pictures_are_sampled_as_a_film(shots: Path) -> None:
    info = probe(VideoFile(shots / "%d.png", "v", sequence=True), MAX_PIXELS).info
    source = open_source(info)
    # Cells of 0.16 s hold four pictures; the fourth is damaged, so the fifth stands for its cell.
    sampled = list(source.frames(unit(Sampling(Fraction(4, 25)))))
    assert [frame.pts for frame in sampled] == [0, 5, 8]
    assert [frame.pts for frame in source.frames(unit(EVERY_FRAME, 6, 9))] == [6, 7, 8]
    assert source.report.covered == Fraction(3, 25)


def test_all_pictures_of_a_folder_are_looked_at(shots: Path) -> None:
    info = probe(VideoFile(shots, "v", sequence=True), MAX_PIXELS).info
    source = open_source(info)
    sampled = list(source.frames(unit(Sampling(Fraction(1, 5)))))
    assert [frame.pts for frame in sampled] == [n for n in range(12) if n != 4]
    assert source.report.sampled == 11


def test_a_sign_of_life_comes_with_every_picture(shots: Path) -> None:
    info = probe(VideoFile(shots, "v", sequence=True), MAX_PIXELS).info
    signs: list[int] = []
    list(open_source(info, alive=lambda: signs.append(1)).frames(unit(EVERY_FRAME, 11)))
    assert len(signs) == 12


def test_another_shape_is_fitted_into_the_first(shots: Path) -> None:
    info = probe(VideoFile(shots, "v", sequence=True), MAX_PIXELS).info
    geometry = choose_geometry(info, None)
    planes = np.empty(geometry.plane_bytes, np.uint8)
    canvas = np.empty((geometry.canvas[1], geometry.canvas[0], 3), np.uint8)
    (frame,) = open_source(info).frames(unit(EVERY_FRAME, 7, 8))
    PlaneWriter(info, geometry).write(frame, planes, canvas)
    # 96 × 48 into 64 × 48 is 64 × 32, at the top; grey 70 is 16 + 70 · 219 / 255 = 76 in limited range.
    luma = planes[: 64 * 48].reshape(48, 64).astype(int)
    assert np.abs(luma[:31] - 76).max() <= 1
    assert np.abs(luma[33:] - 16).max() <= 1
    assert [pts for pts, _ in decode_frames(info, [2, 7])] == [2, 7]


def test_a_pattern_takes_its_numbers_alone(shots: Path) -> None:
    (shots / "x.png").write_bytes(b"")
    info = probe(VideoFile(shots / "%d.png", "v", sequence=True), MAX_PIXELS).info
    assert info.duration == Fraction(12, 25)


def test_no_picture_at_all(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"no picture")
    with pytest.raises(VideoError, match="none of its 1 pictures"):
        probe(VideoFile(tmp_path, "v", sequence=True), MAX_PIXELS)
