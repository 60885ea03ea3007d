"""Pictures of faces in the index: which of them are kept, and the way to and from Parquet.

Of each track the best pictures are kept that are apart in time: of a unit when it is committed, and of the video when
its units are merged and tracks that cross from one into the next are known.
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
"""Pictures of one track that are nearer in time show the same."""

_FRAME_BYTES = 8192
_ROW_BYTES = 36
"""What Parquet needs for the file and for each row, beside the pictures themselves."""


def best_of_tracks(portraits: Thumbnails, faces: Faces, most_bytes: float = np.inf) -> Thumbnails:
    """The pictures to keep: of each track the best that are apart in time, all together in a file of so many bytes.

    Of each track only the pictures of its best class stay (the whole part of their worth): one with a whole, facing,
    sharp face keeps no others. Where there is too little room, the best of each track stays longest, then the second
    best, and so on; of equal rank the better one.

    Args:
        portraits: Pictures of some of the faces, in any order, each once.
        faces: All faces, tracks linked.
        most_bytes: Bound of the file.

    Returns:
        Those kept, in the order of the faces.
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
    """The pictures to keep, rising.

    Args:
        tracks: (k,) of each picture; pictures are in order of their rows.
        times: (k,) seconds.
        quality: (k,)
        sizes: k, bytes.
        most_bytes: Of all that are kept.
    """
    rank = _ranks(tracks, times, quality)
    candidates = np.flatnonzero(rank >= 0)
    candidates = candidates[np.lexsort((candidates, -quality[candidates], rank[candidates]))]
    fits = np.cumsum(np.array(sizes, np.int64)[candidates]) <= most_bytes
    return np.sort(candidates[fits])


def portrait_rows(portraits: Thumbnails, faces: Faces) -> npt.NDArray[np.int64]:
    """(k,) the row of each picture's face."""
    near = np.flatnonzero(np.isin(faces.pts, portraits.pts))
    lefts, tops = faces.boxes[near, 0].tolist(), faces.boxes[near, 1].tolist()
    names = dict(zip(zip(faces.pts[near].tolist(), lefts, tops, strict=True), near.tolist(), strict=True))
    wanted = zip(portraits.pts.tolist(), portraits.x1.tolist(), portraits.y1.tolist(), strict=True)
    return np.array([names[name] for name in wanted], np.int64)


def _ranks(
    tracks: npt.NDArray[np.integer], times: npt.NDArray[np.float64], quality: npt.NDArray[np.float32]
) -> npt.NDArray[np.int64]:
    """(k,) the place of each picture among its track's best ones, from 0; -1 for those that are not kept."""
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
    """Pictures as a table."""
    schema = _schema(metadata)
    columns = [pa.array(getattr(portraits, field.name), field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def check_portraits(found: pa.Schema) -> None:
    """Makes sure that a file has the columns of this version.

    Raises:
        FaceIndexError: It has not.
    """
    if found.remove_metadata() != _schema().remove_metadata():
        raise FaceIndexError(
            f"the index of pictures has another version than {SCHEMA_VERSION}; scan again with --fresh"
        )


def portraits_from_table(table: pa.Table) -> Thumbnails:
    """The pictures of a table that `check_portraits` has passed."""
    column = {name: table.column(name).combine_chunks() for name in table.schema.names}
    jpeg = np.empty(table.num_rows, np.object_)
    jpeg[:] = column.pop("jpeg").to_pylist()
    return Thumbnails(**{name: values.to_numpy() for name, values in column.items()}, jpeg=jpeg)
