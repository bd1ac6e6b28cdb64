"""The shipped bundle sensor in the daemon's engine, on sensors outside its training set."""

import numpy as np
import pytest

from tocsin.bundle import shipped_folder
from tocsin.bundle.load import load
from tocsin.engine import Alarm
from tocsin.engine.conditions.score import ScoreAbove
from tocsin.engine.events import Category, Priority
from tocsin_training.backtest.backtest import backtest
from tocsin_training.data.dataset import StreamDataset, StreamRecord

TICKS = 900
SHIFTED = 700


@pytest.fixture(scope="module")
def bundle():
    return load(shipped_folder() / "sensor" / "1")


@pytest.fixture(scope="module")
def pulses():
    random = np.random.default_rng(5)
    values = 20.0 + 2.0 * np.sin(np.arange(TICKS) / 15.0) + 0.5 * random.standard_normal(TICKS)
    values[SHIFTED:] += 15.0
    return values


def played(bundle, *rows, period_s=None):
    """Backtest of series, each one a stream."""
    bundle = bundle if period_s is None else bundle.ticking(period_s)
    manifest = bundle.manifest
    records = [StreamRecord(str(i), np.arange(len(row)), np.asarray(row)[:, None]) for i, row in enumerate(rows)]
    period = bundle.model.period_ns / 1e9
    data = StreamDataset.of(manifest.channels, period, manifest.delta_cap_s, records)
    alarm = Alarm(
        "strange",
        ScoreAbove(manifest.calibration.threshold),
        Priority.MEDIUM,
        Category.TECHNICAL,
        on_delay_ns=0,
        off_delay_ns=100 * bundle.model.period_ns,
    )
    return backtest(bundle.model, [alarm], data), data


@pytest.mark.parametrize("unit", [1.0, 3e-6, 1e7])
def test_a_level_shift_raises_an_alarm_in_any_unit_and_nothing_does_before(bundle, pulses, unit):
    result, _ = played(bundle, unit * pulses)
    risen = result.risen["strange"]
    assert SHIFTED <= risen[0] < SHIFTED + 10


def test_the_score_does_not_depend_on_unit_zero_point_or_sampling_rate(bundle, pulses):
    result, data = played(bundle, pulses, 1024.0 * pulses, pulses + 500.0)
    plain, larger, higher = np.split(result.score, data.start[1:-1])
    assert np.array_equal(plain, larger, equal_nan=True)  # a power of two changes no bit of a ratio
    assert np.nanmax(np.abs(plain - higher)[200:]) < 0.05
    quickly, _ = played(bundle, pulses, period_s=0.25)
    assert np.array_equal(quickly.score, plain, equal_nan=True)


def test_the_bundle_detects_faults_and_forecasts_none(bundle):
    assert bundle.manifest.horizon_s == 0
    assert "| task | alarm |" in (bundle.folder / "CARD.md").read_text(encoding="utf-8")


def test_scores_are_known_after_the_declared_warm_up(bundle, pulses):
    result, _ = played(bundle, pulses)
    known = ~np.isnan(result.score)
    assert np.flatnonzero(known)[0] == bundle.manifest.warm_up_ticks


def test_a_constant_sensor_raises_no_alarm(bundle):
    result, _ = played(bundle, np.full(TICKS, 7.5), np.zeros(TICKS))
    assert not len(result.risen["strange"])
