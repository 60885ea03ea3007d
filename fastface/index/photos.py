"""Faces of photos that were looked at before: the same photos are asked for again and again.

OUT/.fastface/photos/<digest>.parquet    the faces of one photo, by its content and by everything that found them
"""

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fastface.errors import FaceIndexError
from fastface.files import atomic_path, private_folder
from fastface.index.schema import check_schema, from_table, read_embeddings, to_table
from fastface.types import Faces

_LARGEST_BYTES = 256 << 20


class PhotoIndex:
    """A folder of photos' faces. What cannot be read in it counts as not there.

    Args:
        folder: Where they lie.
        settings_key: Networks, thresholds, arithmetic: faces that were found in another way are others.
    """

    def __init__(self, folder: Path, settings_key: str) -> None:
        self._folder = folder
        self._settings_key = settings_key

    def faces(self, key: str | None) -> Faces | None:
        """Return the faces in the photo of a key; None if it was not read."""
        if key is None or not (path := self._path(key)).exists():
            return None
        try:
            table = pq.read_table(path)
            check_schema(table.schema)
        except (OSError, pa.ArrowInvalid, FaceIndexError):
            return None
        return from_table(table, read_embeddings(table))

    def store(self, key: str | None, faces: Faces) -> None:
        """Keeps what was found in the photo of a key; nothing without one.

        Raises:
            SpaceError: No space is left.
        """
        if key is not None:
            private_folder(self._folder)
            with atomic_path(self._path(key), private=True) as part:
                pq.write_table(to_table(faces), part)

    def key(self, photo: Path) -> str | None:
        """Names a photo's content as it is now; None for what is no file of a photo's size."""
        try:
            if not photo.is_file() or photo.stat().st_size > _LARGEST_BYTES:
                return None
            content = photo.read_bytes()
        except OSError:
            return None
        return hashlib.sha256(self._settings_key.encode() + b"\0" + content).hexdigest()[:32]

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.parquet"
