"""What the tests of exports share: faces and hits by the row, and videos whose frames say their own number."""

import subprocess
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from fastface.demo.film import read_barcode
from fastface.export.tables.results import VideoHits, open_hits_table
from fastface.types import Faces, Hits


def make_faces(times: list[float], *, boxes: list[tuple[float, ...]] | None = None, ticks: int = 1000) -> Faces:
    """One face a time, of pts `time × ticks`, with qualities 0.1, 0.2 … and tracks 0, 1 …"""
    count = len(times)
    box = np.array(boxes or [(10.0, 20.0, 50.0, 70.0)] * count, np.float32).reshape(count, 4)
    face = Faces.empty(4)
    return Faces(
        time=np.array(times, np.float64),
        pts=np.round(np.array(times) * ticks).astype(np.int64),
        boxes=box,
        landmarks=_landmarks(box),
        det_score=np.full(count, 0.75, np.float32),
        quality=((np.arange(count) + 1) / 10).astype(np.float32),
        sharpness=np.full(count, 100, np.float32),
        yaw=np.zeros(count, np.float32),
        track=np.arange(count, dtype=np.int32),
        damaged=np.zeros(count, np.bool_),
        embedding=np.zeros((count, 4), face.embedding.dtype),
    )


def make_hits(faces: Faces, rows: list[int], similarity: list[float] | None = None) -> Hits:
    """Hits of the given rows of `faces`."""
    index = np.array(rows, np.int64)
    return Hits(
        face=index,
        time=faces.time[index],
        pts=faces.pts[index],
        period=np.full(len(rows), 0.2),
        similarity=np.array(similarity or [0.5] * len(rows), np.float32),
        margin=np.full(len(rows), 0.25, np.float32),
        by=np.zeros(len(rows), np.int8),
    )


def numbered_frames(path: Path, *, from_first: bool = True) -> list[tuple[Fraction, int]]:
    """(seconds from the first frame or from zero, number in its barcode) of each frame that a player shows.

    Where the container gives the first frame no time, frames follow each other at its rate.
    """
    with av.open(str(path.absolute())) as container:
        frames = list(container.decode(video=0))
        rate = container.streams.video[0].average_rate
    planes = [frame.to_ndarray(format="yuv420p") for frame in frames]
    numbers = [read_barcode(np.asarray(cv2.cvtColor(one, cv2.COLOR_YUV2BGR_I420), np.uint8)) for one in planes]
    times = [None if frame.pts is None else frame.pts * (frame.time_base or Fraction(1)) for frame in frames]
    first = times[0]
    if first is None:
        assert rate is not None
        return [(i / rate, number) for i, number in enumerate(numbers)]
    known = [time for time in times if time is not None]
    return [(time - (first if from_first else 0), number) for time, number in zip(known, numbers, strict=True)]


def keyframes(path: Path) -> set[Fraction]:
    """Times of the keyframes from the first frame, as ffprobe's packets have them."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "packet=pts,flags:stream=time_base"]
    said = subprocess.run([*command, "-of", "compact=nk=1:p=0", path], capture_output=True, text=True, check=True)
    *packets, base = said.stdout.split()
    rows = [line.split("|") for line in packets if "|" in line and not line.startswith("N/A")]
    first = min(int(row[0]) for row in rows)
    return {(int(row[0]) - first) * Fraction(base) for row in rows if row[1].startswith("K")}


def has_sound(path: Path) -> bool:
    """Whether there is sound that can be decoded."""
    with av.open(str(path.absolute())) as container:
        return bool(container.streams.audio) and next(container.decode(audio=0), None) is not None


def _landmarks(boxes: np.ndarray) -> np.ndarray:
    """Eyes, nose and mouth corners where a face that fills its box has them."""
    places = np.array([(0.34, 0.46), (0.66, 0.46), (0.5, 0.64), (0.37, 0.82), (0.63, 0.82)], np.float32)
    sides = (boxes[:, 2:] - boxes[:, :2])[:, None]
    landmarks: np.ndarray = (boxes[:, None, :2] + places * sides).astype(np.float32)
    return landmarks


def write_hits(path: Path, videos: Iterable[VideoHits]) -> int:
    """Writes the table, and gives the number of rows that it counted."""
    with open_hits_table(path) as table:
        for video in videos:
            table.add(video)
    return table.num_rows
