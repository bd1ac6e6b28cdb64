"""Figures of the report as SVG with the page's own colours: light, dark and print."""

from __future__ import annotations

import io
import math
import re
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from tocsin_training.evaluation.result import EvaluationResult, Excerpt

INK, FAINT = "#010101", "#020202"  # stand for what the page's style says
OURS = "#d1495b"
THEIRS = ("#4c86c6", "#d98e29", "#4a9d5b", "#9a6fb8", "#8c8f94", "#2a9d9d", "#b5713c", "#c25b9c", "#7f9a2f")
DASHES = ((), (4, 2), (1, 1.5), (6, 2, 1, 2), (3, 1), (2, 2), (5, 1, 1, 1), (8, 2), (1, 3))
EVENT = "#e8b93c"
_MINUTES_FROM, _HOURS_FROM = 600.0, 4 * 3600.0
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.grid": True,
    "grid.color": FAINT,
    "grid.alpha": 0.35,
    "grid.linewidth": 0.5,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
}


def false_alarms_against_detection(result: EvaluationResult, name: str) -> str:
    """Share of events detected against false alarms a day, by detector; the bundle's operating point is marked."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(7.2, 4.0), layout="constrained")
        axes = figure.subplots()
        least = 0.5 / max(result.extent.normal_days, 1e-9)  # stands for none at all, which has no logarithm
        for number, detector in enumerate(result.detectors):
            if detector.curve is None:
                continue
            # Below the threshold with the most false alarms there are fewer again: they never end.
            points = int(np.argmax(detector.curve.false_per_day)) + 1
            colour, dashes = _line_style(number)
            axes.plot(
                np.maximum(detector.curve.false_per_day[:points], least),
                detector.curve.recall[:points],
                color=colour,
                dashes=dashes,
                linewidth=2.2 if number == 0 else 1.3,
                label=detector.name,
                zorder=3 if number == 0 else 2,
            )
            own = detector.own
            if own is not None:
                at = own.figures["false alarms a day"], own.figures["recall"]
                axes.errorbar(
                    max(at[0].value, least),
                    at[1].value,
                    xerr=_bars(max(at[0].value, least), max(at[0].low, least), at[0].high),
                    yerr=_bars(at[1].value, at[1].low, at[1].high),
                    marker="o",
                    markersize=8 if number == 0 else 5,
                    color=colour,
                    elinewidth=1,
                    zorder=4,
                )
        axes.set_xscale("log")
        axes.set_ylim(-0.02, 1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_xlabel("false alarms a stream-day")
        axes.set_ylabel("events detected")
        figure.legend(loc="outside right upper", fontsize=8)
        return _svg(figure, name, "False alarms a stream-day against the share of events detected, by detector.")


def delays(result: EvaluationResult, name: str) -> str:
    """Share of events detected against the delay."""
    sign = -1.0 if result.setting.horizon_s else 1.0
    word = "lead before the event" if result.setting.horizon_s else "delay after the event began"
    numbered = [(number, one) for number, one in enumerate(result.detectors) if one.equal is not None]
    every = np.concatenate([_finite(one.equal.delays_s) for _, one in numbered if one.equal])
    if not len(every):
        return ""
    unit, length = _unit(float(np.abs(every).max()))
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(7.2, 3.0), layout="constrained")
        left, right = figure.subplots(1, 2)
        ours = result.detectors[0].equal
        own = _finite(ours.delays_s) if ours else np.zeros(0)
        if len(own):
            left.hist(sign * own / length, bins=min(24, max(6, len(own) // 4)), color=OURS)
        missed = (ours.events - ours.detected) if ours else 0
        left.set_title(f"{result.detectors[0].name}: {len(own)} detected, {missed} missed", fontsize=9)
        left.set_xlabel(f"{word}, {unit}")
        left.set_ylabel("events")
        for number, detector in numbered:
            if detector.equal is None:
                continue
            own = np.sort(_finite(detector.equal.delays_s))
            share = np.arange(1, len(own) + 1) / max(detector.equal.events, 1)
            colour, dashes = _line_style(number)
            right.step(
                sign * own / length,
                share,
                where="post",
                color=colour,
                dashes=dashes,
                linewidth=2.2 if number == 0 else 1.2,
            )
        if sign < 0:
            right.invert_xaxis()
        right.set_ylim(0, 1)
        if sign > 0:
            right.set_xlim(left=0)
        right.yaxis.set_major_formatter(PercentFormatter(1.0))
        right.set_xlabel(f"{word}, {unit}")
        right.set_title("events detected by then, at equal false alarms", fontsize=9)
        return _svg(figure, name, f"Histogram of the bundle's {word}, and its cumulative share by detector.")


def reliability(result: EvaluationResult, name: str) -> str:
    """Reliability diagram: probabilities in tenths against the observed frequency."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(4.2, 3.6), layout="constrained")
        axes = figure.subplots()
        probability = np.array([one.predicted for one in result.reliability])
        frequency = np.array([one.observed.value for one in result.reliability])
        low = np.array([one.observed.low for one in result.reliability])
        high = np.array([one.observed.high for one in result.reliability])
        least = max(
            min(probability[probability > 0].min(), frequency[frequency > 0].min() if (frequency > 0).any() else 1.0)
            / 2,
            1e-5,
        )
        most = min(1.0, max(probability.max(), np.nanmax(high, initial=frequency.max())) * 1.5)
        axes.plot([least, most], [least, most], color=FAINT, linewidth=1)
        frequency = np.maximum(frequency, least)
        axes.errorbar(
            np.maximum(probability, least),
            frequency,
            yerr=[np.maximum(frequency - np.maximum(low, least), 0), np.maximum(high - frequency, 0)],
            marker="o",
            color=OURS,
            elinewidth=1,
        )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("predicted probability")
        axes.set_ylabel("observed frequency")
        return _svg(figure, name, "Reliability: predicted probability against the observed frequency.")


def stretch(drawn: Excerpt, threshold: float, name: str) -> str:
    """An excerpt: channels within their forecast bands, the score below, events and alarms as shades and bars."""
    t = np.array(drawn.t_s)
    gaps = _gaps(t)
    t = np.insert(t, gaps, np.nan)
    unit, length = _unit(float(np.nanmax(t) - np.nanmin(t)))
    panels = len(drawn.channels) + 1
    with mpl.rc_context(_STYLE | {"font.size": 8}):
        figure = Figure(figsize=(7.2, 0.72 * panels + 0.75), layout="constrained")
        every: Sequence[Axes] = np.atleast_1d(figure.subplots(panels, 1, sharex=True)).tolist()
        for axes in every:
            for begin, end in drawn.events:
                axes.axvspan(begin / length, end / length, color=EVENT, alpha=0.22, linewidth=0)
            for begin, end in drawn.up:
                axes.axvspan(begin / length, end / length, ymin=0.0, ymax=0.06, color=OURS, linewidth=0)
                axes.axvline(begin / length, color=OURS, linewidth=0.8)
        for axes, series in zip(every, drawn.channels, strict=False):
            value, mean, scale = (
                np.insert(_array(part), gaps, np.nan) for part in (series.value, series.mean, series.scale)
            )
            band = ~np.isnan(mean)
            axes.fill_between(
                t / length,
                mean - 2 * scale,
                mean + 2 * scale,
                where=band.tolist(),
                color=THEIRS[0],
                alpha=0.28,
                linewidth=0,
            )
            dense = np.isfinite(value).mean() > 0.5  # noqa: PLR2004  (a line through gaps would invent values)
            axes.plot(t / length, value, color=INK, linewidth=0.9, marker="" if dense else ".", markersize=3)
            axes.set_ylabel(_label(series.name, series.unit), rotation=0, ha="right", va="center")
            _frame(axes, value, mean, scale)
        score = np.insert(_array(drawn.score), gaps, np.nan)
        every[-1].plot(t / length, score, color=OURS, linewidth=1.1)
        every[-1].axhline(threshold, color=OURS, linewidth=0.8, linestyle="--")
        if np.nanmax(score, initial=0.0) > 30 * threshold:  # else the threshold lies on the axis
            every[-1].set_yscale("symlog", linthresh=threshold)
        every[-1].set_ylabel("score", rotation=0, ha="right", va="center")
        every[-1].set_xlabel(f"{unit} since the stream began")
        text = f"{drawn.chosen}, stream {drawn.stream}: {', '.join(s.name for s in drawn.channels)} and the score."
        return _svg(figure, name, text[0].upper() + text[1:])


def _gaps(t: NDArray[np.float64]) -> NDArray[np.int64]:
    """Indices of points that follow a gap, which no line crosses."""
    steps = np.diff(t)
    return 1 + np.flatnonzero(steps > 2.5 * np.median(steps)) if len(steps) else np.zeros(0, dtype=np.int64)


def _line_style(number: int) -> tuple[str, tuple[float, ...]]:
    """Colour and dashes, so that colour alone does not distinguish detectors."""
    if number == 0:
        return OURS, (1, 0)
    return THEIRS[(number - 1) % len(THEIRS)], DASHES[number % len(DASHES)] or (1, 0)


def _bars(value: float, low: float, high: float) -> list[list[float]] | None:
    if math.isnan(low) or math.isnan(high):
        return None
    return [[max(value - low, 0.0)], [max(high - value, 0.0)]]


def _finite(values: Sequence[float]) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64).reshape(-1)
    return np.asarray(array[np.isfinite(array)])


def _array(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)


def _frame(axes: Axes, value: NDArray[np.float64], *band: NDArray[np.float64]) -> None:
    """Limit the axis to values and most of the band, so that a wide band does not flatten the values."""
    mean, scale = band
    seen = np.concatenate(
        [value, np.clip(mean - 2 * scale, *_widened_range(value)), np.clip(mean + 2 * scale, *_widened_range(value))]
    )
    seen = seen[np.isfinite(seen)]
    if len(seen):
        margin = max(0.08 * float(np.ptp(seen)), 1e-6)
        axes.set_ylim(float(seen.min()) - margin, float(seen.max()) + margin)


def _widened_range(value: NDArray[np.float64]) -> tuple[float, float]:
    """The values' range, widened by as much on both sides."""
    known = value[np.isfinite(value)]
    if not len(known):
        return -math.inf, math.inf
    spread = max(float(np.ptp(known)), 0.05 * abs(float(known.mean())), 1e-6)
    return float(known.min()) - spread, float(known.max()) + spread


def _label(name: str, unit: str) -> str:
    printed = {"1": "", "mm[Hg]": "mmHg", "Cel": "°C"}.get(unit, unit)
    return f"{name}\n{printed}" if printed else name


def _unit(seconds: float) -> tuple[str, float]:
    if seconds < _MINUTES_FROM:
        return "seconds", 1.0
    return ("minutes", 60.0) if seconds < _HOURS_FROM else ("hours", 3600.0)


def _svg(figure: Figure, name: str, text: str) -> str:
    """Figure as an element of the page; `name` makes its identifiers unique in the page."""
    written = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = written.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' id="[A-Za-z0-9.]+(_[A-Za-z0-9]+)+"', "", svg)  # of groups: they stand in every picture
    svg = svg.replace(INK, "currentColor").replace(FAINT, "var(--faint)")
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{text}" ', 1)
