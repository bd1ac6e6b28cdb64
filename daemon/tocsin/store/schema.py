"""File of the store: its tables and format, and what files are migrated or refused."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILE = "tocsin.db"
FORMAT = 1
"""Format of the tables; what they hold as bytes or JSON carries format numbers of its own."""
_APPLICATION = 0x54435331  # "TCS1", in SQLite's header: the file is Tocsin's; its user_version is the format
_APPLICATION_BEFORE_FORMATS = 0x746F6373  # "tocs": written before format 1
_BUSY_MS = 2000
_AUTOCHECKPOINT_PAGES = 8192  # maintenance is sooner; this is for when it isn't

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

-- The log is append-only. Retention alone removes: it first raises the mark of what goes, which only moves forward.
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

-- Entries since the last snapshot: one row a commit.
CREATE TABLE journal(position INTEGER PRIMARY KEY, last_event INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE snapshot(position INTEGER, part INTEGER, body BLOB NOT NULL, PRIMARY KEY(position, part));
-- The valid snapshot; another one is being written, or is to be removed.
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

-- Commands for streams that were carried out. `body` is the whole entry as JSON.
CREATE TABLE stream_command(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,            -- ns since 1970
    actor TEXT NOT NULL,
    mark TEXT,                      -- the actor's own id of the request, its transaction
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

-- States of evicted streams, in case they come back.
CREATE TABLE evicted(
    watch TEXT NOT NULL,
    stream TEXT NOT NULL,
    at INTEGER NOT NULL,            -- ns since 1970
    body BLOB NOT NULL,
    PRIMARY KEY(watch, stream)
);

-- The version of Tocsin that opened the file last; one row, in every format.
CREATE TABLE written_by(version TEXT NOT NULL);
"""


MIGRATIONS: dict[int, Callable[[sqlite3.Connection], None]] = {}
"""By format, what turns a file of it into one of the next; each runs in the transaction that sets the new format."""


class StoreError(Exception):
    """The store can't be used.

    Attributes:
        remedy: What the operator can do.
    """

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


def open_file(folder: Path, version: str) -> sqlite3.Connection:
    """Open a folder's file to write in it, or create it; the caller holds the folder's lock.

    Args:
        folder: The folder.
        version: Version of this Tocsin.

    Raises:
        StoreError: It can't be opened, isn't Tocsin's, is newer than this Tocsin or too old, or is damaged.
    """
    file = folder / FILE
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite gives its other files the same rights
        connection = connect(file)
    except (OSError, sqlite3.OperationalError) as error:
        raise StoreError(f"{file}: {error}", "give the daemon's user the folder, or set store.folder") from error
    try:
        _prepare(connection, file, version)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise damaged(file, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def connect(file: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Connect to a file that exists."""
    uri = f"{file.resolve().as_uri()}?mode={'ro' if read_only else 'rw'}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=_BUSY_MS / 1000)
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
    return connection


def damaged(file: Path, error: object) -> StoreError:
    """The error of a file that can't be read."""
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        return StoreError(f"{file}: {error}", "end the program that writes in it")
    return StoreError(
        f"{file} is damaged ({error})",
        f"see what can be read of it: sqlite3 {file} .recover > recovered.sql; then put a backup in its place, or "
        "move it away: the daemon begins anew, with streams that warm up and an empty log",
    )


def check_format(connection: sqlite3.Connection, file: Path) -> None:
    """Check that a file is of a format that this Tocsin reads.

    Raises:
        StoreError: It is not Tocsin's, is newer than this Tocsin, or is older than the first format.
    """
    application, found = _pragma(connection, "application_id"), _pragma(connection, "user_version")
    if application == _APPLICATION_BEFORE_FORMATS:
        shows = f'sqlite3 {file} "SELECT body FROM event ORDER BY id"'  # noqa: S608  (for the operator's shell)
        raise StoreError(
            f"{file} was written by a Tocsin before store format 1; this Tocsin reads format {FORMAT}",
            f"move the folder {file.parent} aside: the daemon begins anew, with streams that warm up and an empty "
            f"alarm log. This shows the old alarm log: {shows}",
        )
    if application != _APPLICATION:
        raise StoreError(f"{file} is a database, but not Tocsin's", "set store.folder to a folder of the daemon's own")
    if found > FORMAT:
        raise StoreError(
            f"{file} has format {found}, written by Tocsin {_written_by(connection)}; this one reads up to {FORMAT}",
            "run that Tocsin or a later one, or set store.folder to another folder",
        )
    if found < FORMAT and found not in MIGRATIONS:
        raise StoreError(
            f"{file} has format {found}, written by Tocsin {_written_by(connection)}; this one reads format {FORMAT}",
            "open it with a Tocsin in between, which migrates it, or set store.folder to another folder",
        )


def _prepare(connection: sqlite3.Connection, file: Path, version: str) -> None:
    is_empty = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    if is_empty:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before the first table, or never
    else:
        check_format(connection, file)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # a commit is on the disk when it returns
    connection.execute(f"PRAGMA wal_autocheckpoint = {_AUTOCHECKPOINT_PAGES}")
    if is_empty:
        connection.executescript(
            f"BEGIN; {_TABLES} PRAGMA application_id = {_APPLICATION}; PRAGMA user_version = {FORMAT}; COMMIT;"
        )
    else:
        _migrate(connection)
        found = [row[0] for row in connection.execute("PRAGMA quick_check(1)")]
        if found != ["ok"]:
            raise damaged(file, found[0])
    if _written_by(connection) != version:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("DELETE FROM written_by")
            connection.execute("INSERT INTO written_by VALUES (?)", (version,))


def _migrate(connection: sqlite3.Connection) -> None:
    """Bring a file to the present format, one step and one transaction a format."""
    for old in range(_pragma(connection, "user_version"), FORMAT):
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            MIGRATIONS[old](connection)
            connection.execute(f"PRAGMA user_version = {old + 1}")


def _written_by(connection: sqlite3.Connection) -> str:
    try:
        found = connection.execute("SELECT version FROM written_by").fetchone()
    except sqlite3.OperationalError:  # a later format may lack the table
        found = None
    return "of an unknown version" if found is None else str(found[0])


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
