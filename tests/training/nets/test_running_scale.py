import numpy as np
import pytest
import torch

from tocsin_training.nets.running_scale import RunningScale

TICKS = 700
SHIFTED = 500


def network_inputs(*rows):
    """Inputs (B, T, F) of the network for these series; NaN is missing."""
    memory = RunningScale(1)
    values = np.stack(rows).astype(np.float32)[:, :, None]
    mask = torch.from_numpy(~np.isnan(values)).float()
    x = torch.from_numpy(np.nan_to_num(values))
    features, _ = memory(x, mask, torch.ones_like(x), torch.zeros(len(rows), memory.state_size))
    return memory.inputs(features).numpy()


@pytest.fixture(scope="module")
def series():
    random = np.random.default_rng(3)
    values = np.sin(np.arange(TICKS) / 20.0) + 0.2 * random.standard_normal(TICKS)
    values[SHIFTED:] += 4.0
    return values


@pytest.fixture(scope="module")
def seen(series):
    """Inputs for one series in several units, at several levels, and with an outlier, by name."""
    with_outlier = series.copy()
    with_outlier[300] = 1e4
    rows = {
        "itself": series,
        "millionths": 1e-6 * series,
        "billions": 1e9 * series,
        "higher": series + 300.0,
        "counts": 1e9 + 1e4 * series,  # float32 has a resolution of 64 there
        "outlier": with_outlier,
    }
    return dict(zip(rows, network_inputs(*rows.values()), strict=True))


@pytest.mark.parametrize("unit", ["millionths", "billions"])
def test_the_unit_makes_no_difference(seen, unit):
    assert seen[unit] == pytest.approx(seen["itself"], abs=2e-3)


def test_the_level_makes_no_difference(seen):
    young = 5  # ticks in which the scale rests on the level alone
    assert seen["higher"][young:] == pytest.approx(seen["itself"][young:], abs=2e-2)


def test_a_mean_of_1e9_follows_movements_of_ten_thousand(seen):
    distances = slice(0, 7)
    away = np.abs(seen["counts"] - seen["itself"])[100:, distances]
    assert away.max() < 0.2


def test_a_level_shift_stands_out(seen):
    away = seen["itself"][:, 0]  # distance to the slowest level, in spreads
    assert np.abs(away[300:SHIFTED]).max() < 1.5 < away[SHIFTED : SHIFTED + 10].max()


def test_an_outlier_hardly_changes_the_scale(seen):
    assert np.abs(seen["outlier"] - seen["itself"])[400:SHIFTED, 0].max() < 0.1


def test_a_missing_frame_does_not_change_the_state(series):
    there = np.ones(TICKS, dtype=bool)
    there[300:400:2] = False
    with_gaps, without = network_inputs(np.where(there, series, np.nan))[0], network_inputs(series[there])[0]
    assert with_gaps[there] == pytest.approx(without, abs=1e-6)


def test_a_constant_is_no_movement_at_any_level():
    seen = network_inputs(*(np.full(100, level) for level in (0.0, 1e-12, 5.0, -1e20)))
    assert np.isfinite(seen).all()
    assert seen[:, :, :7] == pytest.approx(0.0, abs=1e-6)
