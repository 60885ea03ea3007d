"""List the named faces in a folder of tagged photos: XMP sidecars, XMP in photos, Picasa's `.picasa.ini`.

`sources` calls `list_tagged_photos` for `-t xmp:FOLDER`. Of the three, the first that names a face in a photo counts.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fastface.gallery.photo_set.xmp_regions import (
    NamedRegion,
    Region,
    XmpError,
    is_region,
    read_embedded_regions,
    read_sidecar_regions,
)
from fastface.names import clean_text, valid_text

_PICASA_FILES = (".picasa.ini", "Picasa.ini")
_LARGEST_PICASA = 64 << 20
_OLD_CONTACT = re.compile(r"[^;]*_lh,[0-9a-f]+")
"""Contact of Picasa before version 3.9: a user and a number, without a name."""
_FACE = re.compile(r"rect64\(([0-9a-fA-F]{1,16})\),([0-9a-fA-F]+)")
"""A face in `faces=` of Picasa: four numbers of 16 bits (left, top, right, bottom), and the contact."""
_UNKNOWN_CONTACT = re.compile("f+", re.IGNORECASE)


@dataclass(slots=True)
class TaggedFolder:
    """Named faces in a folder.

    Attributes:
        faces: {photo: named faces}, by path.
        notes: Files that could not be read, one line each.
    """

    faces: dict[Path, list[NamedRegion]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def list_tagged_photos(folder: Path, suffixes: frozenset[str]) -> TaggedFolder:
    """Read the tags of all photos in a folder and its sub-folders. Links to folders are not followed.

    Args:
        folder: The folder.
        suffixes: Suffixes of photos, in lower case.
    """
    found = TaggedFolder()
    for parent, folders, names in os.walk(folder):
        # To open a pipe would wait without end.
        files = [name for name in names if Path(parent, name).is_file()]
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        photos = [Path(parent) / name for name in sorted(files) if Path(name).suffix.lower() in suffixes]
        picasa = _read_picasa(Path(parent), files, found.notes) if photos else {}
        for photo in photos:
            if not photo.name.startswith("."):
                named = _read_photo(photo, frozenset(files), found.notes) or picasa.get(photo.name, [])
                if named:
                    found.faces[photo] = named
    return found


def _read_photo(photo: Path, beside: frozenset[str], notes: list[str]) -> list[NamedRegion]:
    """Return the named faces of a sidecar, else of the photo itself. A damaged file is noted and left out."""
    sidecars = [photo.with_name(f"{photo.name}.xmp"), photo.with_suffix(".xmp"), photo.with_suffix(".XMP")]
    for sidecar in sidecars:
        if sidecar.name in beside:
            try:
                if named := read_sidecar_regions(sidecar):
                    return named
            except XmpError as error:
                notes.append(valid_text(f"{str(sidecar)!r}: {error}"))
    try:
        return read_embedded_regions(photo)
    except XmpError as error:
        notes.append(valid_text(f"{str(photo)!r}: {error}"))
        return []


def _read_picasa(folder: Path, files: list[str], notes: list[str]) -> dict[str, list[NamedRegion]]:
    """Return {file name: named faces} of Picasa's file in a folder."""
    for name in _PICASA_FILES:
        if name not in files:
            continue
        try:
            with (folder / name).open("rb") as file:
                text = file.read(_LARGEST_PICASA).decode("utf-8", "replace")
        except OSError as error:
            notes.append(valid_text(f"{str(folder / name)!r}: cannot be read: {error.strerror}"))
            continue
        return _parse_picasa(text)
    return {}


def _parse_picasa(text: str) -> dict[str, list[NamedRegion]]:
    contacts: dict[str, str] = {}
    faces: dict[str, str] = {}
    section = ""
    for line in text.splitlines():
        if line.startswith("[") and line.rstrip().endswith("]"):
            section = line.strip()[1:-1]
            continue
        key, sign, value = line.partition("=")
        if sign and section in ("Contacts", "Contacts2") and not _OLD_CONTACT.fullmatch(value.strip()):
            contacts[key.strip().lower()] = clean_text(value.partition(";")[0])
        elif sign and key.strip() == "faces":
            faces[section] = value
    return {file: found for file, value in faces.items() if (found := list(_parse_faces(value, contacts)))}


def _parse_faces(value: str, contacts: dict[str, str]) -> Iterator[NamedRegion]:
    for match in _FACE.finditer(value):
        name = "" if _UNKNOWN_CONTACT.fullmatch(match[2]) else contacts.get(match[2].lower(), "")
        digits = match[1].rjust(16, "0")
        x1, y1, x2, y2 = (int(digits[place : place + 4], 16) / 65535 for place in (0, 4, 8, 12))
        if name and is_region((x1, y1, x2, y2)):
            yield NamedRegion(name, Region((x1, y1, x2, y2)))
