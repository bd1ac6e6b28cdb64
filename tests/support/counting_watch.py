"""A tiny watch to test the engine with: a model whose every number can be worked out by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine import Alarm, Engine, EventClock, FrameClock, Readings, Watch
from tocsin.engine.conditions.base import Condition
from tocsin.engine.conditions.news2 import EarlyWarning
from tocsin.engine.events import Category, Priority
from tocsin.engine.frames.assembler import Aggregation
from tocsin.engine.model import Channel, ChannelKind, Gaps, Model, StepResult, Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tocsin.engine.conditions.adaptation import Adaptation
    from tocsin.engine.streams.overrides import Override

S = 1_000_000_000
START = 1_700_000_000 * S
HR, SPO2, AGE, HOURS = range(4)

CHANNELS = (
    Channel("hr", "/min", 0, 300),
    Channel("spo2", "%", 0, 100),
    Channel("age", "a", 0, 120, ChannelKind.STATIC),
    Channel("hours", "h", 0, 100_000, ChannelKind.CLOCK),
)


def counting_step(x, mask, delta, state):
    """Score: the mean of the observed readings. Standing: how many steps, and the deltas last seen."""
    after = state.copy()
    after[:, 0] += 1
    after[:, 1:] = delta
    observed = mask[:, :2].sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        score = ((x * mask)[:, :2].sum(axis=1) / observed).astype(np.float32)
    return StepResult(score, x * mask, x, np.ones_like(x), after)


def alarm(name: str, condition: Condition, *, on_delay_s: float = 0, off_delay_s: float = 0) -> Alarm:
    return Alarm(name, condition, Priority.HIGH, Category.PHYSIOLOGICAL, round(on_delay_s * S), round(off_delay_s * S))


def model(*, warm_up_ticks: int = 0, max_gap_ticks: int = 60, step=counting_step, gaps: str = "delta", **more) -> Model:
    return Model(
        name="counting",
        version="1",
        sha256="0" * 64,
        task=Task.FORECAST,
        channels=CHANNELS,
        period_ns=S,
        state_size=5,
        warm_up_ticks=warm_up_ticks,
        max_gap_ticks=max_gap_ticks,
        delta_cap_s=30.0,
        threshold=100.0,
        step=step,
        gaps=Gaps(gaps),
        **more,
    )


def engine(  # noqa: PLR0913  (keyword arguments of tests)
    *alarms: Alarm,
    lateness_s: float = 0,
    frame_timeout_s: float = 1,
    reprocess_late_ticks: int = 0,
    aggregate: Mapping[str, str] | None = None,
    max_streams: int = 100,
    evict_after_s: float | None = None,
    max_pause_s: float | None = None,
    overrides: tuple[Override, ...] = (),
    adaptation: Adaptation | None = None,
    **of_model,
) -> Engine:
    aggregations = {channel: Aggregation(name) for channel, name in (aggregate or {}).items()}
    clock = FrameClock(round(lateness_s * S), round(frame_timeout_s * S), reprocess_late_ticks, aggregations)
    evict_after_ns = None if evict_after_s is None else round(evict_after_s * S)
    max_pause_ns = None if max_pause_s is None else round(max_pause_s * S)
    return Engine(
        Watch(
            model(**of_model),
            alarms,
            clock,
            max_streams,
            evict_after_ns=evict_after_ns,
            max_pause_ns=max_pause_ns,
            overrides=overrides,
            adaptation=adaptation,
        )
    )


def happened(engine_results):
    """The sequence by which two runs are compared."""
    return [(e.stream, e.alarm, e.kind.value, (e.t - START) / S) for o in engine_results for e in o.events]


def play(watching, frames, *, stream="bed"):
    """Apply one reading a second; a frame is channel → value, or None."""
    rows = [(stream, START + k * S, values) for k, values in enumerate(frames) if values is not None]
    return [EventClock(watching).apply(Readings.of(rows))]


def reasons(results):
    """Reasons of the events, in their order."""
    return [event.report.reason for result in results for event in result.events]


def pulse(*values):
    """Frames with these heart rates."""
    return [{"hr": value, "spo2": 97} for value in values]


def early_warning(**values):
    """NEWS2 of heart rate and SpO2, with some attributes of its own."""
    plain = {
        "at_least": 5,
        "single": False,
        "parameter_channels": (None, SPO2, None, None, HR, None, None),
        "constants": (None, None, None, None, None, None, None),
        "scale": 1,
        "scale_channel": None,
        "max_age_ns": 10 * S,
    }
    return EarlyWarning(**plain | values)
