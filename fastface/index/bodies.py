"""Convert bodies to and from the rows of `bodies.parquet`, and choose the body pictures to keep.

`store` converts with it, and `indexing.index_writer` chooses. A changed column needs a new `SCHEMA_VERSION`.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastface.errors import FaceIndexError
from fastface.index.portraits import best_rows
from fastface.index.schema import SCHEMA_VERSION
from fastface.types import NUM_COLOURS, Bodies

LEAN_COLUMNS = ["time", "pts", "x1", "y1", "x2", "y2", "person_score", "face", "track"]
"""Columns without colours and pictures: they are read in a seventh of the time."""


def with_best_pictures(bodies: Bodies, most_bytes: float = np.inf) -> Bodies:
    """Return the same bodies, but only the best pictures of each track: see `portraits.best_rows`.

    Args:
        bodies: Bodies with linked tracks.
        most_bytes: Limit of all pictures together, in bytes.
    """
    pictured = np.flatnonzero([jpeg is not None for jpeg in bodies.jpeg])
    sizes = [len(jpeg) for jpeg in bodies.jpeg[pictured]]
    areas = (bodies.boxes[pictured, 2:] - bodies.boxes[pictured, :2]).prod(axis=1)
    # Prefer the nearest view that is surely a person.
    quality = bodies.person_score[pictured] * np.sqrt(areas)
    kept = pictured[best_rows(bodies.track[pictured], bodies.time[pictured], quality, sizes, most_bytes)]
    jpeg = np.full(len(bodies), None, np.object_)
    jpeg[kept] = bodies.jpeg[kept]
    return replace(bodies, jpeg=jpeg)


def _schema(metadata: dict[str, str] | None = None) -> pa.Schema:
    columns = [("time", pa.float64()), ("pts", pa.int64())]
    columns += [(side, pa.float32()) for side in ("x1", "y1", "x2", "y2")]
    columns += [("person_score", pa.float32()), ("face", pa.int32()), ("track", pa.int32())]
    columns += [("colours", pa.list_(pa.float16(), NUM_COLOURS)), ("jpeg", pa.binary())]
    return pa.schema(columns, metadata={"schema_version": str(SCHEMA_VERSION), **(metadata or {})})


def bodies_to_table(bodies: Bodies, metadata: dict[str, str]) -> pa.Table:
    """Convert bodies to a table."""
    columns = [pa.array(bodies.time), pa.array(bodies.pts)]
    columns += [pa.array(np.ascontiguousarray(bodies.boxes[:, side])) for side in range(4)]
    columns += [pa.array(bodies.person_score), pa.array(bodies.face), pa.array(bodies.track)]
    columns += [pa.FixedSizeListArray.from_arrays(pa.array(bodies.colours.reshape(-1)), NUM_COLOURS)]
    columns += [pa.array(bodies.jpeg.tolist(), pa.binary())]
    return pa.Table.from_arrays(columns, schema=_schema(metadata))


def check_bodies(found: pa.Schema) -> None:
    """Check that a file has the columns of this version.

    Raises:
        FaceIndexError: The columns differ.
    """
    if found.remove_metadata() != _schema().remove_metadata():
        raise FaceIndexError(f"the index of bodies has another version than {SCHEMA_VERSION}; scan again with --fresh")


def bodies_from_table(table: pa.Table) -> Bodies:
    """Convert a table that `check_bodies` accepted to bodies; fields without a column are empty."""
    column = {name: table.column(name).combine_chunks() for name in table.schema.names}
    jpeg = np.full(table.num_rows, None, np.object_)
    if "jpeg" in column:
        jpeg[:] = column["jpeg"].to_pylist()
    return Bodies(
        **{name: column[name].to_numpy() for name in ("time", "pts", "person_score", "face", "track")},
        boxes=np.stack([column[side].to_numpy() for side in ("x1", "y1", "x2", "y2")], axis=1),
        colours=_lists(column.get("colours"), table.num_rows, np.float16),
        jpeg=jpeg,
    )


def _lists(column: pa.FixedSizeListArray | None, count: int, kind: type) -> npt.NDArray[Any]:
    """Return the (n, k) values of a list column; (n, 0) without a column."""
    if column is None:
        return np.empty((count, 0), kind)
    flat: npt.NDArray[Any] = column.values.to_numpy(zero_copy_only=False)
    return flat.reshape(count, column.type.list_size)
