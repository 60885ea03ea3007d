"""Read and write the index on disk: one folder a video, one Parquet file a unit until the merge.

The scan writes it; the search and the export read it. Every file is written under a temporary name and then renamed.

OUT/.fastface/index/<video>/units/<key>.parquet     committed units; none if the video is one unit
OUT/.fastface/index/<video>/units/<key>.portraits.parquet   pictures of some of their faces, until the merge
OUT/.fastface/index/<video>/faces.parquet           all faces of a finished video, with linked tracks
OUT/.fastface/index/<video>/portraits.parquet       pictures of the best faces of each track, if there are any
OUT/.fastface/index/<video>/bodies.parquet          all bodies, if the scan searched for bodies; also for units
OUT/.fastface/index/<video>/frames.parquet          all sampled frames: time, pts, shot, signature; units and dense
                                                    stretches have <key>.frames.parquet, without shots
OUT/.fastface/index/<video>/tracks.parquet          one row a track, with the mean of its best embeddings
OUT/.fastface/index/<video>/embeddings.npy          second copy of many face embeddings, for memory mapping
OUT/.fastface/index/<video>/track_embeddings.npy    second copy of many track embeddings, for memory mapping
OUT/.fastface/index/<video>/dense/<key>.parquet     stretches that were scanned again, with more samples
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from fastface.errors import FaceIndexError
from fastface.files import PART_PREFIX, atomic_path, link_or_copy, private_folder, sync_folder
from fastface.grouping import summarize_tracks
from fastface.index.records import UnitRecord
from fastface.index.schema import (
    BODIES,
    FACES,
    FRAMES,
    LEAN_BODY_COLUMNS,
    LEAN_FRAME_COLUMNS,
    PICTURES,
    TRACKS,
    TableKind,
    read_embeddings,
)
from fastface.types import Bodies, Faces, FaceTracks, RowTable, SampledFrames, Thumbnails
from fastface.video.frames.shots import number_shots

_Rows = TypeVar("_Rows", bound=RowTable)

MAPPED_TRACKS_FROM = 200
"""Minimum number of tracks for a mapped copy of their embeddings, which a search reads three times."""

_MAPPED_FROM = 1000
"""Minimum number of faces for a mapped copy of their embeddings. Parquet takes 2.5 µs to decode one, a mapped file
nothing. Fewer embeddings decode as fast as another file opens."""


class VideoIndex:
    """The index files of one video."""

    def __init__(self, root: Path, video_id: str) -> None:
        self._folder = root / video_id

    @property
    def faces_path(self) -> Path:
        """Return the path of `faces.parquet`, which exists once the video is finished."""
        return self._folder / "faces.parquet"

    @property
    def portraits_path(self) -> Path:
        """Return the path of `portraits.parquet`, which exists once the video is finished if a face has a picture."""
        return self._folder / "portraits.parquet"

    @property
    def bodies_path(self) -> Path:
        """Return the path of `bodies.parquet`, which exists once the video is finished, if bodies were searched."""
        return self._folder / "bodies.parquet"

    @property
    def tracks_path(self) -> Path:
        """Return the path of `tracks.parquet`, which exists once the video is finished."""
        return self._folder / "tracks.parquet"

    @property
    def frames_path(self) -> Path:
        """Return the path of `frames.parquet`, which exists once the video is finished."""
        return self._folder / "frames.parquet"

    def write_unit(
        self,
        unit: UnitRecord,
        faces: Faces,
        metadata: dict[str, str],
        portraits: Thumbnails | None = None,
        *,
        frames: SampledFrames,
        bodies: Bodies | None = None,
    ) -> None:
        """Write a unit durably: frames and faces, and pictures and bodies if there are any."""
        _write(self._unit_frames(unit), FRAMES, frames, metadata)
        if bodies is not None:
            _write(self._unit_bodies(unit), BODIES, bodies, metadata)
        if portraits:
            _write(self._unit_portraits(unit), PICTURES, portraits, metadata)
        _write(self._unit_path(unit), FACES, faces, metadata)

    def write_frames(self, frames: SampledFrames, metadata: dict[str, str]) -> None:
        """Write `frames.parquet`. It becomes durable with the file of faces, which must be written next.

        Args:
            frames: All sampled frames of the video with their shots, ordered by time.
            metadata: Origin of the rows.
        """
        _write(self.frames_path, FRAMES, frames, metadata)

    def write_faces(
        self,
        parts: Iterable[Faces],
        dimension: int,
        metadata: dict[str, str],
        link: Callable[[Faces], npt.NDArray[np.int32]],
        portraits: Callable[[Faces], Thumbnails] | None = None,
        *,
        bodies: Callable[[Faces], Bodies] | None = None,
    ) -> int:
        """Write `faces.parquet` from the units' faces, with linked tracks, and return the number of faces.

        Args:
            parts: The faces of each unit, ordered by time.
            dimension: Number of components of an embedding.
            metadata: Origin of the rows.
            link: Returns the track number of each face, (n,) int32.
            portraits: Returns the pictures to keep of the tracked faces; None writes no file.
            bodies: Returns the bodies of the video; None writes no file.
        """
        faces = Faces.concatenate([Faces.empty(dimension), *parts])
        tracked = replace(faces, track=link(faces))
        self._map_path.unlink(missing_ok=True)
        self._track_map_path.unlink(missing_ok=True)
        if portraits is None:
            self.portraits_path.unlink(missing_ok=True)
        else:
            _write(self.portraits_path, PICTURES, portraits(tracked), metadata)
        if bodies is None:
            self.bodies_path.unlink(missing_ok=True)
        else:
            _write(self.bodies_path, BODIES, bodies(tracked), metadata)
        frames = self.frames() if self.frames_path.exists() else SampledFrames.empty()
        tracks = summarize_tracks(tracked, frames)
        _write(self.tracks_path, TRACKS, tracks, metadata)
        _write(self.faces_path, FACES, tracked, metadata)
        if len(faces) >= _MAPPED_FROM:
            _write_map(self._map_path, faces.embedding)
        if len(tracks) >= MAPPED_TRACKS_FROM:
            _write_map(self._track_map_path, tracks.embedding)
        return len(faces)

    def rewrite_tracks(self, track: npt.NDArray[np.int32]) -> None:
        """Replace the tracks of the finished video's faces, durably.

        Args:
            track: (n,) track of each face, in the order of `faces()`.

        Raises:
            FaceIndexError: The file is missing or damaged.
        """
        faces = replace(_read(self.faces_path, FACES), track=track)
        _write(self.faces_path, FACES, faces, self.metadata())

    def drop_units(self) -> None:
        """Remove the units' files. Call it only once the ledger records the video as finished: the merge needs them."""
        shutil.rmtree(self._folder / "units", ignore_errors=True)

    def holds(self, unit: UnitRecord) -> bool:
        """Return whether the files of a committed unit exist."""
        pictures = not unit.portraits or self._unit_portraits(unit).exists()
        bodies = unit.bodies is None or self._unit_bodies(unit).exists()
        return self._unit_path(unit).exists() and self._unit_frames(unit).exists() and pictures and bodies

    def faces(self) -> Faces:
        """Return all faces of the finished video, ordered by time.

        Raises:
            FaceIndexError: The file is missing or damaged.
        """
        return _read_mapped(self.faces_path, FACES, self._map_path, _MAPPED_FROM)

    def metadata(self) -> dict[str, str]:
        """Return the finished index's metadata on the origin of its rows.

        Raises:
            FaceIndexError: The file is missing or damaged.
        """
        with _open(self.faces_path, FACES) as file:
            return _decode_metadata(file)

    def unit_faces(self, units: Iterable[UnitRecord]) -> list[Faces]:
        """Return the faces of each unit as committed.

        Raises:
            FaceIndexError: A file is missing or damaged.
        """
        return [_read(self._unit_path(unit), FACES) for unit in units]

    def unit_portraits(self, units: Iterable[UnitRecord]) -> list[Thumbnails]:
        """Return the pictures of each unit that has any.

        Raises:
            FaceIndexError: A file is missing or damaged.
        """
        return [_read(self._unit_portraits(unit), PICTURES) for unit in units if unit.portraits]

    def portraits(self) -> Thumbnails:
        """Return the pictures of the finished video's faces, ordered by time; empty without a file.

        Raises:
            FaceIndexError: The file is damaged.
        """
        return _read(self.portraits_path, PICTURES) if self.portraits_path.exists() else Thumbnails.empty()

    def unit_bodies(self, units: Iterable[UnitRecord]) -> list[Bodies]:
        """Return the bodies of each committed unit that was searched for bodies.

        Raises:
            FaceIndexError: A file is missing or damaged.
        """
        return [_read(self._unit_bodies(unit), BODIES) for unit in units if unit.bodies is not None]

    def bodies(self, *, lean: bool = False) -> Bodies | None:
        """Return the bodies of the finished video, ordered by time; None if bodies were not searched.

        Args:
            lean: Omit colours and pictures, which are most of the file.

        Raises:
            FaceIndexError: The file is damaged.
        """
        if not self.bodies_path.exists():
            return None
        return _read(self.bodies_path, BODIES, LEAN_BODY_COLUMNS if lean else None)

    def tracks(self) -> FaceTracks:
        """Return the tracks of the finished video's faces, ordered by number.

        Raises:
            FaceIndexError: The file is missing or damaged.
        """
        return _read_mapped(self.tracks_path, TRACKS, self._track_map_path, MAPPED_TRACKS_FROM)

    def track_embeddings_and_metadata(self) -> tuple[npt.NDArray[np.float16], dict[str, str]]:
        """Return the embeddings of the finished video's tracks, and the metadata on the origin of its index.

        Raises:
            FaceIndexError: The file is missing or damaged.
        """
        # Most of these files are small: it takes less time to read all of one than to map it.
        with _open(self.tracks_path, TRACKS, is_mapped=False) as file:
            embeddings = read_embeddings(file.read(columns=["embedding"], use_threads=False))
            return embeddings, _decode_metadata(file)

    def frames(self, *, lean: bool = True) -> SampledFrames:
        """Return the sampled frames of the finished video with their shots, ordered by time, without dense stretches.

        Args:
            lean: Omit the signatures, which are most of the file.

        Raises:
            FaceIndexError: The file is missing or damaged.
        """
        return _read(self.frames_path, FRAMES, LEAN_FRAME_COLUMNS if lean else None)

    def merge_frames(self, units: Iterable[UnitRecord], *, is_film: bool) -> SampledFrames:
        """Return the sampled frames of the finished video and of dense stretches, each once, with new shot numbers.

        Args:
            units: Dense stretches that have a result. Without any, return `frames()`.
            is_film: True if the frames of the video follow each other in time.

        Raises:
            FaceIndexError: A file is missing or damaged.
        """
        closer = self.unit_frames(units)
        if not closer:
            return self.frames()
        frames = SampledFrames.concatenate([self.frames(lean=False), *closer])
        _, first = np.unique(frames.pts, return_index=True)
        return number_shots(frames[first], is_film=is_film)

    def unit_frames(self, units: Iterable[UnitRecord]) -> list[SampledFrames]:
        """Return the sampled frames of each committed unit or dense stretch, with signatures and without shots.

        Raises:
            FaceIndexError: A file is missing or damaged.
        """
        return [_read(self._unit_frames(unit), FRAMES) for unit in units]

    def take(self, source: "VideoIndex", *, link: bool = True) -> None:
        """Replace all files by those of a finished video in another index, durably.

        No file of an index is changed in place, so that both may share one file.

        Args:
            source: The index to read.
            link: False to copy each file in any case.

        Raises:
            FaceIndexError: A file of the other index cannot be read.
            SpaceError, ConfigError: The files cannot be written.
        """
        self.remove()
        try:
            for name in ("", "dense"):
                origin, folder = source._folder / name, self._folder / name
                files = sorted(path for path in origin.iterdir() if path.is_file()) if origin.is_dir() else []
                for path in files:
                    if not path.name.startswith(PART_PREFIX):
                        link_or_copy(path, private_folder(folder) / path.name, link=link)
                if files:
                    sync_folder(folder)
        except OSError as error:
            raise FaceIndexError(f"cannot take over {str(source._folder)!r}: {error}") from error

    def find_time(self) -> float:
        """Return when the index of the finished video was written, in seconds since 1970; 0 if there is none."""
        return self.faces_path.stat().st_mtime if self.faces_path.exists() else 0.0

    def remove(self) -> None:
        """Remove all files of the video."""
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _map_path(self) -> Path:
        return self._folder / "embeddings.npy"

    @property
    def _track_map_path(self) -> Path:
        return self._folder / "track_embeddings.npy"

    def _unit_path(self, unit: UnitRecord) -> Path:
        return self._folder / ("dense" if unit.dense else "units") / f"{unit.key}.parquet"

    def _unit_portraits(self, unit: UnitRecord) -> Path:
        return self._unit_path(unit).with_suffix(".portraits.parquet")

    def _unit_bodies(self, unit: UnitRecord) -> Path:
        return self._unit_path(unit).with_suffix(".bodies.parquet")

    def _unit_frames(self, unit: UnitRecord) -> Path:
        return self._unit_path(unit).with_suffix(".frames.parquet")


def _write_map(path: Path, embedding: npt.NDArray[np.float16]) -> None:
    with atomic_path(path, private=True) as part:
        np.save(part, embedding, allow_pickle=False)


def _map(path: Path, file: pq.ParquetFile) -> npt.NDArray[np.float16]:
    """Map the embeddings of an index file from the matrix beside it; write the matrix if it is missing.

    Raises:
        FaceIndexError: The matrix is damaged or belongs to another file.
    """
    if not path.exists():
        _write_map(path, read_embeddings(file.read(columns=["embedding"])))
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise FaceIndexError(
            f"cannot read the index {str(path)!r}: {error}; remove the file: fastface makes it again"
        ) from error
    shape = file.metadata.num_rows, file.schema_arrow.field("embedding").type.list_size
    if found.shape != shape or found.dtype != np.float16:
        raise FaceIndexError(
            f"{str(path)!r} does not belong to the index beside it; remove the file: fastface makes it again"
        )
    return np.asarray(found)


def _decode_metadata(file: pq.ParquetFile) -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in (file.schema_arrow.metadata or {}).items()}


def _write(path: Path, kind: TableKind[_Rows], rows: _Rows, metadata: dict[str, str]) -> None:
    """Write a table. It becomes durable with the file of faces beside it, which is written last."""
    private_folder(path.parent)
    with atomic_path(path, private=True, with_next=kind is not FACES) as part:
        pq.write_table(kind.to_table(rows, metadata), part, **kind.parquet)


def _read(path: Path, kind: TableKind[_Rows], columns: list[str] | None = None) -> _Rows:
    with _open(path, kind) as file:
        return kind.from_table(_read_columns(file, columns))


def _read_columns(file: pq.ParquetFile, columns: list[str] | None = None) -> pa.Table:
    """Read all rows; threads cost more than they save in a small file."""
    return file.read(columns=columns, use_threads=file.metadata.num_rows >= _MAPPED_FROM)


def _read_mapped(path: Path, kind: TableKind[_Rows], map_path: Path, mapped_from: int) -> _Rows:
    """Read a table; from a number of rows on, the embeddings are mapped from the matrix beside it."""
    with _open(path, kind) as file:
        if file.metadata.num_rows < mapped_from:
            return kind.from_table(_read_columns(file))
        rest = file.read(columns=[name for name in file.schema_arrow.names if name != "embedding"])
        return kind.from_table(rest, embedding=_map(map_path, file))


def list_index_files(root: Path, video_id: str) -> frozenset[str]:
    """Return the names of the files and folders of a video: one system call for all checks; empty without any."""
    try:
        return frozenset(os.listdir(f"{root}/{video_id}"))  # noqa: PTH208 - a path takes longer than the call
    except FileNotFoundError:
        return frozenset()


@contextmanager
def _open(path: Path, kind: TableKind[_Rows], *, is_mapped: bool = True) -> Iterator[pq.ParquetFile]:
    try:
        source = path if is_mapped else pa.BufferReader(path.read_bytes())
        with pq.ParquetFile(source, memory_map=is_mapped, pre_buffer=False) as file:
            kind.check(file.schema_arrow)
            yield file
    except (OSError, pa.ArrowInvalid) as error:
        raise FaceIndexError(f"cannot read the index {str(path)!r}: {error}; scan again with --fresh") from error
