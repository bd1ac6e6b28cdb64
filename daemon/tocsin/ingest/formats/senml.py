"""Formats `senml-json` and `senml-cbor` (RFC 8428): packs of records, with base fields for those that follow.

Numeric content is read: values, booleans as 0 and 1, sums where there is no value, base values and base sums, relative
times. Records with text or data values are rejected where their name is mapped.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import cbor2

from tocsin.ingest.addressing import Naming, UnnameableError
from tocsin.ingest.formats.payload_format import PayloadFormat
from tocsin.ingest.reading_rows import tally
from tocsin.ingest.reject import RejectReason
from tocsin.ingest.timestamps import Nanoseconds, RawTime
from tocsin.ingest.units import conversion, convertible, ucum_of_senml

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tocsin.ingest.addressing import Addressing, TopicAddress
    from tocsin.ingest.message import Message
    from tocsin.ingest.reading_rows import ReadingRows, RejectCounter
    from tocsin.ingest.source_settings import FieldSettings

_VERSION = 10  # of RFC 8428
_ABSOLUTE_FROM = 2**28  # seconds: a smaller time counts from the arrival
_LATEST_S = 9_000_000_000  # in nanoseconds an int64 holds a little more
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-:./_]*", re.ASCII)  # section 4.5.1
_KNOWN = frozenset({"bver", "bn", "bt", "bu", "bv", "bs", "n", "u", "v", "vs", "vb", "vd", "s", "t", "ut"})
_VALUES = ("v", "vs", "vb", "vd")
_LABELS = {-1: "bver", -2: "bn", -3: "bt", -4: "bu", -5: "bv", -6: "bs",
           0: "n", 1: "u", 2: "v", 3: "vs", 4: "vb", 5: "s", 6: "t", 7: "ut", 8: "vd"}  # fmt: skip
_MAX_DEPTH = 16
_DECIMAL_FRACTION = 4
_NUMBERS = frozenset({2, 3, _DECIMAL_FRACTION})  # what of CBOR's tags SenML may use
_TAGS = frozenset({*range(64), 100, 256, 258, 260, 261, 1004, 43000, 55799}) - _NUMBERS


class _PackError(Exception):
    """The pack can't be read from here on."""

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class SenML:
    """Reader of SenML packs."""

    def __init__(self, addressing: Addressing, fields: Sequence[FieldSettings], parse: Callable[[bytes], Any]) -> None:
        """Keep what reading needs.

        Args:
            addressing: Resolves the names of records.
            fields: Fields of the source.
            parse: `parse_json` or `parse_cbor`.
        """
        self._addressing = addressing
        self._fields = fields
        self._parse = parse

    def read(
        self, message: Message, index: int, address: TopicAddress, rows: ReadingRows, rejects: RejectCounter
    ) -> None:
        """Read one message."""
        before = tally(rows, rejects)
        try:
            pack = self._parse(message.payload)
            if not isinstance(pack, list):
                raise _PackError(RejectReason.WRONG_SHAPE, "a SenML pack is an array of records")  # noqa: TRY301  (faults of a pack are counted at one place)
            self._resolve(pack, message, index, address, rows, rejects)
        except _PackError as wrong:
            rejects.add(wrong.reason, index, wrong.detail)
        if tally(rows, rejects) == before:
            rejects.add(RejectReason.EMPTY, index, "none of the source's fields")

    def _resolve(
        self,
        pack: list[Any],
        message: Message,
        index: int,
        address: TopicAddress,
        rows: ReadingRows,
        rejects: RejectCounter,
    ) -> None:
        """Resolve the base fields (section 4.6), and add each record at the address of its name."""
        _check(pack)
        base = _Base()
        for record in pack:
            base.take(record)
            if not any(key in record for key in ("n", "v", "vs", "vb", "vd", "s", "t", "u")):
                continue  # base fields alone
            name = base.name + _text(record, "n", "")
            if not _NAME.fullmatch(name):
                rejects.add(RejectReason.WRONG_SHAPE, index, f"{name[:60]!r} is no SenML name")
                continue
            try:
                value_address = self._addressing.value_address(message.topic, address, name)
            except UnnameableError as error:
                rejects.add(RejectReason.TOPIC, index, str(error))
                continue
            if value_address is None:
                continue
            try:
                value = base.value(record)
                if value is None:
                    raise _PackError(RejectReason.WRONG_SHAPE, f"{name[:60]}: neither a value nor a sum")  # noqa: TRY301  (as above)
                value = self._in_unit(value, _text(record, "u", base.unit), self._fields[value_address.column])
                time = base.time(record, message)
            except _PackError as wrong:
                rejects.add(wrong.reason, index, wrong.detail)
                continue
            rows.put(index, rows.code(value_address.stream, value_address.labels), time, value_address.column, value)

    def _in_unit(self, value: float, unit: str, field: FieldSettings) -> float:
        if not unit or field.unit is None:
            return value
        found = conversion(ucum_of_senml(unit), field.unit)
        if found is None:
            legal = ", ".join(convertible(field.unit))
            raise _PackError(
                RejectReason.UNIT, f"{field.name} in {unit[:20]!r}: {field.channel} takes {legal}; or give its unit"
            )
        return _finite("v", value * found[0] + found[1])


class _Base:
    """The base fields as they stand after a record."""

    def __init__(self) -> None:
        self.name = ""
        self.unit = ""
        self._time: Any = 0
        self._value: float = 0.0
        self._sum: float = 0.0

    def take(self, record: dict[str, Any]) -> None:
        """Take over a record's base fields; they hold for itself and all that follow."""
        if "bn" in record:
            self.name = _text(record, "bn", "")
        if "bu" in record:
            self.unit = _text(record, "bu", "")
        if "bt" in record:
            self._time = _exact(record, "bt")
        if "bv" in record:
            self._value = _number(record, "bv")
        if "bs" in record:
            self._sum = _number(record, "bs")

    def value(self, record: dict[str, Any]) -> float | None:
        """A record's value; its sum where it has no value; None where it has neither."""
        given = [key for key in _VALUES if key in record]
        if len(given) > 1:
            raise _PackError(RejectReason.WRONG_SHAPE, f"{' and '.join(given)} in one record")
        if not given:
            return _finite("s", self._sum + _number(record, "s")) if "s" in record else None
        if given == ["v"]:
            return _finite("v", self._value + _number(record, "v"))
        if given == ["vb"]:
            if not isinstance(record["vb"], bool):
                raise _PackError(RejectReason.WRONG_TYPE, "vb: expected a boolean")
            return float(record["vb"])
        kind = "text" if given == ["vs"] else "data"
        raise _PackError(RejectReason.WRONG_TYPE, f"{given[0]}: expected a number, got {kind}")

    def time(self, record: dict[str, Any], message: Message) -> RawTime:
        """When a record was made: section 4.5.3."""
        base, own = self._time, _exact(record, "t") if "t" in record else 0
        seconds = base + own
        if seconds == 0:
            return None  # now: as without a time, the arrival is taken
        if not abs(seconds) < _LATEST_S:
            raise _PackError(RejectReason.TIME, f"t: {float(seconds):g} s can't be a time")
        ns = _ns(base) + _ns(own)
        if seconds >= _ABSOLUTE_FROM:
            return Nanoseconds(ns)
        if message.retain:
            raise _PackError(RejectReason.TIME, "a retained message with a relative time: its arrival says nothing")
        return Nanoseconds(message.received_at + ns)


def _check(pack: list[Any]) -> None:
    """Check that a pack can be read: a mandatory field that is not known makes all of it unreadable."""
    versions = set()
    for record in pack:
        if not isinstance(record, dict):
            raise _PackError(RejectReason.WRONG_SHAPE, "a SenML record is an object")
        for key in record:
            if isinstance(key, str) and key.endswith("_") and key not in _KNOWN:
                raise _PackError(RejectReason.WRONG_SHAPE, f"{key[:40]!r} must be understood, and is not known here")
        if "bver" in record:
            version = record["bver"]
            if type(version) is not int or version < 1:
                raise _PackError(RejectReason.WRONG_SHAPE, "bver: expected a positive whole number")
            versions.add(version)
        if "ut" in record:
            _number(record, "ut")
    if len(versions) > 1 or any(version > _VERSION for version in versions):
        found = " and ".join(map(str, sorted(versions)))
        raise _PackError(RejectReason.WRONG_SHAPE, f"bver {found[:40]} (legal: one, up to {_VERSION})")


def _text(record: dict[str, Any], key: str, default: str) -> str:
    value = record.get(key, default)
    if not isinstance(value, str):
        raise _PackError(RejectReason.WRONG_TYPE, f"{key}: expected text")
    return value


def _exact(record: dict[str, Any], key: str) -> int | float:
    """A number as it is written: whole ones stay exact."""
    value = record[key]
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _PackError(RejectReason.WRONG_TYPE, f"{key}: expected a number")
    if isinstance(value, int) and abs(value) > 2**1000:
        raise _PackError(RejectReason.NOT_FINITE, f"{key}: beyond what a number can be")
    if not math.isfinite(value):
        raise _PackError(RejectReason.NOT_FINITE, f"{key}: beyond what a number can be")
    return value


def _number(record: dict[str, Any], key: str) -> float:
    return float(_exact(record, key))


def _finite(key: str, value: float) -> float:
    if not math.isfinite(value):
        raise _PackError(RejectReason.NOT_FINITE, f"{key}: beyond what a number can be")
    return value


def _ns(seconds: float) -> int:
    """Seconds in nanoseconds; of a double the digits below a microsecond are noise, and dropped."""
    return seconds * 1_000_000_000 if isinstance(seconds, int) else round(seconds * 1_000_000) * 1_000


def parse_json(payload: bytes) -> Any:  # noqa: ANN401  (whatever it holds)
    """A pack written in JSON."""
    try:
        return json.loads(payload.decode())
    except (ValueError, RecursionError) as error:  # a number of more than 4,300 digits is a ValueError, too
        raise _PackError(RejectReason.NOT_JSON, str(error)) from error


def _refuse_tag(_decoder: object) -> Any:  # noqa: ANN401  (it gives nothing)
    raise ValueError("a tag that SenML doesn't use")


_REFUSED_TAGS = dict.fromkeys(_TAGS, _refuse_tag)


def parse_cbor(payload: bytes) -> Any:  # noqa: ANN401  (as above)
    """A pack written in CBOR, with its labels by their names."""
    try:
        pack = cbor2.loads(payload, max_depth=_MAX_DEPTH, semantic_decoders=_REFUSED_TAGS)
    except (cbor2.CBORDecodeError, ValueError, ArithmeticError, TypeError) as error:
        raise _PackError(RejectReason.UNREADABLE, f"not CBOR: {error}") from error
    if not isinstance(pack, list):
        return pack
    return [
        {_LABELS.get(key, key) if type(key) is int else key: value for key, value in record.items()}
        if isinstance(record, dict)
        else record
        for record in pack
    ]


_NAMING = Naming(names_values=True)
FORMATS = (
    PayloadFormat(
        "senml-json",
        lambda settings, addressing: SenML(addressing, settings.fields, parse_json),
        naming=_NAMING,
        keys=frozenset({"name"}),
        content_types=("application/senml+json",),
    ),
    PayloadFormat(
        "senml-cbor",
        lambda settings, addressing: SenML(addressing, settings.fields, parse_cbor),
        naming=_NAMING,
        keys=frozenset({"name"}),
        content_types=("application/senml+cbor",),
    ),
)
