"""The file: its tables, its version, and what it takes to open one that may be old, new, foreign or damaged."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FILE = "tocsin.db"
VERSION = 2
_APPLICATION = 0x746F6373  # "tocs", in SQLite's header: this file is Tocsin's
_BUSY_MS = 2000
_AUTOCHECKPOINT_PAGES = 8192  # the housekeeper is sooner; this is for when it isn't

_TABLES = """
-- Every transition of every alarm. `body` is the whole event as JSON; the columns are what is searched by.
CREATE TABLE event(
    id INTEGER PRIMARY KEY,
    t INTEGER NOT NULL,             -- ns since 1970, by the readings' clock
    raised_at INTEGER NOT NULL,     -- ns since 1970, when it was processed
    stream TEXT NOT NULL,
    alarm TEXT NOT NULL,
    priority TEXT NOT NULL,
    category TEXT NOT NULL,
    transition TEXT NOT NULL,
    occurrence INTEGER,             -- id of the event that raised it
    actor TEXT,
    verdict TEXT,
    labels INTEGER NOT NULL REFERENCES labels,
    body TEXT NOT NULL
);
CREATE INDEX event_by_t ON event(t);
CREATE INDEX event_by_stream ON event(stream, t);
CREATE INDEX event_by_alarm ON event(alarm, t);
CREATE INDEX event_by_labels ON event(labels, t);
CREATE INDEX event_by_occurrence ON event(occurrence);
CREATE INDEX event_by_actor ON event(actor, t) WHERE actor IS NOT NULL;
CREATE INDEX event_by_verdict ON event(verdict, t) WHERE verdict IS NOT NULL;

-- Streams share their labels, such as a ward: each set stands here once.
CREATE TABLE labels(id INTEGER PRIMARY KEY, body TEXT NOT NULL UNIQUE);

-- The log is append-only. Retention alone removes: it first says up to which event, and that mark only moves forward.
CREATE TABLE retention(before INTEGER NOT NULL);
INSERT INTO retention VALUES (0);
CREATE TRIGGER retention_moves_forward BEFORE UPDATE ON retention WHEN NEW.before < OLD.before
BEGIN SELECT RAISE(ABORT, 'retention only moves forward'); END;
CREATE TRIGGER retention_stays BEFORE DELETE ON retention
BEGIN SELECT RAISE(ABORT, 'retention only moves forward'); END;
CREATE TRIGGER retention_is_one BEFORE INSERT ON retention
BEGIN SELECT RAISE(ABORT, 'retention only moves forward'); END;
CREATE TRIGGER event_is_kept BEFORE DELETE ON event WHEN OLD.id >= (SELECT before FROM retention)
BEGIN SELECT RAISE(ABORT, 'the alarm log is append-only'); END;
CREATE TRIGGER event_is_unchanged BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'the alarm log is append-only'); END;
CREATE TRIGGER event_is_not_replaced BEFORE INSERT ON event WHEN EXISTS (SELECT 1 FROM event WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'the alarm log is append-only'); END;
CREATE TRIGGER labels_are_unchanged BEFORE UPDATE ON labels
BEGIN SELECT RAISE(ABORT, 'the alarm log is append-only'); END;
CREATE TRIGGER labels_are_kept BEFORE DELETE ON labels WHEN EXISTS (SELECT 1 FROM event WHERE labels = OLD.id)
BEGIN SELECT RAISE(ABORT, 'the alarm log is append-only'); END;

-- What came in since the last snapshot: one row a commit.
CREATE TABLE journal(position INTEGER PRIMARY KEY, last_event INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE snapshot(position INTEGER, part INTEGER, body BLOB NOT NULL, PRIMARY KEY(position, part));
-- The snapshot that counts; another one is being written, or is waiting to be removed.
CREATE TABLE snapshot_at(position INTEGER NOT NULL, made_at INTEGER NOT NULL);

-- Pending deliveries. `body` is the payload as its sink encodes it.
CREATE TABLE delivery(
    id INTEGER PRIMARY KEY,
    sink TEXT NOT NULL,
    key TEXT NOT NULL,
    event_id INTEGER NOT NULL,
    body BLOB NOT NULL,
    replaces INTEGER NOT NULL,      -- whether it replaced the pending ones of its key
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER NOT NULL DEFAULT 0
);
-- Deliveries that were given up, and why.
CREATE TABLE dead_letter(
    id INTEGER PRIMARY KEY,
    sink TEXT NOT NULL,
    key TEXT NOT NULL,
    event_id INTEGER NOT NULL,
    body BLOB NOT NULL,
    attempts INTEGER NOT NULL,
    died_at INTEGER NOT NULL,
    reason TEXT NOT NULL
);
"""

_SINCE_2 = """
-- What people asked of streams, as far as it was done. `body` is the whole entry as JSON.
CREATE TABLE stream_command(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,            -- ns since 1970
    actor TEXT NOT NULL,
    mark TEXT,                      -- the asker's own, its transaction
    verb TEXT NOT NULL,
    stream TEXT NOT NULL,
    to_stream TEXT,                 -- of a transfer
    body TEXT NOT NULL
);
CREATE INDEX stream_command_by_at ON stream_command(at);
CREATE INDEX stream_command_by_stream ON stream_command(stream, at);
CREATE INDEX stream_command_by_actor ON stream_command(actor, at);
CREATE INDEX stream_command_by_mark ON stream_command(mark) WHERE mark IS NOT NULL;

-- As append-only as the alarm log.
CREATE TABLE stream_command_retention(before INTEGER NOT NULL);
INSERT INTO stream_command_retention VALUES (0);
CREATE TRIGGER stream_command_retention_moves_forward BEFORE UPDATE ON stream_command_retention
WHEN NEW.before < OLD.before
BEGIN SELECT RAISE(ABORT, 'retention only moves forward'); END;
CREATE TRIGGER stream_command_retention_stays BEFORE DELETE ON stream_command_retention
BEGIN SELECT RAISE(ABORT, 'retention only moves forward'); END;
CREATE TRIGGER stream_command_retention_is_one BEFORE INSERT ON stream_command_retention
BEGIN SELECT RAISE(ABORT, 'retention only moves forward'); END;
CREATE TRIGGER stream_command_is_kept BEFORE DELETE ON stream_command
WHEN OLD.id >= (SELECT before FROM stream_command_retention)
BEGIN SELECT RAISE(ABORT, 'the log of commands is append-only'); END;
CREATE TRIGGER stream_command_is_unchanged BEFORE UPDATE ON stream_command
BEGIN SELECT RAISE(ABORT, 'the log of commands is append-only'); END;
CREATE TRIGGER stream_command_is_not_replaced BEFORE INSERT ON stream_command
WHEN EXISTS (SELECT 1 FROM stream_command WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'the log of commands is append-only'); END;

-- What was remembered of streams that were given up, should they come back.
CREATE TABLE evicted(
    watch TEXT NOT NULL,
    stream TEXT NOT NULL,
    at INTEGER NOT NULL,            -- ns since 1970
    body BLOB NOT NULL,
    PRIMARY KEY(watch, stream)
);
"""


def _migrate_from_1(connection: sqlite3.Connection) -> None:
    for statement in _statements(_SINCE_2):
        connection.execute(statement)


def _statements(script: str) -> Iterator[str]:
    """Cut a script up: as a whole it would end the transaction that it runs in."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


MIGRATIONS: dict[int, Callable[[sqlite3.Connection], None]] = {1: _migrate_from_1}
"""From a version to the next one; each runs in the transaction that sets the new version."""


class StoreError(Exception):
    """The store can't be used; says what to do about it.

    Attributes:
        remedy: What the operator can do.
    """

    def __init__(self, message: str, remedy: str) -> None:
        """Keep both."""
        super().__init__(message)
        self.remedy = remedy


def open_file(folder: Path) -> sqlite3.Connection:
    """Open a folder's file to write in it, or make it; the caller holds the folder's lock.

    Raises:
        StoreError: It can't be opened, isn't Tocsin's, is newer than this Tocsin, or is damaged.
    """
    file = folder / FILE
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite gives its other files the same rights
        connection = connect(file)
    except (OSError, sqlite3.OperationalError) as error:
        raise StoreError(f"{file}: {error}", "give the daemon's user the folder, or set store.folder") from error
    try:
        _prepare(connection, file)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise damaged(file, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def connect(file: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Connect to a file whose tables are there, or will be."""
    uri = f"{file.resolve().as_uri()}?mode={'ro' if read_only else 'rw'}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=_BUSY_MS / 1000)
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
    return connection


def damaged(file: Path, error: object) -> StoreError:
    """What to say of a file that can't be read."""
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        return StoreError(f"{file}: {error}", "end the program that writes in it")
    return StoreError(
        f"{file} is damaged ({error})",
        f"keep it and look what is in it: sqlite3 {file} .recover > recovered.sql; then put a backup in its place, or "
        "move it away: the daemon begins anew, with streams that warm up and an empty log",
    )


def _prepare(connection: sqlite3.Connection, file: Path) -> None:
    version = _pragma(connection, "user_version")
    application = _pragma(connection, "application_id")
    is_empty = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    if application != _APPLICATION and not is_empty:
        raise StoreError(f"{file} is a database, but not Tocsin's", "set store.folder to a folder of the daemon's own")
    if version > VERSION:
        raise StoreError(
            f"{file} has version {version}; this Tocsin reads up to {VERSION}",
            "run the newer Tocsin that wrote it, or set store.folder to another folder",
        )
    if is_empty:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before the first table, or never
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # a commit is on the disk when it returns
    connection.execute(f"PRAGMA wal_autocheckpoint = {_AUTOCHECKPOINT_PAGES}")
    if is_empty:
        connection.executescript(
            f"BEGIN; {_TABLES} {_SINCE_2} PRAGMA application_id = {_APPLICATION}; "
            f"PRAGMA user_version = {VERSION}; COMMIT;"
        )
        return
    for old in range(version, VERSION):
        connection.execute("BEGIN IMMEDIATE")
        try:
            MIGRATIONS[old](connection)
            connection.execute(f"PRAGMA user_version = {old + 1}")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
    found = [row[0] for row in connection.execute("PRAGMA quick_check(1)")]
    if found != ["ok"]:
        raise damaged(file, found[0])


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
