"""Recorder: turns messages into rows of a table, decoded as the daemon decodes them."""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tocsin.config.sources import units_of
from tocsin.runtime.sources import Routing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from tocsin.engine import Readings
    from tocsin.ingest.message import Message, Publication
    from tocsin.ingest.reject import Reject
    from tocsin.runtime.sources import Source

    # R rows: streams, nanoseconds since 1970 UTC, labels, values (R, C) float64 with NaN where not measured.
    Write = Callable[[Sequence[str], Sequence[int], Sequence[Mapping[str, str]], NDArray[np.float64]], None]

_KNOWN_STREAMS = 100_000


@dataclass(slots=True)
class _Row:
    arrived: int
    labels: Mapping[str, str]
    values: NDArray[np.float64]  # (C,)


class Recorder:
    """Collects readings, and writes them after a short wait.

    During the wait, readings of one stream and one time are merged into one row, and late readings are sorted in. Still
    later readings are dropped and counted: times in a table must ascend.

    Attributes:
        written: Number of rows written.
        late: Number of readings that came after a later one of their stream was written; redelivered ones count.
        rejected: Number of rejected messages by reason.
    """

    def __init__(self, sources: Sequence[Source], write: Write, *, hold_ns: int, max_waiting: int = 100_000) -> None:
        """Start with no reading.

        Args:
            sources: Sources of the readings.
            write: Writes rows; a stream's rows ascend in time.
            hold_ns: How long a reading waits.
            max_waiting: How many rows may wait; beyond it the older half is written.
        """
        self._routing = Routing(sources)
        self._write = write
        self._hold_ns = hold_ns
        self._max_waiting = max_waiting
        channels, _ = columns_of(sources)
        self._column_of = {name: column for column, name in enumerate(channels)}
        self._waiting: dict[tuple[str, int], _Row] = {}  # in the order of arrival
        self._written_until: OrderedDict[str, int] = OrderedDict()  # the longest silent first
        self.written = 0
        self.late = 0
        self.rejected: Counter[str] = Counter()

    def take(self, messages: Sequence[Message], now: int) -> tuple[list[Reject], list[Publication]]:
        """Decode messages.

        Args:
            messages: In the order of arrival.
            now: Nanoseconds since 1970 UTC.

        Returns:
            Rejects, and publications that the sources' senders need.
        """
        rejects: list[Reject] = []
        requests: list[Publication] = []
        for source, run in self._routing.runs(messages):
            decoded = source.decoder.decode(run, now)
            rejects += decoded.rejects
            requests += decoded.requests
            self._add(decoded.readings, now)
        self.rejected.update(str(reject.reason) for reject in rejects)
        if len(self._waiting) >= self._max_waiting:
            self._write_first(self._max_waiting // 2)
        return rejects, requests

    def pass_time(self, now: int) -> None:
        """Write the rows that have waited long enough."""
        count = 0
        for row in self._waiting.values():
            if row.arrived > now - self._hold_ns:
                break
            count += 1
        self._write_first(count)

    def finish(self) -> None:
        """Write all waiting rows."""
        self._write_first(len(self._waiting))

    def _add(self, readings: Readings, now: int) -> None:
        at = [self._column_of[name] for name in readings.channels]
        labels = readings.labels or [{}] * len(readings.streams)
        columns = zip(readings.stream.tolist(), readings.t.tolist(), readings.values, strict=True)
        for code, t, values in columns:
            key = stream, _ = readings.streams[code], t
            row = self._waiting.get(key)
            if row is None:
                if t <= self._written_until.get(stream, t - 1):
                    self.late += 1
                    continue
                row = self._waiting[key] = _Row(now, labels[code], np.full(len(self._column_of), np.nan))
            elif labels[code] is not row.labels:
                row.labels = {**row.labels, **labels[code]}
            known = row.values[at]
            row.values[at] = np.where(np.isnan(values), known, values)

    def _write_first(self, count: int) -> None:
        """Write the rows that came first, and all rows that must precede them."""
        if not count:
            return
        until: dict[str, int] = {}
        for (stream, t), _ in zip(self._waiting, range(count), strict=False):
            until[stream] = max(t, until.get(stream, t))
        ripe = [key for key in self._waiting if key[1] <= until.get(key[0], key[1] - 1)]
        ripe.sort(key=lambda key: key[1])  # of equal times in the order of arrival
        rows = [self._waiting.pop(key) for key in ripe]
        values = np.array([row.values for row in rows])
        self._write([stream for stream, _ in ripe], [t for _, t in ripe], [row.labels for row in rows], values)
        self.written += len(rows)
        for stream, t in until.items():
            self._written_until[stream] = t
            self._written_until.move_to_end(stream)
        while len(self._written_until) > _KNOWN_STREAMS:
            self._written_until.popitem(last=False)


def columns_of(sources: Sequence[Source]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The channels and the labels of all sources.

    Raises:
        ValueError: A channel has different units in two sources.
    """
    units: dict[str, str] = {}
    for source in sources:
        units_of_source = units_of(runtime.model for runtime in source.runtimes)
        for field in source.decoder.settings.fields:
            unit = units_of_source[field.channel]
            if units.setdefault(field.channel, unit) != unit:
                raise ValueError(
                    f"channel {field.channel!r} is in {units[field.channel]} in one source, in {unit} in another: "
                    "record them one by one, by configurations of their own"
                )
    return tuple(units), tuple(dict.fromkeys(name for source in sources for name in source.decoder.label_names))
