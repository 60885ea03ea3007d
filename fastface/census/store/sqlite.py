"""Keep an identity store in a SQLite file on a local disk, for the processes of one machine. `open_store` opens it."""

import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from fastface.census.store.base import ComparisonRules
from fastface.census.store.register import PATIENCE_SECONDS, SharedStore, parts_to_text
from fastface.census.store.transaction import StoreTransaction
from fastface.errors import SpaceError, StoreError
from fastface.failpoints import fail_point
from fastface.files import private_folder, space_checked

_APPLICATION = 0x66666964
"""`ffid`, SQLite's `application_id` of a store: files of other programs are never changed."""

_TABLES = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS state (field TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS looks (number INTEGER PRIMARY KEY, version INTEGER NOT NULL, content BLOB);
CREATE INDEX IF NOT EXISTS changes ON looks (version);
CREATE TABLE IF NOT EXISTS sightings (source TEXT PRIMARY KEY, parts TEXT NOT NULL);
PRAGMA application_id = {_APPLICATION};
COMMIT;
"""

_CLEARED = """
BEGIN IMMEDIATE;
DELETE FROM state;
DELETE FROM looks;
DELETE FROM sightings;
COMMIT;
VACUUM;
"""

_PRIMARY = 0xFF
"""Bits of an error code that contain its primary code; the higher bits are the extended code."""

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})
"""The second code means that there is no space for the index of the log, which is a mapped file."""

_Answer = TypeVar("_Answer")


class SqliteStore(SharedStore):
    """See `IdentityStore`.

    Args:
        path: The file. A missing folder is created, readable by its owner only; an existing folder stays unchanged.
        rules: Rules for the comparison of faces; None opens an existing store with its own contract.
        patience: Maximum seconds that a call waits for other processes.

    Raises:
        StoreError, SpaceError, ConfigError: See `open_store`.
    """

    def __init__(self, path: Path, rules: ComparisonRules | None, *, patience: float = PATIENCE_SECONDS) -> None:
        super().__init__(repr(str(path)), rules)
        self._path = path
        self._patience = patience
        with self._translate():
            self._make_file(may_be_new=rules is not None)
            self._database = sqlite3.connect(path, timeout=patience, isolation_level=None)
        with ExitStack() as unless_ready:
            unless_ready.callback(self._close)
            with self._translate():
                self._prepare()
            if rules is not None:
                self._transact(StoreTransaction.begin)
            unless_ready.pop_all()

    def clear(self) -> None:
        """See `IdentityStore`. The empty file stays, because other processes may have it open."""
        with self._translate():
            try:
                self._database.executescript(_CLEARED)
            except sqlite3.Error:
                self._database.rollback()
                raise
            # The write-ahead log still contains the removed data.
            is_held, *_ = self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if is_held:
            raise StoreError(
                f"{self._shown} is in use, so what was removed may still be in the file: "
                "stop the other program and try again"
            )

    def _make_file(self, *, may_be_new: bool) -> None:
        """Create the file with mode 0600 before it holds an embedding; SQLite gives its log the same mode."""
        path = self._path
        if path.exists():
            if not path.is_file():
                raise StoreError(f"{self._shown} is not a file")
            return
        if not may_be_new:
            raise StoreError(f"there is no store {self._shown}")
        if not path.parent.exists():
            private_folder(path.parent)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))

    def _prepare(self) -> None:
        database = self._database
        database.execute("BEGIN")  # both queries read the same state of the file
        (application,) = database.execute("PRAGMA application_id").fetchone()
        (num_tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        database.execute("COMMIT")
        if application != _APPLICATION and (application or num_tables):
            raise StoreError(f"{self._shown} is a file of another program: choose another path")
        self._path.chmod(0o600)
        # Overwrite removed data, and keep committed data through a power cut.
        database.execute("PRAGMA secure_delete=ON")
        database.execute("PRAGMA synchronous=FULL")
        if application != _APPLICATION:
            self._lay_out()

    def _lay_out(self) -> None:
        """Create the tables. SQLite does not wait while another process switches the file to its log, so retry here."""
        deadline = time.monotonic() + self._patience
        while True:
            try:
                self._database.execute("PRAGMA journal_mode=WAL")
                self._database.executescript(_TABLES)
            except sqlite3.OperationalError as error:
                self._database.rollback()
                if _kind(error) not in _BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.001 * (1 + secrets.randbelow(20)))
            else:
                return

    def _close(self) -> None:
        self._database.close()

    def _transact(self, change: Callable[[StoreTransaction], _Answer]) -> _Answer:
        with self._translate():
            with self._database:  # commits at the end, or rolls back
                self._database.execute("BEGIN IMMEDIATE")
                fields = dict(self._database.execute("SELECT field, value FROM state"))
                fail_point("identities.begin")
                draft = self._draft(fields)
                answer = change(draft)
                if draft.is_changed:
                    self._write(draft)
                    fail_point("identities.commit")
            if draft.is_changed:
                fail_point("identities.committed")
        self._done(draft)
        return answer

    def _write(self, draft: StoreTransaction) -> None:
        version = draft.state.version + 1
        looks = ((number, version, None if look is None else look.to_bytes()) for number, look in draft.looks.items())
        self._database.executemany("INSERT OR REPLACE INTO looks VALUES (?, ?, ?)", looks)
        for source, parts in draft.sightings.items():
            if parts:
                row = (source, parts_to_text(parts))
                self._database.execute("INSERT OR REPLACE INTO sightings VALUES (?, ?)", row)
            else:
                self._database.execute("DELETE FROM sightings WHERE source = ?", (source,))
        fields = {**draft.state.to_fields(), "version": str(version)}
        self._database.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", fields.items())

    def _read_changes(self, version: int) -> Iterator[tuple[int, bytes | None]]:
        yield from self._database.execute("SELECT number, content FROM looks WHERE version > ?", (version,))

    def _read_parts(self, source: str) -> str | bytes | None:
        row = self._database.execute("SELECT parts FROM sightings WHERE source = ?", (source,)).fetchone()
        return None if row is None else row[0]

    def _read_sightings(self) -> Iterator[tuple[str, str | bytes]]:
        yield from self._database.execute("SELECT source, parts FROM sightings").fetchall()

    @contextmanager
    def _translate(self) -> Iterator[None]:
        try:
            with space_checked(self._path):
                yield
        except sqlite3.Error as error:
            if _code(error) in _FULL:
                raise SpaceError(
                    f"no space left to write {self._shown}; free some space and run the command again"
                ) from error
            if _kind(error) in _DAMAGED:
                raise self._raise_damaged(error) from error
            if _kind(error) in _BUSY:
                reason = f"{self._shown} was in use by others for {self._patience:g} seconds: try again when they end"
                raise StoreError(reason) from error
            raise StoreError(f"cannot use {self._shown}: {error}") from error
        except OSError as error:
            raise StoreError(f"cannot use {self._shown}: {error.strerror}") from error


def _code(error: sqlite3.Error) -> int:
    # The code is missing if the module, not the library, raised the error.
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)


def _kind(error: sqlite3.Error) -> int:
    return _code(error) & _PRIMARY
