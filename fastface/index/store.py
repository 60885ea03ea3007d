"""The index on disk: one folder a video, one Parquet file a committed unit until the video is finished.

OUT/.fastface/index/<video>/units/<key>.parquet     units, as they are committed
OUT/.fastface/index/<video>/faces.parquet           all faces of a finished video, tracks linked
OUT/.fastface/index/<video>/dense/<key>.parquet     stretches that were looked at again, more closely
"""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from fastface.errors import FaceIndexError
from fastface.files import atomic_path, private_folder
from fastface.index.records import UnitRecord
from fastface.index.schema import from_table, to_table
from fastface.types import Faces

__all__ = ["VideoIndex"]


_COMPRESSION = {"embedding.list.element": "NONE", **dict.fromkeys(("time", "pts", "track"), "ZSTD")}
"""By column, as Parquet names it; those not named are not compressed."""


class VideoIndex:
    """The index files of one video."""

    def __init__(self, root: Path, video_id: str) -> None:
        self._folder = root / video_id

    @property
    def faces_path(self) -> Path:
        """`faces.parquet`, which is there once the video is finished."""
        return self._folder / "faces.parquet"

    def write_unit(self, unit: UnitRecord, faces: Faces, metadata: dict[str, str]) -> None:
        """Writes the faces of a unit, durably."""
        _write(self._unit_path(unit), faces, metadata)

    def merge(
        self,
        units: Iterable[UnitRecord],
        dimension: int,
        metadata: dict[str, str],
        link: Callable[[Faces], npt.NDArray[np.int32]],
    ) -> int:
        """Makes `faces.parquet` of the units' files, in order, with tracks linked; gives the number of faces."""
        parts = [_read(self._unit_path(unit)) for unit in units if not unit.dense and not unit.lost]
        faces = Faces.concatenate([Faces.empty(dimension), *parts])
        tracked = replace(faces, track=link(faces))
        _write(self.faces_path, tracked, metadata)
        return len(faces)

    def drop_units(self) -> None:
        """Removes the units' files. Only once the ledger has the video as finished: until then they may be merged."""
        shutil.rmtree(self._folder / "units", ignore_errors=True)

    def holds(self, unit: UnitRecord) -> bool:
        """Whether the file of a committed unit is there."""
        return self._unit_path(unit).exists()

    def faces(self) -> Faces:
        """All faces of the finished video, in order of time.

        Raises:
            FaceIndexError: The file is missing or damaged.
        """
        return _read(self.faces_path)

    def metadata(self) -> dict[str, str]:
        """What the finished index says about where its rows come from.

        Raises:
            FaceIndexError: The file is missing or damaged.
        """
        try:
            found = pq.read_schema(self.faces_path).metadata or {}
        except (OSError, pa.ArrowInvalid) as error:
            raise FaceIndexError(f"cannot read the index {str(self.faces_path)!r}: {error}") from error
        return {key.decode(): value.decode() for key, value in found.items()}

    def dense_faces(self, units: Iterable[UnitRecord]) -> list[Faces]:
        """The faces of each stretch that was looked at again."""
        return [_read(self._unit_path(unit)) for unit in units]

    def remove(self) -> None:
        """Removes everything of the video."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _unit_path(self, unit: UnitRecord) -> Path:
        return self._folder / ("dense" if unit.dense else "units") / f"{unit.key}.parquet"


def _write(path: Path, faces: Faces, metadata: dict[str, str]) -> None:
    private_folder(path.parent)
    with atomic_path(path, private=True) as part:
        # Embeddings neither compress nor repeat: plain, they are read in a seventh of the time.
        pq.write_table(to_table(faces, metadata), part, compression=_COMPRESSION, use_dictionary=False)


def _read(path: Path) -> Faces:
    try:
        return from_table(pq.read_table(path, memory_map=True))
    except (OSError, pa.ArrowInvalid) as error:
        raise FaceIndexError(f"cannot read the index {str(path)!r}: {error}; scan again with --fresh") from error
