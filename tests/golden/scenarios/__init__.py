"""Seeded scenarios with explicit times, by name. Each returns its result as plain data and is reproducible.

They use the daemon only through `harness`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from scenarios.classes import classes
from scenarios.commands import commands
from scenarios.crash import crash
from scenarios.icu import icu
from scenarios.payloads import payloads, sparkplug
from scenarios.pressure import pressure
from scenarios.reload import reload, reload_shipped
from scenarios.sensor import sensor
from scenarios.sinks import sinks
from scenarios.streams import streams
from scenarios.ward import ward

SCENARIOS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "ward": ward,
    "icu": icu,
    "sensor": sensor,
    "pressure": pressure,
    "commands": commands,
    "streams": streams,
    "reload": reload,
    "reload-shipped": reload_shipped,
    "crash": crash,
    "payloads": payloads,
    "sparkplug": sparkplug,
    "classes": classes,
    "sinks": sinks,
}
WHOLE = frozenset({"payloads", "sinks"})
"""Scenarios without any number that depends on the machine: the repository keeps their payloads unchanged."""
