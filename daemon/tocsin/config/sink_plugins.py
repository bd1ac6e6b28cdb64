"""Sinks of other packages, by the entry point group `tocsin.sinks`: finding, loading and checking them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

from pydantic import BaseModel

from tocsin import plug_ins
from tocsin.delivery import Sink
from tocsin.plug_ins import PlugInError, origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tocsin.delivery import SinkContext

GROUP = "tocsin.sinks"


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


def sink_names() -> list[str]:
    """The names of the installed sinks, sorted."""
    return list(plug_ins.installed(GROUP))


def load_sink(name: str) -> SinkPlugin:
    """Load an installed sink.

    Raises:
        PlugInError: No package has it, several have it, it can't be imported, or it is no sink.
    """
    points = plug_ins.installed(GROUP).get(name, ())
    if not points:
        raise PlugInError(f"no installed package has a sink {name!r} (installed: {', '.join(sink_names()) or 'none'})")
    plugin = plug_ins.load("sink", points)
    place = f"sink {name!r} of {origin(points[0])}"
    options = getattr(plugin, "Options", None)
    if not (isinstance(options, type) and issubclass(options, BaseModel)):
        raise PlugInError(f"{place} has no pydantic model `Options`: {plug_ins.REMEDY}")
    if not callable(getattr(plugin, "build", None)):
        raise PlugInError(f"{place} has no method `build(options, context)`: {plug_ins.REMEDY}")
    return cast("SinkPlugin", plugin)


def build_plugin(name: str, options: Mapping[str, Any], context: SinkContext) -> Sink:
    """Make an installed sink.

    Raises:
        PlugInError: It can't be loaded, doesn't take its options, raises, or makes no sink.
    """
    plugin = load_sink(name)
    try:
        made = plugin.build(plugin.Options.model_validate(options), context)
    except Exception as error:
        raise PlugInError(
            f"sink {name!r} can't be made of notify.{name} ({type(error).__name__}: {error}): correct its options, or "
            f"{plug_ins.REMEDY}"
        ) from error
    if Sink not in type(made).__mro__:
        raise PlugInError(
            f"sink {name!r} is of type {type(made).__name__}, and no tocsin.delivery.Sink: {plug_ins.REMEDY}"
        )
    if type(made.max_in_flight) is not int or made.max_in_flight < 1:
        raise PlugInError(
            f"sink {name!r} has max_in_flight {made.max_in_flight!r} (legal: 1 or more): {plug_ins.REMEDY}"
        )
    return made
