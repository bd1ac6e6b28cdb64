"""A picture of a stream's last frames: a line in its expected band, or a score below its threshold, along time."""

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

    from tocsin.cli.explain.record import Said
    from tocsin.engine.frames.history import Rescored
    from tocsin.engine.model import Model

BAND = 2.0  # scales around the mean
MEASURED, OUTSIDE, BAND_COLOUR = "#1b1f24", "#c62828", "#dfe3f6"

_EXPECTED, _GAP, _WARMING, _REWOUND = "#5c6bc0", "#e2e2e2", "#fdf1cf", "#8e24aa"
_RIGHT = 10
_MARKS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)
_MOST_MARKS = 8


class TimeAxis:
    """The axis of time of every picture, and what touched the model's state along it.

    Attributes:
        x: (T,) where each frame is.
    """

    def __init__(self, said: Said, model: Model, again: Rescored) -> None:
        """Find what touched the state.

        Args:
            said: What the event says of it.
            model: Whose frames they are.
            again: The frames.
        """
        reading = [channel.kind is ChannelKind.READING for channel in model.channels]
        tick = again.tick
        self._first, self._span = int(tick[0]), max(int(tick[-1] - tick[0]), 1)
        self._tick_s = model.period_ns / 1e9
        self.x = self._at(tick)
        self._jumps = np.diff(tick) > 1
        measured = tick[(again.mask[:, reading] != 0).any(axis=1)]
        # With a tick more on each side: frames that were stepped blind may be the first.
        edges = [int(tick[0]) - 1, *measured.tolist(), int(tick[-1]) + 1]
        self._gaps = [(begin + 1, end - 1) for begin, end in pairwise(edges) if end - begin > 1]
        # What is stepped blind doesn't count as a frame.
        counted = said.frames_seen - (len(measured) - 1 - np.arange(len(measured)))
        cold = measured[counted <= said.warm_up_ticks]
        self._cold = (int(cold[0]), int(cold[-1])) if len(cold) else None
        rewound = None if said.rewound_ns is None else said.rewound_ns // model.period_ns
        self._rewound = rewound if rewound is not None and tick[0] <= rewound <= tick[-1] else None

    def behind(self) -> str:
        """What stands behind the lines of a picture."""
        parts = [] if self._cold is None else [self._box(*self._cold, _WARMING)]
        parts += [self._box(begin, end, _GAP) for begin, end in self._gaps]
        return "".join(parts)

    def before(self) -> str:
        """What stands before them: the last frame that a late reading changed, and how long before the alarm it was."""
        parts = []
        if self._rewound is not None:
            at = float(self._at(np.array([self._rewound]))[0])
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
        """Colours, and what they mean, of what is there to be seen."""
        found = [(_GAP, "nothing was measured")] if self._gaps else []
        if self._cold is not None:
            found.append((_WARMING, "the model was warming up: its score was not judged"))
        if self._rewound is not None:
            found.append((_REWOUND, "the last frame that a late reading changed"))
        return found

    def unbroken(self, values: NDArray[np.float64]) -> Iterator[slice]:
        """Runs of frames, one a tick, in which values (T,) are known."""
        known = ~np.isnan(values)
        begins = known & np.concatenate([[True], ~known[:-1] | self._jumps])
        ends = known & np.concatenate([~known[1:] | self._jumps, [True]])
        return map(slice, np.flatnonzero(begins).tolist(), (np.flatnonzero(ends) + 1).tolist())

    def _at(self, tick: NDArray[np.int64] | float) -> NDArray[np.float64]:
        """Where ticks stand in a picture."""
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
    """Draw values.

    Args:
        time: The axis of time.
        name: What they are.
        values: (T,) NaN where there is none.
        band: Mean and scale, (T,) each, of what was expected; None for a score.
        marked: (T,) which are to be red.
        threshold: Of a score.
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
    """What an axis spans: all values, and the bands as wide as they mostly are; even figures."""
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
    """An even figure, about a quarter of the span."""
    power: float = 10.0 ** math.floor(math.log10(span / 4))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= span / 4)


def _dot(x: float, y: float, radius: float, colour: str) -> str:
    return f"<circle cx='{x:.1f}' cy='{y:.1f}' r={radius:g} fill='{colour}' />"


def _ago(seconds: float) -> str:
    """A time before the alarm.

    >>> _ago(0), _ago(45), _ago(120), _ago(7200)
    ('alarm', '−45 s', '−2 min', '−2 h')
    """
    if not seconds:
        return "alarm"
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= length and seconds % length == 0:
            return f"−{seconds / length:g} {unit}"
    return f"−{seconds:g} s"
