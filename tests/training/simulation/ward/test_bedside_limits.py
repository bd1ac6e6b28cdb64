"""Fixed limits of a bedside monitor."""

import numpy as np

from tocsin_training.simulation.ward.bedside_limits import alarms


def series(channel, values):
    whole = np.full((len(values), 6), np.nan)
    whole[:, channel] = values
    return whole


def test_a_value_at_the_limit_is_within():
    assert not alarms(series(1, [90, 90, 90]), 0).any()


def test_each_excursion_raises_one_alarm():
    onsets = alarms(series(1, [95, 89, 88, 95, 89, 95]), 0)
    assert np.flatnonzero(onsets[:, 1]).tolist() == [1, 4]


def test_a_delay_suppresses_short_excursions():
    values = [95] + [85] * 15 + [95] + [85] * 17
    onsets = alarms(series(1, values), 15)
    assert np.flatnonzero(onsets[:, 1]).tolist() == [32]


def test_a_missing_value_ends_an_excursion():
    onsets = alarms(series(0, [130, np.nan, 130]), 1)
    assert not onsets.any()


def test_an_excursion_at_the_start_counts():
    assert np.flatnonzero(alarms(series(0, [130, 130]), 1)[:, 0]).tolist() == [1]
