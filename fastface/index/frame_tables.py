"""Tables of a finished video beside its faces.

frames.parquet: one row a sampled frame, whether or not it shows a face.
tracks.parquet: one row a face track, with the mean of its best faces.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastface.errors import FaceIndexError
from fastface.index.schema import SCHEMA_VERSION
from fastface.types import SIGNATURE_SIZE, FaceTracks, SampledFrames

LEAN_FRAME_COLUMNS = ["time", "pts", "shot"]
"""All but the signatures, which are most of the file."""


def _schema(metadata: dict[str, str] | None = None) -> pa.Schema:
    columns = [("time", pa.float64()), ("pts", pa.int64()), ("shot", pa.int32())]
    columns += [("signature", pa.list_(pa.uint8(), SIGNATURE_SIZE))]
    return pa.schema(columns, metadata={"schema_version": str(SCHEMA_VERSION), **(metadata or {})})


def frames_to_table(frames: SampledFrames, metadata: dict[str, str]) -> pa.Table:
    """Frames as a table."""
    signature = pa.FixedSizeListArray.from_arrays(pa.array(frames.signature.reshape(-1)), SIGNATURE_SIZE)
    columns = [pa.array(frames.time), pa.array(frames.pts), pa.array(frames.shot), signature]
    return pa.Table.from_arrays(columns, schema=_schema(metadata))


def check_frames(found: pa.Schema) -> None:
    """Makes sure that a file has the columns of this version.

    Raises:
        FaceIndexError: It has not.
    """
    if found.remove_metadata() != _schema().remove_metadata():
        raise FaceIndexError(f"the index of frames has another version than {SCHEMA_VERSION}; scan again with --fresh")


def frames_from_table(table: pa.Table) -> SampledFrames:
    """The frames of a table that `check_frames` has passed, with signatures if their column was read."""
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
    """Tracks as a table."""
    dimension = tracks.embedding.shape[1]
    columns = [pa.array(getattr(tracks, name)) for name in _TRACK_COLUMNS]
    columns += [pa.FixedSizeListArray.from_arrays(pa.array(tracks.embedding.reshape(-1)), dimension)]
    return pa.Table.from_arrays(columns, schema=_track_schema(dimension, metadata))


def check_tracks(found: pa.Schema) -> None:
    """Makes sure that a file has the columns of this version.

    Raises:
        FaceIndexError: It has not.
    """
    embedding = found.field("embedding").type if "embedding" in found.names else None
    if embedding is None or found.remove_metadata() != _track_schema(embedding.list_size).remove_metadata():
        raise FaceIndexError(f"the index of tracks has another version than {SCHEMA_VERSION}; scan again with --fresh")


def tracks_from_table(table: pa.Table, embedding: npt.NDArray[np.float16]) -> FaceTracks:
    """The tracks of a table that `check_tracks` has passed.

    Args:
        table: All columns but that of the embeddings, which are not looked at.
        embedding: (t, D) float16.
    """
    column = {name: np.asarray(table.column(name).combine_chunks().to_numpy()) for name in _TRACK_COLUMNS}
    return FaceTracks(**column, embedding=embedding)
