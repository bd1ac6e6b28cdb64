"""Durations: a number of seconds, or a number with a unit."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

MOST_S = 10 * 365 * 86400  # far beyond any use, and still a number of nanoseconds that can be added to a time
_SECONDS_OF = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_WITH_UNIT = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)\s*$")


def seconds(value: object) -> object:
    """Turn `90`, `"90 s"`, `"1.5 min"`, `"2h"`, `"1d"` or `"250ms"` into seconds.

    >>> seconds("1.5 min"), seconds("250ms"), seconds(90)
    (90.0, 0.25, 90)

    Raises:
        ValueError: It is text, but not a number with one of those units.
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
