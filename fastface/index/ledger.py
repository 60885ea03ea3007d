"""Store committed units, finished videos, their names and exported files in SQLite, in OUT/.fastface.

The scan and the export write it; commands read it. A row is written only after its file has its final name. So a
killed run may leave a file without a row. The next run makes that file again under the same name. A row without a file
is damage by a user.
"""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from sys import intern
from threading import RLock
from typing import Any, Self
from urllib.parse import quote

from fastface.errors import FaceIndexError, SpaceError
from fastface.failpoints import fail_point
from fastface.footage import VideoInfo
from fastface.index.records import (
    REMARKABLE,
    UNIT_SUMS,
    NameRecord,
    UnitRecord,
    UnitSummary,
    VideoRecord,
    VideoState,
    VideoSummary,
    info_from_text,
    info_to_text,
)

_VERSION = 7
"""Version of the tables, stored as SQLite's `user_version`; 0 is a new file."""

_TABLES = f"""
BEGIN;
CREATE TABLE IF NOT EXISTS videos (
    video_id TEXT PRIMARY KEY, path BLOB NOT NULL, fingerprint TEXT NOT NULL, scan_key TEXT NOT NULL,
    state TEXT NOT NULL, reason TEXT NOT NULL, coverage REAL, info TEXT, num_units INTEGER NOT NULL,
    stamp TEXT NOT NULL, disk BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS names (
    path BLOB PRIMARY KEY, fingerprint TEXT NOT NULL, stamp TEXT NOT NULL, disk BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS units (
    video_id TEXT NOT NULL, key TEXT NOT NULL, record TEXT NOT NULL, PRIMARY KEY (video_id, key));
CREATE TABLE IF NOT EXISTS exports (path TEXT PRIMARY KEY, key TEXT NOT NULL, facts TEXT NOT NULL);
PRAGMA user_version = {_VERSION};
COMMIT;
"""


_VIDEOS = "SELECT * FROM videos ORDER BY video_id"
_VIDEOS_WITHOUT_INFO = (
    "SELECT video_id, path, fingerprint, scan_key, state, reason, coverage, NULL, num_units, stamp, disk "
    "FROM videos ORDER BY video_id"
)


def _list_paths(names: Iterable[str]) -> str:
    """Return the fields of a JSON object as arguments of SQLite's `json_extract`."""
    return ", ".join(f"'$.{name}'" for name in names)


_DEFAULTS = {one.name: one.default for one in fields(VideoInfo)}
_UNREMARKABLE = json.dumps([_DEFAULTS[name] for name in REMARKABLE], separators=(",", ":"))
_SUMMARIES = f"""
SELECT video_id, path, fingerprint, scan_key, state, reason, coverage,
    json_extract(info, '$.duration'), json_extract(info, '$.player_offset'), json_extract(info, '$.is_film'),
    CASE WHEN json_extract(info, {_list_paths(REMARKABLE)}) != '{_UNREMARKABLE}' THEN info END,
    json_extract(record, {_list_paths((*UNIT_SUMS, *UnitSummary._fields[1:]))})
FROM videos LEFT JOIN units USING (video_id) ORDER BY videos.video_id, key
"""  # noqa: S608 - made of names of fields
_BLOCK_ROWS = 1000
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PRIMARY = 0xFF
"""Bits of an error code that name its kind; higher bits give detail."""

_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})
"""SQLite returns the second code if the shared-memory index of its log finds no space."""


class Ledger:
    """The open ledger. One process at a time writes: the caller holds OUT's lock. Use as a context manager.

    Threads may share it: their calls wait for each other. Every call raises the errors of opening: SpaceError if the
    disk is full, else FaceIndexError.

    Args:
        path: The file.
        read_only: Write and create nothing. Then any ledger can be read, on any medium.

    Raises:
        SpaceError: No space is left.
        FaceIndexError: The file is damaged, of another version of fastface, or cannot be opened.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._path = path
        self._lock = RLock()
        self._paths: dict[bytes, Path] = {}
        with self._translate():
            self._database = _opened_to_read(path) if read_only else _connect(path)
            with ExitStack() as unless_ready:
                unless_ready.callback(self._database.close)
                self._prepare(read_only=read_only)
                unless_ready.pop_all()

    def _prepare(self, *, read_only: bool) -> None:
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if version not in (0, _VERSION):
            raise FaceIndexError(
                f"{str(self._path)!r} is of version {version}, this fastface writes version {_VERSION}; "
                f"use another output folder, or remove {str(self._path.parent)!r} and scan again"
            )
        if read_only and version == 0:  # a run is just starting: read an empty ledger
            self._database.close()
            self._database = _connect(":memory:")
        if not read_only:
            self._path.chmod(0o600)
            self._database.execute("PRAGMA journal_mode=WAL")
            # Commits are not synced: a power cut may remove the last rows, and the next run repeats their work.
            # Deletions are synced, because the files are removed next: see `forget_video`.
            self._database.execute("PRAGMA synchronous=NORMAL")
        if version == 0:
            self._database.executescript(_TABLES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def video(self, video_id: str) -> VideoRecord | None:
        """Return the record of a video; None if there is none."""
        rows = self._rows("SELECT * FROM videos WHERE video_id = ?", video_id)
        return self._to_record(rows[0]) if rows else None

    def videos(self, *, with_info: bool = True) -> list[VideoRecord]:
        """Return all videos, ordered by name.

        Args:
            with_info: False to leave out the results of the probes: `info` is then None. They take three quarters of
                the time and of the memory of a list of 100,000 videos.
        """
        query = _VIDEOS if with_info else _VIDEOS_WITHOUT_INFO
        return [self._to_record(row) for row in self._iterate(query)]

    def _to_record(self, row: tuple[Any, ...]) -> VideoRecord:
        video_id, path, fingerprint, scan_key, state, reason, coverage, info, num_units, stamp, disk = row
        place = self._to_path(path)
        return VideoRecord(
            video_id=video_id,
            path=place,
            fingerprint=fingerprint,
            scan_key=intern(scan_key),
            state=intern(state),
            reason=reason,
            coverage=coverage,
            info=None if info is None else info_from_text(info, place),
            num_units=num_units,
            stamp=stamp,
            disk=os.fsdecode(disk),
        )

    def _to_summary(self, rows: list[tuple[Any, ...]]) -> VideoSummary:
        """Convert the rows of a video, one a unit."""
        (video_id, path, own, scan_key, state, reason, coverage, duration, player_offset, is_film, remarkable, _) = (
            rows[0]
        )
        place = self._to_path(path)
        return VideoSummary(
            video_id,
            place,
            own,
            intern(scan_key),
            intern(state),
            reason,
            coverage,
            None if duration is None else _to_seconds(duration),
            0.0 if player_offset is None else _to_seconds(player_offset),
            is_film != 0,
            None if remarkable is None else info_from_text(remarkable, place),
            tuple([_to_unit_summary(row[-1]) for row in rows if row[-1] is not None]),
        )

    def share_paths(self, paths: Iterable[Path]) -> None:
        """Let records have these objects as paths: making 100,000 others takes seconds, and so does comparing them."""
        self._paths.update((os.fsencode(path), path) for path in paths)

    def _to_path(self, path: bytes) -> Path:
        """Convert a stored path; all records of a video have the same object."""
        found = self._paths.get(path)
        if found is None:
            found = self._paths[path] = Path(os.fsdecode(path))
        return found

    def has_scans(self) -> bool:
        """Return whether a scan has begun a video."""
        return bool(self._rows("SELECT 1 FROM videos WHERE scan_key != '' LIMIT 1"))

    def video_states(self, *, with_done: bool = True) -> list[VideoState]:
        """Return the states of all videos, ordered by name: what `status` needs of 100,000 videos in a second.

        Args:
            with_done: False to leave out the videos that are done.
        """
        query = (
            "SELECT video_id, state, reason, scan_key != '', json_extract(info, '$.duration') "
            "FROM videos WHERE ? OR state != 'done' ORDER BY video_id"
        )
        return [
            VideoState(video_id, state, reason, bool(is_begun), None if text is None else _to_seconds(text))
            for video_id, state, reason, is_begun, text in self._iterate(query, with_done)
        ]

    def list_finished(self) -> list[str]:
        """Return the names of the videos that are not being scanned and do not wait, in order."""
        query = "SELECT video_id FROM videos WHERE state != 'scanning' ORDER BY video_id"
        return [video_id for (video_id,) in self._iterate(query)]

    def count_states(self) -> dict[str, int]:
        """Return {state: number of videos}; `waiting` for videos that no run has started."""
        rows = self._rows(
            "SELECT CASE scan_key WHEN '' THEN 'waiting' ELSE state END AS shown, COUNT(*) FROM videos GROUP BY shown"
        )
        return dict(rows)

    def put_video(self, record: VideoRecord, last_unit: UnitRecord | None = None) -> None:
        """Write or replace the record of a video, and the unit that finished it if one is given."""
        with self._transaction("video"):
            if last_unit is not None:
                self._insert_unit(record.video_id, last_unit)
            self._insert_video(record)

    def _insert_video(self, record: VideoRecord) -> None:
        info = None if record.info is None else info_to_text(record.info)
        self._database.execute(
            "INSERT OR REPLACE INTO videos VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                record.video_id,
                os.fsencode(record.path),
                record.fingerprint,
                record.scan_key,
                record.state,
                record.reason,
                record.coverage,
                info,
                record.num_units,
                record.stamp,
                os.fsencode(record.disk),
            ),
        )

    def put_waiting(self, paths: Mapping[str, Path]) -> None:
        """Record the videos to scan: an unknown video gets the state `scanning` and an empty key.

        One transaction, because there may be thousands. Earlier waiting videos that are not in `paths` are deleted.

        Args:
            paths: {video id: path of the file}.
        """
        rows = ((video_id, os.fsencode(path)) for video_id, path in paths.items())
        with self._transaction("waiting"):
            self._database.execute("DELETE FROM videos WHERE scan_key = ''")
            self._insert_waiting(rows)

    def _insert_waiting(self, rows: Iterable[tuple[str, bytes]]) -> None:
        self._database.executemany(
            "INSERT OR IGNORE INTO videos VALUES (?, ?, '', '', 'scanning', '', NULL, NULL, 0, '', x'')", rows
        )

    def await_videos(self, outdated: Iterable[str], paths: Mapping[str, Path]) -> None:
        """Replace all waiting videos, and delete outdated ones, durably. Afterwards their files may be replaced.

        Args:
            outdated: Videos whose records and units are deleted.
            paths: {video id: path of the file} of the videos that wait from now on.
        """
        old = [(video_id,) for video_id in outdated]
        rows = ((video_id, os.fsencode(path)) for video_id, path in paths.items())
        with self._sync(), self._transaction("await"):
            self._database.execute("DELETE FROM videos WHERE scan_key = ''")
            self._database.executemany("DELETE FROM videos WHERE video_id = ?", old)
            self._database.executemany("DELETE FROM units WHERE video_id = ?", old)
            self._insert_waiting(rows)

    def put_scanned(self, record: VideoRecord, units: Iterable[UnitRecord]) -> None:
        """Write or replace the record of a finished video with all its units."""
        with self._transaction("scanned"):
            self._database.execute("DELETE FROM units WHERE video_id = ?", (record.video_id,))
            for unit in units:
                self._insert_unit(record.video_id, unit)
            self._insert_video(record)

    def forget_video(self, video_id: str) -> None:
        """Delete a video and its units durably. Afterwards its files may be removed or replaced."""
        with self._sync(), self._transaction("forget-video"):
            self._database.execute("DELETE FROM videos WHERE video_id = ?", (video_id,))
            self._database.execute("DELETE FROM units WHERE video_id = ?", (video_id,))

    def _rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        with self._lock, self._translate():
            return self._database.execute(query, values).fetchall()

    def _iterate(self, query: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query, a block in memory at a time."""
        with self._lock, self._translate():
            cursor = self._database.execute(query, values)
            rows = cursor.fetchmany(_BLOCK_ROWS)
        while rows:
            yield from rows
            with self._lock, self._translate():
                rows = cursor.fetchmany(_BLOCK_ROWS)

    def put_names(self, names: Iterable[NameRecord]) -> None:
        """Write further names of videos; replace earlier records of the same files."""
        rows = [(os.fsencode(one.path), one.fingerprint, one.stamp, os.fsencode(one.disk)) for one in names]
        if rows:
            with self._transaction("names"):
                self._database.executemany("INSERT OR REPLACE INTO names VALUES (?, ?, ?, ?)", rows)

    def names(self) -> list[NameRecord]:
        """Return all further names of videos, ordered by path."""
        rows = self._rows("SELECT path, fingerprint, stamp, disk FROM names ORDER BY path")
        return [NameRecord(Path(os.fsdecode(path)), own, stamp, os.fsdecode(disk)) for path, own, stamp, disk in rows]

    def drop_names(self, paths: Iterable[Path]) -> None:
        """Delete names whose file is gone, or has other content."""
        rows = [(os.fsencode(path),) for path in paths]
        if rows:
            with self._transaction("drop-names"):
                self._database.executemany("DELETE FROM names WHERE path = ?", rows)

    def forget_names(self, fingerprint: str) -> None:
        """Delete all further names of a video."""
        with self._transaction("forget-names"):
            self._database.execute("DELETE FROM names WHERE fingerprint = ?", (fingerprint,))

    def put_unit(self, video_id: str, record: UnitRecord) -> None:
        """Record a committed unit."""
        with self._transaction("unit"):
            self._insert_unit(video_id, record)

    def _insert_unit(self, video_id: str, record: UnitRecord) -> None:
        row = (video_id, record.key, record.to_text())
        self._database.execute("INSERT OR REPLACE INTO units VALUES (?, ?, ?)", row)

    def units(self, video_id: str) -> dict[str, UnitRecord]:
        """Return the committed units of a video by key."""
        rows = self._rows("SELECT key, record FROM units WHERE video_id = ? ORDER BY key", video_id)
        return {key: UnitRecord.from_text(record) for key, record in rows}

    def iterate_summaries(self) -> Iterator[VideoSummary]:
        """Yield all videos, ordered by name, with their units, ordered by key; by one query."""
        return (self._to_summary(list(rows)) for _, rows in groupby(self._iterate(_SUMMARIES), itemgetter(0)))

    def pictured_videos(self) -> set[str]:
        """Return the videos with pictures of faces."""
        query = (
            "SELECT DISTINCT video_id FROM units "
            "WHERE json_extract(record, '$.portraits') > 0 AND NOT json_extract(record, '$.dense')"
        )
        return {video_id for (video_id,) in self._iterate(query)}

    def closer_videos(self) -> set[str]:
        """Return the videos with dense units."""
        query = "SELECT DISTINCT video_id FROM units WHERE json_extract(record, '$.dense')"
        return {video_id for (video_id,) in self._iterate(query)}

    def put_export(self, path: str, key: str, facts: str) -> None:
        """Record an exported file.

        Args:
            path: Path below OUT.
            key: Digest of the content that the file was made from.
            facts: Text that the exporter needs at the next run.
        """
        with self._transaction("export"):
            self._database.execute("INSERT OR REPLACE INTO exports VALUES (?, ?, ?)", (path, key, facts))

    def doubt_exports(self, paths: Iterable[str]) -> None:
        """Mark files as changed, durably, before they are replaced. After a crash none counts as unchanged."""
        with self._sync(), self._transaction("doubt-exports"):
            self._database.executemany("UPDATE exports SET key = '' WHERE path = ?", ((path,) for path in paths))

    def forget_export(self, path: str) -> None:
        """Delete the record of a removed file."""
        with self._transaction("forget-export"):
            self._database.execute("DELETE FROM exports WHERE path = ?", (path,))

    def move_export(self, path: str, moved: str) -> None:
        """Rename the record of a file."""
        with self._transaction("move-export"):
            self._database.execute("UPDATE OR REPLACE exports SET path = ? WHERE path = ?", (moved, path))

    def exports(self) -> dict[str, tuple[str, str]]:
        """Return {path below OUT: (key, facts)} of all exported files."""
        rows = self._rows("SELECT path, key, facts FROM exports ORDER BY path")
        return {path: (key, facts) for path, key, facts in rows}

    @contextmanager
    def _sync(self) -> Iterator[None]:
        """Sync the commits of this block and all earlier commits, so that they survive a power cut."""
        with self._lock:
            with self._translate():
                self._database.execute("PRAGMA synchronous=FULL")
            try:
                yield
            finally:
                with self._translate():
                    self._database.execute("PRAGMA synchronous=NORMAL")

    @contextmanager
    def _transaction(self, what: str) -> Iterator[None]:
        with self._lock, self._translate():
            with self._database:  # commits at the end, or rolls back
                self._database.execute("BEGIN IMMEDIATE")
                fail_point(f"ledger.{what}.begin")
                yield
                fail_point(f"ledger.{what}.commit")
            fail_point(f"ledger.{what}.committed")

    @contextmanager
    def _translate(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            # Absent if Python's module raised the error, not the library.
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
            if code in _FULL:
                raise SpaceError(
                    "no space left to write the state of the run; free some space and run the command again"
                ) from error
            reason = f"cannot use {str(self._path)!r}: {error}"
            if code & _PRIMARY not in _DAMAGED:
                raise FaceIndexError(reason) from error
            raise FaceIndexError(f"{reason}; remove {str(self._path.parent)!r} and scan again") from error
        except OSError as error:
            raise FaceIndexError(f"cannot use {str(self._path)!r}: {error.strerror}") from error


def _to_seconds(fraction: str) -> float:
    """Convert the text of a fraction, such as `1001/25`, correctly rounded."""
    ticks, _, a_second = fraction.partition("/")
    return int(ticks) / int(a_second or 1)


def _to_unit_summary(text: str) -> UnitSummary:
    *sums, seconds, decoder, decoder_reason = json.loads(text)
    return UnitSummary(tuple(sums), seconds, decoder, decoder_reason)


def _opened_to_read(path: Path) -> sqlite3.Connection:
    """Open a ledger for reading without making or changing a file.

    While a run writes, or after a killed run, a log lies beside the ledger and is read too. Without a log, no run
    writes. `immutable` then keeps SQLite from making that log, which fails on a read-only medium.
    """
    log = path.with_name(f"{path.name}-wal")
    option = "mode=ro" if log.exists() and log.stat().st_size else "immutable=1"
    return _connect(f"file:{quote(os.fsencode(path.absolute()))}?{option}", is_uri=True)


def _connect(place: Path | str, *, is_uri: bool = False) -> sqlite3.Connection:
    return sqlite3.connect(place, isolation_level=None, uri=is_uri, check_same_thread=False)
