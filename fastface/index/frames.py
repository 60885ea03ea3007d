"""Sampled frames in the index: `frames.parquet`, one row a frame, whether or not it shows a face."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastface.errors import FaceIndexError
from fastface.index.schema import SCHEMA_VERSION
from fastface.types import SIGNATURE_SIZE, SampledFrames

__all__ = ["LEAN_FRAME_COLUMNS", "check_frames", "frames_from_table", "frames_to_table"]

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
        raise FaceIndexError(f"the index of frames is not of version {SCHEMA_VERSION}; scan again with --fresh")


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
