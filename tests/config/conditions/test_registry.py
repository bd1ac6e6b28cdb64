"""Conditions are found in their folder and in installed packages; a broken package is named where it is configured."""

from __future__ import annotations

import ast
from importlib.metadata import EntryPoint
from pathlib import Path

import configurations
import plug_in_conditions
import pytest

import tocsin
from tocsin.config.conditions import registry

SOURCE = Path(tocsin.__file__).parent
BAND = "toy-band = plug_in_conditions:InBandEntry"

CHECK = """
import json, sys
from pathlib import Path
from tocsin.config import Config, check
faults = [str(fault).partition(": ")[2] for fault in check(Path(sys.argv[1])).faults]
schema = Config.model_json_schema()["$defs"]
keys = {name: list(schema[name]["properties"]) for name in ("AlarmEntry", "Member")}
print(json.dumps({"faults": faults, "keys": keys}))
"""

PLAY = """
import json, sys
from pathlib import Path
from tocsin.config import check
from tocsin.engine import Readings
from tocsin.runtime.build import build_runtimes
checked = check(Path(sys.argv[1]))
assert checked.faults == [], checked.faults
engine = build_runtimes(checked.config, checked.bundles)["ward"].engine
S, events = 1_000_000_000, []
for k, value in enumerate(json.loads(sys.argv[2])):
    t = 1_700_000_000 * S + k * S
    events += engine.apply(Readings.of([("icu/1", t, {"hr": value, "spo2": 97})]), t).events
print(json.dumps([[e.alarm, e.kind.value, e.report.reason] for e in events]))
"""


def ward(folder, **alarms):
    return str(configurations.write(folder, watches={"ward": {"alarms": alarms}}))


def checked(folder, *lines, **alarms):
    return plug_in_conditions.run(plug_in_conditions.install(folder, *lines), CHECK, ward(folder, **alarms))


def test_an_installed_condition_is_configured_raises_an_alarm_and_says_why(tmp_path):
    band = {"toy-band": {"channel": "hr", "low": 100, "high": 110, "frames": 2}}
    both = {"all_of": [band, {"above": {"channel": "spo2", "limit": 90}}]}
    site = plug_in_conditions.install(tmp_path, BAND)
    events = plug_in_conditions.run(site, PLAY, ward(tmp_path, band=band, both=both), "[80, 101, 102, 95]")
    assert events == [
        ["band", "active", "hr 102 in the band, 2 frames"],
        ["both", "active", "hr 102 in the band, 2 frames and spo2 97 % is above 90"],
        ["band", "inactive", "hr has left the band"],
        ["both", "inactive", "hr has left the band"],
    ]


def test_an_installed_condition_is_checked_and_part_of_the_json_schema(tmp_path):
    found = checked(
        tmp_path,
        BAND,
        crooked={"toy-band": {"channel": "hr", "low": 110, "high": 100}},
        other={"any_of": [{"toy-band": {"channel": "rr", "low": 1, "high": 2}}, {"anomaly": {}}]},
        odd={"toy-band": {"channel": "hr", "low": 1}},
    )
    assert found["faults"] == ["watches.ward.alarms.odd.toy-band.high: is missing"]
    assert "toy-band" in found["keys"]["AlarmEntry"]
    assert "toy-band" in found["keys"]["Member"]


def test_a_fault_that_an_installed_condition_finds_has_its_place(tmp_path):
    found = checked(
        tmp_path,
        BAND,
        crooked={"toy-band": {"channel": "hr", "low": 110, "high": 100}},
        other={"any_of": [{"toy-band": {"channel": "rr", "low": 1, "high": 2}}, {"anomaly": {}}]},
    )
    assert found["faults"] == [
        "watches.ward.alarms.crooked.toy-band.low: 110 is above high 100 (legal: up to it)",
        "watches.ward.alarms.other.any_of.0.toy-band.channel: toy measures no 'rr' (it measures: hr, spo2)",
    ]


def test_a_broken_package_is_a_fault_where_it_is_configured(tmp_path):
    found = checked(tmp_path, "toy-band = nowhere_installed:Band", band={"toy-band": {"channel": "hr"}})
    fault = (
        "watches.ward.alarms.band.toy-band: condition 'toy-band' of toy-conditions (nowhere_installed:Band) can't be "
        "loaded (ModuleNotFoundError: No module named 'nowhere_installed'): update or uninstall the package"
    )
    assert found["faults"] == [fault]


def test_a_broken_package_that_no_alarm_needs_is_no_fault(tmp_path):
    assert checked(tmp_path, "toy-band = nowhere_installed:Band")["faults"] == []


@pytest.fixture
def faults(monkeypatch):
    """The faults of installed conditions, by key."""

    def of(*points):
        monkeypatch.setattr("tocsin.plug_ins.entry_points", lambda **_: list(points))
        return registry.installed.__wrapped__()[1]

    return of


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("toy-band", "plug_in_conditions:Missing", "can't be loaded (AttributeError: "),
        ("toy-band", "plug_in_conditions:InBand", "is no class that inherits Section and ConditionEntry"),
        ("toy-band", "plug_in_conditions:NoSection", "is no class that inherits Section and ConditionEntry"),
        ("toy-band", "plug_in_conditions:NoCheck", "lacks description and check"),
        ("my-band", "plug_in_conditions:InBandEntry", "has the key 'toy-band' (legal: the entry point's name)"),
        ("above", "plug_in_conditions:InBandEntry", "has no legal key (legal: lower-case letters, digits and at least"),
    ],
)
def test_each_way_to_be_broken_has_its_fault(faults, name, value, fault):
    found = faults(EntryPoint(name, value, registry.GROUP))[name]
    assert found.startswith(f"condition {name!r} of an unknown package ({value}) {fault}")
    assert found.endswith(": update or uninstall the package")


def test_two_packages_with_one_condition_are_a_fault(faults):
    point = EntryPoint("toy-band", "plug_in_conditions:InBandEntry", registry.GROUP)
    assert faults(point, point)["toy-band"].endswith(": uninstall one of them")


def test_a_condition_is_two_modules_and_no_other_names_it():
    """One judges and gives the reason, one is the configuration's: nothing else imports either's classes."""
    shared = {"adaptation", "alarm", "base", "combination", "delays", "evaluator", "event_builder", "explanation"}
    shared |= {"news2_chart", "wording"}
    modules = {file.stem for file in (SOURCE / "engine" / "conditions").glob("[a-z]*.py")} - shared
    assert {"limit", "news2", "silent"} <= modules
    importers = {module: set() for module in modules}
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tocsin.engine.conditions."):
                module = node.module.rpartition(".")[2]
                if module in modules:
                    importers[module].add(str(file.relative_to(SOURCE)))
    assert {module: len(files) for module, files in importers.items()} == dict.fromkeys(modules, 1)
    assert all(next(iter(files)).startswith("config/conditions/") for files in importers.values())
