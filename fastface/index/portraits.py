"""Choose the face pictures to keep, and convert them to and from Parquet.

`store` and the index writer call it, for a unit at its commit and for a video at its merge. Only the merge
knows the tracks that cross from one unit into the next.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastface.errors import FaceIndexError
from fastface.index.schema import SCHEMA_VERSION
from fastface.types import Faces, Thumbnails

MOST_A_TRACK = 4
APART_SECONDS = 1.0
"""Minimum seconds between two pictures of a track; nearer ones show the same."""

_FRAME_BYTES = 8192
_ROW_BYTES = 36
"""Bytes that Parquet needs for the file and for each row, besides the pictures."""


def best_of_tracks(portraits: Thumbnails, faces: Faces, most_bytes: float = np.inf) -> Thumbnails:
    """Choose the pictures to keep: the best of each track, apart in time, within a limit of file size.

    A track keeps only pictures of its best class, which is the integer part of `worth`. A track with a whole, frontal,
    sharp face keeps no other pictures. If space is short, the best picture of each track is kept first, then the second
    best. Of equal rank, the higher worth is kept first.

    Args:
        portraits: Pictures of some of the faces, in any order, each once.
        faces: All faces, with linked tracks.
        most_bytes: Limit of the file in bytes.

    Returns:
        The kept pictures, in the order of the faces.
    """
    rows = portrait_rows(portraits, faces)
    in_order = np.argsort(rows, kind="stable")
    face, sorted_portraits = rows[in_order], portraits[in_order]
    tracks, worth = faces.tracks[face], sorted_portraits.worth
    _, track = np.unique(tracks, return_inverse=True)
    best_class = np.zeros(len(face), np.float32)
    np.maximum.at(best_class, track, np.floor(worth))
    fine = np.flatnonzero(np.floor(worth) == best_class[track])
    sizes = [len(jpeg) + _ROW_BYTES for jpeg in sorted_portraits.jpeg[fine]]
    kept = best_rows(tracks[fine], faces.time[face[fine]], worth[fine], sizes, most_bytes - _FRAME_BYTES)
    return sorted_portraits[fine[kept]]


def best_rows(
    tracks: npt.NDArray[np.integer],
    times: npt.NDArray[np.float64],
    quality: npt.NDArray[np.float32],
    sizes: Sequence[int],
    most_bytes: float,
) -> npt.NDArray[np.int64]:
    """Return the ascending indices of the pictures to keep.

    Args:
        tracks: (k,) track of each picture, in the order of the rows.
        times: (k,) seconds.
        quality: (k,) higher is better.
        sizes: k sizes in bytes.
        most_bytes: Limit of all kept pictures together, in bytes.
    """
    rank = _ranks(tracks, times, quality)
    candidates = np.flatnonzero(rank >= 0)
    candidates = candidates[np.lexsort((candidates, -quality[candidates], rank[candidates]))]
    fits = np.cumsum(np.array(sizes, np.int64)[candidates]) <= most_bytes
    return np.sort(candidates[fits])


def portrait_rows(portraits: Thumbnails, faces: Faces) -> npt.NDArray[np.int64]:
    """Return the (k,) row of each picture's face."""
    near = np.flatnonzero(np.isin(faces.pts, portraits.pts))
    lefts, tops = faces.boxes[near, 0].tolist(), faces.boxes[near, 1].tolist()
    names = dict(zip(zip(faces.pts[near].tolist(), lefts, tops, strict=True), near.tolist(), strict=True))
    wanted = zip(portraits.pts.tolist(), portraits.x1.tolist(), portraits.y1.tolist(), strict=True)
    return np.array([names[name] for name in wanted], np.int64)


def _ranks(
    tracks: npt.NDArray[np.integer], times: npt.NDArray[np.float64], quality: npt.NDArray[np.float32]
) -> npt.NDArray[np.int64]:
    """Return the (k,) rank of each picture within its track, from 0; -1 for a dropped picture."""
    ranks = np.full(len(tracks), -1, np.int64)
    chosen: dict[int, list[float]] = {}
    for row in np.lexsort((np.arange(len(tracks)), -quality)).tolist():
        taken = chosen.setdefault(int(tracks[row]), [])
        if len(taken) < MOST_A_TRACK and all(abs(times[row] - time) >= APART_SECONDS for time in taken):
            ranks[row] = len(taken)
            taken.append(float(times[row]))
    return ranks


def _schema(metadata: dict[str, str] | None = None) -> pa.Schema:
    columns = [("pts", pa.int64()), *((name, pa.float32()) for name in ("x1", "y1", "quality", "worth"))]
    told = {"schema_version": str(SCHEMA_VERSION), **(metadata or {})}
    return pa.schema([*columns, ("jpeg", pa.binary())], metadata=told)


def portraits_to_table(portraits: Thumbnails, metadata: dict[str, str]) -> pa.Table:
    """Convert pictures to a table."""
    schema = _schema(metadata)
    columns = [pa.array(getattr(portraits, field.name), field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def check_portraits(found: pa.Schema) -> None:
    """Check that a file has the columns of this version.

    Raises:
        FaceIndexError: The columns differ.
    """
    if found.remove_metadata() != _schema().remove_metadata():
        raise FaceIndexError(
            f"the index of pictures has another version than {SCHEMA_VERSION}; scan again with --fresh"
        )


def portraits_from_table(table: pa.Table) -> Thumbnails:
    """Convert a table that `check_portraits` accepted to pictures."""
    column = {name: table.column(name).combine_chunks() for name in table.schema.names}
    jpeg = np.empty(table.num_rows, np.object_)
    jpeg[:] = column.pop("jpeg").to_pylist()
    return Thumbnails(**{name: values.to_numpy() for name, values in column.items()}, jpeg=jpeg)
