"""Admission: which readings of a batch go into frames, and what is wrong with the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.model import ChannelKind
from tocsin.engine.result import ReadingReject
from tocsin.engine.streams.table import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from tocsin.engine.model import Model
    from tocsin.engine.readings import Readings
    from tocsin.engine.result import EngineResult
    from tocsin.engine.streams.table import StreamTable


class ReadingValidator:
    """Knows a model's channels, and what of them is plausible.

    Attributes:
        measured: (C,) which channels readings carry again and again.
    """

    def __init__(self, model: Model, implausible_channels: Iterable[int]) -> None:
        """Prepare.

        Args:
            model: Whose channels.
            implausible_channels: Channels of which readings count even if every value in them is implausible.
        """
        self._column_of = {channel.name: c for c, channel in enumerate(model.channels)}
        self._low = np.array([channel.low for channel in model.channels])  # (C,)
        self._high = np.array([channel.high for channel in model.channels])  # (C,)
        self.measured = np.array([channel.kind is ChannelKind.READING for channel in model.channels])
        self._static = np.array([channel.kind is ChannelKind.STATIC for channel in model.channels])  # (C,)
        self._heard_spoilt = np.zeros(len(model.channels), dtype=np.bool_)  # (C,) what spoils them is judged too
        self._heard_spoilt[list(implausible_channels)] = True

    def values(self, batch: Readings) -> NDArray[np.float64]:
        """Arrange the batch's columns as the model's: (R, C), NaN where not carried."""
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
        """Refuse what can't be used, and take static values.

        `values` loses its implausible entries on the way.

        Returns:
            The indices of what goes into frames, and (R, C) which measured values were implausible. A reading of which
            nothing plausible is left goes no further, unless an alarm wants to know of just that.
        """
        there = ~np.isnan(values)
        with np.errstate(invalid="ignore"):
            implausible = (values < self._low) | (values > self._high)
        values[implausible] = np.nan
        spoilt = implausible.any(axis=1) & (implausible == there).all(axis=1)  # nothing plausible is left
        full = rows < 0
        result.reject(ReadingReject.IMPLAUSIBLE, np.nonzero(implausible)[0])
        result.reject(ReadingReject.TOO_MANY_STREAMS, np.flatnonzero(full))
        told = (implausible & self._heard_spoilt).any(axis=1)
        usable = ~((spoilt & ~told) | full)
        if self._static.any():
            self._take_static(table, rows, values, usable)
            # A profile is no measurement: what carries static values alone makes no frame.
            profile = there[:, self._static].any(axis=1) & ~there[:, self.measured].any(axis=1)
            result.accepted += int((usable & profile).sum())
            usable &= ~profile
        waiting = usable & (table.standby_until[rows] != NEVER)
        if waiting.any():
            result.reject(ReadingReject.STANDBY, np.flatnonzero(waiting))
            # Whose readings these were is not known: once it resumes, none up to here count.
            np.maximum.at(table.newest_t, rows[waiting], t[waiting])
            table.last_reading_at[rows[waiting]] = result.now
            usable &= ~waiting
        return np.flatnonzero(usable), implausible & self.measured

    def _take_static(
        self, table: StreamTable, rows: NDArray[np.int64], values: NDArray[np.float64], usable: NDArray[np.bool_]
    ) -> None:
        given = ~np.isnan(values) & self._static & usable[:, None]
        for r, c in zip(*np.nonzero(given), strict=True):  # few: once a stream, in the order of arrival
            table.static[rows[r], c] = values[r, c]
