"""Guard around the readers of plug-ins: a reader that raises, or reads what can't be, costs its message alone."""

from __future__ import annotations

import math
from dataclasses import replace
from types import NoneType
from typing import TYPE_CHECKING

from tocsin.ingest.reading_rows import ReadingRows, RejectCounter
from tocsin.ingest.reject import RejectReason
from tocsin.ingest.timestamps import Nanoseconds
from tocsin.ingest.topics import can_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tocsin.ingest.addressing import Addressing, TopicAddress
    from tocsin.ingest.formats.payload_format import FormatReader, PayloadFormat
    from tocsin.ingest.message import Message
    from tocsin.ingest.source_settings import SourceSettings
    from tocsin.ingest.timestamps import RawTime

    _Row = tuple[str, Mapping[str, str], RawTime, tuple[float | None, ...]]

_TIMES = (int, float, str, Nanoseconds, NoneType)


class GuardedReader:
    """Reader of a plug-in. It reads each message into rows of its own, which are checked before they are taken."""

    def __init__(self, name: str, reader: FormatReader, width: int) -> None:
        """Wrap a reader.

        Args:
            name: Name of the format.
            reader: Reader of the plug-in.
            width: Number of the source's fields.
        """
        self._name = name
        self._reader = reader
        self._width = width

    def read(
        self, message: Message, index: int, address: TopicAddress, rows: ReadingRows, rejects: RejectCounter
    ) -> None:
        """Read one message; a failure of the plug-in is a reject."""
        read, rejected = ReadingRows(self._width), RejectCounter()
        try:
            self._reader.read(message, index, address, read, rejected)
            _check_rejects(rejected)
            checked = _checked_rows(read, self._width)
        except Exception as error:  # noqa: BLE001  (a plug-in's code can raise anything)
            failure = f"format {self._name} failed: {type(error).__name__}: {error}"
            rejects.add(RejectReason.UNREADABLE, index, failure)
            return
        for (reason, _), (detail, count) in rejected.counts.items():
            rejects.add(reason, index, detail, count)
        for stream, labels, time, values in checked:
            rows.add(index, rows.code(stream, labels), time, values)


def guarded(plug_in: PayloadFormat) -> PayloadFormat:
    """Wrap the readers that a plug-in builds."""

    def build(settings: SourceSettings, addressing: Addressing) -> FormatReader:
        try:
            reader = plug_in.build(settings, addressing)
        except ValueError:
            raise
        except Exception as error:
            raise ValueError(f"format {plug_in.name!r} builds no reader ({type(error).__name__}: {error})") from error
        if not callable(getattr(reader, "read", None)):
            raise ValueError(f"format {plug_in.name!r} builds a reader without `read`: {type(reader).__name__}")  # noqa: TRY004  (a fault of the configuration)
        return GuardedReader(plug_in.name, reader, len(settings.fields))  # type: ignore[arg-type]  # it has `read`

    return replace(plug_in, build=build)


def _check_rejects(rejects: RejectCounter) -> None:
    for (reason, _), (detail, count) in rejects.counts.items():
        if not isinstance(reason, RejectReason) or not isinstance(detail, str) or type(count) is not int:
            raise ValueError(f"reject {reason!r:.60}: {detail!r:.60} (legal: a RejectReason, and a text)")


def _checked_rows(rows: ReadingRows, width: int) -> list[_Row]:
    """Check the rows that a plug-in read of one message: stream, labels, time and values of each.

    Raises:
        ValueError: A row is not legal.
    """
    if len(rows.values) != width * len(rows.times):
        raise ValueError(f"{len(rows.values)} values in {len(rows.times)} rows (legal: {width} a row)")
    checked: list[_Row] = []
    for row, (code, time) in enumerate(zip(rows.stream_codes, rows.times, strict=True)):
        stream, labels = rows.stream_names[code], rows.labels[code]
        values = tuple(rows.values[row * width : (row + 1) * width])
        if not all(map(can_name, stream.split("/"))):
            raise ValueError(f"stream {stream!r:.60} (legal: levels of a topic, as `address.stream` has them)")
        if not all(isinstance(text, str) for item in labels.items() for text in item):
            raise ValueError(f"labels {labels!r:.60} (legal: text by text)")
        if type(time) not in _TIMES:
            raise ValueError(f"time {time!r:.60} (legal: int, float, str, Nanoseconds or None)")
        wrong = next((value for value in values if not _is_legal(value)), None)
        if wrong is not None:
            raise ValueError(f"value {wrong!r:.60} (legal: a finite number, or None)")
        checked.append((stream, labels, time, values))
    return checked


def _is_legal(value: object) -> bool:
    return value is None or (
        isinstance(value, float | int) and not isinstance(value, bool) and not math.isinf(float(value))
    )
