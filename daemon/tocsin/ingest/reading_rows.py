"""Readings of a batch while it is decoded: lists of rows, and a counter of rejects."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tocsin.ingest.reject import RejectReason
    from tocsin.ingest.timestamps import RawTime


class ReadingRows:
    """Rows read from a batch of messages, R so far, V values each.

    Attributes:
        values: R × V values, row by row: None where the payload has null, NaN where it has no value.
        times: R times as the payload has them; None: the time of arrival.
        stream_codes: R indices into `stream_names`.
        message_indices: R indices of messages in the batch.
        stream_names: Names of streams.
        labels: Labels of those streams.
    """

    def __init__(self, width: int) -> None:
        """Begin a batch of rows with V = `width` values."""
        self.values: list[float | None] = []
        self.times: list[RawTime] = []
        self.stream_codes: list[int] = []
        self.message_indices: list[int] = []
        self.stream_names: list[str] = []
        self.labels: list[Mapping[str, str]] = []
        self._width = width
        self._code_of: dict[str, int] = {}
        self._row_at: dict[tuple[int, RawTime], int] = {}  # of the message that is being read
        self._current_message = -1

    def code(self, stream: str, labels: Mapping[str, str]) -> int:
        """Index of a stream in this batch's `stream_names`; a new stream is appended."""
        code = self._code_of.get(stream)
        if code is None:
            code = self._code_of[stream] = len(self.stream_names)
            self.stream_names.append(stream)
            self.labels.append(labels)
        elif labels is not (known := self.labels[code]) and not labels.items() <= known.items():
            self.labels[code] = {**known, **labels}  # another topic of the stream has further labels
        return code

    def add(self, message: int, code: int, time: RawTime, values: tuple[float | None, ...]) -> None:
        """Append a row.

        Args:
            message: Index of the message in the batch.
            code: Index of the stream, from `code`.
            time: Time as the payload has it; None: the time of arrival.
            values: V values.
        """
        self.values += values
        self.times.append(time)
        self.stream_codes.append(code)
        self.message_indices.append(message)

    def put(self, message: int, code: int, time: RawTime, column: int, value: float | None) -> None:
        """Add one value. Values of one message, stream and time share a row, unless they are of one column.

        Args:
            message: Index of the message in the batch.
            code: Index of the stream, from `code`.
            time: Time as the payload has it; None: the time of arrival.
            column: Index of the source's field.
            value: Finite number, in the field's unit; None where the payload has null.
        """
        if message != self._current_message:
            self._row_at.clear()
            self._current_message = message
        row = self._row_at.get((code, time))
        if row is not None:
            at = row * self._width + column
            before = self.values[at]
            if before is not None and math.isnan(before):
                self.values[at] = value
                return
        self._row_at[code, time] = len(self.times)
        self.add(message, code, time, (math.nan,) * self._width)
        self.values[column - self._width] = value


class RejectCounter:
    """Rejects of a batch by reason and message: the first detail, and a count.

    Attributes:
        counts: By reason and index of the message.
    """

    def __init__(self) -> None:
        self.counts: dict[tuple[RejectReason, int], tuple[str, int]] = {}

    def add(self, reason: RejectReason, message: int, detail: str, count: int = 1) -> None:
        """Count a rejected message, element or value.

        Args:
            reason: Reason of the reject.
            message: Index of the message in the batch.
            detail: First value that is wrong, and what is legal.
            count: Number of elements or values.
        """
        first, before = self.counts.get((reason, message), (detail, 0))
        self.counts[reason, message] = (first, before + count)


def tally(rows: ReadingRows, rejects: RejectCounter) -> tuple[int, int]:
    """Count rows and rejects; equal before and after a message that gives neither."""
    return len(rows.times), len(rejects.counts)
