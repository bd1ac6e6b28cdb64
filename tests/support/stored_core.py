"""The core and its store, without a broker: what outlives a daemon."""

from __future__ import annotations

import configurations

from tocsin.config import check
from tocsin.engine import Readings
from tocsin.runtime.build import build_deployment
from tocsin.runtime.core import ShadowResult
from tocsin.runtime.evicted_streams import bring_back, keep
from tocsin.runtime.journal_entries import loss_input, readings_input, time_input
from tocsin.runtime.recovery import recover, snapshot
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
        self.core, self.made, self.untold = recovered.core, recovered.deployment, recovered.untold
        self.scores = []
        self.returned = []  # when

    def begin(self, now):
        events = list(self.untold)
        if self.core.deployment is not self.made:
            events += [event for result in self.core.take_over(self.made, now) for event in result.events]
        self.store.commit((), events, snapshot=snapshot(self.core), now=now)
        return events

    def kind(self, rows, now, lost=()):
        """As the pump has it; the events."""
        inputs, results = [], []
        if rows:
            readings = Readings.of(rows)
            runtime = self.core.runtimes["ward"]
            for given, result in bring_back(self.store.evicted, self.core, runtime, readings.streams, now):
                inputs.append(given)
                results.append(result)
                self.returned.append(now)
            results.append(self.core.take_in("ward", readings, now))
            inputs.append(readings_input(["ward"], readings, now))
        if lost:
            results.append(self.core.mark_stale("ward", lost, now))
            inputs.append(loss_input(["ward"], lost, now))
        results += self.core.pass_time(now)
        inputs.append(time_input(now))
        for result in [*results, *(result.beside for result in results if result.beside is not None)]:
            runtime = result.incumbent.runtime if isinstance(result, ShadowResult) else result.runtime
            names = [] if runtime is None else runtime.engine.table.names
            for steps in result.engine_result.steps if result.engine_result is not None else ():
                self.scores += [
                    (names[row], int(t), score.tobytes())
                    for row, t, score in zip(steps.rows.tolist(), steps.t, steps.score, strict=True)
                ]
            if result.engine_result is not None and not isinstance(result, ShadowResult):
                keep(self.store.evicted, result.runtime, result.engine_result)
        events = [event for result in results for event in result.events]
        self.store.commit(inputs, events)
        return events

    def crash(self):
        """Nothing is said goodbye to."""
        self.store.deliveries.changes = type(self.store.deliveries.changes)()
        self.store.close()


def ringing(daemon, bed="a", start=0):
    """Let hr-high ring; when it was."""
    daemon.begin(T0)
    for second in range(start, start + 6):
        daemon.kind([(bed, T0 + second * S, {"hr": 150, "spo2": 97})], T0 + second * S)
    return T0 + (start + 6) * S


def statuses(core):
    return {alarm: status for (_, alarm), status in core.registry.statuses.items() if status.occurrence is not None}
