"""Define the columns of the face index, and convert `Faces` to and from its Parquet table.

`store`, `photos` and the other tables use it. Any Parquet reader can read the file: one row a face, ordered by time.
A changed column needs a new `SCHEMA_VERSION`.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastface.errors import FaceIndexError
from fastface.types import Faces

SCHEMA_VERSION = 4

_FLOATS = ("det_score", "quality", "sharpness", "yaw")


def schema(dimension: int, metadata: dict[str, str] | None = None) -> pa.Schema:
    """Return the columns of `faces.parquet` for embeddings of `dimension` components.

    Args:
        dimension: Number of components of an embedding.
        metadata: Origin of the rows: fingerprint, contract, sampling, version.
    """
    columns = [("time", pa.float64()), ("pts", pa.int64())]
    columns += [(side, pa.float32()) for side in ("x1", "y1", "x2", "y2")]
    columns += [("landmarks", pa.list_(pa.float32(), 10))]
    columns += [(name, pa.float32()) for name in _FLOATS]
    columns += [("track", pa.int32()), ("damaged", pa.bool_()), ("embedding", pa.list_(pa.float16(), dimension))]
    return pa.schema(columns, metadata={"schema_version": str(SCHEMA_VERSION), **(metadata or {})})


def to_table(faces: Faces, metadata: dict[str, str] | None = None) -> pa.Table:
    """Convert faces to a table; copy only the box columns."""
    dimension = faces.embedding.shape[1]
    columns = [pa.array(faces.time), pa.array(faces.pts)]
    columns += [pa.array(np.ascontiguousarray(faces.boxes[:, side])) for side in range(4)]
    columns += [pa.FixedSizeListArray.from_arrays(pa.array(faces.landmarks.reshape(-1)), 10)]
    columns += [pa.array(getattr(faces, name)) for name in _FLOATS]
    columns += [pa.array(faces.track), pa.array(faces.damaged)]
    columns += [pa.FixedSizeListArray.from_arrays(pa.array(faces.embedding.reshape(-1)), dimension)]
    return pa.Table.from_arrays(columns, schema=schema(dimension, metadata))


def check_schema(found: pa.Schema) -> None:
    """Check that a file has the columns of this version.

    Raises:
        FaceIndexError: The columns differ.
    """
    embedding = found.field("embedding").type if "embedding" in found.names else None
    if embedding is None or found.remove_metadata() != schema(embedding.list_size).remove_metadata():
        raise FaceIndexError(f"the index of faces has another version than {SCHEMA_VERSION}; scan again with --fresh")


def read_embeddings(table: pa.Table) -> npt.NDArray[np.float16]:
    """Return the embeddings of a table that `check_schema` accepted, (n, D) float16."""
    column = table.column("embedding").combine_chunks()
    return _rows(column, column.type.list_size)


def from_table(table: pa.Table, embedding: npt.NDArray[np.float16]) -> Faces:
    """Convert a table that `check_schema` accepted to faces.

    Args:
        table: All columns; an embedding column is ignored.
        embedding: (n, D) float16.
    """
    count = table.num_rows
    column = {name: table.column(name).combine_chunks() for name in table.schema.names if name != "embedding"}
    boxes = np.stack([column[side].to_numpy() for side in ("x1", "y1", "x2", "y2")], axis=1)
    return Faces(
        time=column["time"].to_numpy(),
        pts=column["pts"].to_numpy(),
        boxes=boxes,
        landmarks=_rows(column["landmarks"], 10).reshape(count, 5, 2),
        **{name: column[name].to_numpy() for name in _FLOATS},
        track=column["track"].to_numpy(),
        damaged=column["damaged"].to_numpy(zero_copy_only=False),
        embedding=embedding,
    )


def _rows(column: pa.FixedSizeListArray, width: int) -> npt.NDArray[Any]:
    """Return the lists of a whole column as rows. Unlike `flatten`, this does not import all of Arrow's functions."""
    flat: npt.NDArray[Any] = column.values.to_numpy(zero_copy_only=False)
    return flat.reshape(len(column), width)
