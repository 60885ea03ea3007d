"""Record from which folder a merge took each video, to recognise a scan that this folder has replaced.

`merge` reads and writes it. Without the record, the scan of a file before a change would stay beside the new scan.

OUT/.fastface/origins.json: {"schema_version", "folders": paths, "videos": {name in OUT: [place in `folders`, its
fingerprint]}}
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fastface.errors import FaceIndexError
from fastface.files import write_atomic

_SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Origin:
    """Origin of a video that was merged."""

    folder: str  # path of the merged folder
    fingerprint: str  # of the video; a scan in the target itself may have replaced it since


def read_origins(state: Path) -> dict[str, Origin]:
    """Return {name of a video in OUT: its origin}; empty if nothing was merged.

    Raises:
        FaceIndexError: The file is damaged.
    """
    path = _path(state)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["schema_version"] != _SCHEMA_VERSION:
            raise ValueError(f"version {found['schema_version']}")
        folders = [str(folder) for folder in found["folders"]]
        videos = found["videos"].items()
        return {str(name): Origin(folders[place], str(fingerprint)) for name, (place, fingerprint) in videos}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise FaceIndexError(
            f"cannot read {str(path)!r}: {error}; remove it: then outdated scans of changed videos may stay"
        ) from error


def write_origins(state: Path, origins: Mapping[str, Origin], gone: Iterable[str]) -> None:
    """Add the origins of some videos, and remove other videos.

    Raises:
        SpaceError: No space is left.
    """
    before, removed = read_origins(state), set(gone)
    videos = {name: one for name, one in before.items() if name not in removed} | dict(origins)
    if videos == before:
        return
    folders = sorted({one.folder for one in videos.values()})
    place = {folder: number for number, folder in enumerate(folders)}
    content = {
        "schema_version": _SCHEMA_VERSION,
        "folders": folders,
        "videos": {name: [place[one.folder], one.fingerprint] for name, one in videos.items()},
    }
    write_atomic(_path(state), json.dumps(content) + "\n", private=True)


def _path(state: Path) -> Path:
    return state / "origins.json"
