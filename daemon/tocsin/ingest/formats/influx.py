r"""Format `influx`, the line protocol of InfluxDB: `vitals,ward=icu,bed=7 hr=72i,spo2=97 1764000000000000000`.

Tags, and the measurement as the tag `measurement`, may name streams; field keys name channels.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from tocsin.ingest.addressing import Naming, UnnameableError
from tocsin.ingest.formats.payload_format import PayloadFormat
from tocsin.ingest.reading_rows import tally
from tocsin.ingest.reject import RejectReason
from tocsin.ingest.timestamps import Nanoseconds, RawTime, TimeUnit

if TYPE_CHECKING:
    from tocsin.ingest.addressing import Addressing, TopicAddress
    from tocsin.ingest.message import Message
    from tocsin.ingest.reading_rows import ReadingRows, RejectCounter

# One token each; a backslash keeps the character after it from ending the token.
_KEY = re.compile(r"(?:[^\\,= \r\n]|\\.)+")
_MEASUREMENT = re.compile(r"(?:[^\\, \r\n]|\\.)+")
_FIELD = re.compile(
    r"""(?P<key>(?:[^\\,= \r\n]|\\.)+)=
        (?:"(?P<text>(?:[^"\\]|\\.)*)"
          |(?P<bare>[^\s,"]+))""",
    re.VERBOSE | re.DOTALL,  # a text may go over several lines
)
_REST = re.compile(r"(?: +(?P<time>[^\s]+))?[ \t]*\r?(?:\n|$)")
_BETWEEN = re.compile(r"(?:\s|#[^\n]*)*")  # empty lines and comments
_WHOLE = re.compile(r"[-+]?\d{1,20}[iu]", re.ASCII)
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_TIME = re.compile(r"-?\d{1,20}", re.ASCII)
_BOOLEANS = dict.fromkeys(("t", "T", "true", "True", "TRUE"), 1.0) | dict.fromkeys(
    ("f", "F", "false", "False", "FALSE"), 0.0
)
_ESCAPED = re.compile(r"\\([,= \\])")
_NS_PER = {
    TimeUnit.NANOSECONDS: 1,
    TimeUnit.MICROSECONDS: 1_000,
    TimeUnit.MILLISECONDS: 1_000_000,
    TimeUnit.SECONDS: 1_000_000_000,
}


class _LineError(Exception):
    """A line can't be read."""


class Influx:
    """Reader of Influx line protocol."""

    def __init__(self, addressing: Addressing, precision: TimeUnit) -> None:
        """Keep what reading needs.

        Args:
            addressing: Resolves tags and field keys.
            precision: Unit of times.
        """
        self._addressing = addressing
        self._ns_per = _NS_PER[precision]

    def read(
        self, message: Message, index: int, address: TopicAddress, rows: ReadingRows, rejects: RejectCounter
    ) -> None:
        """Read one message: a point a line; lines that are right stay."""
        before = tally(rows, rejects)
        try:
            text = message.payload.decode()
        except UnicodeDecodeError as error:
            rejects.add(RejectReason.UNREADABLE, index, str(error))
            return
        at = _begin(text, 0)
        while at < len(text):
            try:
                end = self._point(text, at, message, index, address, rows, rejects)
            except _LineError as error:
                rejects.add(RejectReason.UNREADABLE, index, str(error))
                end = text.find("\n", at) + 1 or len(text)
            at = _begin(text, end)
        if tally(rows, rejects) == before:
            rejects.add(RejectReason.EMPTY, index, "none of the source's fields")

    def _point(
        self,
        text: str,
        at: int,
        message: Message,
        index: int,
        address: TopicAddress,
        rows: ReadingRows,
        rejects: RejectCounter,
    ) -> int:
        """Read the point that begins at an offset of the text; the offset of its end."""
        tags, fields_at = _tags(text, at)
        tags_key = text[at:fields_at]
        fields, end = _fields(text, fields_at)
        rest = _REST.match(text, end)
        if rest is None:
            raise _LineError(f"{text[end : end + 40]!r} after the fields")
        t = self._time(rest["time"])
        for key, value in fields:
            try:
                value_address = self._addressing.value_address(message.topic, address, key, tags, tags_key)
            except UnnameableError as error:
                rejects.add(RejectReason.TOPIC, index, str(error))
                continue
            if value_address is None:
                continue
            number = _value(value)
            if number is None:
                rejects.add(RejectReason.WRONG_TYPE, index, f"{key}: expected a number, got {value[:60]!r}")
            elif not math.isfinite(number):
                rejects.add(RejectReason.NOT_FINITE, index, f"{key}: beyond what a number can be")
            else:
                rows.put(index, rows.code(value_address.stream, value_address.labels), t, value_address.column, number)
        return rest.end()

    def _time(self, text: str | None) -> RawTime:
        if text is None:
            return None
        if not _TIME.fullmatch(text):
            raise _LineError(f"{text[:40]!r} is no time")
        return Nanoseconds(int(text) * self._ns_per)


def _begin(text: str, at: int) -> int:
    """Offset at which the next point begins."""
    found = _BETWEEN.match(text, at)
    return at if found is None else found.end()


def _tags(text: str, at: int) -> tuple[dict[str, str], int]:
    """Read the measurement and the tags; and the offset of their end."""
    found = _MEASUREMENT.match(text, at)
    if found is None:
        raise _LineError(f"a point begins with a measurement: {text[at : at + 40]!r}")
    tags = {"measurement": _plain(found[0])}
    end = found.end()
    while text.startswith(",", end):
        key = _KEY.match(text, end + 1)
        value = _KEY.match(text, key.end() + 1) if key is not None and text.startswith("=", key.end()) else None
        if key is None or value is None:
            raise _LineError(f"a tag is KEY=VALUE: {text[end : end + 40]!r}")
        tags[_plain(key[0])] = _plain(value[0])
        end = value.end()
    if not text.startswith(" ", end):
        raise _LineError(f"no fields after {text[at : at + 40]!r}")
    return tags, end


def _fields(text: str, at: int) -> tuple[list[tuple[str, str]], int]:
    """Read keys and values as written, texts with a quote before them; and the offset of their end."""
    fields = []
    while text.startswith(" ", at):
        at += 1
    while True:
        found = _FIELD.match(text, at)
        if found is None:
            raise _LineError(f"a field is KEY=VALUE: {text[at : at + 40]!r}")
        fields.append((_plain(found["key"]), found["bare"] if found["text"] is None else f'"{found["text"]}'))
        at = found.end()
        if not text.startswith(",", at):
            return fields, at
        at += 1


def _plain(text: str) -> str:
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text


def _value(text: str) -> float | None:
    """Read the number of a field; None for text."""
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _WHOLE.fullmatch(text):
        return float(text[:-1])
    return float(text) if _NUMBER.fullmatch(text) else None


FORMATS = (
    PayloadFormat(
        "influx",
        lambda settings, addressing: Influx(addressing, settings.precision),
        naming=Naming(names_values=True, has_tags=True),
        keys=frozenset({"name", "precision"}),
    ),
)
