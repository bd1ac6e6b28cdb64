"""Sinks of other packages, by the entry point group `tocsin.sinks`: finding, loading and checking them."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pydantic import BaseModel, ValidationError

from tocsin.delivery import Sink

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tocsin.delivery import SinkContext

GROUP = "tocsin.sinks"

_BUG = "update or uninstall the package, or leave the key out"


class SinkPlugin(Protocol):
    """The class that an entry point names.

    Attributes:
        Options: The pydantic model of what stands under `notify` and the entry point's name.
    """

    Options: ClassVar[type[BaseModel]]

    def build(self, options: Any, context: SinkContext) -> Sink:  # noqa: ANN401  (an instance of the class's own Options)
        """Make the sink; a class method, or a static one.

        Raises:
            OSError: A file that the options name can't be read.
            ValueError: An option can't be used.
        """
        ...


class SinkPluginError(Exception):
    """A sink that can't be used; the message says why and what to do."""


def sink_names() -> list[str]:
    """The names of the installed sinks, sorted."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def load_sink(name: str) -> SinkPlugin:
    """Load an installed sink.

    Raises:
        SinkPluginError: No package has it, several have it, it can't be imported, or it is no sink.
    """
    found = list(entry_points(group=GROUP, name=name))
    if not found:
        raise SinkPluginError(
            f"no installed package has a sink {name!r} (installed: {', '.join(sink_names()) or 'none'})"
        )
    if len(found) > 1:
        packages = " and ".join(sorted(point.dist.name if point.dist else point.value for point in found))
        raise SinkPluginError(f"{packages} both have a sink {name!r}: uninstall one of them")
    place = f"sink {name!r} ({found[0].value})"
    try:
        plugin = found[0].load()
    except Exception as error:
        raise SinkPluginError(f"{place} can't be loaded ({type(error).__name__}: {error}): {_BUG}") from error
    options = getattr(plugin, "Options", None)
    if not (isinstance(options, type) and issubclass(options, BaseModel)):
        raise SinkPluginError(f"{place} has no pydantic model `Options`: {_BUG}")
    if not callable(getattr(plugin, "build", None)):
        raise SinkPluginError(f"{place} has no method `build(options, context)`: {_BUG}")
    loaded: SinkPlugin = plugin
    return loaded


def build_plugin(name: str, options: Mapping[str, Any], context: SinkContext) -> Sink:
    """Make an installed sink.

    Raises:
        SinkPluginError: It can't be loaded, doesn't take its options, or raises.
    """
    plugin = load_sink(name)
    try:
        made = plugin.build(plugin.Options.model_validate(options), context)
    except Exception as error:
        raise SinkPluginError(
            f"sink {name!r} can't be made of notify.{name} ({type(error).__name__}: {error}): correct its options, or "
            f"{_BUG}"
        ) from error
    if Sink not in type(made).__mro__:
        raise SinkPluginError(f"sink {name!r} is of type {type(made).__name__}, and no tocsin.delivery.Sink: {_BUG}")
    return made


def plugin_faults(name: str, options: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Find the faults of an entry for an installed sink: the path below the entry, and what is wrong."""
    try:
        plugin = load_sink(name)
    except SinkPluginError as error:
        yield (), str(error)
        return
    try:
        plugin.Options.model_validate(options)
    except ValidationError as error:
        for one in error.errors():
            yield one["loc"], one["msg"]
