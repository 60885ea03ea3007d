"""A chosen person's faces for other tools, as one `.npz`. Nothing is pickled; embeddings are not in it.

Arrays of the file, n faces, and m bodies of moments in which the face is not seen:

    schema_version ()       int64
    name           ()       text     of the person
    video          (n,)     text     names of the videos in the output folder
    time           (n,)     float64  seconds from the video's first frame
    pts            (n,)     int64    in the stream's time base
    box            (n, 4)   float32  x1, y1, x2, y2 in pixels of the frame as displayed
    det_score, quality, similarity   (n,) float32
    track          (n,)     int64    a number that faces of one track share within a video
    body_video, body_time, body_pts, body_box, body_track   as above, of m bodies
    person_score   (m,)     float32  of each body
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fastface.files import atomic_path
from fastface.names import valid_text
from fastface.types import Bodies, Faces, Hits


@dataclass(frozen=True, slots=True)
class PickedVideo:
    """A chosen person in one video.

    Attributes:
        video_id: The video.
        faces: All its faces.
        hits: Which of them are the person's.
        bodies: The person's, where the face is not seen.
    """

    video_id: str
    faces: Faces
    hits: Hits
    bodies: Bodies


def write_picked(path: Path, name: str, found: Iterable[PickedVideo]) -> None:
    """Writes the faces and bodies of one person, by video and time, for the owner's eyes only.

    Args:
        path: The file.
        name: The person's.
        found: What was found in each video.

    Raises:
        SpaceError: No space is left.
    """
    parts, videos, bodies, body_videos = [], list[str](), list[Bodies](), list[str]()
    for one in found:
        # Of the faces of a video the person's alone are kept: those of all may be many, and mapped.
        parts.append((one.faces[one.hits.face].without_embeddings(), one.hits))
        videos += [valid_text(one.video_id)] * len(one.hits)
        bodies.append(one.bodies)
        body_videos += [valid_text(one.video_id)] * len(one.bodies)

    def column(values: list[np.ndarray], width: tuple[int, ...] = ()) -> np.ndarray:
        return np.concatenate([np.empty((0, *width)), *values])

    with atomic_path(path, private=True) as part, part.open("wb") as file:
        np.savez(
            file,
            schema_version=np.int64(1),
            name=np.array(valid_text(name)),
            video=np.array(videos, np.str_),
            time=column([faces.time for faces, _ in parts]),
            pts=column([faces.pts for faces, _ in parts]).astype(np.int64),
            box=column([faces.boxes for faces, _ in parts], (4,)).astype(np.float32),
            det_score=column([faces.det_score for faces, _ in parts]).astype(np.float32),
            quality=column([faces.quality for faces, _ in parts]).astype(np.float32),
            similarity=column([hits.similarity for _, hits in parts]).astype(np.float32),
            track=column([faces.tracks for faces, _ in parts]).astype(np.int64),
            body_video=np.array(body_videos, np.str_),
            body_time=column([one.time for one in bodies]),
            body_pts=column([one.pts for one in bodies]).astype(np.int64),
            body_box=column([one.boxes for one in bodies], (4,)).astype(np.float32),
            body_track=column([one.tracks for one in bodies]).astype(np.int64),
            person_score=column([one.person_score for one in bodies]).astype(np.float32),
        )


def forget_in_picked(path: Path, videos: Collection[str]) -> None:
    """Removes the faces and bodies of some videos from a file that `write_picked` wrote.

    Raises:
        SpaceError: No space is left.
    """
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    names = [valid_text(name) for name in videos]
    is_kept = ~np.isin(arrays["video"], names), ~np.isin(arrays["body_video"], names)
    for name, values in arrays.items():
        if values.ndim:
            arrays[name] = values[is_kept[name.startswith("body_") or name == "person_score"]]
    with atomic_path(path, private=True) as part, part.open("wb") as file:
        np.savez(file, **arrays)
