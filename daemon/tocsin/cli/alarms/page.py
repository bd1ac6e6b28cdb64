"""The alarm report as a self-contained HTML page."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

from tocsin.cli.html import HEIGHT, LEFT, PLOT, TOP, WIDTH, axis, chart, head, polyline, rect
from tocsin.engine.events import Priority

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.alarm.performance import Figure, PerformanceReport

_NS_PER_S = 1_000_000_000
_COLOUR = {Priority.HIGH: "#c62828", Priority.MEDIUM: "#f9a825", Priority.LOW: "#00838f"}
_LOADS = ((0, 0, "0"), (1, 2, "1–2"), (3, 5, "3–5"), (6, 10, "6–10"), (11, None, "over 10"))
_ROW = 22  # px, of a horizontal bar
_STEPS = 300  # of a curve


def page(report: PerformanceReport, about: str) -> str:
    """Write the page.

    Args:
        report: The figures.
        about: Of what, one line.
    """
    begin, end = (_day(ns, "%Y-%m-%d %H:%M") for ns in (report.begin, report.end))
    parts = [
        head("Alarm report"),
        f"<p>{escape(about)}, {begin} to {end} UTC. {report.alarms} alarms were annunciated",
        f" in {len(report.groups)} groups.</p>" if len(report.groups) > 1 else ".</p>",
        "<p class=dim>Targets are those of ISA-18.2 and EEMUA 191, per operator. Priorities have no tolerance there:",
        " more than half as many again is marked here. Figures without a target say how it is.</p>",
        "<h2>Figures</h2>",
        _table(report.figures),
        "<h2>Alarms a day</h2>",
        _legend(),
        _days(report),
        "<h2>Ten-minute periods by their alarms</h2>",
        _loads(report),
        "<h2>The ten most frequent</h2>",
        _top(report),
        "<h2>Time to acknowledge</h2>",
        _responses(report),
        _lists(report),
    ]
    return "".join(parts) + "\n"


def shown(figure: Figure) -> str:
    """Format a figure with its unit.

    >>> from tocsin.alarm.performance import Figure
    >>> shown(Figure("x", 0.1234, "%")), shown(Figure("x", 250.0, "s")), shown(Figure("x", None, ""))
    ('0.12 %', '4.2 min', '–')
    """
    value, unit = figure.value, figure.unit
    if value is None:
        return "–"
    if unit == "s":
        return _duration(value)
    text = f"{value:.0f}" if value == int(value) or value >= 100 else f"{value:.3g}" if value >= 1 else f"{value:.2g}"  # noqa: PLR2004
    return f"{text} {unit}".rstrip()


def verdict(figure: Figure) -> str:
    """`met`, `missed`, or empty without a target."""
    return "" if figure.is_met is None else "met" if figure.is_met else "missed"


def _table(figures: Sequence[Figure]) -> str:
    rows = "".join(
        f"<tr><td>{escape(f.name)}<br><span class=dim>{escape(f.detail)}</span></td><td class=n>{escape(shown(f))}</td>"
        f"<td class=n>{escape(f.target)}</td><td class={verdict(f) or 'dim'}>{verdict(f)}</td></tr>"
        for f in figures
    )
    return f"<table><tr><th>figure<th class=n>is<th class=n>target<th></tr>{rows}</table>"


def _legend() -> str:
    items = "".join(
        f"{rect(i * 90 + LEFT, 3, 10, 10, _COLOUR[p])}<text x={i * 90 + LEFT + 15} y=12>{p}</text>"
        for i, p in enumerate(Priority)
    )
    return chart("priorities", items, 18)


def _days(report: PerformanceReport) -> str:
    totals = [sum(day.values()) for day in report.days]
    most = _nice(max(totals, default=0))
    step = (WIDTH - LEFT) / len(totals)
    bars = []
    for i, day in enumerate(report.days):
        y = float(TOP + PLOT)
        for priority in Priority:
            height = PLOT * day[priority] / most
            y -= height
            if height:
                bars.append(rect(LEFT + i * step + 1, y, max(1.0, step - 2), height, _COLOUR[priority]))
        if i % max(1, math.ceil(len(totals) / 8)) == 0:
            when = _day(report.begin + i * 86_400 * _NS_PER_S, "%d %b")
            bars.append(f"<text x='{LEFT + i * step + 1:.1f}' y={HEIGHT - 8}>{when}</text>")
    return chart("alarms a day by priority", axis(0, most) + "".join(bars))


def _loads(report: PerformanceReport) -> str:
    total = sum(report.periods.values())
    if not total:
        return "<p class=dim>No whole ten minutes.</p>"
    rows = []
    for low, high, name in _LOADS:
        count = sum(times for load, times in report.periods.items() if load >= low and (high is None or load <= high))
        colour = _COLOUR[Priority.HIGH] if high is None else "#5c6bc0"
        rows.append((name, count / total, f"{count} ({100 * count / total:.2g} %)", colour))
    return _lying("ten-minute periods by their number of alarms", rows)


def _top(report: PerformanceReport) -> str:
    if not report.top:
        return "<p class=dim>None.</p>"
    most = report.top[0][2]
    rows = [
        (f"{stream}/{alarm}", count / most, f"{count} ({100 * count / report.alarms:.2g} %)", "#5c6bc0")
        for stream, alarm, count in report.top
    ]
    return _lying("the ten most frequent alarms", rows)


def _responses(report: PerformanceReport) -> str:
    """Cumulative share of alarms acknowledged within a time, on a logarithmic axis."""
    most = max((times[-1] for times in report.response_s.values() if times), default=0.0)
    if not most:
        return "<p class=dim>None was acknowledged.</p>"
    decades = max(1.0, math.log10(max(10.0, most)))
    parts = [axis(0, 100, "%")]

    def x(seconds: float) -> float:
        return LEFT + (WIDTH - LEFT - 8) * math.log10(max(1.0, seconds)) / decades

    parts += [
        f"<text x='{x(mark):.1f}' y={HEIGHT - 8} text-anchor=middle>{_duration(mark)}</text>"
        for mark in (1, 10, 60, 600, 3600, 36_000, 360_000)
        if mark <= most or mark == 1
    ]
    for priority, times in report.response_s.items():
        # A few hundred steps are enough for a year of alarms.
        kept = range(0, len(times), 1 + len(times) // _STEPS)
        steps = [(times[i], share / len(times)) for i in kept for share in (i, min(i + kept.step, len(times)))]
        if steps:
            points = [(x(seconds), TOP + PLOT * (1 - share)) for seconds, share in steps]
            parts.append(polyline([(x(1.0), TOP + PLOT), *points], _COLOUR[priority], 2))
    return _legend() + chart("share acknowledged within a time, by priority", "".join(parts))


def _lists(report: PerformanceReport) -> str:
    parts = []
    if report.floods:
        rows = "".join(
            f"<tr><td>{_day(f.begin, '%Y-%m-%d %H:%M')}</td><td class=n>{_duration((f.end - f.begin) / _NS_PER_S)}</td>"
            f"<td class=n>{f.alarms}</td><td>{escape(f.group)}</td></tr>"
            for f in sorted(report.floods, key=lambda f: -f.alarms)[:20]
        )
        parts.append(f"<h2>Floods</h2><table><tr><th>from<th class=n>lasted<th class=n>alarms<th></tr>{rows}</table>")
    for title, found in (
        ("Chattering", [f"{'/'.join(key)} ({count})" for key, count in report.chattering.items()]),
        ("Stale", ["/".join(key) for key in report.stale]),
    ):
        if found:
            more = f" and {len(found) - 50} more" if len(found) > 50 else ""  # noqa: PLR2004
            parts.append(f"<h2>{title}</h2><p>{escape(', '.join(found[:50]))}{more}</p>")
    return "".join(parts)


def _lying(label: str, rows: Sequence[tuple[str, float, str, str]]) -> str:
    """Horizontal bars: name, share of the width, figure, colour."""
    names = min(300, 20 + 6.4 * max(len(name) for name, *_ in rows))
    room = WIDTH - names - 110
    parts = []
    for i, (name, share, figure, colour) in enumerate(rows):
        y = i * _ROW
        short = name if len(name) <= 46 else f"…{name[-45:]}"  # noqa: PLR2004
        parts.append(f"<text x='{names - 8:.0f}' y={y + 15} text-anchor=end>{escape(short)}</text>")
        parts.append(rect(names, y + 4, max(1.0, room * share), _ROW - 8, colour))
        parts.append(f"<text x='{names + max(1.0, room * share) + 6:.1f}' y={y + 15}>{escape(figure)}</text>")
    return chart(label, "".join(parts), len(rows) * _ROW + 4)


def _nice(value: float) -> float:
    """The next round value, for the top of an axis."""
    if value <= 2:  # noqa: PLR2004
        return 2
    power: float = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= value)


def _duration(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.2g} {unit}"
    return f"{seconds:.0f} s"


def _day(ns: int, form: str) -> str:
    return datetime.fromtimestamp(ns / _NS_PER_S, UTC).strftime(form)
