"""Backtest of records in the daemon's engine, and its agreement with the vectorised sweep."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.bundle.manifest import ChannelEntry
from tocsin.engine import Alarm
from tocsin.engine.conditions.score import ScoreAbove
from tocsin.engine.events import Category, Priority
from tocsin.engine.model import Channel, Model, StepResult, Task
from tocsin_training.backtest.backtest import backtest
from tocsin_training.backtest.onsets import Delays, onsets, up
from tocsin_training.data.dataset import StreamDataset, StreamRecord
from tocsin_training.errors import TrainingError

NAN = np.nan
ENTRIES = (
    ChannelEntry(name="hr", unit="/min", low=0, high=300),
    ChannelEntry(name="spo2", unit="%", low=0, high=100, expected=False),
    ChannelEntry(name="age", unit="a", low=0, high=120, kind="static"),
    ChannelEntry(name="hours", unit="h", low=0, high=1e4, kind="clock"),
)


def counting(x, mask, delta, state):
    """The score is the heart rate, unknown where it is missing; the expected value is the input."""
    score = np.where(mask[:, 0] > 0, x[:, 0], np.float32(NAN)).astype(np.float32)
    return StepResult(score, x, x + 1000 * delta, mask, state + 1)


def model(period_s=60.0, entries=ENTRIES):
    channels = tuple(Channel(e.name, e.unit, e.low, e.high, e.kind, e.expected) for e in entries)
    return Model("toy", "1", "0" * 64, Task.FORECAST, channels, round(period_s * 1e9), 1, 0, 1000, 1e6, 1.0, counting)


def alarm(threshold, delays=None, name="score"):
    on, off = (round(s * 1e9) for s in (delays.on_s, delays.off_s)) if delays else (0, 0)
    return Alarm(name, ScoreAbove(threshold), Priority.HIGH, Category.PHYSIOLOGICAL, on, off)


def test_the_engine_sees_the_frames_that_training_saw():
    random = np.random.default_rng(0)
    records = []
    for number in range(5):
        tick = 10_000 * number + np.cumsum(random.integers(1, 4, 30 + number))
        values = random.uniform(1, 90, (len(tick), 4))
        values[random.random(values.shape) < 0.4] = NAN
        values[0, :2] = NAN  # a first row without measurements is a frame too
        records.append(StreamRecord(f"bed-{number}", tick, values))
    data = StreamDataset.of(ENTRIES, 60.0, 1e6, records)
    played = backtest(model(), [], data)

    inner = np.setdiff1d(np.arange(len(data.x)), data.start)  # the band of a row is the output of the previous row
    assert played.mean[inner].tolist() == (data.x + 1000 * data.delta)[inner - 1].tolist()
    assert played.scale[inner].tolist() == data.mask[inner - 1].tolist()
    assert np.isnan(played.mean[data.start[:-1]]).all()
    assert np.array_equal(played.score, np.where(data.mask[:, 0] > 0, data.x[:, 0], NAN), equal_nan=True)


def test_records_on_other_channels_are_refused():
    data = StreamDataset.of(ENTRIES[:2], 60.0, 600.0, [StreamRecord("a", np.arange(3), np.ones((3, 2)))])
    with pytest.raises(TrainingError, match="channels hr, spo2; toy wants hr, spo2, age, hours"):
        backtest(model(), [], data)


scores = st.lists(st.sampled_from([0.0, 1.0, 2.0, NAN]), min_size=1, max_size=25)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(scores, min_size=1, max_size=3), st.integers(0, 3), st.integers(0, 3), st.randoms(use_true_random=False)
)
def test_the_sweep_gives_the_alarms_of_the_engine(streams, on_ticks, off_ticks, random):
    """Any scores, unknown ones and gaps among them, any delays."""
    entries = ENTRIES[:1]
    records = []
    for number, score in enumerate(streams):
        tick = np.cumsum([random.choice([1, 1, 1, 2, 5]) for _ in score])
        records.append(StreamRecord(str(number), tick, np.array(score)[:, None]))
    data = StreamDataset.of(entries, 0.1, 60.0, records)
    delays = Delays(on_ticks * 0.1, off_ticks * 0.1)
    played = backtest(model(0.1, entries), [alarm(1.0, delays)], data)

    swept = up(played.score, 1.0, data.tick * 0.1, data.start, delays)
    assert swept.tolist() == played.is_up["score"].tolist()
    assert onsets(swept, data.start).tolist() == played.risen["score"].tolist()
