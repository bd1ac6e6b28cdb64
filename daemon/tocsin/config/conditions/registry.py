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
from importlib.metadata import EntryPoint, entry_points
from typing import TypeGuard

from tocsin.config import conditions
from tocsin.config.conditions.entry import ConditionEntry
from tocsin.config.types import Section

GROUP = "tocsin.conditions"

_PLUGIN_KEY = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")


class ConditionPluginError(Exception):
    """A condition of an installed package cannot be used; the message names it and the remedy."""


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
def plug_ins() -> tuple[dict[str, type[ConditionEntry]], dict[str, str]]:
    """Conditions of installed packages by key, and faults of those that cannot be used, by key."""
    by_key: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        by_key.setdefault(point.name, []).append(point)
    usable: dict[str, type[ConditionEntry]] = {}
    faults: dict[str, str] = {}
    for key, points in sorted(by_key.items()):
        try:
            usable[key] = _only(points)
        except ConditionPluginError as error:
            faults[key] = str(error)
    return usable, faults


def _only(points: list[EntryPoint]) -> type[ConditionEntry]:
    if len(points) > 1:
        packages = " and ".join(sorted(_origin(point) for point in points))
        raise ConditionPluginError(f"condition {points[0].name!r} is in {packages}: uninstall one of them")
    return _load(points[0])


def _load(point: EntryPoint) -> type[ConditionEntry]:
    """Load the condition of an entry point.

    Raises:
        ConditionPluginError: Its name is no legal key, it cannot be imported, or it is no condition of that key.
    """
    place, remedy = f"condition {point.name!r} of {_origin(point)}", "update or uninstall the package"
    if not _PLUGIN_KEY.fullmatch(point.name):
        legal = "lower-case letters, digits and at least one hyphen, such as vendor-condition"
        raise ConditionPluginError(f"{place} has no legal key (legal: {legal}): {remedy}")
    try:
        entry = point.load()
    except Exception as error:  # the package's own code may raise anything
        raise ConditionPluginError(f"{place} can't be loaded ({type(error).__name__}: {error}): {remedy}") from error
    if not (_is_condition(entry) and issubclass(entry, Section)):
        raise ConditionPluginError(f"{place} is no class that inherits Section and ConditionEntry: {remedy}")
    missing = [name for name in ("key", "description") if not isinstance(getattr(entry, name, None), str)]
    missing += sorted(entry.__abstractmethods__)
    if missing:
        raise ConditionPluginError(f"{place} lacks {' and '.join(missing)}: {remedy}")
    if entry.key != point.name:
        raise ConditionPluginError(f"{place} has the key {entry.key!r} (legal: the entry point's name): {remedy}")
    return entry


def _is_condition(entry: object) -> TypeGuard[type[ConditionEntry]]:
    return inspect.isclass(entry) and issubclass(entry, ConditionEntry)


def _origin(point: EntryPoint) -> str:
    """Package of an entry point, and the object that it names."""
    package = point.dist.name if point.dist is not None else "an unknown package"
    return f"{package} ({point.value})"
