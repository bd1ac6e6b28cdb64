"""Parser of JSON objects and arrays of them, such as `{"t":1764000000,"hr":72,"spo2":97}`.

The fast path parses into a struct of the source's fields. The slow path parses what the fast one refuses: it keeps the
elements that are right, and names what is wrong with the others.
"""

from __future__ import annotations

import json
import math
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from tocsin.ingest.reject import RejectReason
from tocsin.ingest.timestamps import RawTime

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Values = tuple[float | None, ...]  # None where JSON has null; NaN where the field is absent
Element = tuple[Values, RawTime]
Problem = tuple[RejectReason, str]

_MAX_DIGITS = 300

# msgspec checks text for UTF-8 only where it keeps the text: it then raises UnicodeDecodeError.
REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class JsonPayload:
    """Parser of one source's payloads.

    Attributes:
        names: Fields with values.
        parse: Parses bytes into a struct or a list of structs; raises one of `REFUSED`.
        values_of: Gets the values of a struct, in the order of `names`.
        time_of: Gets the time of a struct; None where it has none.
    """

    def __init__(self, names: Sequence[str], time_name: str | None, *, bare: bool = False) -> None:
        """Build the structs and their parser.

        Args:
            names: Fields with values.
            time_name: Field with the time; None if there is none.
            bare: Whether a number or null is legal in place of an object; `names` then has one entry.
        """
        self.names = tuple(names)
        self._time_name = time_name
        self._bare = bare
        fields: list[tuple[str, Any, Any]] = [(f"v{i}", float | None, math.nan) for i in range(len(names))]
        rename = {f"v{i}": name for i, name in enumerate(names)}
        if time_name is not None:
            fields.append(("time", RawTime, None))
            rename["time"] = time_name
        struct = msgspec.defstruct("Element", fields, rename=rename, frozen=True, gc=False)
        element: Any = struct | float | None if bare else struct
        self.parse: Callable[[bytes], Any] = msgspec.json.Decoder(element | list[element]).decode
        self.values_of: Callable[[Any], Values] = _values_getter(len(names))
        self.time_of: Callable[[Any], RawTime] = attrgetter("time") if time_name is not None else lambda _element: None

    def diagnose(self, payload: bytes) -> tuple[list[Element], list[Problem]]:
        """Parse a payload that `parse` refuses: elements that are right, and problems of the others."""
        try:
            document = json.loads(payload.decode(), parse_int=_bounded_int)
        except (ValueError, RecursionError) as error:
            return [], [(RejectReason.NOT_JSON, str(error))]
        elements: list[Element] = []
        problems: list[Problem] = []
        for item in document if isinstance(document, list) else [document]:
            try:
                elements.append(self._read(item))
            except _WrongElementError as wrong:
                problems.append((wrong.reason, wrong.detail))
        return elements, problems

    def _read(self, item: object) -> Element:
        if self._bare and not isinstance(item, dict | list):
            return (_number(self.names[0], item),), None
        if not isinstance(item, dict):
            raise _WrongElementError(RejectReason.WRONG_SHAPE, f"expected an object, got {_kind(item)}")
        values = tuple(_number(name, item[name]) if name in item else math.nan for name in self.names)
        time = item.get(self._time_name)
        if isinstance(time, bool | dict | list) or (isinstance(time, float) and not math.isfinite(time)):
            raise _WrongElementError(RejectReason.TIME, f"{self._time_name}: {_kind(time)} is no time")
        return values, time


class _WrongElementError(Exception):
    """One element of a payload can't be read."""

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def _number(name: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        shown = f" {value[:60]!r}" if isinstance(value, str) else ""
        raise _WrongElementError(RejectReason.WRONG_TYPE, f"{name}: expected a number, got {_kind(value)}{shown}")
    if not math.isfinite(value):
        raise _WrongElementError(RejectReason.NOT_FINITE, f"{name}: beyond what a number can be")
    return float(value)


def _values_getter(count: int) -> Callable[[Any], Values]:
    if count == 1:  # attrgetter of one name gives the value, of several a tuple
        one = attrgetter("v0")
        return lambda element: (one(element),)
    return attrgetter(*(f"v{i}" for i in range(count)))


def _bounded_int(digits: str) -> int | float:
    """JSON's integers have no end; a double ends near 1e308."""
    return int(digits) if len(digits) < _MAX_DIGITS else math.copysign(math.inf, -1 if digits[0] == "-" else 1)


def _kind(value: object) -> str:
    names = {dict: "an object", list: "an array", str: "text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
