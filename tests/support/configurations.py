"""Configurations to test with: a whole one, the bundle that it names, and ways to change it."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import toy_bundle
from ruamel.yaml import YAML

if TYPE_CHECKING:
    from pathlib import Path

SOUND: dict[str, Any] = {
    "broker": {"host": "127.0.0.1", "client_id": "tocsin-test"},
    "sources": [{"topic": "vitals/{ward}/{bed}"}],
    "watches": {
        "ward": {
            "model": "toy",
            "alarms": {
                "hr-high": {"above": {"channel": "hr", "limit": 120, "deadband": 5}, "priority": "high"},
                "odd": {"anomaly": {}},
            },
        }
    },
    "http": {"port": 0},
}

# A whole configuration, line by line, so that tests can name lines.
LINES = """\
broker:
  host: localhost
sources:
  - topic: vitals/{ward}/{bed}
watches:
  ward:
    model: toy
    alarms:
      hr-high:
        above: {channel: hr, limit: 120}
        priority: high
"""


def merged(into: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Change some values of a mapping, however deep; the rest stays."""
    result = deepcopy(into)
    for key, value in changes.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(value, dict) and isinstance(below, dict) else deepcopy(value)
    return result


def write(folder: Path, name: str = "tocsin.yaml", **changes: Any) -> Path:
    """Write the configuration with some changes, and beside it the bundle `toy` that it names."""
    if not (folder / "toy").exists():
        toy_bundle.write(folder / "toy")
    file = folder / name
    with file.open("w", encoding="utf-8") as out:
        YAML(typ="safe").dump(merged(SOUND, changes), out)
    return file
