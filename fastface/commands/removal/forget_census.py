"""Remove forgotten videos from what the census keeps in OUT/.fastface. `forget` calls it.

Corrections and their log hold embeddings of faces; the store and the numbers hold centroids of persons. A person with a
name stays in the store: the name is the user's. A store elsewhere stays unchanged, because other folders may share it.
"""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from fastface.census.clusters.correction_log import log_path, read_corrections, write_corrections
from fastface.census.clusters.corrections import Corrections
from fastface.census.clusters.numbering import Numbering
from fastface.census.photo_names import forget_videos, read_names, write_names
from fastface.census.store.base import open_existing


def forget_in_census(state: Path, names: Collection[str], fingerprints: Collection[str]) -> None:
    """Remove some videos from the corrections, their log, the names by photos, the numbers and the identities.

    Args:
        state: The folder OUT/.fastface.
        names: Names of the videos in OUT.
        fingerprints: Their contents, unless a video that stays has the same.

    Raises:
        FaceIndexError, StoreError: A file is damaged.
        SpaceError: No space is left.
    """
    _forget_in_corrections(state, names)
    photos = read_names(state)
    if (rest := forget_videos(photos, fingerprints)) != photos:
        write_names(state, rest)
    numbers = state / "numbers.npz"
    if numbers.exists():
        Numbering.load(numbers).without_videos(fingerprints).save(numbers)
    store = state / "identities.sqlite"
    if store.exists():
        with open_existing(str(store)) as opened:
            opened.forget(fingerprints)


def _forget_in_corrections(state: Path, names: Collection[str]) -> None:
    path, log = state / "corrections.json", log_path(state)
    own = Corrections.load(path)
    if (rest := own.without_videos(names)) != own:
        rest.save(path)
    logged = read_corrections(log)
    kept = [replace(one, before=one.before.without_videos(names)) for one in logged]
    if kept != logged:
        write_corrections(log, kept)
