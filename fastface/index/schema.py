"""Define the tables of the index, and convert faces, bodies, frames, tracks and pictures to and from them.

`store` and `photos` use it. Any Parquet reader can read the files. A changed column needs a new `SCHEMA_VERSION`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastface.errors import FaceIndexError
from fastface.types import NUM_COLOURS, SIGNATURE_SIZE, Bodies, Faces, FaceTracks, RowTable, SampledFrames, Thumbnails

SCHEMA_VERSION = 4

_SIDES = ("x1", "y1", "x2", "y2")
_Rows = TypeVar("_Rows", bound=RowTable)
_Columns = tuple[tuple[str, pa.DataType | None], ...]


@dataclass(frozen=True, slots=True)
class TableKind(Generic[_Rows]):
    """One kind of table: its columns are the fields of the rows, but a box has a column for each side.

    Attributes:
        what: Name of the rows in messages.
        rows: Class of the rows.
        columns: (name, type) of each column; the type None is an embedding, whose dimension depends on the network.
        parquet: Options of the file. Embeddings neither compress nor repeat: plain columns are read in a seventh of the
            time.
    """

    what: str
    rows: type[_Rows]
    columns: _Columns
    parquet: Mapping[str, Any] = field(default_factory=dict)

    def schema(self, dimension: int = 0, metadata: Mapping[str, str] | None = None) -> pa.Schema:
        """Return the schema of a table.

        Args:
            dimension: Number of components of an embedding.
            metadata: Origin of the rows: fingerprint, contract, sampling, version.
        """
        return _make_schema(self.columns, dimension).with_metadata(
            {"schema_version": str(SCHEMA_VERSION), **(metadata or {})}
        )

    def to_table(self, rows: _Rows, metadata: Mapping[str, str] | None = None) -> pa.Table:
        """Convert rows to a table; copy only the box columns."""
        embedding = getattr(rows, "embedding", None)
        schema = self.schema(0 if embedding is None else embedding.shape[1], metadata)
        return pa.Table.from_arrays([_to_column(rows, column) for column in schema], schema=schema)

    def check(self, found: pa.Schema) -> None:
        """Check that a file has the columns of this version.

        Raises:
            FaceIndexError: The columns differ.
        """
        kind = found.field("embedding").type if "embedding" in found.names else None
        dimension = kind.list_size if kind is not None and pa.types.is_fixed_size_list(kind) else 0
        if not found.equals(_make_schema(self.columns, dimension)):
            raise FaceIndexError(
                f"the index of {self.what} has another version than {SCHEMA_VERSION}; scan again with --fresh"
            )

    def from_table(self, table: pa.Table, **given: npt.NDArray[Any]) -> _Rows:
        """Convert a table that `check` accepted to rows.

        Args:
            table: All columns, or some of them: a field without a column is empty.
            given: Fields that are not taken from the table.
        """
        found = {name: _to_array(table.column(name).combine_chunks()) for name in table.schema.names}
        if found.keys() >= set(_SIDES):
            found["boxes"] = np.stack([found.pop(side) for side in _SIDES], axis=1)
        if "landmarks" in found:
            found["landmarks"] = found["landmarks"].reshape(-1, 5, 2)
        missing = {
            column.name: _empty(column.type, table.num_rows)
            for column in _make_schema(self.columns, 0)
            if column.name not in {*table.schema.names, *given}
        }
        return self.rows(**found, **missing, **given)


@lru_cache(64)
def _make_schema(columns: _Columns, dimension: int) -> pa.Schema:
    """Return the schema of a table without metadata; it takes as long to make as a small column to read."""
    embedding = pa.list_(pa.float16(), dimension)
    return pa.schema([(name, embedding if kind is None else kind) for name, kind in columns])


def read_embeddings(table: pa.Table) -> npt.NDArray[np.float16]:
    """Return the embeddings of a table, (n, D) float16."""
    return _to_array(table.column("embedding").combine_chunks())


def _to_column(rows: RowTable, column: pa.Field) -> pa.Array:
    if column.name in _SIDES and hasattr(rows, "boxes"):
        return pa.array(np.ascontiguousarray(rows.boxes[:, _SIDES.index(column.name)]))
    values = getattr(rows, column.name)
    if pa.types.is_fixed_size_list(column.type):
        return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), column.type.list_size)
    return pa.array(values, column.type)


def _to_array(column: pa.Array) -> npt.NDArray[Any]:
    """Convert a column to an array; lists are its rows, bytes are objects."""
    array: npt.NDArray[Any]
    if pa.types.is_fixed_size_list(column.type):
        # Unlike `flatten`, this does not import all of Arrow's functions.
        array = column.values.to_numpy(zero_copy_only=False).reshape(len(column), column.type.list_size)
    elif pa.types.is_binary(column.type):
        array = np.empty(len(column), np.object_)
        array[:] = column.to_pylist()
    else:
        array = column.to_numpy(zero_copy_only=not pa.types.is_boolean(column.type))
    return array


def _empty(kind: pa.DataType, count: int) -> npt.NDArray[Any]:
    """Return the values of a column that was not read."""
    if pa.types.is_binary(kind):
        return np.full(count, None, np.object_)
    return np.empty((count, 0), kind.value_type.to_pandas_dtype())


_TIMES: _Columns = (("time", pa.float64()), ("pts", pa.int64()))
_BOX: _Columns = tuple((side, pa.float32()) for side in _SIDES)
_PLAIN = {"compression": "NONE", "use_dictionary": False, "write_statistics": False}

FACES = TableKind(
    "faces",
    Faces,
    (
        *_TIMES,
        *_BOX,
        ("landmarks", pa.list_(pa.float32(), 10)),
        ("det_score", pa.float32()),
        ("quality", pa.float32()),
        ("sharpness", pa.float32()),
        ("yaw", pa.float32()),
        ("track", pa.int32()),
        ("damaged", pa.bool_()),
        ("embedding", None),
    ),
    {
        "compression": {"embedding.list.element": "NONE", **dict.fromkeys(("time", "pts", "track"), "ZSTD")},
        "use_dictionary": False,
    },
)
"""`faces.parquet`: one row a face, ordered by time."""

BODIES = TableKind(
    "bodies",
    Bodies,
    (
        *_TIMES,
        *_BOX,
        ("person_score", pa.float32()),
        ("face", pa.int32()),
        ("track", pa.int32()),
        ("colours", pa.list_(pa.float16(), NUM_COLOURS)),
        ("jpeg", pa.binary()),
    ),
    {"compression": "ZSTD"},  # most colours are zero, so a tenth of the bytes remains
)
"""`bodies.parquet`: one row a body."""

FRAMES = TableKind(
    "frames",
    SampledFrames,
    (*_TIMES, ("shot", pa.int32()), ("signature", pa.list_(pa.uint8(), SIGNATURE_SIZE))),
    {**_PLAIN, "compression": "ZSTD"},
)
"""`frames.parquet`: one row a sampled frame, with or without a face."""

TRACKS = TableKind(
    "tracks",
    FaceTracks,
    (
        ("number", pa.int64()),
        ("shot", pa.int32()),
        ("start", pa.float64()),
        ("end", pa.float64()),
        ("faces", pa.int32()),
        ("embedding", None),
    ),
    _PLAIN,
)
"""`tracks.parquet`: one row a face track, with the mean embedding of its best faces."""

PICTURES = TableKind(
    "pictures",
    Thumbnails,
    (
        ("pts", pa.int64()),
        *((name, pa.float32()) for name in ("x1", "y1", "quality", "worth")),
        ("jpeg", pa.binary()),
    ),
    _PLAIN,
)
"""`portraits.parquet`: one row a picture of a face."""

LEAN_BODY_COLUMNS = ["time", "pts", *_SIDES, "person_score", "face", "track"]
"""Columns without colours and pictures: they are read in a seventh of the time."""

LEAN_FRAME_COLUMNS = ["time", "pts", "shot"]
"""Columns without the signatures, which are most of the file."""
