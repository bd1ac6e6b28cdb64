"""Ticks of a stream from the rows of a table: one row a tick, as the engine puts readings into frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.model import ChannelKind
from tocsin_training.data.dataset import StreamRecord
from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tocsin.bundle.manifest import ChannelEntry
    from tocsin_training.data.spool import SpooledRows

NS_PER_S = 1_000_000_000


def check(
    stream: str, rows: SpooledRows, files: Sequence[Path], time: str, *, long: bool, one_a_file: bool = False
) -> None:
    """Refuse times that run backwards, and duplicate rows.

    Raises:
        TrainingError: Names the file, the column and the row.
    """
    of_streams = ", or say by stream which column names it, if a file holds several" if one_a_file else ""
    step = np.diff(rows.t)
    if (step < 0).any():
        at = int((step < 0).argmax()) + 1
        raise TrainingError(
            f"{files[rows.file[at]]}: column {time!r}: row {rows.row[at]}: the time of stream {stream!r} runs back by "
            f"{(rows.t[at - 1] - rows.t[at]) / NS_PER_S:g} s (after row {rows.row[at - 1]} of "
            f"{files[rows.file[at - 1]].name}); sort each stream by time{of_streams}"
        )
    order = np.lexsort((rows.channel, rows.t)) if long else np.arange(len(rows.t))
    again = (np.diff(rows.t[order]) == 0) & (np.diff(rows.channel[order]) == 0)
    if again.any():
        first, second = order[(at := int(again.argmax()))], order[at + 1]
        raise TrainingError(
            f"{files[rows.file[second]]}: column {time!r}: row {rows.row[second]}: stream {stream!r} has "
            f"{'this channel' if long else 'a row'} at this time already (row {rows.row[first]} of "
            f"{files[rows.file[first]].name}); remove one of them{of_streams}"
        )


def record(
    stream: str, rows: SpooledRows, channels: Sequence[ChannelEntry], period_s: float, *, long: bool
) -> StreamRecord | None:
    """Put rows with ascending times into ticks; None if no tick results.

    Of several values of a channel in one tick the newest counts, of labels the last row's. A row without any plausible
    value makes no tick, nor does a row with static values alone.
    """
    values = _spread(rows, len(channels)) if long else rows.values  # (K, C)
    there = ~np.isnan(values)
    low, high = (np.array([getattr(channel, bound) for channel in channels]) for bound in ("low", "high"))
    with np.errstate(invalid="ignore"):
        implausible = (values < low) | (values > high)
    selected = there & ~implausible
    read = np.array([channel.kind is ChannelKind.READING for channel in channels])
    implausible_only = implausible.any(axis=1) & ~selected.any(axis=1)
    profile = np.zeros(len(values), dtype=bool)
    if long:
        profile = ~read[rows.channel]
    tick_of = rows.t // round(period_s * NS_PER_S)  # (K,)
    tick = np.unique(tick_of[~(implausible_only | profile)])  # (T,)
    if not len(tick):
        return None
    frame = np.searchsorted(tick, tick_of)  # what makes no tick counts from the next one on
    out = np.full((len(tick), len(channels)), np.nan)
    k, c = np.nonzero(selected & (frame < len(tick))[:, None])
    out[frame[k], c] = values[k, c]  # of equal places the last stays
    label = np.zeros(len(tick), dtype=np.float32)
    made = frame < len(tick)
    label[frame[made]] = rows.label[made]
    return StreamRecord(stream, tick, out, label)


def _spread(rows: SpooledRows, channels: int) -> NDArray[np.float64]:
    """Values (K, C) of a long table's values (K, 1): one column a row, the others NaN."""
    values = np.full((len(rows.t), channels), np.nan)
    values[np.arange(len(values)), rows.channel] = rows.values[:, 0]
    return values
