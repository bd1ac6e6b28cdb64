"""Everything that the daemon stores in a small scenario, as SHA-256 by what it is. Run as a program, it prints them."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import configurations
import toy_bundle

from tocsin.alarm.commands import (
    Acknowledge,
    AcknowledgeGroup,
    Annotate,
    CommandEnvelope,
    Mark,
    RemoveFromService,
    Reset,
    ReturnToService,
    Shelve,
    Test,
    Unshelve,
    Verdict,
)
from tocsin.config import check
from tocsin.engine import Readings
from tocsin.engine.lifecycle.commands import (
    Admit,
    Discharge,
    ImportStream,
    ResetStream,
    Resume,
    SetLimit,
    SetProfile,
    Standby,
    Transfer,
)
from tocsin.runtime.build import build_deployment
from tocsin.runtime.core import Core
from tocsin.runtime.evicted_streams import encode_state
from tocsin.runtime.journal_entries import (
    AlarmCommandEntry,
    ReadingsEntry,
    RestoreEntry,
    StaleEntry,
    StreamCommandEntry,
    TickEntry,
    encode,
)
from tocsin.runtime.snapshots import encode_snapshot

S = 1_000_000_000
T0 = 1_760_000_000 * S
ALARMS = {
    "hr-high": {"above": {"channel": "hr", "limit": 120, "deadband": 5}, "priority": "high", "on_clear": "latch"},
    "odd": {"anomaly": {"threshold": 105}},
    "bed-silent": {"silent": {"for_s": 6}},
}
ALARM_COMMANDS = [
    Acknowledge("a", "hr-high", 1),
    AcknowledgeGroup({"ward": "icu"}),
    Reset("a", "hr-high"),
    Shelve("a", "hr-high", 60.0, once=True),
    Unshelve("a", "hr-high"),
    RemoveFromService("a", "hr-high"),
    ReturnToService("a", "hr-high"),
    Annotate("a", "hr-high", 1),
    Mark("a", "hr-high", Verdict.TRUE, 1),
    Test("a"),
]
STREAM_COMMANDS = [
    Admit("a", {"nurse": "sam"}, {"age": 71.0}),
    Discharge("a"),
    Transfer("a", "b"),
    Standby("a", T0),
    Resume("a"),
    ResetStream("a"),
    SetLimit("a", "hr-high", 95.0),
    SetProfile("a", {"age": None}),
    ImportStream("a", "an export"),
]


def applied(folder: Path) -> tuple[Core, list]:
    """The core after some entries, the new model of its watch still warming up; and the entries."""
    watch = {"model": "toy", "alarms": ALARMS, "overrides": [{"streams": "b", "limits": {"hr-high": 130}}]}
    first = configured(folder, watch)
    toy_bundle.write(folder / "toy2", version="2", warm_up_ticks=30)
    core, entries = Core(first), []
    for second in range(4):
        readings = Readings.of([(bed, T0 + second * S, {"hr": 119.0 + 7 * second, "spo2": 97.0}) for bed in "abc"])
        entries += [ReadingsEntry(T0 + second * S, ["ward"], readings), TickEntry(T0 + second * S)]
    now = T0 + 4 * S
    entries += [
        AlarmCommandEntry(now, CommandEnvelope(Acknowledge("a", "hr-high"), "nurse", "seen", "4711")),
        AlarmCommandEntry(now, CommandEnvelope(Shelve("b", "odd", 60.0), "nurse", "known")),
        StreamCommandEntry(now, SetLimit("c", "hr-high", 110.0)),
        StaleEntry(now, ["ward"], ["c"]),
    ]
    for entry in entries:
        core.apply(entry)
    core.apply_deployment(configured(folder, watch | {"model": "toy2"}), now)
    return core, entries


def configured(folder: Path, watch: dict):
    """A deployment of one watch."""
    configuration = configurations.merged(configurations.SOUND, {})
    configuration["watches"]["ward"] = watch
    configurations.write(folder)
    file = folder / "tocsin.yaml"
    file.write_text(json.dumps(configuration), encoding="utf-8")  # JSON is YAML
    checked = check(file)
    assert not checked.faults, checked.faults
    return build_deployment(checked.config, checked.bundles)


def persisted(folder: Path) -> dict[str, str]:
    """SHA-256 by what is stored."""
    core, entries = applied(folder)
    state = core.runtimes["ward"].engine.export_streams(["a"])
    entries.append(RestoreEntry(T0, "ward", state))
    entries += [AlarmCommandEntry(T0, CommandEnvelope(command, "nurse", "why", "1")) for command in ALARM_COMMANDS]
    entries += [StreamCommandEntry(T0, command) for command in STREAM_COMMANDS]
    bodies = {f"entry {number}": encode(entry) for number, entry in enumerate(entries)}
    bodies |= {"evicted stream": encode_state(state), "snapshot": encode_snapshot(core)}
    return {name: hashlib.sha256(body).hexdigest() for name, body in bodies.items()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(persisted(Path(sys.argv[1]))))
