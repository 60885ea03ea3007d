"""Search several output folders as one: a view is an output folder below the first of them, made by a merge with links.

`commands.merge` calls `join` before a search and `find_view` before a command that continues one. Answers, lists of
persons and corrections lie in the view. The folders themselves stay unchanged, so that each still answers for its own
videos. A view mirrors its folders: each `join` adds and removes what they added and removed.

FIRST/joined/SECOND+THIRD/                          the view of three folders
FIRST/joined/SECOND+THIRD/.fastface/joined.json     the folders, so that equal names are told apart
"""

import hashlib
import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from fastface.errors import ConfigError
from fastface.files import write_atomic
from fastface.fleet.merge import MergeResult, check_folders, merge_folders
from fastface.index.ledger import Ledger
from fastface.names import safe_name
from fastface.runtime.events.observer import Observer
from fastface.runtime.output_folder import hold_to_read

FOLDER = "joined"
_DIGEST_LENGTH = 8


def join(outs: Sequence[Path], observer: Observer) -> MergeResult:
    """Make the view of several folders, or bring it up to date.

    Raises:
        FastfaceError: See `merge_folders`.
    """
    view = locate_view(outs)
    result = merge_folders(outs, view, observer, mirror=True)
    sources = _describe(outs)
    if _read_sources(view) != sources:
        write_atomic(_sources_path(view), json.dumps({"folders": sources}, indent=1) + "\n", private=True)
    return result


def list_lost(outs: Sequence[Path]) -> list[str]:
    """List the videos of the view of several folders that none of these folders has any more, by their names there.

    A changed file is not lost.

    Raises:
        ConfigError, LockedError, FaceIndexError: See `merge_folders`.
    """
    view = locate_view(outs)
    if not (view / ".fastface" / "state.sqlite").exists():
        return []
    paths, contents = set[Path](), set[str]()
    for out in outs:
        with hold_to_read(out), Ledger(out / ".fastface" / "state.sqlite", read_only=True) as ledger:
            for record in ledger.videos(with_info=False):
                paths.add(record.path)
                contents.add(record.fingerprint)
    with Ledger(view / ".fastface" / "state.sqlite", read_only=True) as ledger:
        there = ledger.videos(with_info=False)
    return [
        record.video_id
        for record in there
        if record.scan_key and record.path not in paths and record.fingerprint not in contents
    ]


def find_view(outs: Sequence[Path]) -> Path:
    """Return the view of several folders.

    Raises:
        ConfigError: The folders are not joined yet.
    """
    view = locate_view(outs)
    if not (view / ".fastface").is_dir():
        options = shlex.join([word for out in outs for word in ("-o", str(out))])
        raise ConfigError(
            f"{' and '.join(repr(str(out)) for out in outs)} are not joined yet: fastface people {options}, "
            f"or fastface find -t PHOTOS {options}"
        )
    return view


def locate_view(outs: Sequence[Path]) -> Path:
    """Return the place of the view of several folders; there may be none yet. Writes nothing.

    Raises:
        ConfigError: One is no output folder, or is named twice.
    """
    first, *others = outs
    name = safe_name("+".join(out.resolve().name for out in others))
    plain = first / FOLDER / name
    check_folders(outs, plain)
    if _read_sources(plain) in (None, _describe(outs)):
        return plain
    digest = hashlib.sha256("\0".join(_describe(outs)).encode("utf-8", "surrogatepass")).hexdigest()
    return plain.with_name(f"{name}.{digest[:_DIGEST_LENGTH]}")


def list_views(out: Path) -> list[Path]:
    """Return the views below an output folder."""
    return sorted(state.parent for state in (out / FOLDER).glob("*/.fastface"))


def _describe(outs: Sequence[Path]) -> list[str]:
    """Return the other folders of a view; the first one contains it."""
    return [str(out.resolve()) for out in outs[1:]]


def _sources_path(view: Path) -> Path:
    return view / ".fastface" / "joined.json"


def _read_sources(view: Path) -> list[str] | None:
    """Return the other folders of an existing view; None if there is none."""
    try:
        found: list[str] = json.loads(_sources_path(view).read_text(encoding="utf-8"))["folders"]
    except FileNotFoundError:
        return None
    return found
