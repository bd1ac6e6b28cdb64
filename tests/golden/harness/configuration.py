"""The configuration file: written, checked, and its decoder without a daemon."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from harness.broker import message
from harness.recording import plain_value
from tocsin.config import check
from tocsin.runtime.build import build_deployment


def from_yaml(file: Path) -> Any:
    """Return a YAML file's content as plain data."""
    return YAML(typ="safe").load(file.read_text(encoding="utf-8"))


def write_configuration(folder: Path, configuration: dict[str, Any]) -> Path:
    """Write a configuration as YAML; returns its file."""
    file = folder / "tocsin.yaml"
    with file.open("w", encoding="utf-8") as out:
        YAML(typ="safe").dump(configuration, out)
    return file


def checked_configuration(file: Path) -> Any:
    """Return the checked configuration with its bundles; raises ValueError with all faults."""
    checked = check(file)
    if checked.faults or checked.config is None:
        raise ValueError("\n".join(str(fault) for fault in checked.faults))
    return checked


def decoded(folder: Path, configuration: dict[str, Any], messages: list[Any], now: int) -> dict[str, Any]:
    """Decode messages with the first source's decoder.

    Args:
        folder: Folder of the configuration.
        configuration: As in YAML.
        messages: As `Daemon.feed` takes them.
        now: Nanoseconds since 1970.
    """
    checked = checked_configuration(write_configuration(folder, configuration))
    found = (
        build_deployment(checked.config, checked.bundles)
        .sources[0]
        .decoder.decode([message(now, *m) for m in messages], now)
    )
    readings = found.readings
    return plain_value(
        {
            "readings": [
                {"stream": readings.streams[s], "t": t, "values": dict(zip(readings.channels, values, strict=True))}
                for s, t, values in zip(readings.stream, readings.t.tolist(), readings.values.tolist(), strict=True)
            ],
            "labels": [dict(labels) for labels in readings.labels],
            "rejects": [[str(reject.reason), reject.stream, reject.detail] for reject in found.rejects],
            "requests": [[request.topic, request.payload.hex()] for request in found.requests],
            "stale": list(found.stale),
        }
    )
