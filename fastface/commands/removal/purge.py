"""Run `fastface purge`: remove embeddings, pictures, banks and identities from an output folder.

Tables of hits, clips and the log stay.
"""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fastface.commands.nights.night import list_night_files
from fastface.distribution import read_version
from fastface.errors import FastfaceError, SpaceError
from fastface.fleet.views import list_views
from fastface.index.ledger import Ledger
from fastface.review.report.report_page import REPORT
from fastface.runtime.events.event_log import open_event_log
from fastface.runtime.events.observer import Observer
from fastface.runtime.output_folder import OutputFolder, in_answer, list_answers, require_ledger

_PICTURES = ("crops/", "sheets/", "snapshots/", "targets/")
_PERSONS = ("audit/", "people/", "banks/", "reels/", "timelines/", "primary_person.npz")
_FOLDERS = (*_PICTURES, "audit/", "people/", "banks/", "reels/", "timelines/")
_KNOWLEDGE = (
    "identities.sqlite",
    "identities.sqlite-wal",
    "identities.sqlite-shm",
    "people.json",
    "corrections.json",
    "corrections.undo.jsonl",
    "decisions.json",
    "numbers.npz",
    "photo_names.json",
    "merged.json",  # else a merge after the purge would leave out what it took over before
    "origins.json",
)


@dataclass(frozen=True, slots=True)
class PurgeResult:
    """Files that were removed, or would be.

    Attributes:
        indexes: Number of videos whose faces and embeddings were stored.
        photos: Number of photos whose faces were stored.
        pictures: Number of crops, snapshots and contact sheets.
        persons: Number of files of `people`, `pick`, `timelines` and `audit`: portraits, pages, tables, embeddings,
            banks, timelines, identities; and of reels.
        bytes_freed: Size of all these files.
        kept: Files beside them that are not in the ledger, and stay: the user's own, or those of a lost ledger.
        log: Path of the log, which stays: it names videos, but contains no face data.
    """

    indexes: int
    photos: int
    pictures: int
    persons: int
    bytes_freed: int
    kept: tuple[str, ...]
    log: str


def purge(out: Path, *, pretend: bool = False) -> PurgeResult:
    """Remove embeddings, faces of photos, pictures, pages, reels, timelines, and all data on persons from a folder.

    The reports of nights go too, so that the next run reports everything as new.

    Its videos are forgotten, and all videos of the views below it, which join it with other folders. An identity store
    elsewhere stays, because other folders may share it.

    Spans, hits, clips and the log stay. Banks that `enroll` wrote elsewhere are the user's own.

    Args:
        out: The output folder.
        pretend: True to report the result without removing anything.

    Raises:
        ConfigError: There is no run in `out`.
        FastfaceError: Lists the files that could not be removed; the others are removed.
        LockedError: A run holds `out`.
    """
    require_ledger(out)
    parts = [_purge(one, pretend=pretend) for one in (*list_views(out), out)]
    return PurgeResult(
        indexes=sum(part.indexes for part in parts),
        photos=sum(part.photos for part in parts),
        pictures=sum(part.pictures for part in parts),
        persons=sum(part.persons for part in parts),
        bytes_freed=sum(part.bytes_freed for part in parts),
        kept=tuple(path for part in parts for path in part.kept),
        log=parts[-1].log,
    )


def _purge(out: Path, *, pretend: bool) -> PurgeResult:
    folder = OutputFolder(out)
    with folder.hold_lock(), Ledger(folder.ledger) as ledger:
        exports = list(ledger.exports())
        pictures = [path for path in exports if in_answer(path).startswith(_PICTURES)]
        persons = [out / path for path in exports if in_answer(path).startswith(_PERSONS)]
        persons += [folder.state / name for name in _KNOWLEDGE]
        persons = [path for path in persons if path.is_file()]
        indexes = [path for path in folder.index.iterdir() if path.is_dir()]
        photos = list(_files(folder.photos))
        doomed = [
            *_files(folder.index),
            *photos,
            *(out / path for path in pictures),
            *(answer / name for answer in list_answers(out) for name in ("crops/crops.csv", REPORT)),
            *list_night_files(folder),
            *persons,
        ]
        doomed = [path for path in doomed if path.is_file()]
        freed = sum(path.stat().st_size for path in doomed)
        if not pretend:
            _remove(doomed)
            _forget_all(ledger)
            for place in (folder.index, folder.photos):
                shutil.rmtree(place, ignore_errors=True)  # only empty folders are left
            _remove_empty(out)
            # Last, for `status`; a full disk must not prevent the removal of faces.
            with suppress(SpaceError), open_event_log(folder.log, Observer(), read_version(), "purge"):
                pass
        gone = set(doomed)
        places = [answer / name for answer in list_answers(out) for name in _FOLDERS]
        kept = [path for place in places for path in _files(place) if path not in gone]
        return PurgeResult(
            indexes=len(indexes),
            photos=len(photos),
            pictures=len(pictures),
            persons=len(persons),
            bytes_freed=freed,
            kept=tuple(sorted(map(str, kept))),
            log=str(folder.log),
        )


def _forget_all(ledger: Ledger) -> None:
    """Take all videos, and all exports that show or name persons, out of the ledger."""
    ledger.drop_names([name.path for name in ledger.names()])
    # In one step, since there may be thousands.
    ledger.await_videos([record.video_id for record in ledger.videos(with_info=False)], {})
    for name in ledger.exports():
        if in_answer(name).startswith((*_PICTURES, *_PERSONS)):
            ledger.forget_export(name)


def _remove(files: Iterable[Path]) -> None:
    """Remove all files that can be removed.

    Raises:
        FastfaceError: Lists the remaining files, with the reason.
    """
    kept = []
    for path in files:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            kept.append(f"still there: {str(path)!r}: {error.strerror}")
    if kept:
        raise FastfaceError("\n".join(kept))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _remove_empty(out: Path) -> None:
    for place in [answer / name for answer in list_answers(out) for name in _FOLDERS]:
        folders = [path for path in place.rglob("*") if path.is_dir()]
        for folder in [*sorted(folders, reverse=True), place]:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
