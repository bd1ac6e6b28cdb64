"""Summary of a part of the data in one line: wrong units, ranges and periods show before hours of training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.model import ChannelKind

if TYPE_CHECKING:
    from tocsin_training.data.dataset import StreamDataset

_MANY = 100  # days, of which tenths are not shown
_DAY_S, _HOUR_S = 86_400.0, 3_600.0


def summary(part: str, data: StreamDataset, period_s: float) -> str:
    """Streams, frames, duration, interval between frames, and the share of frames with each channel.

    A value outside its channel's low and high counts as missing.
    """
    step = np.diff(data.tick)  # of rows; between streams it says nothing
    step = np.delete(step, data.start[1:-1] - 1)
    lasts_s = float((data.tick[data.start[1:] - 1] - data.tick[data.start[:-1]] + 1).sum()) * period_s
    days = lasts_s / _DAY_S
    span = f"{lasts_s / _HOUR_S:.3g} hours" if days < 1 else f"{days:,.{1 if days < _MANY else 0}f} days"
    every = f", mostly {float(np.median(step)) * period_s:g} s apart" if len(step) else ""
    share = data.mask.mean(axis=0, dtype=np.float64)  # (C,)
    there = [
        f"{channel.name} {100 * here:.3g} %"
        for channel, here in zip(data.channels, share.tolist(), strict=True)
        if channel.kind is not ChannelKind.CLOCK
    ]
    event = "" if data.label is None else f"; labelled {100 * float(data.label.mean(dtype=np.float64)):.3g} %"
    return f"{part}: {len(data):,} streams, {len(data.x):,} frames over {span}{every}; there: {', '.join(there)}{event}"
