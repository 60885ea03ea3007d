"""The ledger: which units are committed, which videos are finished, which exports exist. SQLite in OUT/.fastface.

A row is written only after the file that it speaks of has its final name. So after a kill a file may be there without
its row, and is then made again under the same name; a row without its file is damage that a user did.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from fastface.errors import FaceIndexError, SpaceError
from fastface.index.records import UnitRecord, VideoRecord, info_from_text, info_to_text

__all__ = ["Ledger"]

_VERSION = 1
"""Of the tables, kept as SQLite's `user_version`; 0 is a new file."""

_TABLES = f"""
BEGIN;
CREATE TABLE IF NOT EXISTS videos (
    video_id TEXT PRIMARY KEY, path BLOB NOT NULL, fingerprint TEXT NOT NULL, scan_key TEXT NOT NULL,
    state TEXT NOT NULL, reason TEXT NOT NULL, coverage REAL, info TEXT, num_units INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS units (
    video_id TEXT NOT NULL, key TEXT NOT NULL, record TEXT NOT NULL, PRIMARY KEY (video_id, key));
CREATE TABLE IF NOT EXISTS exports (path TEXT PRIMARY KEY, key TEXT NOT NULL, facts TEXT NOT NULL);
PRAGMA user_version = {_VERSION};
COMMIT;
"""


class Ledger:
    """The open ledger. One process at a time writes: the caller holds OUT's lock. Use as a context manager.

    Raises:
        FaceIndexError: The file is damaged, or of another version of fastface.
    """

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        path.chmod(0o600)
        try:
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
            if version not in (0, _VERSION):
                raise FaceIndexError(
                    f"{str(path)!r} is of version {version}, this fastface writes version {_VERSION}; "
                    f"use another output folder, or remove {str(path.parent)!r} and scan again"
                )
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            if version == 0:
                self._database.executescript(_TABLES)
        except sqlite3.DatabaseError as error:
            self._database.close()
            raise FaceIndexError(
                f"cannot read {str(path)!r}: {error}; remove {str(path.parent)!r} and scan again"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    # ── videos ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def video(self, video_id: str) -> VideoRecord | None:
        """What is known of a video; None if nothing is."""
        rows = list(self._videos("WHERE video_id = ?", video_id))
        return rows[0] if rows else None

    def videos(self) -> list[VideoRecord]:
        """All videos, by name."""
        return list(self._videos("ORDER BY video_id"))

    def put_video(self, record: VideoRecord) -> None:
        """Writes what is known of a video, over what was known."""
        info = None if record.info is None else info_to_text(record.info)
        with self._transaction():
            self._database.execute(
                "INSERT OR REPLACE INTO videos VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
                ),
            )

    def forget_video(self, video_id: str) -> None:
        """Removes a video and its units."""
        with self._transaction():
            self._database.execute("DELETE FROM videos WHERE video_id = ?", (video_id,))
            self._database.execute("DELETE FROM units WHERE video_id = ?", (video_id,))

    def _videos(self, where: str, *values: str) -> Iterator[VideoRecord]:
        for row in self._database.execute(f"SELECT * FROM videos {where}", values):  # noqa: S608 - our own text
            video_id, path, fingerprint, scan_key, state, reason, coverage, info, num_units = row
            yield VideoRecord(
                video_id=video_id,
                path=Path(os.fsdecode(path)),
                fingerprint=fingerprint,
                scan_key=scan_key,
                state=state,
                reason=reason,
                coverage=coverage,
                info=None if info is None else info_from_text(info),
                num_units=num_units,
            )

    # ── units ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def put_unit(self, video_id: str, record: UnitRecord) -> None:
        """A unit is committed."""
        with self._transaction():
            self._database.execute(
                "INSERT OR REPLACE INTO units VALUES (?, ?, ?)", (video_id, record.key, record.to_text())
            )

    def units(self, video_id: str) -> dict[str, UnitRecord]:
        """The committed units of a video, by key."""
        rows = self._database.execute("SELECT key, record FROM units WHERE video_id = ? ORDER BY key", (video_id,))
        return {key: UnitRecord.from_text(record) for key, record in rows}

    # ── exports ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def put_export(self, path: str, key: str, facts: str) -> None:
        """A file was made: `key` says of what, `facts` is what its maker wants to know again."""
        with self._transaction():
            self._database.execute("INSERT OR REPLACE INTO exports VALUES (?, ?, ?)", (path, key, facts))

    def forget_export(self, path: str) -> None:
        """A file is gone."""
        with self._transaction():
            self._database.execute("DELETE FROM exports WHERE path = ?", (path,))

    def exports(self) -> dict[str, tuple[str, str]]:
        """{path below OUT: (key, facts)} of all files made."""
        rows = self._database.execute("SELECT path, key, facts FROM exports ORDER BY path")
        return {path: (key, facts) for path, key, facts in rows}

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._database.execute("BEGIN IMMEDIATE")
            yield
            self._database.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                raise
            raise SpaceError("no space left to write the state of the run; free some and run it again") from error
