"""Charts of the last frames of a stream: a channel in its expected band, or the score and its threshold."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tocsin.cli.html import HEIGHT, LEFT, PLOT, TOP, WIDTH, axis, chart, polyline, rect
from tocsin.engine.model import ChannelKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tocsin.cli.explain.record import ExplanationFields
    from tocsin.engine.frames.history import Rescored
    from tocsin.engine.model import Model

BAND = 2.0  # scales around the mean
MEASURED, OUTSIDE, BAND_COLOUR = "#1b1f24", "#c62828", "#dfe3f6"

_EXPECTED, _GAP, _WARMING, _REWOUND = "#5c6bc0", "#e2e2e2", "#fdf1cf", "#8e24aa"
_RIGHT = 10
_MARKS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)
_MOST_MARKS = 8


class TimeAxis:
    """The time axis of all charts, with gaps, warm-up and reprocessed frames.

    Attributes:
        x: (T,) horizontal position of each frame, px.
    """

    def __init__(self, fields: ExplanationFields, model: Model, rescored: Rescored) -> None:
        """Find gaps, warm-up and reprocessed frames.

        Args:
            fields: The explanation in the event.
            model: The model of the frames.
            rescored: The frames, stepped again.
        """
        reading = [channel.kind is ChannelKind.READING for channel in model.channels]
        tick = rescored.tick
        self._first, self._span = int(tick[0]), max(int(tick[-1] - tick[0]), 1)
        self._tick_s = model.period_ns / 1e9
        self.x = self._at(tick)
        self._jumps = np.diff(tick) > 1
        measured = tick[(rescored.mask[:, reading] != 0).any(axis=1)]
        # One tick more on each side: the first frames may be without readings.
        edges = [int(tick[0]) - 1, *measured.tolist(), int(tick[-1]) + 1]
        self._gaps = [(begin + 1, end - 1) for begin, end in pairwise(edges) if end - begin > 1]
        # A frame without readings does not count.
        counted = fields.frames_seen - (len(measured) - 1 - np.arange(len(measured)))
        cold = measured[counted <= fields.warm_up_ticks]
        self._cold = (int(cold[0]), int(cold[-1])) if len(cold) else None
        reprocessed = None if fields.reprocessed_ns is None else fields.reprocessed_ns // model.period_ns
        self._reprocessed = reprocessed if reprocessed is not None and tick[0] <= reprocessed <= tick[-1] else None

    def behind(self) -> str:
        """The SVG behind the lines: gaps and warm-up."""
        parts = [] if self._cold is None else [self._box(*self._cold, _WARMING)]
        parts += [self._box(begin, end, _GAP) for begin, end in self._gaps]
        return "".join(parts)

    def before(self) -> str:
        """The SVG in front of the lines: the last reprocessed frame and the time labels."""
        parts = []
        if self._reprocessed is not None:
            at = float(self._at(np.array([self._reprocessed]))[0])
            ends = f"x1='{at:.1f}' x2='{at:.1f}' y1={TOP} y2={TOP + PLOT}"
            parts.append(f"<line {ends} stroke='{_REWOUND}' stroke-dasharray='2 2' />")
        span = self._span * self._tick_s
        step = next((mark for mark in _MARKS_S if span / mark <= _MOST_MARKS), span / _MOST_MARKS)
        for k in range(int(span // step) + 1):
            at = float(self.x[-1]) - k * step * (WIDTH - LEFT - _RIGHT) / span
            anchor = "end" if not k else "middle"
            parts.append(f"<text x='{at:.1f}' y={HEIGHT - 8} text-anchor={anchor}>{_ago(k * step)}</text>")
        return "".join(parts)

    def marks(self) -> list[tuple[str, str]]:
        """The colours that occur, and their meaning."""
        found = [(_GAP, "nothing was measured")] if self._gaps else []
        if self._cold is not None:
            found.append((_WARMING, "warm-up: the score is unknown"))
        if self._reprocessed is not None:
            found.append((_REWOUND, "the last frame that a late reading changed"))
        return found

    def unbroken(self, values: NDArray[np.float64]) -> Iterator[slice]:
        """Runs of consecutive ticks in which values (T,) are known."""
        known = ~np.isnan(values)
        begins = known & np.concatenate([[True], ~known[:-1] | self._jumps])
        ends = known & np.concatenate([~known[1:] | self._jumps, [True]])
        return map(slice, np.flatnonzero(begins).tolist(), (np.flatnonzero(ends) + 1).tolist())

    def _at(self, tick: NDArray[np.int64] | float) -> NDArray[np.float64]:
        """The horizontal positions of ticks, px."""
        return np.asarray(LEFT + (WIDTH - LEFT - _RIGHT) * (tick - self._first) / self._span)

    def _box(self, begin: int, end: int, colour: str) -> str:
        left, right = np.clip(self._at(np.array([begin - 0.5, end + 0.5])), LEFT, WIDTH - _RIGHT).tolist()
        return rect(left, TOP, right - left, PLOT, colour)


def picture(
    time: TimeAxis,
    name: str,
    values: NDArray[np.float64],
    band: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
    marked: NDArray[np.bool_],
    threshold: float | None = None,
) -> str:
    """Draw a chart.

    Args:
        time: The time axis.
        name: The name of the channel, or `score`.
        values: (T,) NaN where unknown.
        band: Expected mean and scale, (T,) each; None for a score.
        marked: (T,) bool, drawn in red.
        threshold: The threshold of a score.
    """
    unknown = np.full(len(values), np.nan)
    mean, scale = (unknown, unknown) if band is None else band
    low, high = _range(values, mean, scale, threshold)

    def y(v: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.clip(TOP + PLOT * (1 - (v - low) / (high - low)), TOP, TOP + PLOT)

    parts = [time.behind()]
    upper, lower, middle = y(mean + BAND * scale), y(mean - BAND * scale), y(mean)
    for run in time.unbroken(mean):
        there = time.x[run]
        around = [*zip(there, upper[run], strict=True), *zip(there[::-1], lower[run][::-1], strict=True)]
        outline = " ".join(f"{at:.1f},{height:.1f}" for at, height in around)
        parts.append(f"<polygon points='{outline}' fill='{BAND_COLOUR}' />")
        parts.append(polyline(zip(there, middle[run], strict=True), _EXPECTED, 1))
    parts.append(axis(low, high))
    heights = y(values)
    for run in time.unbroken(values):
        parts.append(polyline(zip(time.x[run], heights[run], strict=True), MEASURED, 1.5))
        if run.stop - run.start == 1:
            parts.append(_dot(time.x[run.start], heights[run.start], 1.5, MEASURED))
    parts += [_dot(time.x[i], heights[i], 2.6, OUTSIDE) for i in np.flatnonzero(marked).tolist()]
    if threshold is not None:
        at = float(y(np.array([threshold]))[0])
        parts.append(
            f"<line x1={LEFT} x2={WIDTH} y1='{at:.1f}' y2='{at:.1f}' stroke='{OUTSIDE}' stroke-dasharray='4 3' />"
            f"<text x={LEFT + 4} y='{at - 4 if at > TOP + 14 else at + 13:.1f}'>threshold {threshold:.4g}</text>"
        )
    return chart(f"{name} over the last frames", "".join(parts) + time.before())


def _range(
    values: NDArray[np.float64], mean: NDArray[np.float64], scale: NDArray[np.float64], threshold: float | None
) -> tuple[float, float]:
    """The range of the value axis: all values and the median width of the band, rounded."""
    wide = BAND * float(np.nanmedian(scale)) if not np.isnan(scale).all() else 0.0
    ends = np.concatenate([values, mean - wide, mean + wide, [] if threshold is None else [threshold]])
    ends = ends[np.isfinite(ends)]
    if not len(ends):
        return 0.0, 1.0
    low, high = float(ends.min()), float(ends.max())
    step = _step((high - low) or max(1.0, abs(high)))
    low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    return (low, high) if high > low else (low - step, high + step)


def _step(span: float) -> float:
    """A round step, about a quarter of the span."""
    power: float = 10.0 ** math.floor(math.log10(span / 4))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= span / 4)


def _dot(x: float, y: float, radius: float, colour: str) -> str:
    return f"<circle cx='{x:.1f}' cy='{y:.1f}' r={radius:g} fill='{colour}' />"


def _ago(seconds: float) -> str:
    """The label of a time before the alarm.

    >>> _ago(0), _ago(45), _ago(120), _ago(7200)
    ('alarm', '−45 s', '−2 min', '−2 h')
    """
    if not seconds:
        return "alarm"
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= length and seconds % length == 0:
            return f"−{seconds / length:g} {unit}"
    return f"−{seconds:g} s"
