"""Commands for alarms of known streams, raised before or not."""

from __future__ import annotations

import configurations
import pytest

from tocsin.alarm import AlarmRegistry, CommandEnvelope, Refused
from tocsin.alarm.commands import Shelve
from tocsin.config import check
from tocsin.engine import Readings
from tocsin.runtime.build import build_deployment

NOW = 1_764_000_000 * 10**9


def test_an_alarm_that_was_never_raised_is_found_by_its_stream(tmp_path):
    checked = check(configurations.write(tmp_path))
    made = build_deployment(checked.config, checked.bundles)
    registry = AlarmRegistry(made.policies)
    shelve = CommandEnvelope(Shelve("icu/1", "hr-high", 60), "nurse", "surgery")
    with pytest.raises(Refused, match="no such stream"):
        registry.execute(shelve, NOW)
    made.runtimes["ward"].apply(Readings.of([("icu/1", NOW, {"hr": 80.0})]), NOW)
    (event,) = registry.execute(shelve, NOW)
    assert (event.transition, event.watch, event.category) == ("shelve", "ward", "physiological")
    with pytest.raises(Refused, match="its alarms: hr-high, odd"):
        registry.execute(CommandEnvelope(Shelve("icu/1", "pulse", 60), "nurse", "surgery"), NOW)
