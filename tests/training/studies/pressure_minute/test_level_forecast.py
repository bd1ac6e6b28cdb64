"""Classification of records by a forecast of the next hour's level."""

from __future__ import annotations

import numpy as np
import pytest

from tocsin.bundle.manifest import ChannelEntry
from tocsin_studies.pressure_minute import level_forecast
from tocsin_training.data.dataset import StreamDataset, StreamRecord

CHANNEL = ChannelEntry(name="map", unit="mm[Hg]", low=20, high=200)


@pytest.fixture(scope="module")
def sinking():
    """Twelve histories; half of them fall for their last two hours, and are low in the hour after them."""
    random = np.random.default_rng(0)
    whole = 85 + random.normal(0, 1.0, (12, 660))
    whole[::2, 480:] -= np.minimum(np.arange(180) / 3, 35)
    event = np.arange(12) % 2 == 0
    histories = [
        StreamRecord(f"R{b}", np.arange(60), np.median(values[:600].reshape(60, 10), axis=1)[:, None])
        for b, values in enumerate(whole)
    ]
    data = StreamDataset.of((CHANNEL,), 600.0, 7200.0, histories)
    return data, np.stack([level_forecast.levels(values) for values in whole]), event


def test_falling_records_are_separated_from_steady_ones(sinking, monkeypatch):
    monkeypatch.setattr(level_forecast, "EPOCHS", 20)
    data, level, event = sinking
    for predicted, probability in level_forecast.left_out(data, level, event, [1]):
        assert (predicted == event).all()
        assert probability[event].min() > probability[~event].max()


def test_a_record_does_not_affect_its_own_forecast(sinking, monkeypatch):
    monkeypatch.setattr(level_forecast, "EPOCHS", 3)
    data, level, _ = sinking
    other = level.copy()
    other[4] += 20.0
    without = [np.array([4]), np.array([5])]
    before, after = (level_forecast.below(data, levels, without, seed=1) for levels in (level, other))
    np.testing.assert_array_equal(before[0], after[0])
    assert (before[1] != after[1]).any(), "the other network was trained on it"


def test_networks_trained_together_equal_networks_trained_alone(sinking, monkeypatch):
    """Neither the number of networks nor gradients of others affect a network's weights."""
    monkeypatch.setattr(level_forecast, "EPOCHS", 3)
    monkeypatch.setattr(level_forecast, "DROPOUT", 0.0)
    data, level, _ = sinking
    few = level_forecast.below(data, level, [np.array([3])], seed=1)
    many = level_forecast.below(data, level, [np.array([3]), np.array([4])], seed=1)
    np.testing.assert_allclose(few[0], many[0], rtol=1e-4)
