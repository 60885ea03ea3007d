"""Convert sampled frames and face tracks to and from Parquet tables.

frames.parquet: one row a sampled frame, with or without a face.
tracks.parquet: one row a face track, with the mean embedding of its best faces.

`store` calls it. A changed column needs a new `SCHEMA_VERSION`.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastface.errors import FaceIndexError
from fastface.index.schema import SCHEMA_VERSION
from fastface.types import SIGNATURE_SIZE, FaceTracks, SampledFrames

LEAN_FRAME_COLUMNS = ["time", "pts", "shot"]
"""Columns without the signatures, which are most of the file."""


def _schema(metadata: dict[str, str] | None = None) -> pa.Schema:
    columns = [("time", pa.float64()), ("pts", pa.int64()), ("shot", pa.int32())]
    columns += [("signature", pa.list_(pa.uint8(), SIGNATURE_SIZE))]
    return pa.schema(columns, metadata={"schema_version": str(SCHEMA_VERSION), **(metadata or {})})


def frames_to_table(frames: SampledFrames, metadata: dict[str, str]) -> pa.Table:
    """Convert frames to a table."""
    signature = pa.FixedSizeListArray.from_arrays(pa.array(frames.signature.reshape(-1)), SIGNATURE_SIZE)
    columns = [pa.array(frames.time), pa.array(frames.pts), pa.array(frames.shot), signature]
    return pa.Table.from_arrays(columns, schema=_schema(metadata))


def check_frames(found: pa.Schema) -> None:
    """Check that a file has the columns of this version.

    Raises:
        FaceIndexError: The columns differ.
    """
    if found.remove_metadata() != _schema().remove_metadata():
        raise FaceIndexError(f"the index of frames has another version than {SCHEMA_VERSION}; scan again with --fresh")


def frames_from_table(table: pa.Table) -> SampledFrames:
    """Convert a table that `check_frames` accepted to frames; signatures are empty if their column was not read."""
    column = {name: table.column(name).combine_chunks() for name in table.schema.names}
    signature: npt.NDArray[Any] = np.empty((table.num_rows, 0), np.uint8)
    if "signature" in column:
        flat = column["signature"].values.to_numpy(zero_copy_only=False)
        signature = flat.reshape(table.num_rows, SIGNATURE_SIZE)
    return SampledFrames(
        time=column["time"].to_numpy(),
        pts=column["pts"].to_numpy(),
        shot=column["shot"].to_numpy(),
        signature=signature,
    )


_TRACK_COLUMNS = ("number", "shot", "start", "end", "faces")


def _track_schema(dimension: int, metadata: dict[str, str] | None = None) -> pa.Schema:
    columns = [("number", pa.int64()), ("shot", pa.int32()), ("start", pa.float64()), ("end", pa.float64())]
    columns += [("faces", pa.int32()), ("embedding", pa.list_(pa.float16(), dimension))]
    return pa.schema(columns, metadata={"schema_version": str(SCHEMA_VERSION), **(metadata or {})})


def tracks_to_table(tracks: FaceTracks, metadata: dict[str, str]) -> pa.Table:
    """Convert tracks to a table."""
    dimension = tracks.embedding.shape[1]
    columns = [pa.array(getattr(tracks, name)) for name in _TRACK_COLUMNS]
    columns += [pa.FixedSizeListArray.from_arrays(pa.array(tracks.embedding.reshape(-1)), dimension)]
    return pa.Table.from_arrays(columns, schema=_track_schema(dimension, metadata))


def check_tracks(found: pa.Schema) -> None:
    """Check that a file has the columns of this version.

    Raises:
        FaceIndexError: The columns differ.
    """
    embedding = found.field("embedding").type if "embedding" in found.names else None
    if embedding is None or found.remove_metadata() != _track_schema(embedding.list_size).remove_metadata():
        raise FaceIndexError(f"the index of tracks has another version than {SCHEMA_VERSION}; scan again with --fresh")


def tracks_from_table(table: pa.Table, embedding: npt.NDArray[np.float16]) -> FaceTracks:
    """Convert a table that `check_tracks` accepted to tracks.

    Args:
        table: All columns; an embedding column is ignored.
        embedding: (t, D) float16, one row a track.
    """
    column = {name: np.asarray(table.column(name).combine_chunks().to_numpy()) for name in _TRACK_COLUMNS}
    return FaceTracks(**column, embedding=embedding)
