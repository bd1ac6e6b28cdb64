"""Channel features, computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tocsin_training.nets.channel_features import ChannelFeatures


def _features(traces, values, period_s=60.0):
    """Features (T, F) of one channel's values (None: missing), without normalisation."""
    module = ChannelFeatures([False], period_s, traces)
    mask = torch.tensor([[[0.0 if value is None else 1.0] for value in values]])
    x = torch.tensor([[[value or 0.0] for value in values]])
    delta = torch.tensor([[[60.0] for _ in values]])
    features, _ = module(x, mask, delta, torch.zeros(1, module.state_size))
    assert features.shape == (1, len(values), module.width)
    return features[0].numpy()


def test_last_value_and_whether_there_is_one():
    features = _features([], [None, 2.0, None])
    assert features.tolist() == [[0, 0, 0, 0], [2, 1, 2, 1], [0, 0, 2, 1]]


def test_summary_is_mean_highest_lowest():
    features = _features(["summary"], [2.0, -4.0, None, 5.0])[:, 4:]
    assert features.tolist() == [[2, 2, 2], [-1, 2, -4], [-1, 2, -4], [1, 5, -4]]


def test_trend_starts_with_the_second_value():
    change = _features(["trend"], [None, 2.0, None, 5.0])[:, 4]
    assert change.tolist() == [0, 0, 0, 3]


def test_ages_decay_from_the_last_observation():
    features = _features(["age"], [2.0, None])[:, 4:]
    assert features[0] == pytest.approx([1, 0])
    assert features[1] == pytest.approx([np.exp(-1 / 6), np.log(2) / 3], rel=1e-5)


def test_low_and_high_envelope_are_tenths_of_the_last_hours_values():
    values = np.random.default_rng(1).permutation(np.linspace(-2, 2, 3000)).tolist()
    low, high = _features(["envelope"], values)[-1, 4:]
    assert low == pytest.approx(-1.6, abs=0.15)
    assert high == pytest.approx(1.6, abs=0.15)


def test_one_artefact_hardly_moves_the_low_envelope():
    features = _features(["envelope"], [1.0] * 10 + [-6.0] + [None])[:, 4:]
    assert features[-1, 0] == pytest.approx(1 - 0.9 * 1.2 / 60)
    assert features[-1, 1] == pytest.approx(1 - 0.1 * 1.2 / 60)


def test_features_are_converted_back_to_units():
    module = ChannelFeatures([True, False], 60.0, [])
    x = np.array([[1.0, 30.0], [9.0, 50.0], [4.0, 40.0]], dtype=np.float32)
    module.fit(x, np.ones_like(x))
    normalised = module.normalise(torch.from_numpy(x), torch.ones(3, 2))
    back, _ = module.denormalise(normalised, torch.ones(3, 2))
    np.testing.assert_allclose(back.numpy(), x, rtol=1e-5)
    np.testing.assert_allclose(normalised.numpy().std(axis=0), [1, 1], rtol=1e-5)


def test_constants_do_not_depend_on_the_chunk_size(monkeypatch):
    rng = np.random.default_rng(1)
    x, mask = rng.uniform(1, 9, (1000, 2)).astype(np.float32), (rng.random((1000, 2)) < 0.8).astype(np.float32)
    fitted = []
    for chunk_values in (10**6, 70):
        monkeypatch.setattr("tocsin_training.nets.channel_features.FIT_CHUNK_VALUES", chunk_values)
        module = ChannelFeatures([False, True], 1.0, ("age",))
        module.fit(x * mask, mask)
        fitted.append((module.mean.numpy(), module.deviation.numpy()))
    np.testing.assert_allclose(fitted[0], fitted[1], rtol=1e-6)
    np.testing.assert_allclose(fitted[0][0][0], x[mask[:, 0] > 0, 0].mean(), rtol=1e-6)
