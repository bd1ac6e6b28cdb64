"""Registry of payload formats: those of this folder, and installed plug-ins.

A module of this folder registers the formats in its `FORMATS`. A plug-in is an entry point of the group
`tocsin.formats`, named as its format, that refers to a `PayloadFormat`.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from tocsin import plug_ins
from tocsin.ingest import formats
from tocsin.ingest.addressing import Naming
from tocsin.ingest.formats.payload_format import PayloadFormat
from tocsin.ingest.formats.plug_in import guarded
from tocsin.plug_ins import PlugInError, origin

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

PLUGINS = "tocsin.formats"

AUTO = PayloadFormat(
    "auto",
    build=lambda _settings, _addressing: None,  # the decoder chooses a reader for each message
    naming=Naming(names_values=True, has_tags=True),
    keys=frozenset({"time", "value", "name"}),
)
"""Format that the content type of each message chooses."""


class FormatError(ValueError):
    """A format is not known, or its plug-in can't be used."""


@cache
def built_in() -> dict[str, PayloadFormat]:
    """The formats of this folder by name, `auto` among them."""
    found = {AUTO.name: AUTO}
    for module in sorted(pkgutil.iter_modules(formats.__path__), key=lambda module: module.name):
        for entry in getattr(import_module(f"{formats.__name__}.{module.name}"), "FORMATS", ()):
            found[entry.name] = entry
    return found


@cache
def installed() -> dict[str, tuple[EntryPoint, ...]]:
    """Entry points of installed formats by name; more than one of a name can't be used."""
    return plug_ins.installed(PLUGINS)


def names() -> list[str]:
    """Names of all formats, in alphabetical order."""
    return sorted({*built_in(), *installed()})


def find(name: str) -> PayloadFormat:
    """Look up a format by name; a plug-in is imported.

    Raises:
        FormatError: No format has this name, two plug-ins have it, or the plug-in can't be imported or is no
            `PayloadFormat`.
    """
    points = installed().get(name, ())
    if points and name in built_in():
        raise FormatError(f"format {name!r} is built in, and in {origin(points[0])}: uninstall the package")
    if name in built_in():
        return built_in()[name]
    if not points:
        raise FormatError(f"format {name!r} is not known (legal: {', '.join(names())})")
    return _loaded(points)


def by_content_type() -> dict[str, PayloadFormat]:
    """Formats that `auto` chooses among, by content type.

    Raises:
        FormatError: A plug-in can't be used, or two formats have one content type.
    """
    found: dict[str, PayloadFormat] = {}
    for name in (*built_in(), *installed()):
        entry = find(name)
        for content_type in entry.content_types:
            if content_type in found:
                both = f"{found[content_type].name} and {name}"
                raise FormatError(f"content type {content_type!r} is that of two formats, {both}: uninstall one")
            found[content_type] = entry
    return found


def media_type(content_type: str | None) -> str:
    """Content type without parameters, in lower case; JSON where a message has none.

    >>> media_type("Text/Plain; charset=utf-8"), media_type(None)
    ('text/plain', 'application/json')
    """
    return content_type.partition(";")[0].strip().lower() if content_type else "application/json"


@cache
def _loaded(points: tuple[EntryPoint, ...]) -> PayloadFormat:
    try:
        loaded = plug_ins.load("format", points)
    except PlugInError as error:
        raise FormatError(str(error)) from error
    if not isinstance(loaded, PayloadFormat) or loaded.name != points[0].name:
        is_what = f"format {loaded.name!r}" if isinstance(loaded, PayloadFormat) else f"a {type(loaded).__name__}"
        raise FormatError(
            f"format {points[0].name!r} of {origin(points[0])} is {is_what} "
            "(legal: a PayloadFormat of the entry point's name)"
        )
    return guarded(loaded)
