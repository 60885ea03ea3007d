"""A chosen person's faces for other tools, as one `.npz`. Nothing is pickled; embeddings are not in it.

Arrays of the file, n faces:

    schema_version ()       int64
    name           ()       text     of the person
    video          (n,)     text     names of the videos in the output folder
    time           (n,)     float64  seconds from the video's first frame
    pts            (n,)     int64    in the stream's time base
    box            (n, 4)   float32  x1, y1, x2, y2 in pixels of the frame as displayed
    det_score, quality, similarity   (n,) float32
    track          (n,)     int64    a number that faces of one track share within a video
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from fastface.export.tables import VideoHits
from fastface.files import atomic_path
from fastface.names import valid_text

__all__ = ["write_picked"]


def write_picked(path: Path, name: str, found: Iterable[VideoHits]) -> None:
    """Writes the faces of one person, by video and time, for the owner's eyes only.

    Args:
        path: The file.
        name: The person's.
        found: What was found in each video; of one target.

    Raises:
        SpaceError: No space is left.
    """
    parts = [(one.video_id, one.faces[hits.face], hits) for one in found for hits in one.hits.values()]
    videos = [valid_text(video_id) for video_id, faces, _ in parts for _ in range(len(faces))]

    def column(values: list[np.ndarray], width: tuple[int, ...] = ()) -> np.ndarray:
        return np.concatenate([np.empty((0, *width)), *values])

    with atomic_path(path, private=True) as part, part.open("wb") as file:
        np.savez(
            file,
            schema_version=np.int64(1),
            name=np.array(valid_text(name)),
            video=np.array(videos, np.str_),
            time=column([faces.time for _, faces, _ in parts]),
            pts=column([faces.pts for _, faces, _ in parts]).astype(np.int64),
            box=column([faces.boxes for _, faces, _ in parts], (4,)).astype(np.float32),
            det_score=column([faces.det_score for _, faces, _ in parts]).astype(np.float32),
            quality=column([faces.quality for _, faces, _ in parts]).astype(np.float32),
            similarity=column([hits.similarity for _, _, hits in parts]).astype(np.float32),
            track=column([faces.tracks for _, faces, _ in parts]).astype(np.int64),
        )
