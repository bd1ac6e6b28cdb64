"""The elements of a batch: lists while it is read, columns after."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tocsin.ingest.reject import RejectReason
    from tocsin.ingest.timestamps import RawTime


class ReadingRows:
    """What has been read of a batch.

    Attributes:
        flat: V values a row; None where the payload said null, NaN where it said nothing.
        times: As the payload had them.
        stream: By row, index into `names`.
        message: By row, which message it came from.
        names: The streams.
        labels: Theirs.
    """

    def __init__(self, width: int) -> None:
        """Begin a batch of rows with V = `width` values."""
        self.flat: list[float | None] = []
        self.times: list[RawTime] = []
        self.stream: list[int] = []
        self.message: list[int] = []
        self.names: list[str] = []
        self.labels: list[Mapping[str, str]] = []
        self._width = width
        self._code_of: dict[str, int] = {}
        self._row_at: dict[tuple[int, RawTime], int] = {}  # of the message that is being read
        self._of_message = -1

    def code(self, stream: str, labels: Mapping[str, str]) -> int:
        """A stream's place in the batch's dictionary."""
        code = self._code_of.get(stream)
        if code is None:
            code = self._code_of[stream] = len(self.names)
            self.names.append(stream)
            self.labels.append(labels)
        elif labels is not (known := self.labels[code]) and not labels.items() <= known.items():
            self.labels[code] = {**known, **labels}  # another topic of the stream says more
        return code

    def add(self, message: int, code: int, time: RawTime, values: tuple[float | None, ...]) -> None:
        """Add a whole row."""
        self.flat += values
        self.times.append(time)
        self.stream.append(code)
        self.message.append(message)

    def put(self, message: int, code: int, time: RawTime, column: int, value: float | None) -> None:
        """Add one value. Those of one message, stream and time share a row, unless they are of one column."""
        if message != self._of_message:
            self._row_at.clear()
            self._of_message = message
        row = self._row_at.get((code, time))
        if row is not None:
            at = row * self._width + column
            before = self.flat[at]
            if before is not None and math.isnan(before):
                self.flat[at] = value
                return
        self._row_at[code, time] = len(self.times)
        self.add(message, code, time, (math.nan,) * self._width)
        self.flat[column - self._width] = value


class RejectCounter:
    """What was refused, by reason and message: the first detail, and how often."""

    def __init__(self) -> None:
        """Begin with none."""
        self.of_message: dict[tuple[RejectReason, int], tuple[str, int]] = {}

    def add(self, reason: RejectReason, message: int, detail: str) -> None:
        """Refuse a message, or something of it."""
        first, count = self.of_message.get((reason, message), (detail, 0))
        self.of_message[reason, message] = (first, count + 1)


def said(rows: ReadingRows, refusals: RejectCounter) -> tuple[int, int]:
    """How much a batch came to so far; the same before and after a message that gave neither a row nor a reason."""
    return len(rows.times), len(refusals.of_message)
