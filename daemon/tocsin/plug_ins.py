"""Plug-ins: objects that installed packages offer by entry points, such as conditions, payload formats and sinks."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

REMEDY = "update or uninstall the package"


class PlugInError(Exception):
    """A plug-in cannot be used; the message names it, its package and the remedy."""


def installed(group: str) -> dict[str, tuple[EntryPoint, ...]]:
    """Entry points of a group by name, in alphabetical order; several of one name cannot be used."""
    found: dict[str, tuple[EntryPoint, ...]] = {}
    for point in entry_points(group=group):
        found[point.name] = (*found.get(point.name, ()), point)
    return dict(sorted(found.items()))


def origin(point: EntryPoint) -> str:
    """Package of an entry point, and the object that it names."""
    package = point.dist.name if point.dist is not None else "an unknown package"
    return f"{package} ({point.value})"


def load(noun: str, points: tuple[EntryPoint, ...]) -> object:
    """Import the object of the one entry point of a name.

    Args:
        noun: What the plug-in is, for the message: `condition`, `format`, `sink`.
        points: All entry points of the name.

    Raises:
        PlugInError: Several packages have the name, or the object cannot be imported.
    """
    if len(points) > 1:
        packages = " and ".join(sorted(map(origin, points)))
        raise PlugInError(f"{noun} {points[0].name!r} is in {packages}: uninstall one of them")
    try:
        return points[0].load()
    except Exception as error:  # the package's own code may raise anything
        problem = f"can't be loaded ({type(error).__name__}: {error})"
        raise PlugInError(f"{noun} {points[0].name!r} of {origin(points[0])} {problem}: {REMEDY}") from error
