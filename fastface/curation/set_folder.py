r"""Write the folder of a curated set, and decide which of its files may be replaced. `curate` calls it.

DIR/<picture>…                  copies, byte for byte
DIR/curation.csv, contact.png   the table; the contact sheet, with contact-2.png and so on
DIR/.fastface/curation.json     the record of written files: {name: SHA-256 of each content that it may have}

Only a file in the record, with a content in the record, is ever replaced or removed. A run first adds the files that
it will write to the record. So the next run cannot mistake files of a killed run for the user's.

curation.csv has a row for every source picture, with its measures, and the reason for its result. Its form is that of
a run's tables: RFC 4180, UTF-8, CR LF, fixed decimals and `.` as the point. A byte of a name that is no UTF-8 becomes
`\xe9`; a text that a spreadsheet would run as a formula gets an apostrophe in front. Unmeasured cells are empty.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from fastface.csv_cells import write_csv
from fastface.curation.candidates import Candidate, exposure
from fastface.curation.contact_sheet import Page, lay_out, page_name
from fastface.errors import BackendError, ConfigError, ModelError
from fastface.files import private_folder, write_atomic
from fastface.names import safe_name, text_cell
from fastface.runtime.output_folder import OutputFolder
from fastface.video.discover import casefold_name, with_path_digest

_PICTURE_COLUMNS = ("width", "height", "mean", "crushed", "blown", "exposure", "border", "text", "phash", "sha256")
_FACE_COLUMNS = ("framing", "pose", "scene", "similarity", "det_score", "yaw", "face_share", "score")
COLUMNS = ("file", "kept", "name", "reason", *_FACE_COLUMNS, "sharpness", *_PICTURE_COLUMNS)


def write_curation(path: Path, candidates: Iterable[Candidate]) -> None:
    """Write the table, a row a candidate in the given order, readable by its owner only.

    Raises:
        SpaceError: No space is left.
    """
    write_csv(path, COLUMNS, map(_cells, candidates), private=True)


def _cells(candidate: Candidate) -> Sequence[str]:
    kept = "yes" if candidate.is_kept else "no"
    reason = "; ".join(text for text in (candidate.reason, candidate.remark) if text)
    texts = (str(candidate.source.path), kept, candidate.name, reason)
    sharpness = ""
    if candidate.looked is not None:
        sharpness = _decimal(candidate.seen.measures.sharpness, 1)
    if candidate.face is not None:
        sharpness = _decimal(candidate.face.sharpness, 1)
    return *map(text_cell, texts), *_face_cells(candidate), sharpness, *_picture_cells(candidate)


def _face_cells(candidate: Candidate) -> Sequence[str]:
    face = candidate.face
    if face is None:
        return ("",) * len(_FACE_COLUMNS)
    similarity = "" if candidate.similarity is None else _decimal(candidate.similarity)
    numbers = (similarity, _decimal(face.det_score), _decimal(face.yaw, 1), _decimal(face.share))
    return candidate.framing, candidate.pose, str(candidate.scene), *numbers, _decimal(candidate.score)


def _picture_cells(candidate: Candidate) -> Sequence[str]:
    if candidate.looked is None:
        return ("",) * len(_PICTURE_COLUMNS)
    measures = candidate.looked.measures
    shares = (measures.mean, measures.crushed, measures.blown, exposure(measures), measures.border, measures.text)
    return *map(str, measures.size), *map(_decimal, shares), f"{measures.phash:016x}", candidate.looked.sha256


# The `z` turns a negative zero, the result of rounding tiny negative numbers, into zero.
def _decimal(value: float, decimals: int = 4) -> str:
    return f"{value:z.{decimals}f}"


_TABLE = "curation.csv"
_OUR_NAMES = re.compile(r"curation\.csv|contact(-\d+)?\.png", re.IGNORECASE)
_SCHEMA_VERSION = 1
_ANY = "*"
"""Placeholder for the digest of a file that is not written yet."""

_Record = dict[str, list[str]]


@contextmanager
def locked_set(root: Path) -> Iterator[None]:
    """Create DIR, if it does not exist, readable by its owner only, and lock it; remove it if the command cannot start.

    Raises:
        LockedError: Another command holds it.
        ConfigError: It is not writable.
    """
    is_new = not root.exists()
    folder = OutputFolder(root)
    if is_new:
        private_folder(root)
    with folder.hold_lock():
        try:
            yield
        except (ConfigError, ModelError, BackendError):
            folder.remove_if_made()
            raise


class SetFolder:
    """DIR, and the record of the files that curate wrote there. Creating the object changes no file.

    Args:
        root: DIR; it need not exist yet.

    Raises:
        ConfigError: The record is damaged, or a file of the user has the name of a file that curate writes.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._record_path = root / ".fastface" / "curation.json"
        known = self._read_record()
        self._ours = {name: digests for name, digests in known.items() if self._is_ours(name, digests)}
        entries = root.iterdir() if root.is_dir() else ()
        self._others = sorted(path.name for path in entries if path.name not in self._ours)
        for name in self._others:
            if _OUR_NAMES.fullmatch(name):
                path = str(root / name)
                raise ConfigError(f"{path!r} is not as curate wrote it and is not replaced; move it, or change -o")

    def give_names(self, chosen: Sequence[Candidate]) -> None:
        """Name chosen pictures after their sources, with the suffix of their format; never like another file in DIR."""
        pages = (page_name(number) for number in range(1, len(chosen) + 2))
        taken = {casefold_name(name) for name in (_TABLE, *pages, *self._others)}
        for candidate in chosen:
            path, suffix = candidate.source.path, candidate.seen.suffix
            stem = safe_name(path.stem)
            while casefold_name(stem + suffix) in taken:
                stem = with_path_digest(stem, str(path))
            candidate.name = stem + suffix
            taken.add(casefold_name(candidate.name))

    def fill(
        self, candidates: Sequence[Candidate], chosen: Sequence[Candidate], draw: Callable[[Sequence[Page]], None]
    ) -> None:
        """Copy the chosen pictures, write sheet and table, and remove files of an earlier run. DIR must be locked.

        A picture that changed since it was measured is not kept; its reason states that.

        Args:
            candidates: All candidates, in order of the table.
            chosen: Named candidates, in order of the sheet.
            draw: Function that writes pages.

        Raises:
            SpaceError: No space is left.
        """
        coming: _Record = {candidate.name: [candidate.seen.sha256] for candidate in chosen}
        coming |= {page.path.name: [_ANY] for page in lay_out(chosen, self._root)} | {_TABLE: [_ANY]}
        self._write_record({name: self._ours.get(name, []) + coming.get(name, []) for name in {*self._ours, *coming}})
        for candidate in chosen:
            self._copy(candidate)
        kept = [candidate for candidate in chosen if candidate.is_kept]
        pages = lay_out(kept, self._root)
        draw(pages)
        write_curation(self._root / _TABLE, candidates)
        written = [_TABLE, *(page.path.name for page in pages), *(candidate.name for candidate in kept)]
        for name in self._ours.keys() - set(written):
            (self._root / name).unlink(missing_ok=True)
        self._write_record({name: [_digest(self._root / name)] for name in written})

    def _copy(self, candidate: Candidate) -> None:
        path = self._root / candidate.name
        try:
            content = candidate.source.path.read_bytes()
        except OSError as error:
            content, reason = b"", f"cannot be copied: {error.strerror}"
        else:
            reason = "it changed while it was copied"
        if hashlib.sha256(content).hexdigest() == candidate.seen.sha256:
            write_atomic(path, content, private=True)
        else:
            candidate.name, candidate.reason, candidate.is_fault = "", reason, True

    def _is_ours(self, name: str, digests: list[str]) -> bool:
        path = self._root / name
        # A name must be one component, even if another program changed the record.
        if Path(name).name != name or path.is_symlink() or not path.is_file():
            return False
        return _ANY in digests or _digest(path) in digests

    def _read_record(self) -> _Record:
        if not self._record_path.exists():
            return {}
        try:
            record = json.loads(self._record_path.read_text(encoding="utf-8"))
            if record["schema_version"] != _SCHEMA_VERSION:
                raise ValueError(record["schema_version"])
            return {str(name): [str(digest) for digest in digests] for name, digests in record["files"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            path = str(self._record_path)
            raise ConfigError(f"{path!r} is damaged or of another version; choose another -o") from error

    def _write_record(self, files: Mapping[str, Sequence[str]]) -> None:
        record = {"schema_version": _SCHEMA_VERSION, "files": dict(sorted(files.items()))}
        write_atomic(self._record_path, json.dumps(record, indent=2) + "\n", private=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
