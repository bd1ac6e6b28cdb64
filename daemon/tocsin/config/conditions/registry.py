"""Registry of the configuration's conditions: those of this folder, and those of installed packages.

The folder's modules are scanned for classes with a `key`. Another package adds a condition by an entry point of the
group `tocsin.conditions`, named as the condition's key, that refers to its `ConditionEntry`.
"""

from __future__ import annotations

import inspect
import pkgutil
import re
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, TypeGuard

from tocsin import plug_ins
from tocsin.config import conditions
from tocsin.config.conditions.entry import ConditionEntry
from tocsin.config.types import Section
from tocsin.plug_ins import PlugInError, origin

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "tocsin.conditions"

_PLUGIN_KEY = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")


@cache
def built_in() -> dict[str, type[ConditionEntry]]:
    """Conditions of this folder by key, in alphabetical order."""
    found = {}
    for module in pkgutil.iter_modules(conditions.__path__):
        name = f"{conditions.__name__}.{module.name}"
        for entry in vars(import_module(name)).values():
            if _is_condition(entry) and entry.__module__ == name and "key" in vars(entry):
                found[entry.key] = entry
    return dict(sorted(found.items()))


@cache
def installed() -> tuple[dict[str, type[ConditionEntry]], dict[str, str]]:
    """Conditions of installed packages by key, and faults of those that cannot be used, by key."""
    usable: dict[str, type[ConditionEntry]] = {}
    faults: dict[str, str] = {}
    for key, points in plug_ins.installed(GROUP).items():
        try:
            usable[key] = _condition(points)
        except PlugInError as error:
            faults[key] = str(error)
    return usable, faults


def _condition(points: tuple[EntryPoint, ...]) -> type[ConditionEntry]:
    """Load the condition of a key.

    Raises:
        PlugInError: Its name is no legal key, it cannot be imported, or it is no condition of that key.
    """
    point = points[0]
    place, remedy = f"condition {point.name!r} of {origin(point)}", plug_ins.REMEDY
    if not _PLUGIN_KEY.fullmatch(point.name):
        legal = "lower-case letters, digits and at least one hyphen, such as vendor-condition"
        raise PlugInError(f"{place} has no legal key (legal: {legal}): {remedy}")
    entry = plug_ins.load("condition", points)
    if not (_is_condition(entry) and issubclass(entry, Section)):
        raise PlugInError(f"{place} is no class that inherits Section and ConditionEntry: {remedy}")
    missing = [name for name in ("key", "description") if not isinstance(getattr(entry, name, None), str)]
    missing += sorted(entry.__abstractmethods__)
    if missing:
        raise PlugInError(f"{place} lacks {' and '.join(missing)}: {remedy}")
    if entry.key != point.name:
        raise PlugInError(f"{place} has the key {entry.key!r} (legal: the entry point's name): {remedy}")
    return entry


def _is_condition(entry: object) -> TypeGuard[type[ConditionEntry]]:
    return inspect.isclass(entry) and issubclass(entry, ConditionEntry)
