"""List the source files of `curate`, in an order that does not depend on the arguments. Opens no picture.

`commands.curate` calls `list_sources`.
"""

import csv
import glob
import math
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from fastface.errors import ConfigError
from fastface.video.suffixes import IMAGE_SUFFIXES, VIDEO_SUFFIXES

_CROP_NAME = re.compile(r"(?P<video>.+)_(?P<time>\d+\.\d{3})_\d+")
"""Names of crops: <video>_<time>_<number>."""
_TABLE = "crops.csv"
_OWN_TABLES = {_TABLE: b"video,target,time,", "curation.csv": b"file,kept,name,reason,"}
"""Tables that fastface writes beside pictures, with their first bytes: a glob that matches them is no mistake."""
_MAX_TABLE_BYTES = 256 << 20
_TABLES_KEPT = 64


@dataclass(frozen=True, slots=True)
class Source:
    """A file that may be a picture.

    Attributes:
        path: Absolute path, links resolved.
        is_meant: True if the user named the file itself (except a table of fastface), or its suffix is a picture's. It
            is then a fault if the file is no picture.
        strand: Common text of adjacent files: the folder, and the video if known.
        time: Seconds from the first frame; 0 if unknown.
        is_film: True if `time` is a time of a film. Pictures of a folder have times that only number them.
    """

    path: Path
    is_meant: bool
    strand: str
    time: float
    is_film: bool = False

    @property
    def is_crop(self) -> bool:
        """Return whether the picture's video is known."""
        return self.strand != str(self.path.parent)


@dataclass(frozen=True, slots=True)
class Listing:
    """Files and folders from the arguments.

    Attributes:
        sources: Source files by strand, time and name; each file once.
        faults: Unreadable folders, one line each.
    """

    sources: tuple[Source, ...]
    faults: tuple[str, ...]


def list_sources(arguments: Sequence[str], out: Path) -> Listing:
    """List files, folders with their whole content, and globs.

    Hidden files are skipped, and links to folders are not followed.

    Args:
        arguments: Arguments in the user's form.
        out: Folder of the set. Neither it nor a source may contain the other: no source is then written or read twice.

    Raises:
        ConfigError: A path does not exist, there is no file at all, or `out` is in a source or contains one; lists all
            such faults.
    """
    faults: list[str] = []
    closed: list[str] = []
    found: dict[Path, bool] = {}
    for argument in arguments:
        paths = _collect_named(argument)
        if not paths:
            faults.append(f"{argument!r}: no such file or folder")
        for path in paths:
            faults += _overlaps(_real(path), _real(out))
            for file, is_meant in _files(path, closed):
                found[file] = found.get(file, False) or is_meant
    if not found and not faults:
        faults.append(f"no picture found in: {', '.join(map(repr, arguments))}")
    if faults:
        raise ConfigError(list(dict.fromkeys(faults)))
    _read_table.cache_clear()  # a table may have changed since another call
    sources = (_source(path, is_meant) for path, is_meant in found.items())
    return Listing(tuple(sorted(sources, key=_place)), tuple(closed))


def _collect_named(argument: str) -> list[Path]:
    if argument and os.path.lexists(argument):
        return [Path(argument)]
    # Path.glob accepts no absolute pattern.
    return [Path(match) for match in sorted(glob.glob(argument, recursive=True))]  # noqa: PTH207


def _real(path: Path) -> Path:
    """Return the absolute path, links resolved; unlike Path.resolve, also for links in a cycle."""
    return Path(os.path.realpath(path))


def _overlaps(path: Path, out: Path) -> list[str]:
    if (path == out or path in out.parents) and path.is_dir():
        return [f"-o {str(out)!r} lies in {str(path)!r}, which is a source; choose a folder outside of it"]
    if out in path.parents:
        return [f"the source {str(path)!r} lies in -o {str(out)!r}; choose another folder"]
    return []


def _files(path: Path, closed: list[str]) -> Iterator[tuple[Path, bool]]:
    """Yield files, and true if they are meant as pictures; add unreadable folders to `closed`."""
    if not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises if a parent folder is not accessible
        yield _real(path), not _is_own_table(path)
        return
    failed: list[OSError] = []
    for parent, folders, names in os.walk(path, onerror=failed.append):
        folders[:] = [name for name in folders if not _is_hidden(name)]
        for name in names:
            if not _is_hidden(name):
                file = Path(parent) / name
                yield _real(file), file.suffix.lower() in IMAGE_SUFFIXES
    closed.extend(f"{os.fsdecode(error.filename)!r}: cannot be read: {error.strerror}" for error in failed)


def _is_own_table(path: Path) -> bool:
    """Return whether a file has the name and the beginning of one of fastface's tables."""
    start = _OWN_TABLES.get(path.name)
    if start is None or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(start)) == start
    except OSError:
        return False


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _source(path: Path, is_meant: bool) -> Source:
    for table in (path.parent / _TABLE, path.parent.parent / _TABLE):
        if row := _read_table(table).get(path.name):
            video, time = row
            # Crops of other persons, in their own folders, may lie between these in time, and end no scene.
            return Source(path, is_meant, f"{path.parent}/{video}", time, _is_film(video))
    if match := _CROP_NAME.fullmatch(path.stem):
        video, time = match["video"], float(match["time"])
        return Source(path, is_meant, f"{path.parent}/{video}", time, _is_film(video))
    return Source(path, is_meant, str(path.parent), 0.0)


def _is_film(video_id: str) -> bool:
    """Return whether a video is a film or a numbered sequence, not a folder of pictures."""
    return "%" in video_id or Path(video_id).suffix.lower() in VIDEO_SUFFIXES


@lru_cache(_TABLES_KEPT)
def _read_table(path: Path) -> dict[str, tuple[str, float]]:
    """Return {file name: (video, time)} of a table of crops; unreadable rows and other tables give nothing.

    A name is the same in the folders of several persons only if video and time are the same.
    """
    rows: dict[str, tuple[str, float]] = {}
    try:
        if not path.is_file() or path.stat().st_size > _MAX_TABLE_BYTES:
            return rows
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            for row in csv.DictReader(file):
                time = float(row["time"])
                if math.isfinite(time):
                    rows[Path(row["file"]).name] = row["video"], time
    except (OSError, csv.Error, KeyError, ValueError, TypeError):
        return rows
    return rows


def _place(source: Source) -> tuple[object, ...]:
    return _natural(source.strand), source.time, _natural(source.path.name), str(source.path)


def _natural(text: str) -> tuple[object, ...]:
    """Return a sort key that puts `a9` before `a10`: text and numbers alternate."""
    return tuple(int(part) if place % 2 else part.casefold() for place, part in enumerate(re.split(r"(\d+)", text)))
