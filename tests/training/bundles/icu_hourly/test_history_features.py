"""Incremental features for trees equal those that `history.features` computes from whole stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tocsin_training import recipe_file
from tocsin_training.bundles.icu_hourly import history
from tocsin_training.bundles.icu_hourly.bedside_scores import LATELY
from tocsin_training.bundles.icu_hourly.history_features import PAST, HistoryFeatures, shifted
from tocsin_training.data.dataset import StreamDataset, StreamRecord
from tocsin_training.nets import tree_ensemble

CHANNELS = recipe_file.read(Path(__file__).parents[4] / "training" / "recipes" / "icu-hourly.yaml").channels
READINGS = len(CHANNELS) - 5
VITALS = len(history.VITALS)
ORDERS = READINGS - VITALS
RECENT_NEWS = -5 - 4  # statics and clock stand last, before them recent NEWS2, SOFA, SIRS, qSOFA


@pytest.fixture(scope="module")
def records():
    """Synthetic stays with frequent vital signs and rare laboratory values; some hours have no measurement."""
    random = np.random.default_rng(7)
    low, high = (np.array([getattr(channel, end) for channel in CHANNELS]) for end in ("low", "high"))
    vital = np.array([channel.name in history.VITALS for channel in CHANNELS])
    made = []
    for hours in (1, 2, 5, 30, 30, 60, 90):
        usual = low + (high - low) * random.uniform(0.2, 0.6, len(CHANNELS))
        values = usual * (1 + 0.1 * random.standard_normal((hours, len(CHANNELS))))
        values = np.clip(np.round(values, 1), low, high)  # rounded as in the records, so that values repeat
        values[hours // 2 :, :3] = values[hours // 2, :3]  # some become constant
        missing = random.random(values.shape) > np.where(vital, 0.8, 0.05)
        missing[1:] |= random.random((hours - 1, 1)) < 0.15
        missing[:, READINGS:] = False
        values[missing] = np.nan
        values[:, READINGS + 1] = np.nan  # a static value that is always missing
        made.append(StreamRecord(str(hours), np.arange(hours), values))
    return made


def _sequences(records):
    return StreamDataset.of(CHANNELS, 3600.0, 1_209_600.0, records)


@pytest.fixture(scope="module")
def recollection():
    torch.set_num_threads(1)
    return HistoryFeatures(CHANNELS, 3600.0)


def test_incremental_features_match_those_of_the_whole_history(records, recollection):
    data = _sequences(records)
    wanted, found = (
        history.features(data).astype(np.float64),
        tree_ensemble.extracted_features(recollection, data).astype(np.float64),
    )
    assert wanted.shape == found.shape
    spreads = [slice(6 * READINGS, 7 * READINGS)]
    for number in range(len(history.WINDOWS)):
        at = 9 * READINGS + number * (5 * VITALS + ORDERS + 3) + 3 * VITALS
        spreads.append(slice(at, at + VITALS))
    for columns in spreads:
        found[:, columns] = np.sqrt(found[:, columns])
    found[:, RECENT_NEWS] /= LATELY
    assert np.array_equal(np.isnan(wanted), np.isnan(found))
    assert (~np.isnan(wanted)).any(axis=0).mean() > 0.95
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_an_hour_without_a_frame_equals_an_hour_without_measurements(records, recollection):
    whole = _sequences(records)
    features = tree_ensemble.extracted_features(recollection, whole)
    there = [~np.isnan(record.values[:, :READINGS]).all(axis=1) for record in records]
    assert not np.concatenate(there).all()
    left = [
        StreamRecord(record.stream, record.tick[kept], record.values[kept])
        for record, kept in zip(records, there, strict=True)
    ]
    of_left = tree_ensemble.extracted_features(recollection, _sequences(left))
    assert np.array_equal(of_left, features[np.concatenate(there)], equal_nan=True)


def test_masking_a_channel_gives_the_features_of_a_row_without_it(records, recollection):
    data = _sequences(records)
    rows = data.start[:-1] + data.lengths - 1
    x, mask, delta = (torch.from_numpy(part[rows]) for part in (data.x, data.mask, data.delta))
    state = torch.from_numpy(np.random.default_rng(0).integers(0, 3, (len(rows), recollection.state_size))).float()
    without = torch.ones(len(CHANNELS))
    without[0] = without[30] = 0
    owner = torch.arange(len(x)).repeat(2)
    both, after = recollection(torch.cat([x, x * without]), torch.cat([mask, mask * without]), delta, state, owner)
    real, alone = recollection(x, mask, delta, state)
    asked, _ = recollection(x * without, mask * without, delta, state)
    assert torch.equal(both.nan_to_num(-7), torch.cat([real, asked]).nan_to_num(-7))
    assert torch.equal(after, alone)


def test_features_of_a_stream_do_not_depend_on_other_streams(records, recollection):
    data = _sequences(records)
    together = tree_ensemble.extracted_features(recollection, data)
    for b in (2, 4):
        alone = tree_ensemble.extracted_features(recollection, data.pick(np.array([b])))
        assert np.array_equal(alone, together[data.start[b] : data.start[b + 1]], equal_nan=True)


def test_after_a_long_gap_windows_are_empty_and_running_features_remain(records, recollection):
    record = records[-1]
    late = StreamRecord("late", np.append(np.arange(10), 45), record.values[:11])
    features = tree_ensemble.extracted_features(recollection, _sequences([late]))
    orders = 9 * READINGS + 5 * VITALS
    measured = ~np.isnan(late.values[10, :READINGS])
    vital = np.array([channel.name in history.VITALS for channel in CHANNELS[:READINGS]])
    assert features[-1, orders : orders + ORDERS].tolist() == measured[~vital].astype(float).tolist()
    counts = (~np.isnan(late.values[:, :READINGS])).sum(axis=0)
    assert features[-1, READINGS : 2 * READINGS].tolist() == counts.astype(float).tolist()


@pytest.mark.parametrize("hours", [0, 1, 7, PAST, 31])
def test_a_ring_buffer_shifts_by_the_elapsed_hours(hours):
    ring = torch.arange(1.0, 2 * PAST + 1)[None]
    moved = shifted(ring, torch.tensor([[float(hours)]]), PAST)
    assert moved[0, : 2 * (PAST - hours) if hours < PAST else 0].tolist() == ring[0, 2 * hours :].tolist()
    assert (moved[0, max(0, 2 * (PAST - hours)) :] == 0).all()
