"""Faults of the sinks under `notify`, of those of installed packages too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.config.notify import Notify
from tocsin.config.sink_plugins import plugin_faults, sink_names

if TYPE_CHECKING:
    from collections.abc import Iterator
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
        for below, message in plugin_faults(name, options):
            yield ("notify", name, *below), message
