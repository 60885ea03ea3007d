"""Keep the track embeddings of all videos in one file, because a search over 100,000 small files opens each of them.

The search opens it with `open_track_archive`. OUT/.fastface/index/.tracks.arrow is made of the `tracks.parquet` of each
video and can be removed at any time. A row is valid while its video's file has the same inode, size and time of change;
every other video is read again. So a changed index always wins. Videos with many tracks have mapped embeddings of their
own (`index.store`); the file has only their metadata.
"""

import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from sys import intern
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastface.errors import FaceIndexError
from fastface.files import atomic_path
from fastface.index.store import MAPPED_TRACKS_FROM, VideoIndex

_NAME = ".tracks.arrow"
"""No video has this name: names never start with a full stop."""

_BATCH_TRACKS = 8192
"""Maximum number of tracks of a batch: 8 MiB at 512 components. A block of a search is one batch."""

_SCHEMA = pa.schema(
    [
        ("video_id", pa.string()),
        ("stamp", pa.string()),  # of tracks.parquet
        ("metadata", pa.string()),  # JSON
        ("dimension", pa.int32()),  # the same in a batch
        ("num_tracks", pa.int32()),
        ("embeddings", pa.binary()),  # float16, one track after the other; null if the video has a mapped file
    ],
    metadata={"schema_version": "1"},
)


class _Row(NamedTuple):
    """A row of the file."""

    video_id: str
    stamp: str
    metadata: str
    dimension: int
    num_tracks: int
    embeddings: bytes | None


_USED = ("contract", "recogniser", "sampling")
"""Entries of the metadata that a search uses."""


@dataclass(frozen=True, slots=True)
class TrackBlock:
    """Track embeddings of some videos, one video after the other.

    Attributes:
        video_ids: The videos.
        firsts: (videos + 1,) row of each video's first track, and the number of rows.
        embeddings: (t, D) float16.
    """

    video_ids: tuple[str, ...]
    firsts: npt.NDArray[np.int64]
    embeddings: npt.NDArray[np.float16]

    def find_videos(self, is_chosen: npt.NDArray[np.bool_]) -> list[str]:
        """Return the videos with a chosen row; `is_chosen` is (t,)."""
        places = np.searchsorted(self.firsts, np.flatnonzero(is_chosen), "right") - 1
        return [self.video_ids[place] for place in np.unique(places).tolist()]


class TrackArchive:
    """The tracks of the videos that have an index; see `open_track_archive`.

    Args:
        root: Folder of the index.
        metadata: {video: metadata of its index as JSON}.
    """

    def __init__(self, root: Path, metadata: Mapping[str, str]) -> None:
        self._root = root
        self._metadata = metadata

    def __contains__(self, video_id: str) -> bool:
        return video_id in self._metadata

    def metadata(self, video_id: str) -> Mapping[str, str]:
        """Return the metadata of the index of a video: contract, recogniser, sampling."""
        return _parse(self._metadata[video_id])

    def blocks(self, wanted: Collection[str]) -> Iterator[TrackBlock]:
        """Yield the tracks of the wanted videos, in no particular order, one block in memory at a time.

        Raises:
            FaceIndexError: A file is missing or damaged.
        """
        for batch in _read_batches(self._root):
            ids = batch.column("video_id").to_pylist()
            counts = batch.column("num_tracks").to_numpy()
            is_wanted = np.array([video_id in wanted and video_id in self._metadata for video_id in ids], np.bool_)
            is_alone = _find_nulls(batch.column("embeddings"))
            for place in np.flatnonzero(is_wanted & is_alone).tolist():
                embeddings = VideoIndex(self._root, ids[place]).tracks().embedding
                yield TrackBlock((ids[place],), np.array([0, len(embeddings)]), embeddings)
            embeddings = _to_embeddings(batch)
            is_here = is_wanted & ~is_alone
            if not is_here.any():
                continue
            if not is_wanted.all():
                embeddings = embeddings[np.repeat(is_wanted[~is_alone], counts[~is_alone])]
            names = tuple(ids[place] for place in np.flatnonzero(is_here).tolist())
            yield TrackBlock(names, np.cumsum([0, *counts[is_here].tolist()]), embeddings)


def open_track_archive(root: Path, video_ids: Sequence[str], check: Callable[[], None] = lambda: None) -> TrackArchive:
    """Return the tracks of the videos that have an index; read those that changed since the last time.

    Args:
        root: Folder of the index.
        video_ids: All finished videos of the output folder; the file keeps no others when it is written again.
        check: Called for each video that is read; it may raise.

    Raises:
        FaceIndexError: A file is missing or damaged.
        SpaceError: No space is left.
    """
    stamps = {video_id: stamp for video_id in video_ids if (stamp := _stamp(f"{root}/{video_id}"))}
    metadata: dict[str, str] = {}
    for batch in _read_batches(root):
        columns = (batch.column(name).to_pylist() for name in ("video_id", "stamp", "metadata"))
        for video_id, stamp, text in zip(*columns, strict=True):
            if stamps.get(video_id) == stamp:
                metadata[video_id] = intern(text)
    changed = [video_id for video_id in stamps if video_id not in metadata]
    if changed:
        kept = frozenset(metadata)
        with atomic_path(root / _NAME, private=True) as part, pa.ipc.new_file(part, _SCHEMA) as writer:
            for batch in _read_batches(root):
                is_kept = [video_id in kept for video_id in batch.column("video_id").to_pylist()]
                if any(is_kept):
                    writer.write_batch(batch if all(is_kept) else batch.filter(pa.array(is_kept)))
            for batch in _read_videos(root, [(video_id, stamps[video_id]) for video_id in changed], check):
                writer.write_batch(batch)
                columns = (batch.column(name).to_pylist() for name in ("video_id", "metadata"))
                metadata.update(zip(*columns, strict=True))
    return TrackArchive(root, metadata)


def remove_track_archive(root: Path) -> None:
    """Remove the file, so that nothing of removed videos stays in it; the next search makes it again."""
    (root / _NAME).unlink(missing_ok=True)


def _stamp(folder: str) -> str:
    """Return what changes with the tracks of a video; empty if the video has no finished index."""
    try:
        os.stat(f"{folder}/faces.parquet")  # noqa: PTH116 - a path takes longer than the call
    except FileNotFoundError:
        return ""
    try:
        status = os.stat(f"{folder}/tracks.parquet")  # noqa: PTH116
    except FileNotFoundError:
        return "missing"  # reading it explains that
    return f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"


def _read_batches(root: Path) -> Iterator[pa.RecordBatch]:
    """Yield the batches of the file, none without a file or if another version of fastface wrote it."""
    path = root / _NAME
    if not path.exists():
        return
    try:
        with pa.OSFile(str(path)) as source, pa.ipc.open_file(source) as file:
            if file.schema.equals(_SCHEMA, check_metadata=True):
                for number in range(file.num_record_batches):
                    yield file.get_batch(number)
    except (OSError, pa.ArrowInvalid) as error:
        raise FaceIndexError(
            f"cannot read the index {str(path)!r}: {error}; remove the file: fastface makes it again"
        ) from error


def _read_videos(root: Path, videos: Iterable[tuple[str, str]], check: Callable[[], None]) -> Iterator[pa.RecordBatch]:
    """Read the tracks of videos, (name, stamp) each; yield batches of embeddings of one dimension."""
    rows: list[_Row] = []
    num_tracks = 0
    for video_id, stamp in videos:
        check()
        found, metadata = VideoIndex(root, video_id).track_embeddings_and_metadata()
        text = json.dumps({name: metadata[name] for name in _USED})
        count, dimension = found.shape
        if rows and (rows[0].dimension != dimension or num_tracks + count > _BATCH_TRACKS):
            yield _to_batch(rows)
            rows, num_tracks = [], 0
        embeddings = found.tobytes() if count < MAPPED_TRACKS_FROM else None
        rows.append(_Row(video_id, stamp, text, dimension, count, embeddings))
        num_tracks += count
    if rows:
        yield _to_batch(rows)


def _to_batch(rows: Sequence[_Row]) -> pa.RecordBatch:
    columns = [pa.array(column, kind.type) for column, kind in zip(zip(*rows, strict=True), _SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=_SCHEMA)


def _find_nulls(column: pa.Array) -> npt.NDArray[np.bool_]:
    """Return (n,) flags of the nulls. `is_null` imports a query engine, so only a column with nulls calls it."""
    if column.null_count == 0:
        return np.zeros(len(column), np.bool_)
    return np.asarray(column.is_null().to_numpy(zero_copy_only=False), np.bool_)


def _to_embeddings(batch: pa.RecordBatch) -> npt.NDArray[np.float16]:
    """Return (t, D) the embeddings of a batch, without copying them."""
    column, dimension = batch.column("embeddings"), batch.column("dimension")[0].as_py()
    _, offsets, values = column.buffers()
    bounds = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    if values is None:
        return np.empty((0, dimension), np.float16)
    return np.frombuffer(values, np.float16)[bounds[0] // 2 : bounds[-1] // 2].reshape(-1, dimension)


@lru_cache(64)
def _parse(text: str) -> Mapping[str, str]:
    found: dict[str, str] = json.loads(text)
    return found
