"""The tracks of a finished video in the index: `tracks.parquet`, one row a track, with the mean of its best faces."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastface.errors import FaceIndexError
from fastface.index.schema import SCHEMA_VERSION
from fastface.types import FaceTracks

__all__ = ["check_tracks", "tracks_from_table", "tracks_to_table"]

_COLUMNS = ("number", "shot", "start", "end", "faces")


def _schema(dimension: int, metadata: dict[str, str] | None = None) -> pa.Schema:
    columns = [("number", pa.int64()), ("shot", pa.int32()), ("start", pa.float64()), ("end", pa.float64())]
    columns += [("faces", pa.int32()), ("embedding", pa.list_(pa.float16(), dimension))]
    return pa.schema(columns, metadata={"schema_version": str(SCHEMA_VERSION), **(metadata or {})})


def tracks_to_table(tracks: FaceTracks, metadata: dict[str, str]) -> pa.Table:
    """Tracks as a table."""
    dimension = tracks.embedding.shape[1]
    columns = [pa.array(getattr(tracks, name)) for name in _COLUMNS]
    columns += [pa.FixedSizeListArray.from_arrays(pa.array(tracks.embedding.reshape(-1)), dimension)]
    return pa.Table.from_arrays(columns, schema=_schema(dimension, metadata))


def check_tracks(found: pa.Schema) -> None:
    """Makes sure that a file has the columns of this version.

    Raises:
        FaceIndexError: It has not.
    """
    embedding = found.field("embedding").type if "embedding" in found.names else None
    if embedding is None or found.remove_metadata() != _schema(embedding.list_size).remove_metadata():
        raise FaceIndexError(f"the index of tracks is not of version {SCHEMA_VERSION}; scan again with --fresh")


def tracks_from_table(table: pa.Table, embedding: npt.NDArray[np.float16]) -> FaceTracks:
    """The tracks of a table that `check_tracks` has passed.

    Args:
        table: All columns but that of the embeddings, which are not looked at.
        embedding: (t, D) float16.
    """
    column = {name: np.asarray(table.column(name).combine_chunks().to_numpy()) for name in _COLUMNS}
    return FaceTracks(**column, embedding=embedding)
