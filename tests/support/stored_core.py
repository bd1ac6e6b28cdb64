"""The core and its store, without a broker: what outlives a daemon."""

from __future__ import annotations

import configurations

from tocsin.config import check
from tocsin.engine import Readings
from tocsin.engine.lifecycle.commands import StreamRefused
from tocsin.runtime.build import build_deployment
from tocsin.runtime.evicted_streams import restore_entries, store_evicted
from tocsin.runtime.journal_entries import ReadingsEntry, StaleEntry, TickEntry, encode
from tocsin.runtime.recovery import recover
from tocsin.runtime.snapshots import encode_snapshot
from tocsin.store import Store

S = 10**9
T0 = 1_760_000_000 * S

WARD = {
    "lateness_s": 1,
    "frame_timeout_s": 2,
    "alarms": {
        "hr-high": {"above": {"channel": "hr", "limit": 120, "deadband": 5}, "priority": "high", "on_delay_s": 1},
        "odd": {"anomaly": {"threshold": 105}},
        "bed-silent": {"silent": {"for_s": 6}},
    },
}


def made(folder, **changes):
    checked = check(configurations.write(folder, **configurations.merged({"watches": {"ward": WARD}}, changes)))
    assert not checked.faults
    return build_deployment(checked.config, checked.bundles)


class Daemon:
    """The core and its store, without a broker."""

    def __init__(self, folder, store_folder, now=T0, **changes):
        self.folder = folder
        self.store_folder = store_folder
        self.store = Store.open(store_folder)
        self.store._connection.execute("PRAGMA synchronous = OFF")  # noqa: SLF001  (no power fails here)
        recovered = recover(self.store, lambda: made(folder, **changes), folder, now)
        self.core, self.made, self.unpublished = recovered.core, recovered.deployment, recovered.unpublished
        self.scores = []
        self.returned = []  # when

    def begin(self, now):
        events = list(self.unpublished)
        if self.core.deployment is not self.made:
            events += [event for result in self.core.apply_deployment(self.made, now) for event in result.events]
        self.store.commit((), events, snapshot=encode_snapshot(self.core), now=now)
        return events

    def step(self, rows, now, stale=()):
        """As the pipeline does it; the events."""
        self._entries, results = [], []
        if rows:
            readings = Readings.of(rows)
            runtime = self.core.deployment.runtimes["ward"]
            for entry in restore_entries(self.store.evicted, runtime, readings.streams, now):
                try:
                    results += self._apply(entry)
                except StreamRefused:
                    continue
                self.returned.append(now)
            results += self._apply(ReadingsEntry(now, ["ward"], readings))
        if stale:
            results += self._apply(StaleEntry(now, ["ward"], stale))
        results += self._apply(TickEntry(now))
        for watch in [result.watch for result in results if result.watch is not None]:
            for output in watch.outputs:
                names = output.runtime.engine.table.names
                for steps in output.steps:
                    self.scores += [
                        (names[row], int(t), score.tobytes())
                        for row, t, score in zip(steps.rows.tolist(), steps.t, steps.score, strict=True)
                    ]
            store_evicted(self.store.evicted, watch)
        events = [event for result in results for event in result.events]
        self.store.commit(self._entries, events)
        return events

    def _apply(self, entry):
        results = self.core.apply(entry)
        self._entries.append(encode(entry))
        return results

    def crash(self):
        """End without closing anything in order."""
        self.store.deliveries.changes = type(self.store.deliveries.changes)()
        self.store.close()


def raised(daemon, bed="a", start=0):
    """Raise hr-high; the time after it."""
    daemon.begin(T0)
    for second in range(start, start + 6):
        daemon.step([(bed, T0 + second * S, {"hr": 150, "spo2": 97})], T0 + second * S)
    return T0 + (start + 6) * S


def statuses(core):
    return {alarm: status for (_, alarm), status in core.registry.statuses.items() if status.occurrence is not None}
