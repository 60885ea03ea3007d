"""Tell at the start of a command, before arrays and settings are there, whether it will read photos.

`cli.commands.run` starts the server of child processes early if so. A wrong answer costs time only: `commands.enroll`
decides later which photos are read.
"""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from fastface.gallery.photo_set.sources import collect
from fastface.index.photo_names import digest_photo, list_contents

_MOST_READ = 32
"""Maximum number of photos that are digested: usually all photos of a command are new, or none is."""


def has_new_photo(targets: Iterable[str], photos: Path) -> bool:
    """Return whether one of the first photos of the targets was never stored with any settings.

    Args:
        targets: Arguments of `-t`. Folders of tagged photos are not read.
        photos: The folder of the stored photos.
    """
    known = list_contents(photos)
    paths = dict.fromkeys(photo.path for photo in collect(targets, with_tags=False).photos)
    contents = (digest_photo(path) for path in islice(paths, _MOST_READ))
    return any(content is not None and content not in known for content in contents)
