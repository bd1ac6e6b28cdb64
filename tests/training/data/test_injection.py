"""Injected anomalies: place, size, labels, and options."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.bundle.manifest import ChannelEntry
from tocsin_training.data.dataset import DataRequest
from tocsin_training.data.injected import injected
from tocsin_training.data.injection import Anomaly, AnomalyKind, deviation, draw, inject
from tocsin_training.errors import TrainingError

CHANNELS = (ChannelEntry(name="a", unit="1", low=0, high=200), ChannelEntry(name="b", unit="1", low=0, high=200))


@st.composite
def streams(draw_):
    rng = np.random.default_rng(draw_(st.integers(0, 2**32)))
    ticks, channels = draw_(st.integers(2, 60)), draw_(st.integers(1, 4))
    values = rng.normal(50, 5, (ticks, channels)) + rng.normal(0, 5, (ticks, 1))
    values[rng.random(values.shape) < draw_(st.sampled_from([0.0, 0.2, 1.0]))] = np.nan
    return values


@given(streams(), st.sampled_from(AnomalyKind), st.integers(0, 2**32))
def test_nothing_changes_outside_of_an_anomaly_and_nothing_goes_missing(values, kind, seed):
    before = values.copy()
    rng = np.random.default_rng(seed)
    anomaly = draw(rng, len(values), range(values.shape[1]), kinds=[kind])
    made = inject(values, anomaly, rng)
    inside = np.zeros(values.shape, dtype=bool)
    inside[anomaly.start : anomaly.start + anomaly.length, list(anomaly.channels)] = True
    np.testing.assert_array_equal(values, before)
    np.testing.assert_array_equal(made.values[~inside], values[~inside])
    np.testing.assert_array_equal(np.isnan(made.values), np.isnan(values))
    np.testing.assert_array_equal(np.flatnonzero(made.label), np.flatnonzero(inside.any(axis=1)))
    assert made.channels == anomaly.channels
    assert 1 <= anomaly.start < anomaly.start + anomaly.length <= len(values)


@given(streams(), st.integers(0, 2**32))
def test_the_same_seed_gives_the_same_anomaly(values, seed):
    def made():
        rng = np.random.default_rng(seed)
        return inject(values, draw(rng, len(values), range(values.shape[1])), rng).values

    np.testing.assert_array_equal(made(), made())


def wave(ticks=400):
    rng = np.random.default_rng(5)
    shared = np.sin(np.arange(ticks) / 7)
    return np.stack([60 + 4 * shared, 100 - 2 * shared, rng.normal(30, 3, ticks)], axis=1)


def during(kind, size, channels=(0, 1), start=100, length=88):
    values = wave()
    made = inject(values, Anomaly(kind, start, length, channels, size), np.random.default_rng(2))
    rows = slice(start, start + length)
    columns = list(channels)
    return values, values[rows, columns], made.values[rows, columns], deviation(values)[columns]


def test_a_spike_and_a_shift_have_the_requested_size():
    for kind, length in ((AnomalyKind.SPIKE, 1), (AnomalyKind.LEVEL_SHIFT, 88)):
        _, before, after, unit = during(kind, -3.0, length=length)
        np.testing.assert_allclose((after - before) / unit, -3.0)


def test_a_drift_grows_evenly_to_its_size():
    _, before, after, unit = during(AnomalyKind.DRIFT, 4.0)
    risen = (after - before) / unit
    np.testing.assert_allclose(np.diff(risen, axis=0), 4.0 / 88)
    np.testing.assert_allclose(risen[-1], 4.0)


def test_variance_grows_by_the_square_of_its_size():
    _, before, after, unit = during(AnomalyKind.VARIANCE, 3.0, length=300)
    np.testing.assert_allclose((after - before).std(axis=0) / unit, 3.0, rtol=0.15)


def test_a_flat_line_holds_the_last_value():
    values, _, after, _ = during(AnomalyKind.FLAT_LINE, 1.0)
    np.testing.assert_array_equal(after, np.broadcast_to(values[99, :2], after.shape))


def test_a_broken_correlation_leaves_the_channel_itself_as_it_was():
    values, before, after, _ = during(AnomalyKind.CORRELATION_BREAK, 1.0, channels=(0,))
    np.testing.assert_allclose([after.mean(), after.std()], [before.mean(), before.std()])
    np.testing.assert_allclose(np.abs(np.diff(after, axis=0)), np.abs(np.diff(before, axis=0)))
    other = values[100:188, 1]
    assert np.corrcoef(before[:, 0], other)[0, 1] == pytest.approx(-1)
    assert np.corrcoef(after[:, 0], other)[0, 1] == pytest.approx(1)


def test_a_lag_delays_the_values():
    values, _, after, _ = during(AnomalyKind.LAG, 7.0)
    np.testing.assert_array_equal(after, values[93:181, :2])


def request(part="test", **options):
    return DataRequest(
        part=part,
        folder=Path(),
        channels=tuple(ChannelEntry(name=name, unit="1", low=0, high=200) for name in ("hr", "rr")),
        period_s=1,
        delta_cap_s=60,
        seed=3,
        options={
            "source": "tocsin_training.simulation.ward.vitals_source:normal",
            "options": {f"{part}_beds": 2, f"{part}_hours": 1},
            "parts": ["test"],
        }
        | options,
    )


def test_a_source_with_anomalies_is_labelled_and_stays_plausible():
    clean = injected(request(parts=["train"]))
    assert not clean.label.any()
    data = injected(request(per_stream=3, size=[50, 60], kinds=["level_shift"]))
    assert 3 * 10 <= data.label[: data.start[1]].sum() <= 3 * 100
    touched = (data.x != clean.x).any(axis=1)
    assert (data.label[touched] == 1).all()
    assert touched.any()
    assert data.x.min() >= 0
    assert data.x.max() <= 200
    np.testing.assert_array_equal(data.mask, clean.mask)
    np.testing.assert_array_equal(injected(request(per_stream=3, size=[50, 60], kinds=["level_shift"])).x, data.x)


def test_invalid_options_are_refused():
    with pytest.raises(TrainingError, match=r"data.options.kinds.0: Input should be 'spike', .* found 'odd'"):
        injected(request(kinds=["odd"]))
    with pytest.raises(TrainingError, match=r"data.source 'nowhere:x' cannot be found"):
        injected(request(source="nowhere:x"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": [6, 2]}, r"data.options.size: the larger comes first; turn the two round, found \[6, 2\]"),
        ({"length": [100, 10]}, r"data.options.length: the larger comes first"),
        ({"lag": [20, 2]}, r"data.options.lag: the larger comes first"),
        ({"size": [0, 2]}, r"data.options.size.0: Input should be greater than 0, found 0"),
        ({"length": [0, 5]}, r"data.options.length.0: Input should be greater than or equal to 1, found 0"),
        ({"lag": [0, 0]}, r"data.options.lag.0: Input should be greater than or equal to 1, found 0"),
    ],
)
def test_an_invalid_range_of_anomalies_is_refused(changes, message):
    with pytest.raises(TrainingError, match=message):
        injected(request(**changes))
