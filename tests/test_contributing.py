"""Examples of CONTRIBUTING.md, installed as packages and used by the daemon."""

from __future__ import annotations

import asyncio
import importlib
import re
import sys
from pathlib import Path

import configurations
import plug_in_conditions
import pytest
from alarm_events import event
from ruamel.yaml import YAML

from tocsin.config import check
from tocsin.delivery import DeliveryStatus
from tocsin.ingest.formats import registry as formats
from tocsin.ingest.message import Message
from tocsin.runtime.build import build_deployment
from tocsin.runtime.sinks import build_sinks

PAGE = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
S = 1_000_000_000
NOW = 1_700_000_000 * S


def section(title):
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def code(title, language):
    return re.findall(rf"```{language}\n(.*?)```", section(title), re.DOTALL)


def install(folder, title):
    """Install the package of a section below a folder, as pip would; returns its import path."""
    name = re.search(r"`(\w+)\.py`:\n\n```python", section(title))[1]
    site = folder / "site"
    metadata = site / f"{name}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (site / f"{name}.py").write_text(code(title, "python")[0])
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    group, entry = re.fullmatch(
        r'\[project\.entry-points\."([\w.]+)"\]\n([\w-]+ = ".*?")\n', code(title, "toml")[0]
    ).groups()
    (metadata / "entry_points.txt").write_text(f"[{group}]\n{entry.replace(chr(34), '')}\n")
    return site


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Make a package importable in this process."""
    names = []

    def put(title):
        site = install(tmp_path, title)
        monkeypatch.syspath_prepend(site)
        importlib.invalidate_caches()
        names.extend(file.stem for file in site.glob("*.py"))
        forget()

    def forget():
        formats.installed.cache_clear()

    yield put
    monkeypatch.undo()
    forget()
    for name in names:
        sys.modules.pop(name, None)


def made(folder, **changes):
    checked = check(configurations.write(folder, **changes))
    assert checked.faults == []
    return build_deployment(checked.config, checked.bundles)


CHECK = """
import json, sys
from pathlib import Path
from tocsin.config import check
print(json.dumps([str(fault) for fault in check(Path(sys.argv[1])).faults]))
"""

PLAY = """
import json, sys
from pathlib import Path
from tocsin.config import check
from tocsin.engine import Readings
from tocsin.runtime.build import build_runtimes
checked = check(Path(sys.argv[1]))
engine = build_runtimes(checked.config, checked.bundles)["ward"].engine
S, events = 1_000_000_000, []
for k, value in enumerate(json.loads(sys.argv[2])):
    t = 1_700_000_000 * S + k * S
    events += engine.apply(Readings.of([("icu/1", t, {"hr": value, "spo2": 97})]), t).events
found = [e for e in events if e.alarm == "probes-differ"]
print(json.dumps([[e.kind.value, e.category.value, e.report.reason] for e in found]))
"""


def ward(folder, condition):
    return str(configurations.write(folder, watches={"ward": {"alarms": {"probes-differ": condition}}}))


def test_its_condition_raises_an_alarm_with_a_reason(tmp_path):
    alarms = YAML(typ="safe").load(code("Add a condition", "yaml")[0])["alarms"]
    site = install(tmp_path, "Add a condition")
    events = plug_in_conditions.run(site, PLAY, ward(tmp_path, alarms["probes-differ"]), "[80, 150, 150, 90, 90]")
    assert events == [
        ["active", "technical", "hr and spo2 differ by more than 40"],
        ["inactive", "technical", "hr and spo2 agree"],
    ]


def test_a_channel_that_its_condition_does_not_find_is_a_fault(tmp_path):
    site = install(tmp_path, "Add a condition")
    entry = {"sensors-disagree": {"first": "hr", "second": "pulse", "limit": 40}}
    (fault,) = plug_in_conditions.run(site, CHECK, ward(tmp_path, entry))
    assert "watches.ward.alarms.probes-differ.sensors-disagree.second" in fault
    assert "'pulse'" in fault


def test_its_payload_format_is_decoded(installed, tmp_path):
    installed("Add a payload format")
    deployment = made(tmp_path, sources=[{"topic": "vitals/{ward}/{bed}", "format": "lines"}])
    message = Message("vitals/icu/1", b"hr 72\nspo2 abc\nother 3\n", NOW)
    decoded = deployment.sources[0].decoder.decode([message], NOW)
    assert list(decoded.readings.streams) == ["icu/1"]
    assert 72.0 in decoded.readings.values
    assert [reject.detail for reject in decoded.rejects] == ["'spo2 abc' is not NAME VALUE"]


async def test_its_sink_delivers_an_event(installed, tmp_path):
    installed("Add a sink")
    assert code("Add a sink", "yaml") == ["notify:\n  logfile: {file: events.log}\n"]
    checked = check(configurations.write(tmp_path, notify={"logfile": {"file": "events.log"}}))
    assert checked.faults == []
    sinks = build_sinks(checked.config, tmp_path, "0", lambda *_, **__: None, lambda *_: None)
    (sink,) = [sink for sink in sinks if sink.name == "logfile"]
    for delivery in sink.payload_for(event(id=7)):
        result = await asyncio.wait_for(sink.send(delivery), 5)
        assert result.status is DeliveryStatus.DELIVERED
    assert (tmp_path / "events.log").read_text() == "raise icu/1/desaturation\n"


def test_every_file_it_names_exists():
    root = Path(__file__).parents[1]
    named = [
        name
        for name in re.findall(r"`((?:daemon|training|tests|scripts|config|docs)/[\w/.-]+?)`", PAGE)
        if "NAME" not in name
    ]
    assert [name for name in named if not (root / name).exists()] == []
    links = re.findall(r"\]\(([\w/.-]+)\)", PAGE)
    assert [name for name in links if not (root / name).exists()] == []
