"""Write the faces and bodies of a chosen person as one `.npz` for other tools, without pickles and embeddings.

`commands.pick` writes it; `commands.removal.forget` edits it. Arrays, for n faces and m bodies without a visible face:

    schema_version ()       int64
    name           ()       text     name of the person
    video          (n,)     text     names of the videos in the output folder
    time           (n,)     float64  seconds from the video's first frame
    pts            (n,)     int64    timestamp in the stream's time base
    box            (n, 4)   float32  x1, y1, x2, y2 in pixels of the frame as displayed
    det_score, quality, similarity   (n,) float32
    track          (n,)     int64    number that the faces of one track share within a video
    body_video, body_time, body_pts, body_box, body_track   the same for m bodies
    person_score   (m,)     float32  detector score of each body
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
        faces: All faces of the video.
        hits: The person's hits among these faces.
        bodies: The person's bodies at moments without a visible face.
    """

    video_id: str
    faces: Faces
    hits: Hits
    bodies: Bodies


def write_picked(path: Path, name: str, found: Iterable[PickedVideo]) -> None:
    """Write the faces and bodies of one person, sorted by video and time, readable for the owner only.

    Args:
        path: The file.
        name: The person's name.
        found: The person in each video.

    Raises:
        SpaceError: No space is left.
    """
    parts, videos, bodies, body_videos = [], list[str](), list[Bodies](), list[str]()
    for one in found:
        # Keep only the person's faces: all faces of a video may be many, and memory-mapped.
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
    """Remove the faces and bodies of some videos from a file of `write_picked`.

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
