"""An index with bodies, without a film: drawn, so that every figure can be worked out by hand."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from census_tools import rows
from people_tools import body_portrait, portrait

from fastface.demo.recogniser import DIMENSION
from fastface.index.store import VideoIndex
from fastface.types import NUM_COLOURS, Bodies, Faces, SampledFrames, Thumbnails

RATE = 5
"""Samples a second: 0.2 s each."""

LENGTH = 20
"""Seconds of each video; both together are 40."""

ANN, BO, ZOE, POOR = range(4)
"""Axes of embeddings: nobody is like anybody else."""

Stretch = tuple[float, float]
"""[from, to) in seconds."""


@dataclass(frozen=True)
class Passage:
    """Somebody who is one body track, and a track of faces for each stretch in which the face is seen."""

    who: int = POOR
    body: tuple[Stretch, ...] = ()
    face: tuple[Stretch, ...] = ()
    score: float = 0.8
    quality: float = 0.75
    pictured: tuple[tuple[float, float], ...] = ()
    """(time, score) of the bodies of which there is a picture."""
    portraits: tuple[float, ...] = ()
    """Times of the faces of which there is one."""


A = (
    # 10 s, of which 2 s by body, from 4 s on.
    Passage(ANN, body=((0, 10),), face=((0, 4), (6, 10)), portraits=(1.0, 3.0, 7.0), pictured=((5.0, 0.9),)),
    # 5.2 s: 2 s by body, hidden for 1.8 s, 3.2 s by face.
    Passage(BO, body=((5, 7), (8.8, 12)), face=((8.8, 12),), pictured=((6.0, 0.7), (9.0, 0.99))),
    Passage(body=((11, 14),), pictured=((12.0, 0.9),)),  # never a face: 3 s, of which 1 s beside Bo
    Passage(body=((15, 20),), score=0.5),  # a vase
    Passage(ZOE, body=((17.2, 18.4),), face=((18, 18.4),)),  # two faces: too few to be listed, as 0.8 s by body are
)
B = (
    Passage(ANN, body=((2, 4),), face=((2, 4),)),
    Passage(body=((5, 13),), pictured=((6.0, 0.85), (9.0, 0.95))),  # never a face: 8 s
    Passage(body=((12, 13),), score=0.7),  # never, and for 1 s, beside the one before
    Passage(body=((15, 17.6),), face=((15, 17),), quality=0.1),  # 2.6 s, of which 2 s with a face that is too poor
)
FILMS = {"a.mp4": A, "b.mp4": B}

SEEN_8, SEEN_3, SEEN_2_6 = "3", "4", "5"
"""The numbers of those whose face is never seen: after Ann, of 12 s, and Bo, of 5.2 s."""

NOTHING = ("--clips", "none", "--crops", "none")


def samples(stretches: tuple[Stretch, ...], rate: int) -> list[float]:
    return [k / rate for start, end in stretches for k in range(round(start * rate), round(end * rate))]


def body_box(place: int) -> tuple[float, float, float, float]:
    return 20.0 + 350 * place, 100.0, 320.0 + 350 * place, 1000.0


def face_box(place: int) -> tuple[float, float, float, float]:
    return 120.0 + 350 * place, 120.0, 220.0 + 350 * place, 240.0


def drawn_faces(film: tuple[Passage, ...], rate: int, first: int) -> tuple[Faces, list[int]]:
    """All faces by time, and the passage that each is of."""
    drawn = []
    tracks = first
    for place, one in enumerate(film):
        for stretch in one.face:
            drawn += [(time, place, tracks) for time in samples((stretch,), rate)]
            tracks += 1
    drawn.sort()
    count, places = len(drawn), [place for _, place, _ in drawn]
    time = np.array([time for time, _, _ in drawn], np.float64)
    faces = Faces(
        time=time,
        pts=np.round(time * 1000).astype(np.int64),
        boxes=np.array([face_box(place) for place in places], np.float32).reshape(-1, 4),
        landmarks=np.zeros((count, 5, 2), np.float32),
        det_score=np.full(count, 0.9, np.float32),
        quality=np.array([film[place].quality for place in places], np.float32),
        sharpness=np.full(count, 500, np.float32),
        yaw=np.zeros(count, np.float32),
        track=np.array([track for _, _, track in drawn], np.int32),
        damaged=np.zeros(count, np.bool_),
        embedding=np.eye(DIMENSION, dtype=np.float16)[[film[place].who for place in places]],
    )
    return faces, places


def drawn_bodies(film: tuple[Passage, ...], rate: int, first: int, faces: Faces, of_faces: list[int]) -> Bodies:
    """All bodies by time."""
    drawn = sorted((time, place) for place, one in enumerate(film) for time in samples(one.body, rate))
    row = {(pts, place): number for number, (pts, place) in enumerate(zip(faces.pts.tolist(), of_faces, strict=True))}
    count, time = len(drawn), np.array([time for time, _ in drawn], np.float64)
    score = {(time, place): score for place, one in enumerate(film) for time, score in one.pictured}
    jpeg = np.full(count, None, np.object_)
    for number, (_, place) in enumerate(drawn):
        if drawn[number] in score:
            jpeg[number] = body_portrait(place).jpeg
    return Bodies(
        time=time,
        pts=np.round(time * 1000).astype(np.int64),
        boxes=np.array([body_box(place) for _, place in drawn], np.float32).reshape(-1, 4),
        person_score=np.array([score.get(one, film[one[1]].score) for one in drawn], np.float32),
        colours=np.eye(NUM_COLOURS, dtype=np.float16)[[place for _, place in drawn]],
        face=np.array([row.get((round(time * 1000), place), -1) for time, place in drawn], np.int32),
        track=np.array([first + place for _, place in drawn], np.int32),
        jpeg=jpeg,
    )


def write_index(
    index: VideoIndex,
    film: tuple[Passage, ...],
    metadata: dict[str, str],
    *,
    rate: int = RATE,
    first: int = 0,
    scale: float = 1.0,
    bodies: bool = True,
) -> None:
    """The index of one video, as a scan leaves it; tracks are numbered from `first` on."""
    faces, places = drawn_faces(film, rate, first)
    faces.boxes[:] *= scale
    pictured = [row for row, place in enumerate(places) if faces.time[row] in film[place].portraits]
    shown = faces[np.array(pictured, np.int64)]
    pictures = Thumbnails.of(shown, shown.quality, [portrait(places[row]).jpeg for row in pictured])
    wanted = drawn_bodies(film, rate, first, faces, places)
    wanted.boxes[:] *= scale
    told = (lambda _: wanted) if bodies else None
    index.write_frames(SampledFrames.empty(), metadata)
    index.write_faces([faces], DIMENSION, metadata, lambda found: found.track, lambda _: pictures, bodies=told)


Draw = Callable[..., None]


def seconds(said: dict[str, Any]) -> list[tuple[float, float, int]]:
    """(seconds, of which only the body is seen, faces) of each listed person."""
    return [(round(one["seconds"], 6), round(one["body_seconds"], 6), one["faces"]) for one in said["persons"]]


EVERYONE = [(12.0, 2.0, 50), (5.2, 2.0, 16), (8.0, 8.0, 0), (3.0, 3.0, 0), (2.6, 2.6, 0)]


def table(out: Path, name: str, *columns: str) -> list[tuple[str, ...]]:
    return [tuple(row[column] for column in columns) for row in rows(out / "people" / name)]
