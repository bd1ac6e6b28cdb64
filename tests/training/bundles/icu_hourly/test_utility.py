"""The challenge's utility, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tocsin_studies.icu_hourly.compare import StayScores
from tocsin_training.bundles.icu_hourly import utility


def _stay(hours, first_label):
    label = np.zeros(hours, dtype=np.float32)
    label[first_label:] = 1
    return label


def test_worth_of_every_hour_of_a_septic_stay():
    label = _stay(26, 14)  # onset at hour 20: early from 8, best at 14, too late after 23
    silence, alarm = utility.rows(label)
    assert alarm[:8] == pytest.approx([-0.05] * 8)
    assert alarm[8:15] == pytest.approx(np.arange(7) / 6)
    assert alarm[14:24] == pytest.approx(1 - np.arange(10) / 9)
    assert alarm[24:].tolist() == [0, 0]
    assert silence[:15].tolist() == [0] * 15
    assert silence[14:24] == pytest.approx(-2 * np.arange(10) / 9)
    assert silence[24:].tolist() == [0, 0]


def test_normalised_utility():
    label = np.concatenate([_stay(26, 14), np.zeros(10, dtype=np.float32)])
    start = np.array([0, 26, 36])
    never = np.zeros(36, dtype=bool)
    assert utility.normalised(never, label, start) == 0
    best = never.copy()
    best[8:24] = True
    assert utility.normalised(best, label, start) == pytest.approx(1)
    false = best.copy()
    false[26:36] = True
    whole = np.arange(7).sum() / 6 + (1 - np.arange(1, 10) / 9).sum() + (2 * np.arange(10) / 9).sum()
    assert utility.normalised(false, label, start) == pytest.approx(1 - 10 * 0.05 / whole)


def test_a_label_in_the_first_hour_means_an_onset_six_hours_on():
    silence, alarm = utility.rows(np.ones(4, dtype=np.float32))
    assert alarm == pytest.approx([1, 8 / 9, 7 / 9, 6 / 9])
    assert silence == pytest.approx([0, -2 / 9, -4 / 9, -6 / 9])


def test_an_unknown_score_ranks_last_and_never_rings():
    label = _stay(4, 2)
    engine_scores = StayScores(np.array([np.nan, 0.1, 0.2, 0.3], dtype=np.float32), 0.2, label, np.array([0, 4]))
    assert engine_scores.alarming.tolist() == [False, False, True, True]
    assert engine_scores.figures()["AUROC"] == 1
