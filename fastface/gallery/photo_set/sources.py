"""List the sources in `-t` and `--not`: photos, folders of persons, tagged libraries, banks, everyone.

`references` and `commands.enroll` call `collect`. No picture is decoded here.
"""

import os
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from fastface.gallery.photo_set.tagged_photos import list_tagged_photos
from fastface.gallery.photo_set.xmp_regions import Region
from fastface.names import safe_name, shorten_lines

_PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".gif", ".webp", ".avif", ".bmp", ".dib", ".tif"}
    | {".tiff", ".jp2", ".j2k", ".jpx", ".ppm", ".pgm", ".pbm", ".pnm", ".heic", ".heif", ".hif"}
)
"""Suffixes, in lower case, of files that are meant as pictures: if such a file is no picture, that is reported."""

EVERYONE_PATH = "*"
BANK_SUFFIX = ".npz"

_LIBRARY_PREFIX = "xmp:"
"""Start of an argument that names a folder of tagged photos."""
_MOST_NOTES = 20
"""Maximum number of unreadable tags of one library that are reported."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A file that may show a person.

    Attributes:
        path: Path of the file.
        label: Label of the person.
        is_meant: True if the user named the file, it lies in a person's folder, or it has a picture's suffix. An
            unusable file is then reported. Other files beside loose photos (a read-me, a list) are not.
        region: Place of the person's face, if a tag names it; else None.
    """

    path: Path
    label: str
    is_meant: bool
    region: Region | None = None


@dataclass(frozen=True, slots=True)
class Sources:
    """Photos, folders and banks from the arguments.

    Attributes:
        photos: Photos in order of the arguments, then of names; the photos of one label need not be adjacent.
        banks: Files of references.
        folders: Folders from the arguments.
        everyone: True if `'*'` is among the arguments.
        faults: Faults of arguments without a photo or bank, one line each.
        loose: Folders with loose photos and no sub-folder.
        nested: Persons' folders, keyed by their place, with at least two sub-folders and no loose photo.
        notes: Tags that could not be read, one line each.
    """

    photos: tuple[Photo, ...]
    banks: tuple[Path, ...]
    folders: tuple[Path, ...]
    everyone: bool
    faults: tuple[str, ...]
    loose: tuple[Path, ...] = ()
    nested: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


def make_label(text: str) -> str:
    """Make a label from a file or folder name: composed Unicode, safe as a file name except for a full stop at the end.

    Two encodings of one name (composed, as on Linux, and decomposed, as on macOS) give one label.
    """
    name = unicodedata.normalize("NFC", text)
    stem = name.removesuffix(".")  # for example Robert Downey Jr.
    return name if safe_name(stem) == stem else safe_name(name)


def collect(paths: Iterable[str | Path], *, with_tags: bool = True) -> Sources:
    """List the photos, folders and banks of the arguments.

    A file is one person, named after its stem; an `.npz` is a bank. In a folder, each sub-folder is one person with all
    its photos. Each loose photo is a person, and each `.npz` is a bank. Hidden files are skipped. The same label from
    several places is one person.

    `NAME=PATH` is a photo, or a folder with all its photos, of one person with that name. If the whole argument is an
    existing path, or has a `/` before its first `=`, it is a path.

    `xmp:FOLDER` is a folder of photos with tags: each named face is a photo of the person with that name.

    Args:
        paths: The arguments.
        with_tags: False to check only whether the folders of tagged photos exist.
    """
    listing = _Listing(with_tags)
    for given in paths:
        listing.add(str(given))
    return Sources(
        photos=tuple(dict.fromkeys(listing.photos)),
        banks=tuple(dict.fromkeys(listing.banks)),
        folders=tuple(listing.folders),
        everyone=listing.everyone,
        faults=tuple(listing.faults),
        loose=tuple(dict.fromkeys(listing.loose)),
        nested=tuple(dict.fromkeys(listing.nested)),
        notes=tuple(listing.notes),
    )


@dataclass(slots=True)
class _Listing:
    """Sources that are being collected."""

    with_tags: bool
    photos: list[Photo] = field(default_factory=list)
    banks: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    everyone: bool = False
    faults: list[str] = field(default_factory=list)
    loose: list[Path] = field(default_factory=list)
    nested: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, given: str) -> None:
        """Add one argument."""
        path = Path(given)
        if given == EVERYONE_PATH:
            self.everyone = True
        elif given.startswith(_LIBRARY_PREFIX):
            self._add_library(given, Path(given.removeprefix(_LIBRARY_PREFIX)))
        elif fault := _why_not_there(path):
            name, sign, named = given.partition("=")
            if sign and "/" not in name:
                self._add_named(given, name.strip(), named)
            else:
                self.faults.append(f"{given!r}: {fault}")
        elif path.is_dir():
            self.folders.append(path)
            self._add_folder(path)
        else:
            self._add_file(path, is_meant=True)

    def _add_library(self, given: str, folder: Path) -> None:
        """Add the named faces of a folder of tagged photos."""
        fault = _why_not_there(folder) or ("" if folder.is_dir() else "not a folder")
        if fault or not self.with_tags:
            self.faults += [f"{given!r}: {fault}"] if fault else []
            return
        tagged = list_tagged_photos(folder, _PICTURE_SUFFIXES)
        self.notes += shorten_lines(tagged.notes, _MOST_NOTES)
        self.photos += [
            Photo(photo, make_label(named.name), is_meant=True, region=named.region)
            for photo, faces in tagged.faces.items()
            for named in faces
        ]
        if not tagged.faces:
            self.faults.append(f"{given!r}: no photo in it has a tag with the name and the place of a face")

    def _add_named(self, given: str, name: str, named: str) -> None:
        """Add the argument `NAME=PATH`: all its photos are one person."""
        path = Path(named)
        if fault := _why_nobody(name, named):
            self.faults.append(f"{given!r}: {fault}")
        elif path.is_dir():
            self._add_person(path, name)
        else:
            self.photos.append(Photo(path, make_label(name), is_meant=True))

    def _add_file(self, path: Path, *, is_meant: bool) -> None:
        if path.suffix.lower() == BANK_SUFFIX:
            self.banks.append(path)
        else:
            self.photos.append(Photo(path, make_label(path.stem), is_meant))

    def _add_folder(self, folder: Path) -> None:
        try:
            entries = sorted(path for path in folder.iterdir() if not _is_hidden(path.name))
        except OSError as error:
            self.faults.append(f"{str(folder)!r}: cannot be read: {error.strerror}")
            return
        if not entries:
            self.faults.append(f"{str(folder)!r}: the folder is empty")
        files = [path for path in entries if not _is_folder(path)]
        if len(files) == len(entries) and any(map(_is_picture, files)):
            self.loose.append(folder)
        for path in entries:
            if _is_folder(path):
                self._add_person(path, path.name)
                if _is_nested(path):
                    self.nested.append(path)
            else:
                self._add_file(path, is_meant=_is_picture(path))

    def _add_person(self, folder: Path, name: str) -> None:
        """Add all files in one person's folder. Links to folders are not followed: they may form a cycle."""
        closed: list[OSError] = []
        found = [
            Path(parent) / file
            for parent, _, files in os.walk(folder, onerror=closed.append)
            for file in files
            if not any(_is_hidden(part) for part in (Path(parent) / file).relative_to(folder).parts)
        ]
        self.faults.extend(f"{error.filename!r}: cannot be read: {error.strerror}" for error in closed)
        if not found and not closed:
            self.faults.append(f"{str(folder)!r}: the folder of {name!r} is empty")
        self.photos.extend(Photo(path, make_label(name), is_meant=True) for path in sorted(found))


def _why_nobody(name: str, named: str) -> str:
    """Return why `NAME=PATH` is no person; empty if it may be one."""
    if not name or not named:
        return "write NAME=PATH, with a name and a photo or folder"
    if named == EVERYONE_PATH:
        return "'*' takes no name: write -t '*'"
    if fault := _why_not_there(Path(named)):
        return f"{named!r}: {fault}"
    is_bank = Path(named).suffix.lower() == BANK_SUFFIX and not Path(named).is_dir()
    return f"a bank already holds names: write {named!r}" if is_bank else ""


def _why_not_there(path: Path) -> str:
    """Return why a path cannot be read; empty if it can."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: the path contains a NUL
        return "no such file or folder"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return ""


def _is_folder(path: Path) -> bool:
    """Return whether a path certainly is a folder: a link into a folder without permission counts as a file."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in _PICTURE_SUFFIXES


def _is_nested(folder: Path) -> bool:
    """Return whether a person's folder holds sub-folders instead of photos."""
    try:
        inside = [path for path in folder.iterdir() if not _is_hidden(path.name)]
    except OSError:
        return False
    return sum(map(_is_folder, inside)) > 1 and not any(map(_is_picture, inside))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"
