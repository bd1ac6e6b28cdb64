"""Faults of the sinks under `notify`, of those of installed packages too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from tocsin.config.notify import Notify
from tocsin.config.sink_plugins import load_sink, sink_names
from tocsin.plug_ins import PlugInError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_TAKEN = "mqtt"  # the sink of the broker, which needs no entry


def faults(notify: Notify, folder: Path) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Find what is wrong with the sinks: the path in the file, and the fault.

    Args:
        notify: The section.
        folder: The configuration's, from which relative file names count.
    """
    for path, entry in notify.entries():
        for option, message in entry.faults(folder):
            yield ("notify", *path, option), message
    installed = sink_names()
    for name, options in notify.plugin_options().items():
        if name not in installed or name == _TAKEN:
            legal = ", ".join([*Notify.model_fields, *(sink for sink in installed if sink != _TAKEN)])
            yield ("notify", name), f"is not a known key (legal: {legal}; installed packages may add more)"
            continue
        for below, message in _plugin_faults(name, options):
            yield ("notify", name, *below), message


def _plugin_faults(name: str, options: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Find the faults of an entry for an installed sink: the path below the entry, and what is wrong."""
    try:
        plugin = load_sink(name)
    except PlugInError as error:
        yield (), str(error)
        return
    try:
        plugin.Options.model_validate(options)
    except ValidationError as error:
        for one in error.errors():
            yield one["loc"], one["msg"]
