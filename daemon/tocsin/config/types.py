"""Types that sections of the configuration share: names, lists, durations, and the section itself."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

MOST_S = 10 * 365 * 86400  # its nanoseconds can be added to a time in an int64
_SECONDS_OF = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_WITH_UNIT = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)\s*$")

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=64)]


class Section(BaseModel):
    """Section of the configuration: frozen, without unknown keys, with finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


def listed(value: object) -> object:
    """Wrap a single text into a list."""
    return [value] if isinstance(value, str) else value


def seconds(value: object) -> object:
    """Convert `90`, `"90 s"`, `"1.5 min"`, `"2h"`, `"1d"` or `"250ms"` into seconds.

    >>> seconds("1.5 min"), seconds("250ms"), seconds(90)
    (90.0, 0.25, 90)

    Raises:
        ValueError: The text is not a number with one of those units.
    """
    if not isinstance(value, str):
        return value
    match = _WITH_UNIT.match(value)
    if match is None:
        raise ValueError(f"{value!r} is no duration (legal: seconds, or a number with ms, s, min, h or d)")
    return float(match[1]) * _SECONDS_OF[match[2]]


Seconds = Annotated[
    float,
    BeforeValidator(seconds),
    Field(ge=0, le=MOST_S, allow_inf_nan=False),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": MOST_S},
                {"type": "string", "pattern": _WITH_UNIT.pattern},
            ]
        },
    ),
]
