"""States of evicted streams until they come back: for a time, and up to a size."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

_MAX_BYTES = 256 * 1024 * 1024

_Key = tuple[str, str]


class Evicted:
    """States by watch and stream; the oldest are forgotten first.

    Attributes:
        pending: Changes that the file doesn't hold yet: time and state, or None where a state is forgotten.
    """

    def __init__(self, connection: sqlite3.Connection, max_age_ns: int, max_bytes: int = _MAX_BYTES) -> None:
        """Find what the file holds.

        Args:
            connection: Connection to the file.
            max_age_ns: Older states are forgotten.
            max_bytes: Size of all states together.
        """
        self._connection = connection
        self._max_age_ns = max_age_ns
        self._max_bytes = max_bytes
        self._stored: dict[_Key, tuple[int, int]] = {}  # → time and bytes; the oldest first
        self._bytes = 0
        self.pending: dict[_Key, tuple[int, bytes] | None] = {}
        for watch, stream, at, size in connection.execute(
            "SELECT watch, stream, at, length(body) FROM evicted ORDER BY at"
        ):
            self._stored[watch, stream] = at, size
            self._bytes += size

    def __len__(self) -> int:
        """Number of streams."""
        return len(self._stored)

    def __contains__(self, key: _Key) -> bool:
        """Whether there is a state of a stream for a watch."""
        return key in self._stored

    def add(self, watch: str, stream: str, body: bytes, now: int) -> None:
        """Add the state of a stream."""
        key = watch, stream
        self._drop(key)
        self._stored[key] = now, len(body)
        self._bytes += len(body)
        self.pending[key] = now, body
        while self._bytes > self._max_bytes:
            self._forget(next(iter(self._stored)))

    def find(self, watch: str, stream: str) -> bytes | None:
        """The state of a stream; None if there is none."""
        key = watch, stream
        if key not in self._stored:
            return None
        if (waiting := self.pending.get(key)) is not None:
            return waiting[1]
        row = self._connection.execute("SELECT body FROM evicted WHERE watch = ? AND stream = ?", key).fetchone()
        return None if row is None else bytes(row[0])

    def forget(self, watch: str, stream: str) -> None:
        """Forget the state of a stream, if there is one."""
        if (watch, stream) in self._stored:
            self._forget((watch, stream))

    def expire(self, now: int) -> None:
        """Forget states that are too old."""
        while self._stored and next(iter(self._stored.values()))[0] < now - self._max_age_ns:
            self._forget(next(iter(self._stored)))

    def _forget(self, key: _Key) -> None:
        self._drop(key)
        self.pending[key] = None

    def _drop(self, key: _Key) -> None:
        _, size = self._stored.pop(key, (0, 0))
        self._bytes -= size


def write(connection: sqlite3.Connection, evicted: Evicted) -> None:
    """Write the pending changes, in a transaction of the caller's."""
    connection.executemany(
        "DELETE FROM evicted WHERE watch = ? AND stream = ?", [key for key, kept in evicted.pending.items() if not kept]
    )
    connection.executemany(
        "INSERT OR REPLACE INTO evicted(watch, stream, at, body) VALUES (?, ?, ?, ?)",
        [(*key, *kept) for key, kept in evicted.pending.items() if kept],
    )
