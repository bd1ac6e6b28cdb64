"""What was remembered of streams that were given up, until they come back: for a time, and up to a size."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

_MAX_BYTES = 256 * 1024 * 1024

_Key = tuple[str, str]


class Evicted:
    """What is kept of streams by watch and name; what was given up first is the first to be forgotten.

    Attributes:
        pending: What the file doesn't know yet: when and what, or None where it shall forget.
    """

    def __init__(self, connection: sqlite3.Connection, max_age_ns: int, max_bytes: int = _MAX_BYTES) -> None:
        """Find what the file holds.

        Args:
            connection: To the file.
            max_age_ns: What is older is of no use.
            max_bytes: Of all that is kept together.
        """
        self._connection = connection
        self._max_age_ns = max_age_ns
        self._max_bytes = max_bytes
        self._held: dict[_Key, tuple[int, int]] = {}  # → when, and bytes; the oldest first
        self._bytes = 0
        self.pending: dict[_Key, tuple[int, bytes] | None] = {}
        for watch, stream, at, size in connection.execute(
            "SELECT watch, stream, at, length(body) FROM evicted ORDER BY at"
        ):
            self._held[watch, stream] = at, size
            self._bytes += size

    def __len__(self) -> int:
        """How many streams are kept."""
        return len(self._held)

    def __contains__(self, key: _Key) -> bool:
        """Whether a stream is kept for a watch."""
        return key in self._held

    def keep(self, watch: str, stream: str, body: bytes, now: int) -> None:
        """Keep what was remembered of a stream."""
        key = watch, stream
        self._drop(key)
        self._held[key] = now, len(body)
        self._bytes += len(body)
        self.pending[key] = now, body
        while self._bytes > self._max_bytes:
            self._forget(next(iter(self._held)))

    def find(self, watch: str, stream: str) -> bytes | None:
        """What was remembered of a stream; None if nothing is."""
        key = watch, stream
        if key not in self._held:
            return None
        if (waiting := self.pending.get(key)) is not None:
            return waiting[1]
        row = self._connection.execute("SELECT body FROM evicted WHERE watch = ? AND stream = ?", key).fetchone()
        return None if row is None else bytes(row[0])

    def forget(self, watch: str, stream: str) -> None:
        """It has come back, or somebody else has."""
        if (watch, stream) in self._held:
            self._forget((watch, stream))

    def expire(self, now: int) -> None:
        """Forget what is too old."""
        while self._held and next(iter(self._held.values()))[0] < now - self._max_age_ns:
            self._forget(next(iter(self._held)))

    def _forget(self, key: _Key) -> None:
        self._drop(key)
        self.pending[key] = None

    def _drop(self, key: _Key) -> None:
        _, size = self._held.pop(key, (0, 0))
        self._bytes -= size


def write(connection: sqlite3.Connection, evicted: Evicted) -> None:
    """Write down what the file doesn't know, in a transaction of the caller's."""
    connection.executemany(
        "DELETE FROM evicted WHERE watch = ? AND stream = ?", [key for key, kept in evicted.pending.items() if not kept]
    )
    connection.executemany(
        "INSERT OR REPLACE INTO evicted(watch, stream, at, body) VALUES (?, ?, ?, ?)",
        [(*key, *kept) for key, kept in evicted.pending.items() if kept],
    )
