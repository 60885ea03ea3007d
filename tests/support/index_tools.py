"""A video's facts and faces by chance, for tests of the index."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from fastface.types import Faces, VideoInfo

INFO = VideoInfo(
    path=Path("films/a\udcff.mp4"),
    video_id="a",
    size=(1920, 1080),
    coded_size=(1920, 1080),
    rotation=90,
    mirrored=True,
    pixel_aspect=Fraction(16, 15),
    interlaced=True,
    time_base=Fraction(1, 90000),
    rate=Fraction(30000, 1001),
    start_pts=153360,
    duration=None,
    codec="h264",
    pixel_format="yuv420p",
)


def plain_info(**changes: Any) -> VideoInfo:
    """A film of square pixels, 25 frames a second, upright, from 0; `changes` are fields with other values."""
    plain = VideoInfo(
        path=Path("film.mp4"),
        video_id="film.mp4",
        size=(64, 48),
        coded_size=(64, 48),
        rotation=0,
        mirrored=False,
        pixel_aspect=Fraction(1),
        interlaced=False,
        time_base=Fraction(1, 1000),
        rate=Fraction(25),
        start_pts=0,
        duration=None,
        codec="h264",
        pixel_format="yuv420p",
    )
    return replace(plain, **changes)


def some_faces(count: int, dimension: int = 8, seed: int = 0) -> Faces:
    chance = np.random.default_rng(seed)
    return Faces(
        time=np.arange(count) / 5,
        pts=np.arange(count, dtype=np.int64) * 18000,
        boxes=chance.random((count, 4), np.float32) * 100,
        landmarks=chance.random((count, 5, 2), np.float32) * 100,
        det_score=chance.random(count, np.float32),
        quality=chance.random(count, np.float32),
        sharpness=chance.random(count, np.float32),
        yaw=chance.random(count, np.float32),
        track=np.full(count, -1, np.int32),
        damaged=chance.random(count) < 0.5,
        embedding=chance.random((count, dimension), np.float32).astype(np.float16),
    )
