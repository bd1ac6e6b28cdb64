"""The curve of false alarms: its onsets are the engine's, and what it says of one sample holds in another."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.bundle.manifest import ChannelEntry
from tocsin.engine import Alarm
from tocsin.engine.changes import Category, Priority
from tocsin.engine.conditions import ScoreAbove
from tocsin.engine.model import Channel, Model, StepResult, Task
from tocsin_training.backtest.backtest import backtest
from tocsin_training.calibration import false_alarm_curve
from tocsin_training.data.dataset import StreamDataset, StreamRecord

CHANNELS = (ChannelEntry(name="a", unit="1", low=-1e6, high=1e6),)


def step(x, mask, delta, state):  # noqa: ARG001  (a step function's signature)
    """The score is the value itself."""
    score = np.where(mask[:, 0] > 0, x[:, 0], np.nan).astype(np.float32)
    return StepResult(score=score, contribution=x, mean=x, scale=np.ones_like(x), state=state)


MODEL = Model(
    name="toy",
    version="1",
    sha256="0" * 64,
    task=Task.FORECAST,
    channels=(Channel("a", "1", -1e6, 1e6),),
    period_ns=60 * 10**9,
    state_size=1,
    warm_up_ticks=2,
    max_gap_ticks=1000,
    delta_cap_s=60,
    threshold=1.0,
    step=step,
)


def sequences(streams, ticks=None):
    records = [
        StreamRecord(
            str(b), np.arange(len(values)) if ticks is None else ticks[b], np.asarray(values, dtype=float)[:, None]
        )
        for b, values in enumerate(streams)
    ]
    return StreamDataset.of(CHANNELS, 60.0, 60.0, records)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0, np.nan]), min_size=1, max_size=30), min_size=1, max_size=4),
    st.integers(0, 4),
    st.integers(0, 4),
    st.integers(0, 2**32),
)
def test_onsets_are_the_engines(streams, on_ticks, off_ticks, seed):
    rng = np.random.default_rng(seed)
    data = sequences(streams, [np.cumsum(rng.integers(1, 4, len(values))) for values in streams])
    on, off = (ticks * MODEL.period_ns for ticks in (on_ticks, off_ticks))
    alarm = Alarm("odd", ScoreAbove(1.0), Priority.LOW, Category.PHYSIOLOGICAL, on, off)
    alarm_rows = backtest(MODEL, [alarm], data).risen["odd"]
    rises, falls = false_alarm_curve.alarm_intervals(
        false_alarm_curve.engine_scores(MODEL, data), 1.0, on_ticks, off_ticks
    )
    assert rises.tolist() == alarm_rows.tolist()
    assert len(rises) == len(falls)
    assert (falls >= rises).all()


def noise(seed, streams=40, ticks=3000):
    """Streams that wander with a memory of some ticks, each about as much as the others."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(streams):
        drive = rng.standard_normal(ticks)
        values = np.convolve(drive, np.exp(-np.arange(40) / 8.0))[:ticks]
        made.append(values * rng.uniform(0.9, 1.1))
    return sequences(made)


@pytest.fixture(scope="module")
def seen():
    return false_alarm_curve.engine_scores(MODEL, noise(1))


@pytest.mark.parametrize(("on_ticks", "off_ticks"), [(0, 0), (3, 5)])
def test_budgets_are_kept_on_other_streams(seen, on_ticks, off_ticks):
    made = false_alarm_curve.false_alarm_curve(seen, [(on_ticks, off_ticks)], "noise")
    assert made.stream_days == pytest.approx(40 * 3000 / 1440, rel=1e-5)
    fresh = false_alarm_curve.engine_scores(MODEL, noise(2, streams=120))
    for budget in (0.1, 0.5, 2.0):
        threshold = made.threshold_at(budget, on_ticks, off_ticks).threshold
        realised = len(false_alarm_curve.alarm_intervals(fresh, threshold, on_ticks, off_ticks)[0]) / fresh.days
        assert 0.5 < realised / budget < 2.0, f"{budget}: {realised}"
    assert made.threshold_at(0.1, on_ticks, off_ticks).extrapolated


def test_a_longer_delay_has_a_lower_threshold(seen):
    made = false_alarm_curve.false_alarm_curve(seen, [(0, 0), (5, 0), (5, 20)], "noise")
    assert [rates.threshold_at(1.0) for rates in made.rates] == sorted(
        (rates.threshold_at(1.0) for rates in made.rates), reverse=True
    )


def test_what_is_usual_is_told_of_scores_and_not_of_probabilities(seen):
    positive = dataclasses.replace(seen, score=np.exp(seen.score))
    usual = false_alarm_curve.false_alarm_curve(positive, [(0, 0)], "noise").usual
    assert 0 < usual.middle < usual.high
    assert false_alarm_curve.false_alarm_curve(positive, [(0, 0)], "noise", probability=True).usual is None


def test_too_few_onsets_are_no_curve():
    assert (
        false_alarm_curve.false_alarm_curve(
            false_alarm_curve.engine_scores(MODEL, sequences([np.zeros(50), np.zeros(50)])), [(0, 0)], "flat"
        )
        is None
    )


def test_streams_with_an_event_are_not_normal():
    label = [np.array([0, 0, 1], dtype=np.float32), np.zeros(2, dtype=np.float32)]
    records = [
        StreamRecord(str(b), np.arange(len(part)), np.zeros((len(part), 1)), part) for b, part in enumerate(label)
    ]
    data = StreamDataset.of(CHANNELS, 60.0, 60.0, records)
    assert false_alarm_curve.normal_streams(data).streams == ("1",)
    assert false_alarm_curve.normal_streams(data.pick(np.array([0]))) is None
    # Where whole streams have a class, the first class is the normal one, whatever their rows say.
    assert false_alarm_curve.normal_streams(dataclasses.replace(data, kind=np.array([0, 1]))).streams == ("0",)
