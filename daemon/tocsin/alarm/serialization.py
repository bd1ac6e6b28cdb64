"""Records and events as plain data that JSON can hold, and back: exactly, by their annotations."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

_T = TypeVar("_T")

VERSION = 1


def to_plain(value: object) -> Any:  # noqa: ANN401  (it is what JSON can hold)
    """A data class, or what stands in one, as plain data.

    A number that JSON doesn't have, such as a score that is not finite, stays as it is.
    """
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [to_plain(entry) for entry in value]
    return dict(value) if isinstance(value, Mapping) else value


def from_plain(kind: type[_T], data: Mapping[str, Any]) -> _T:
    """The data class that `to_plain` was given."""
    made: _T = _made(kind, data)
    return made


def _made(kind: Any, data: Any) -> Any:  # noqa: ANN401  (an annotation, and what JSON can hold)
    if isinstance(kind, types.UnionType):  # of something and None
        (kind,) = (one for one in get_args(kind) if one is not types.NoneType)
        return None if data is None else _made(kind, data)
    if get_origin(kind) is tuple:
        return tuple(_made(get_args(kind)[0], entry) for entry in data)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(data)
    if isinstance(kind, type) and is_dataclass(kind):
        hints = _hints(kind)
        return kind(**{name: _made(hints[name], entry) for name, entry in data.items()})
    return data


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
