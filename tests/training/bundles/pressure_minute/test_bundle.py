"""The shipped bundle pressure-minute in the daemon's engine, and its probabilities of low pressure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tocsin.bundle import load
from tocsin.config.schema import WatchEntry
from tocsin.engine import Engine, EventClock, FrameClock, Readings, Watch
from tocsin.engine.conditions.forecast import falls_below
from tocsin.runtime.build import build_alarms

ROOT = Path(__file__).parents[4]
BUNDLE = ROOT / "models" / "pressure-minute" / "1"
MINUTE_NS = 60 * 10**9
START_NS = 1_767_225_600 * 10**9
STEADY = 300  # minutes


@pytest.fixture(scope="module")
def bundle():
    return load(BUNDLE)


def _pressure(ending):
    """Five hours around 80 mmHg, then the given values."""
    steady = 80 + np.random.default_rng(0).normal(0, 2, STEADY)
    return np.concatenate([steady, ending])


def _stepped(bundle, values):
    """Result of the model after the last of the values (T,), one per minute."""
    state = np.zeros((1, bundle.model.state_size), dtype=np.float32)
    one, minute = np.ones((1, 1), dtype=np.float32), np.full((1, 1), 60, dtype=np.float32)
    for value in values:
        result = bundle.model.step(np.full((1, 1), value, dtype=np.float32), one, minute, state)
        state = result.state
    return result


def test_the_forecast_covers_an_hour_in_ascending_quantiles(bundle):
    result = _stepped(bundle, _pressure([]))
    assert result.mean.shape == (1, 60, 1)
    assert (result.scale > 0).all()
    assert (np.diff(result.low[0, 0]) >= 0).all()
    assert (np.diff(result.high[0, 0]) >= 0).all()
    assert 60 < result.low[0, 0, 3] < 85, "the median of the hour's minimum lies below a steady 80"


def test_low_pressure_is_more_probable_after_a_fall(bundle):
    levels = np.array(bundle.manifest.quantiles)
    steady = _stepped(bundle, _pressure([]))
    falling = _stepped(bundle, _pressure(np.linspace(80, 62, 30)))
    before, after = (float(falls_below(60.0, result.low, levels)[0, 0]) for result in (steady, falling))
    assert before < 0.3
    assert after > 0.5


def test_the_engine_raises_an_alarm_when_the_pressure_drops(bundle):
    watch = WatchEntry.model_validate(
        {
            "model": "pressure-minute/1",
            "clock": "event",
            "alarms": {"departure": {"anomaly": {}}, "map-low": {"below": {"channel": "map", "limit": 60}}},
        }
    )
    frames = FrameClock(lateness_ns=0, frame_timeout_ns=bundle.model.period_ns)
    clock = EventClock(Engine(Watch(bundle.model, build_alarms(watch, bundle), frames, max_streams=10)))
    values = _pressure([80, 80, *np.full(10, 45.0)])
    rows = [("bed-1", START_NS + minute * MINUTE_NS, {"map": value}) for minute, value in enumerate(values.tolist())]
    raised = {
        event.alarm: (event.t - START_NS) // MINUTE_NS
        for event in clock.apply(Readings.of(rows)).events
        if event.kind.value == "active"
    }
    assert raised["map-low"] == STEADY + 2
    assert STEADY + 2 <= raised["departure"] <= STEADY + 5


def test_the_card_names_the_source_and_the_bundle_is_small():
    card = (BUNDLE / "CARD.md").read_text(encoding="utf-8")
    assert "Moody" in card
    assert "ODC-By" in card
    assert sum(file.stat().st_size for file in BUNDLE.iterdir()) < 1_000_000
