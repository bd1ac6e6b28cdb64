"""Teacher of icu-hourly: causal features, and learning."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from tocsin_training import recipe_file
from tocsin_training.bundles.icu_hourly import bedside_scores, history, records, utility
from tocsin_training.bundles.icu_hourly.boosting import Boosting
from tocsin_training.data.dataset import StreamDataset, StreamRecord
from tocsin_training.train import members

CHANNELS = recipe_file.read(Path(__file__).parents[4] / "training" / "recipes" / "icu-hourly.yaml").channels
READINGS = len(CHANNELS) - 5


def _stay(random, hours, septic):
    """A synthetic stay: heart rate and respiratory rate rise before sepsis; the other channels are sparse noise."""
    middle = np.array([(channel.low + channel.high) / 2 for channel in CHANNELS])
    values = middle * (1 + 0.05 * random.standard_normal((hours, len(CHANNELS))))
    values[:, :READINGS][random.random((hours, READINGS)) < 0.6] = np.nan
    label = np.zeros(hours, dtype=np.float32)
    if septic:
        label[-10:] = 1
        values[-16:, [0, 6]] *= 1.4
    silence, alarm = utility.rows(label)
    return StreamRecord("stay", np.arange(hours), values, label, (alarm - silence).astype(np.float32))


def _sequences(stays):
    return StreamDataset.of(CHANNELS, 3600.0, 1e6, stays)


@pytest.fixture(scope="module")
def stays():
    random = np.random.default_rng(5)
    return [_stay(random, int(random.integers(20, 60)), septic=number % 3 == 0) for number in range(60)]


def test_truncating_a_stay_changes_no_earlier_feature(stays):
    whole = _sequences(stays[:6])
    features = history.features(whole)
    cuts = [StreamRecord("cut", stay.tick[:9], stay.values[:9], stay.label[:9], stay.gain[:9]) for stay in stays[:6]]
    cut = _sequences(cuts)
    of_cut = history.features(cut)
    for b, start in enumerate(whole.start[:-1]):
        np.testing.assert_array_equal(features[start : start + 9], of_cut[cut.start[b] : cut.start[b + 1]])


def test_heart_rate_features_match_values_computed_by_hand():
    values = np.full((4, len(CHANNELS)), np.nan)
    values[:, 0] = [80, np.nan, 100, 90]
    features = history.features(_sequences([StreamRecord("one", np.arange(4), values)]))
    last, count, age, mean, lowest, highest, _, change, since_first = (features[:, i * READINGS] for i in range(9))
    assert last.tolist() == [80, 80, 100, 90]
    assert count.tolist() == [1, 1, 2, 3]
    assert age.tolist() == [0, 1, 0, 0]
    assert mean.tolist() == [80, 80, 90, 90]
    assert lowest.tolist() == [80, 80, 80, 80]
    assert highest.tolist() == [80, 80, 100, 100]
    assert np.isnan(change[:2]).all()
    assert change[2:].tolist() == [20, -10]
    assert since_first.tolist() == [0, 0, 20, 10]


def test_the_teacher_separates_stays_outside_its_training_set(stays):
    data = _sequences(stays)
    fold = members.folds(data, 3, 1)
    asked = np.flatnonzero(fold == 0)
    (chances,) = Boosting(data).predict(np.flatnonzero(fold != 0), [asked], seed=1)
    gains = data.gain[data.rows(asked)] > 0
    assert ((chances > 0) & (chances < 1)).all()
    assert chances[gains].mean() > chances[~gains].mean() + 0.2


def test_the_same_seed_gives_the_same_predictions(stays):
    data = _sequences(stays)
    fitted, asked = np.arange(40), [np.arange(40, 60)]
    once, again = (Boosting(data).predict(fitted, asked, seed=1)[0] for _ in range(2))
    assert np.array_equal(once, again)


def test_bedside_scores_by_hand():
    last = {name: np.array([np.nan, value]) for name, value in dict.fromkeys(records.COLUMNS, 1.0).items()}
    given = {"hr": 120, "sbp": 80, "map": 60, "dbp": 50, "rr": 24, "temp": 39.0, "spo2": 92, "fio2": 0.5, "wbc": 14}
    last |= {name: np.array([np.nan, value]) for name, value in given.items()}
    last |= {"platelets": np.array([np.nan, 90.0]), "creatinine": np.array([np.nan, 2.5])}
    last |= {"bilirubin_total": np.array([np.nan, 0.5]), "bun": np.array([np.nan, 40.0])}
    unknown, known = bedside_scores.scores(last)
    by_name = dict(zip(("shock", "mean", "pulse", "share", "map", "bun"), known, strict=False))
    assert by_name == pytest.approx({"shock": 1.5, "mean": 2, "pulse": 30, "share": 0.375, "map": 60, "bun": 16})
    news, _, _, _, sofa, sirs, qsofa = known[-7:]
    assert (news, sofa, sirs, qsofa) == (2 + 2 + 3 + 2 + 1, 2 + 0 + 2 + 1, 4, 2)
    assert np.isnan(unknown[:12]).all()
    assert (unknown[12:] == 0).all()
    assert all(len(row) == 19 for row in itertools.chain([unknown, known]))
