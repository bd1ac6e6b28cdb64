"""The frames before an alarm as a self-contained HTML page: each channel in its expected band, and the score."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from tocsin.cli.explain.picture import BAND, BAND_COLOUR, MEASURED, OUTSIDE, TimeAxis, picture
from tocsin.cli.html import LEFT, chart, head, rect
from tocsin.engine.conditions.wording import expected, figure, printed_unit
from tocsin.engine.model import ChannelKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin.cli.explain.record import ExplainedEvent
    from tocsin.engine.frames.history import Rescored
    from tocsin.engine.model import Model


def in_order(rescored: Rescored) -> list[int]:
    """Channels by their contribution to the last score, largest first."""
    order: list[int] = np.argsort(-np.nan_to_num(rescored.contribution[-1]), kind="stable").tolist()
    return order


def outside(rescored: Rescored, channel: int) -> NDArray[np.bool_]:
    """(T,) bool, frames in which a channel was outside its expected band."""
    x, mean, scale = (part[:, channel] for part in (rescored.x, rescored.mean, rescored.scale))
    found: NDArray[np.bool_] = (rescored.mask[:, channel] != 0) & (np.abs(x - mean) > BAND * scale)
    return found


def page(record: ExplainedEvent, model: Model, rescored: Rescored) -> str:
    """Write the page.

    Args:
        record: The event.
        model: The model of its frames.
        rescored: The frames, stepped again.
    """
    threshold = record.explanation.threshold
    reason, *facts = record.facts()
    compared, is_equal = record.compared(float(rescored.score[-1]))
    time = TimeAxis(record.explanation, model, rescored)
    parts = [head(record.title), f"<p>{escape(reason)}</p>", *(f"<p class=dim>{escape(fact)}</p>" for fact in facts)]
    parts += [
        f"<p class={'dim' if is_equal else 'missed'}>{escape(compared)}</p>",
        "<h2>The last frame</h2>",
        _table(model, rescored),
    ]
    parts += ["<h2>Legend</h2>", _legend(time)]
    above_threshold = np.zeros(len(rescored.tick), dtype=np.bool_) if threshold is None else rescored.score >= threshold
    below = "" if threshold is None else f", threshold {threshold:.4g}"
    parts.append(f"<h2>score {rescored.score[-1]:.4g}{below}</h2>")
    parts.append(picture(time, "score", rescored.score.astype(np.float64), None, above_threshold, threshold))
    for c in in_order(rescored):
        channel, seen = model.channels[c], rescored.mask[:, c] != 0
        if channel.kind is not ChannelKind.READING or not seen.any():
            continue
        band = [part[:, c].astype(np.float64) for part in (rescored.mean, rescored.scale)]
        values = np.where(seen, rescored.x[:, c], np.nan).astype(np.float64)
        parts.append(f"<h2>{escape(channel.name + _in(channel.unit))}</h2>")
        parts.append(picture(time, channel.name, values, (band[0], band[1]), outside(rescored, c)))
    return "".join(parts) + "\n"


def _table(model: Model, rescored: Rescored) -> str:
    """The channels of the last frame."""
    rows = []
    for c in in_order(rescored):
        channel = model.channels[c]
        unit = printed_unit(channel.unit)
        value = f"{figure(float(rescored.x[-1, c]), 5)}{unit}" if rescored.mask[-1, c] else "not measured"
        mean, scale, added = (float(part[-1, c]) for part in (rescored.mean, rescored.scale, rescored.contribution))
        is_expected = channel.kind is ChannelKind.READING and not math.isnan(mean)
        band = f"{expected(mean, scale)}{unit}" if is_expected else ""
        style = " class='n missed'" if outside(rescored, c)[-1] and is_expected else " class=n"
        rows.append(
            f"<tr><td>{escape(channel.name)}</td><td{style}>{escape(value)}</td><td class=n>{escape(band)}</td>"
            f"<td class=n>{'' if math.isnan(added) else f'{added:.3g}'}</td></tr>"
        )
    names = "<th>channel<th class=n>last value<th class=n>expected<th class=n>added to the score"
    return f"<table><tr>{names}</tr>{''.join(rows)}</table>"


def _legend(time: TimeAxis) -> str:
    """The meaning of the colours that occur."""
    marks = [
        (MEASURED, "measured; the line breaks where nothing was"),
        (OUTSIDE, f"outside {BAND:g} scales of the expected value; for the score: at or above its threshold"),
        (BAND_COLOUR, f"expected value and {BAND:g} scales around it"),
        *time.marks(),
    ]
    items = "".join(
        f"{rect(LEFT, 18 * i + 4, 10, 10, colour)}<text x={LEFT + 16} y={18 * i + 13}>{escape(meaning)}</text>"
        for i, (colour, meaning) in enumerate(marks)
    )
    return chart("legend", items, 18 * len(marks) + 4)


def _in(unit: str) -> str:
    """A unit after a name.

    >>> _in("Cel"), _in("1")
    (', °C', '')
    """
    printed = printed_unit(unit)
    return f",{printed}" if printed else ""
