"""Training data of `ward-generator`, and its similarity to the simulator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tocsin.bundle import load, shipped_folder
from tocsin.bundle.manifest import ChannelEntry
from tocsin.engine.model import ChannelKind
from tocsin_studies.ward_generator import StreamStatistics, compare, figures, tables
from tocsin_training.data.dataset import DataRequest
from tocsin_training.errors import TrainingError
from tocsin_training.simulation.ward.profile_source import at_rest, lying, profiles
from tocsin_training.simulation.ward.simulator import CHANNELS

READINGS = [ChannelEntry(name=name, unit="1", low=-1, high=500) for name in CHANNELS]
RESTING = [ChannelEntry(name=f"rest_{n}", unit="1", low=-1, high=500, kind=ChannelKind.STATIC) for n in CHANNELS]


def request(part, channels=(*READINGS, *RESTING), beds=2):
    options = {f"{part}_beds": beds, f"{part}_hours": 1}
    return DataRequest(part, Path(), tuple(channels), 10.0, 600.0, 1, options)


def test_each_stream_varies_around_its_own_profile():
    data = profiles(request("train"))
    assert data.lengths.tolist() == [360, 360]
    assert (data.mask == 1).all()
    for start, end in zip(data.start[:-1], data.start[1:], strict=True):
        x = data.x[start:end]
        assert (x[:, 6:] == x[0, 6:]).all(), "a profile does not change"
        assert np.abs(x[:, :6].mean(axis=0) - x[0, 6:]).max() < 12
    assert not np.array_equal(data.x[0, 6:], data.x[360, 6:])


def test_the_parts_share_no_patient():
    first = {part: profiles(request(part, beds=1)).x[0, 6:].tobytes() for part in ("train", "valid", "test")}
    assert len(set(first.values())) == 3


def test_a_channel_that_the_ward_does_not_measure():
    with pytest.raises(TrainingError, match=r"the ward measures no etco2 \(it measures: hr, spo2"):
        profiles(request("train", [ChannelEntry(name="etco2", unit="1", low=0, high=1)]))


def test_similarity_recovers_the_parameters_of_a_process():
    """An autoregression with a coefficient of 0.9 per tick of 10 s, in which one channel follows another."""
    random = np.random.default_rng(1)
    streams = np.zeros((30, 2000, 6))
    for t in range(1, 2000):
        streams[:, t] = 0.9 * streams[:, t - 1] + np.sqrt(1 - 0.81) * random.standard_normal((30, 6))
    streams[:, :, CHANNELS.index("sbp")] = -streams[:, :, CHANNELS.index("hr")]
    seen = StreamStatistics.of(5 + 3 * streams, 10.0)
    np.testing.assert_allclose(seen.sd, 3, atol=0.15)
    np.testing.assert_allclose(seen.mean.mean(axis=0), 5, atol=0.3)
    np.testing.assert_allclose(seen.recall[0], 0.9, atol=0.02)  # 10 s
    np.testing.assert_allclose(seen.recall[1], 0.9**6, atol=0.05)  # 60 s
    np.testing.assert_allclose(seen.together, [-1, 0, 0, 0], atol=0.05)


def test_the_shipped_generator_resembles_the_simulator():
    """Level, variance and autocorrelation agree as on its card, on a few patients."""
    bundle = load(shipped_folder() / "ward-generator" / "1")
    compared = compare(bundle, patients=6, hours=1, seed=46_000_000)
    found = figures(compared)
    assert found["generated: means apart, share of the spread between patients"] < 0.8
    assert found["generated: standard deviation, least of the simulated"] > 0.4
    assert found["generated: standard deviation, most of the simulated"] < 2
    assert found["generated: autocorrelations apart, mean"] < 0.25
    assert "| sbp, dbp |" in tables(compared)


def test_resting_values_are_those_of_the_profile():
    profile = lying(7).profile
    rest = at_rest(profile)
    assert rest["hr"] == profile.hr
    assert rest["dbp"] + (rest["sbp"] - rest["dbp"]) / 3 == pytest.approx(profile.mean_pressure)
