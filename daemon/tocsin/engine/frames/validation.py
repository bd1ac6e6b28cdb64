"""Validation of readings: plausible values go into frames, static values into the table, the rest is rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.model import ChannelKind
from tocsin.engine.result import ReadingReject
from tocsin.engine.types import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from tocsin.engine.model import Model
    from tocsin.engine.readings import Readings
    from tocsin.engine.result import EngineResult
    from tocsin.engine.streams.table import StreamTable


class ReadingValidator:
    """Validates readings against a model's channels.

    Attributes:
        measured: (C,) bool, channels that are measured again and again.
    """

    def __init__(self, model: Model, implausible_channels: Iterable[int]) -> None:
        """Create a validator.

        Args:
            model: Model with C channels.
            implausible_channels: Channels of which readings count even if every value in them is implausible.
        """
        self._column_of = {channel.name: c for c, channel in enumerate(model.channels)}
        self._low = np.array([channel.low for channel in model.channels])  # (C,)
        self._high = np.array([channel.high for channel in model.channels])  # (C,)
        self.measured = np.array([channel.kind is ChannelKind.READING for channel in model.channels])
        self._static = np.array([channel.kind is ChannelKind.STATIC for channel in model.channels])  # (C,)
        self._judges_implausible = np.zeros(len(model.channels), dtype=np.bool_)  # (C,)
        self._judges_implausible[list(implausible_channels)] = True

    def values(self, batch: Readings) -> NDArray[np.float64]:
        """(R, C) float64 values of a batch in the order of the model's channels; NaN where not carried."""
        values = np.full((len(batch), len(self._column_of)), np.nan)
        for source, name in enumerate(batch.channels):
            column = self._column_of.get(name)
            if column is not None:
                values[:, column] = batch.values[:, source]
        return values

    def validate(
        self,
        table: StreamTable,
        rows: NDArray[np.int64],
        t: NDArray[np.int64],
        values: NDArray[np.float64],
        result: EngineResult,
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Reject readings that can't be used, and store static values.

        Args:
            table: The streams.
            rows: (R,) int64 rows; -1 where the table was full.
            t: (R,) int64, ns.
            values: (R, C) float64; implausible values become NaN.
            result: Gets the rejects.

        Returns:
            Indices of the readings that go into frames; (R, C) bool, implausible measured values. A reading without a
            plausible value goes into a frame only if an alarm judges implausible values of a channel in it.
        """
        there = ~np.isnan(values)
        with np.errstate(invalid="ignore"):
            implausible = (values < self._low) | (values > self._high)
        values[implausible] = np.nan
        empty = implausible.any(axis=1) & (implausible == there).all(axis=1)  # no plausible value is left
        full = rows < 0
        result.reject(ReadingReject.IMPLAUSIBLE, np.nonzero(implausible)[0])
        result.reject(ReadingReject.TOO_MANY_STREAMS, np.flatnonzero(full))
        judged = (implausible & self._judges_implausible).any(axis=1)
        usable = ~((empty & ~judged) | full)
        if self._static.any():
            self._store_static(table, rows, values, usable)
            # A profile is no measurement: a reading with static values alone makes no frame.
            profile = there[:, self._static].any(axis=1) & ~there[:, self.measured].any(axis=1)
            result.accepted += int((usable & profile).sum())
            usable &= ~profile
        standby = usable & (table.standby_until[rows] != NEVER)
        if standby.any():
            result.reject(ReadingReject.STANDBY, np.flatnonzero(standby))
            # These may belong to another stay: once the stream resumes, no reading up to here counts.
            np.maximum.at(table.newest_t, rows[standby], t[standby])
            table.last_reading_at[rows[standby]] = result.now
            usable &= ~standby
        return np.flatnonzero(usable), implausible & self.measured

    def _store_static(
        self, table: StreamTable, rows: NDArray[np.int64], values: NDArray[np.float64], usable: NDArray[np.bool_]
    ) -> None:
        given = ~np.isnan(values) & self._static & usable[:, None]
        for r, c in zip(*np.nonzero(given), strict=True):  # few: once for each stream, in the order of arrival
            table.static[rows[r], c] = values[r, c]
