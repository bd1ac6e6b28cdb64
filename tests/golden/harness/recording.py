"""The recording of a scenario, and the conversion of results to plain data."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np


def plain_value(value: Any) -> Any:
    """Convert to plain data for JSON: numpy numbers to Python's, non-finite numbers to text."""
    if isinstance(value, dict):
        return {str(key): plain_value(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain_value(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return str(value) if not isinstance(value, str | int | float | None) else value


def column_hash(values: Any) -> str:
    """Return the SHA-256 of an array with its dtype and shape."""
    return hashlib.sha256(
        repr((values.dtype.str, values.shape)).encode() + np.ascontiguousarray(values).tobytes()
    ).hexdigest()


class Recording:
    """The recording of a scenario, over all restarts of a daemon.

    Attributes:
        events: Every event as plain data, in order.
        scores: By `watch stream model`, a list of (t in nanoseconds, score as a hex float), in order.
        bits: By the same and a column's name, the SHA-256 of the column of all frames.
        published: Every publication: topic, quality of service, retain, correlation, payload.
        requests: Every HTTP request to a receiver: URL, headers, body.
        answers: Every request over HTTP and its answer.
        rejects: Every rejected reading: time, reason, stream, detail.
    """

    def __init__(self) -> None:
        """Create an empty recording."""
        self.events: list[dict[str, Any]] = []
        self.frames: list[tuple[str, int, np.float32, dict[str, bytes]]] = []
        self.published: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []
        self.answers: list[Any] = []
        self.rejects: list[list[Any]] = []

    def mark(self) -> dict[str, int]:
        """Return the number of entries of each kind."""
        return {name: len(kept) for name, kept in vars(self).items()}

    def go_back(self, mark: dict[str, int]) -> None:
        """Remove entries recorded since a mark."""
        for name, length in mark.items():
            del getattr(self, name)[length:]

    @property
    def scores(self) -> dict[str, list[list[Any]]]:
        """Scores by `watch stream model`."""
        found: dict[str, list[list[Any]]] = {}
        for key, t, score, _ in self.frames:
            found.setdefault(key, []).append([t, float(score).hex()])
        return found

    @property
    def bits(self) -> dict[str, dict[str, str]]:
        """Hashes of columns by `watch stream model` and column."""
        hashes: dict[str, dict[str, Any]] = {}
        for key, t, _, columns in self.frames:
            of_stream = hashes.setdefault(key, {})
            for name, body in columns.items():
                column = of_stream.setdefault(name, hashlib.sha256())
                column.update(t.to_bytes(8, "little", signed=True))
                column.update(body)
        return {key: {name: h.hexdigest() for name, h in of_stream.items()} for key, of_stream in hashes.items()}
