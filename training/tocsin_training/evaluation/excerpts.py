"""Excerpts of series for the report, chosen by rule.

Of the detected events the first, the median and the last by delay; of the missed ones those with the highest, the
median and the lowest peak of the score; of the false alarms those with the highest, the median and the lowest peak.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from tocsin_training.evaluation.baselines.baseline import measured
from tocsin_training.evaluation.events import match
from tocsin_training.evaluation.result import Excerpt, ExcerptSeries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tocsin_training.backtest.backtest import BacktestResult
    from tocsin_training.data.dataset import StreamDataset
    from tocsin_training.evaluation.detection import GroundTruth

ExcerptKind = Literal["detected", "missed", "false"]
RULES: dict[ExcerptKind, tuple[str, str, str]] = {
    "detected": ("the quickest detection", "the middle one of all delays", "the slowest detection"),
    "missed": ("the missed event nearest to the threshold", "the middle one", "the one that stirred the score least"),
    "false": ("the false alarm with the highest peak", "the middle one", "the one with the lowest peak"),
}
DRAWN = 360  # points along a picture; every so many rows are drawn
CHANNELS = 4  # in a picture: those that lay furthest from what was expected
AROUND = 30  # ticks before and after, at least


def choose(
    ground: GroundTruth,
    data: StreamDataset,
    backtested: BacktestResult,
    risen: NDArray[np.int64],
    is_up: NDArray[np.bool_],
) -> list[Excerpt]:
    """Up to three excerpts of each kind, of alarms that rose in `risen` (A,) and were active in `is_up` (R,)."""
    found = match(risen, is_up, ground.events, ground.label)
    events, score = ground.events, np.nan_to_num(backtested.score, nan=-np.inf)
    hit = found.detected >= 0
    spans = np.stack([events.first, events.last], axis=1)  # (E, 2)
    delay = found.detected - events.first
    peak = np.array([score[a : b + 1].max() for a, b in spans])
    ends = np.array([_end(is_up, ground, row) for row in found.false], dtype=np.int64)
    alarms = np.stack([found.false, ends], axis=1)  # (F, 2)
    heights = np.array([score[a : b + 1].max() for a, b in alarms])
    ordered: dict[ExcerptKind, NDArray[np.int64]] = {
        "detected": spans[hit][np.argsort(delay[hit], kind="stable")],
        "missed": spans[~hit][np.argsort(-peak[~hit], kind="stable")],
        "false": alarms[np.argsort(-heights, kind="stable")],
    }
    made = []
    for kind, candidates in ordered.items():
        last = len(candidates) - 1
        positions = {last: 2, last // 2: 1, 0: 0} if last >= 2 else {last: 2, 0: 0} if last >= 0 else {}  # noqa: PLR2004
        made += [
            _stretch(kind, RULES[kind][rule], candidates[place], ground, data, backtested, is_up)
            for place, rule in sorted(positions.items())
        ]
    return made


def _end(is_up: NDArray[np.bool_], ground: GroundTruth, row: int) -> int:
    """Last row of the alarm that rose in `row`."""
    end = int(ground.start[ground.stream[row] + 1])
    ceased = np.flatnonzero(~is_up[row:end])
    return int(row + ceased[0] - 1) if len(ceased) and ceased[0] else (row if len(ceased) else end - 1)


def _stretch(
    kind: ExcerptKind,
    chosen: str,
    span: NDArray[np.int64],
    ground: GroundTruth,
    data: StreamDataset,
    backtested: BacktestResult,
    is_up: NDArray[np.bool_],
) -> Excerpt:
    first, last = (int(row) for row in span)
    b = int(ground.stream[first])
    begin, end = int(ground.start[b]), int(ground.start[b + 1])
    around = max(AROUND, (last - first + 1) // 2)
    low, high = max(begin, first - around), min(end, last + around + 1)
    rows = np.arange(low, high, max(1, (high - low) // DRAWN))
    whole = np.arange(low, high)
    t_s = ground.t_s - ground.t_s[begin]
    columns = _deviating_channels(data, backtested, np.arange(first, last + 1))
    return Excerpt(
        kind=kind,
        chosen=chosen,
        stream=data.streams[b],
        t_s=_rounded(t_s[rows], 9),
        score=_four_digits(backtested.score[rows]),
        channels=[
            ExcerptSeries(
                name=data.channels[c].name,
                unit=data.channels[c].unit,
                value=_four_digits(np.where(data.mask[rows, c] > 0, data.x[rows, c], np.nan)),
                mean=_four_digits(backtested.mean[rows, c]),
                scale=_four_digits(backtested.scale[rows, c]),
            )
            for c in columns
        ],
        events=_runs(ground.label[whole] > 0, t_s[whole]),
        up=_runs(is_up[whole], t_s[whole]),
    )


def _deviating_channels(data: StreamDataset, backtested: BacktestResult, rows: NDArray[np.int64]) -> Sequence[int]:
    """Measured channels with the largest residuals in these rows, in their own order."""
    columns = measured(data.channels)
    away = (data.x[rows][:, columns] - backtested.mean[rows][:, columns]) / backtested.scale[rows][:, columns]
    away = np.where(data.mask[rows][:, columns] > 0, np.abs(away), np.nan)
    seen = (data.mask[rows][:, columns] > 0).sum(axis=0)
    furthest = np.nan_to_num(np.nansum(away, axis=0) / np.maximum(seen, 1))
    often = seen * 4 >= seen.max()  # a line of two points shows little
    order = np.lexsort((-furthest, ~often))[:CHANNELS]
    return sorted(int(c) for c in columns[order] if data.mask[rows, c].any()) or [int(columns[0])]


def _runs(inside: NDArray[np.bool_], t_s: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Start and end of each run, in seconds."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(np.int8)))
    return [(float(t_s[a]), float(t_s[z - 1])) for a, z in zip(edges[::2], edges[1::2], strict=True)]


def _rounded(values: NDArray[np.floating], digits: int) -> list[float]:
    return [float(f"{value:.{digits}g}") for value in values]


def _four_digits(values: NDArray[np.floating]) -> list[float | None]:
    """Values rounded to four digits; None for NaN."""
    return [float(f"{value:.4g}") if np.isfinite(value) else None for value in values]
