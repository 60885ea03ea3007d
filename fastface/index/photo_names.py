"""Name the files of stored photos by content and settings: OUT/.fastface/photos/CONTENT-SETTINGS.parquet.

`photos` stores the files. `enrollment.new_photos` looks for them at the start of a command, before PyArrow is imported.
"""

import hashlib
from pathlib import Path

_LARGEST_BYTES = 256 << 20


def digest_photo(photo: Path) -> str | None:
    """Return the digest of a photo's content; None if it is no file or too large."""
    try:
        if not photo.is_file() or photo.stat().st_size > _LARGEST_BYTES:
            return None
        return hashlib.sha256(photo.read_bytes()).hexdigest()[:32]
    except OSError:
        return None


def name_photo(content: str, settings_key: str) -> str:
    """Return the stem of the file of a photo.

    Args:
        content: From `digest_photo`.
        settings_key: Everything else that determines the photo's faces.
    """
    return f"{content}-{hashlib.sha256(settings_key.encode()).hexdigest()[:16]}"


def list_contents(folder: Path) -> frozenset[str]:
    """Return the digests of the photos in a folder that were stored with any settings; empty if there is no folder."""
    try:
        return frozenset(path.name.partition("-")[0] for path in folder.iterdir())
    except OSError:
        return frozenset()
