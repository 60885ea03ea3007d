"""Interpret folders without one sub-folder for each person: loose photos of one person, or persons a level deeper.

`references` calls it. The faces decide: loose photos that match each other are one person, named after the folder.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fastface.cosine import cosines
from fastface.gallery.photo_set.photos import Pick
from fastface.gallery.photo_set.sources import Photo, Sources, make_label
from fastface.names import pluralize, valid_text
from fastface.types import FloatArray

_ONE_PERSON_SHARE = 0.75
"""Minimum median cosine of one person's loose photos, as a share of the match threshold; see
`gallery.photo_set.duplicates`."""
_UNLIKE_SHARE = 0.5
"""Share of the match threshold below which two faces are different persons; see `gallery.photo_set.photos`."""
_EXAMPLES = 3
_MOST_IN_COMMAND = 6
"""Maximum number of photos that a proposed command lists one by one."""


def join_loose(sources: Sources, picks_of: Mapping[str, Sequence[Pick]], alike: float) -> tuple[Sources, list[str]]:
    """Give the loose photos of a folder one label if all their faces match.

    Args:
        sources: Photos, folders and banks from the arguments.
        picks_of: Photos of each label, each loose photo under its own label.
        alike: Minimum cosine of two faces of one person.

    Returns:
        The sources, and a remark on each folder that became one person.
    """
    remarks = []
    for folder in sources.loose:
        photos = _list_photos(sources, folder)
        faces = _faces(photos, picks_of)
        label = make_label(folder.absolute().name)
        is_taken = any(photo.label == label for photo in sources.photos if photo not in photos)
        least = 1 if _are_numbered(photos) else 2  # a number is no person's name
        if len(faces) < least or is_taken or not _are_one(faces, alike):
            continue
        joined = {photo: replace(photo, label=label) for photo in photos}
        sources = replace(sources, photos=tuple(joined.get(photo, photo) for photo in sources.photos))
        if len(photos) > 1:
            told = f"the photos in {str(folder)!r} show one face: taken for one person"
        else:
            told = f"called as the folder {str(folder)!r}, since {photos[0].path.stem!r} is no name"
        remarks.append(f"{label}: {told}")
    return sources, remarks


def describe_mixed(sources: Sources, groups: Sequence[Sequence[str]]) -> tuple[list[str], set[str]]:
    """Return a fault for each folder with loose photos of several persons, several photos each.

    Args:
        sources: Photos, folders and banks from the arguments.
        groups: Groups of labels with the same face.

    Returns:
        The faults, and the labels that they mention.
    """
    faults: list[str] = []
    told: set[str] = set()
    for folder in sources.loose:
        photos = {photo.label: photo.path.name for photo in _list_photos(sources, folder)}
        own = [group for group in groups if all(label in photos for label in group)]
        if not own:
            if len(photos) > 1 and _are_numbered(_list_photos(sources, folder)):
                told.update(photos)
                faults.append(_describe_numbered(folder, photos))
            continue
        examples = "; ".join(" = ".join(photos[label] for label in group[:_EXAMPLES]) for group in own[:_EXAMPLES])
        num_alike = sum(map(len, own))
        name, here = make_label(folder.absolute().name), valid_text(str(folder))
        told.update(photos)
        faults.append(
            f"{here!r}: each photo in it stands for a person of its own, but {num_alike} of the {len(photos)} show"
            f" {pluralize(len(own), 'person')} ({examples}{'; …' if len(own) > _EXAMPLES else ''})."
            f" Put the photos of each person into a folder: {shlex.quote(f'{here}/NAME/')};"
            f" or, if all are one person: {shlex.join(['-t', f'{name}={here}'])}"
        )
    return faults, told


def _describe_numbered(folder: Path, photos: Mapping[str, str]) -> str:
    """Return the fault of a folder of different persons whose photos are named by numbers alone."""
    name, here = make_label(folder.absolute().name), valid_text(str(folder))
    if len(photos) <= _MOST_IN_COMMAND:
        options = (("-t", f"{name}-{label}={here}/{file}") for label, file in photos.items())
        command = shlex.join(part for option in options for part in option)
    else:
        command = f"put each into a folder {shlex.quote(f'{here}/NAME/')} and give {shlex.join(['-t', here])}"
    return (
        f"{here!r}: its {len(photos)} photos show different persons, but numbers are no names."
        f" Name the persons: {command}; or, if all are one person: {shlex.join(['-t', f'{name}={here}'])}"
        " (enroll takes the same without -t)"
    )


def describe_nested(sources: Sources, picks_of: Mapping[str, Sequence[Pick]], alike: float) -> list[str]:
    """Return a fault for each person's folder whose sub-folders show different persons."""
    faults = []
    for folder in sources.nested:
        label = make_label(folder.name)
        parts: dict[str, list[FloatArray]] = {}
        for pick in picks_of.get(label, ()):
            path = Path(pick.source)
            if pick.candidates and path.is_relative_to(folder):
                part = path.relative_to(folder).parts[0]
                parts.setdefault(part, []).append(pick.candidates[0].face.embedding)
        names = sorted(parts)
        is_mixed = any(
            np.median(cosines(np.stack(parts[one]), np.stack(parts[other]))) < alike * _UNLIKE_SHARE
            for place, one in enumerate(names)
            for other in names[place + 1 :]
        )
        if is_mixed:
            here = valid_text(str(folder))
            inside = ", ".join(repr(name) for name in names[:_EXAMPLES]) + (", …" if len(names) > _EXAMPLES else "")
            faults.append(
                f"{here!r} holds the folders {inside}, which show different persons:"
                f" with {shlex.join(['-t', here])} each folder is one person,"
                f" with {shlex.join(['-t', f'{label}={here}'])} all are one person"
            )
    return faults


def _list_photos(sources: Sources, folder: Path) -> list[Photo]:
    return [photo for photo in sources.photos if photo.path.parent == folder]


def _are_numbered(photos: Sequence[Photo]) -> bool:
    """Return whether photos are named by numbers alone, such as `1.jpg` and `2 (1).jpg`."""
    return not any(map(str.isalpha, "".join(photo.path.stem for photo in photos)))


def _faces(photos: Sequence[Photo], picks_of: Mapping[str, Sequence[Pick]]) -> FloatArray:
    """Return (n, D) the references of loose photos."""
    paths = {valid_text(str(photo.path)) for photo in photos}
    labels = dict.fromkeys(photo.label for photo in photos)
    found = [
        pick.reference.embedding
        for label in labels
        for pick in picks_of.get(label, ())
        if pick.reference is not None and pick.source in paths
    ]
    return np.stack(found) if found else np.empty((0, 0), np.float32)


def _are_one(faces: FloatArray, alike: float) -> bool:
    """Return whether each face matches another one, and most faces match most others."""
    if len(faces) == 1:
        return True
    between = cosines(faces, faces)
    pairs = between[np.triu_indices(len(faces), 1)]
    np.fill_diagonal(between, -1)
    return bool(between.max(axis=1).min() >= alike and np.median(pairs) >= alike * _ONE_PERSON_SHARE)
