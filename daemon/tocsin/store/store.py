"""Store: one folder for one daemon, with one file."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tocsin import __version__
from tocsin.store import alarm_log, command_log, deliveries, evicted, journal
from tocsin.store.evicted import Evicted
from tocsin.store.schema import FILE, StoreError, check_format, connect, damaged, open_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from tocsin.alarm.events import Event
    from tocsin.delivery import DeadLetter, DeliveryQueue
    from tocsin.engine.lifecycle.commands import CommandEntry
    from tocsin.store.alarm_log import AlarmLogQuery
    from tocsin.store.command_log import CommandLogQuery
    from tocsin.store.journal import JournalCommit

_LOCK = "lock"
_NS_PER_DAY = 86_400 * 1_000_000_000
_CHUNK = 500  # rows that one step of maintenance removes; a commit waits for no more
_SPARE_PAGES = 4096
_VACUUM_PAGES = 256


@dataclass(frozen=True, slots=True)
class Retention:
    """How long the alarm log is kept: until either limit is reached.

    Attributes:
        days: Age of events, by the time at which they were processed.
        max_bytes: Size of the log within the file.
    """

    days: float
    max_bytes: int


class Store:
    """Everything that outlives the daemon.

    `commit` is called by the event loop. `history`, `dead_letters`, `write_snapshot` and `tidy` may be called from
    other threads, and let a commit wait for a few milliseconds at most.

    Attributes:
        file: The SQLite file.
        deliveries: Pending deliveries.
        evicted: States of evicted streams.
        log_events: Number of events in the alarm log.
        journal_bytes: Size of the journal since the last snapshot, and of rows that are to be removed.
        snapshot_at: Time of the last snapshot, nanoseconds since 1970; None if there is none.
    """

    def __init__(
        self, folder: Path, lock: int, connection: sqlite3.Connection, max_pending: int, retain_evicted_ns: int
    ) -> None:
        """Use an open file; see `open`."""
        self.file = folder / FILE
        self._lock = lock
        self._connection = connection
        self._aside = connect(self.file)  # for longer work, in threads
        self._aside.execute("PRAGMA synchronous = NORMAL")
        self._one_writer = threading.Lock()
        self._closed = False
        self.deliveries: DeliveryQueue = deliveries.load(connection, max_pending)
        self.evicted = Evicted(connection, retain_evicted_ns)
        self._position = journal.last_position(connection)
        self._last_event = alarm_log.last_id(connection)
        self.journal_bytes = journal.size(connection)
        at = connection.execute("SELECT made_at FROM snapshot_at").fetchone()
        self.log_events = int(connection.execute("SELECT count(*) FROM event").fetchone()[0])
        self.snapshot_at: int | None = None if at is None else int(at[0])

    @classmethod
    def open(cls, folder: Path, *, max_pending: int = 100_000, retain_evicted_days: float = 7.0) -> Self:
        """Open a folder's store, or create it.

        Args:
            folder: Created if it isn't there; readable to its owner alone.
            max_pending: Pending deliveries of one sink; beyond that the oldest is dropped, and counted.
            retain_evicted_days: How long the state of an evicted stream is kept.

        Raises:
            StoreError: Another daemon uses it, it can't be written, is newer than this Tocsin, too old, or damaged.
        """
        lock = _lock(folder)
        try:
            connection = open_file(folder, __version__)
            try:
                return cls(folder, lock, connection, max_pending, round(retain_evicted_days * _NS_PER_DAY))
            except sqlite3.DatabaseError as error:
                connection.close()
                raise damaged(folder / FILE, error) from error
        except BaseException:
            os.close(lock)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write settled deliveries, and unlock the folder."""
        if self._closed:
            return
        self._closed = True
        with suppress(sqlite3.Error):
            self.commit([], [])
        self._aside.close()
        self._connection.close()
        os.close(self._lock)

    # Writing.

    @property
    def position(self) -> int:
        """Position of the last commit in the journal; 0 if there was none."""
        return self._position

    @property
    def last_event(self) -> int:
        """The highest id of an event that was ever logged; 0 if none was."""
        return self._last_event

    def commit(
        self,
        entries: Sequence[bytes],
        events: Sequence[Event],
        *,
        commands: Sequence[CommandEntry] = (),
        snapshot: bytes | None = None,
        now: int = 0,
    ) -> None:
        """Commit everything given, with pending changes of deliveries and evicted streams, in one transaction.

        It is on the disk when this returns.

        Args:
            entries: Encoded journal entries that were applied, in order.
            events: Alarm events of the entries.
            commands: Commands for streams, for their log.
            snapshot: Encoded state after all entries so far, in place of `entries`: the journal begins anew.
            now: Time of the snapshot, nanoseconds since 1970.

        Raises:
            sqlite3.Error: The disk is full, or broken. Nothing is committed; the call can be repeated.
        """
        changes = self.deliveries.changes
        if not (entries or events or commands or changes or self.evicted.pending or snapshot is not None):
            return
        last_event = events[-1].id if events else self._last_event
        position = self._position + bool(entries or snapshot is not None)
        size = 0
        with self._one_writer, self._connection as c:
            c.execute("BEGIN IMMEDIATE")
            if entries and snapshot is None:
                size = journal.append(c, position, last_event, entries)
            alarm_log.append(c, events)
            command_log.append(c, commands)
            evicted.write(c, self.evicted)
            deliveries.write(c, changes)
            if snapshot is not None:
                for part, start in enumerate(range(0, len(snapshot), journal.PART_BYTES)):
                    journal.put_part(c, position, part, snapshot[start : start + journal.PART_BYTES])
                journal.conclude(c, position, now)
        self._position, self._last_event = position, last_event
        self.journal_bytes += size
        self.log_events += len(events)
        if snapshot is not None:
            self.snapshot_at = now
        self.deliveries.committed(changes)
        self.evicted.pending.clear()

    def write_snapshot(self, position: int, snapshot: bytes, now: int) -> None:
        """Write a snapshot part by part; meant for a thread.

        Args:
            position: `position` when the snapshot was taken.
            snapshot: The encoded state at that position.
            now: Time of the snapshot, nanoseconds since 1970.

        Raises:
            sqlite3.Error: The disk is full, or broken. The last snapshot and the journal since are intact.
        """
        latest = self._aside.execute("SELECT position FROM snapshot_at").fetchone()
        if latest is not None and latest[0] >= position:
            return  # nothing has happened since
        for part, start in enumerate(range(0, len(snapshot), journal.PART_BYTES)):
            with self._one_writer:
                journal.put_part(self._aside, position, part, snapshot[start : start + journal.PART_BYTES])
        with self._one_writer, self._aside as c:
            c.execute("BEGIN IMMEDIATE")
            c.execute(
                "DELETE FROM snapshot WHERE position = ? AND part >= ?",
                (position, -(-len(snapshot) // journal.PART_BYTES)),
            )
            journal.conclude(c, position, now)
        self.snapshot_at = now

    def tidy(self, retention: Retention, now: int) -> bool:
        """Do one step of maintenance, in a thread: remove what retention doesn't keep, and checkpoint SQLite's own log.

        Returns:
            Whether there is more to do.

        Raises:
            sqlite3.Error: The disk is full, or broken.
        """
        with self._one_writer:
            went = journal.truncate(self._aside, _CHUNK)
            before = now - round(retention.days * _NS_PER_DAY)
            gone = alarm_log.forget(self._aside, alarm_log.older_than(self._aside, before), _CHUNK)
            of_commands = command_log.forget(self._aside, before, _CHUNK)
            if not gone and self._log_bytes() > retention.max_bytes:
                gone = alarm_log.forget(self._aside, self._last_event + 1, _CHUNK)
                of_commands += 0 if gone else command_log.forget(self._aside, None, _CHUNK)
            self.log_events -= gone
            spare = int(self._aside.execute("PRAGMA freelist_count").fetchone()[0])
            if spare > _SPARE_PAGES:
                self._aside.execute(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})").fetchall()
        if went:
            with self._one_writer:
                self.journal_bytes = journal.size(self._aside)
        self._aside.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        return bool(went or gone or of_commands or spare > _SPARE_PAGES)

    # Reading.

    def snapshot(self) -> tuple[int, bytes] | None:
        """Position and body of the last snapshot; None if there is none."""
        found = journal.latest(self._connection)
        return None if found is None else (found[0], found[2])

    def journal(self, after: int) -> Iterator[JournalCommit]:
        """The journal after a position, in order."""
        return journal.read(self._connection, after)

    def history(self, wanted: AlarmLogQuery) -> list[Event]:
        """Find events in the log, the oldest first."""
        return read_history(self.file, wanted)

    def commands(self, wanted: CommandLogQuery) -> list[CommandEntry]:
        """Find commands for streams in their log, the oldest first."""
        with closing(connect(self.file, read_only=True)) as connection:
            return command_log.read(connection, wanted)

    def command_marked(self, transaction: str) -> CommandEntry | None:
        """The command for a stream with this transaction; None if none was carried out."""
        return command_log.of_transaction(self._connection, transaction)

    def events_numbered(self, ids: Sequence[int]) -> list[Event]:
        """The events with these ids that the log still has, the oldest first."""
        return alarm_log.numbered(self._connection, ids)

    def events_after(self, event_id: int) -> list[Event]:
        """The events with higher ids, the oldest first."""
        with closing(connect(self.file, read_only=True)) as connection:
            return alarm_log.after(connection, event_id)

    def dead_letters(self) -> list[DeadLetter]:
        """The deliveries that were given up, the oldest first."""
        with closing(connect(self.file, read_only=True)) as connection:
            return deliveries.dead_letters(connection)

    def _log_bytes(self) -> int:
        c = self._aside
        pages, spare, page_bytes = (
            int(c.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "freelist_count", "page_size")
        )
        (others,) = c.execute(
            "SELECT (SELECT ifnull(sum(length(body)), 0) FROM journal) + "
            "(SELECT ifnull(sum(length(body)), 0) FROM snapshot) + "
            "(SELECT ifnull(sum(length(body)), 0) FROM delivery) + "
            "(SELECT ifnull(sum(length(body)), 0) FROM evicted)"
        ).fetchone()
        return (pages - spare) * page_bytes - int(others)


def read_history(file: Path, wanted: AlarmLogQuery) -> list[Event]:
    """Find events in a store's file, be it in use or not, the oldest first.

    Raises:
        StoreError: There is no such file, it is of a format that this Tocsin doesn't read, or it is damaged.
    """
    try:
        with closing(connect(file, read_only=True)) as connection:
            check_format(connection, file)
            return alarm_log.read(connection, wanted)
    except sqlite3.OperationalError as error:
        raise StoreError(f"{file}: {error}", "is store.folder the one that the daemon uses?") from error
    except sqlite3.DatabaseError as error:
        raise damaged(file, error) from error


def _lock(folder: Path) -> int:
    """Lock the folder; the lock ends with the process, however that ends."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(
            f"store.folder {folder} can't be used ({error.strerror})",
            "give the daemon's user the folder, or set another",
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        os.close(descriptor)
        raise StoreError(
            f"store.folder {folder} is in use by another daemon (process {holder or 'unknown'})",
            "end it, or give each daemon a folder of its own",
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor
