"""Store the faces of photos, because the same photos are searched again and again.

`commands.enroll` calls it. One file per photo content and detection settings: see `photo_names`.
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fastface.errors import FaceIndexError
from fastface.files import atomic_path, private_folder
from fastface.index.photo_names import digest_photo, name_photo
from fastface.index.schema import FACES
from fastface.types import PhotoFaces

_SIZE = "size"
"""Key of the picture's width and height in the metadata of a file."""


class PhotoIndex:
    """A folder of photos' faces. An unreadable file counts as missing.

    Args:
        folder: Folder of the files.
        settings_key: Digest of networks, thresholds and precision; other settings have their own files.
    """

    def __init__(self, folder: Path, settings_key: str) -> None:
        self._folder = folder
        self._settings_key = settings_key

    def read(self, key: str | None) -> PhotoFaces | None:
        """Return the stored faces of a photo; None if there are none."""
        if key is None or not (path := self._path(key)).exists():
            return None
        try:
            table = pq.ParquetFile(path).read()  # `read_table` imports a query engine first
            FACES.check(table.schema)
            width, height = map(int, table.schema.metadata[_SIZE.encode()].split())
        except (OSError, pa.ArrowInvalid, FaceIndexError, KeyError, ValueError):
            return None
        return PhotoFaces(FACES.from_table(table), (width, height))

    def store(self, key: str | None, found: PhotoFaces) -> None:
        """Store the faces found in a photo; do nothing if `key` is None.

        Raises:
            SpaceError: No space is left.
        """
        if key is not None:
            private_folder(self._folder)
            with atomic_path(self._path(key), private=True) as part:
                pq.write_table(FACES.to_table(found.faces, {_SIZE: f"{found.size[0]} {found.size[1]}"}), part)

    def key(self, photo: Path) -> str | None:
        """Return the key of a photo's content and the settings; None if it is no file or too large."""
        content = digest_photo(photo)
        return None if content is None else name_photo(content, self._settings_key)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.parquet"
