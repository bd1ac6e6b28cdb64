"""Baselines: causal, fitted on the training part only, and omitted with a reason if the data do not allow them."""

from __future__ import annotations

import numpy as np
import pytest

from tocsin.bundle.manifest import ChannelEntry
from tocsin_training.data.dataset import StreamDataset, StreamRecord
from tocsin_training.evaluation.baselines import registry

VITALS = tuple(
    ChannelEntry(name=name, unit=unit, low=low, high=high)
    for name, unit, low, high in (
        ("hr", "/min", 20, 300),
        ("spo2", "%", 30, 100),
        ("rr", "/min", 0, 120),
        ("sbp", "mm[Hg]", 30, 300),
    )
)
MACHINE = tuple(ChannelEntry(name=name, unit="1", low=-1e3, high=1e3) for name in ("flow", "load"))
PERIOD_S = 60.0


def records(count, ticks, seed, channels, *, labelled):
    random = np.random.default_rng(seed)
    usual = np.array([80.0, 97.0, 16.0, 120.0])[: len(channels)]
    for number in range(count):
        values = usual + random.standard_normal((ticks, len(channels)))
        label = np.zeros(ticks, dtype=np.float32)
        if labelled and number % 2:
            values[ticks // 2 :, 0] += 60
            label[ticks // 2 :] = 1
        values[random.random(values.shape) < 0.2] = np.nan
        yield StreamRecord(f"{seed}-{number}", np.arange(ticks), values, label if labelled else None)


def data(seed, channels=VITALS, *, labelled=True):
    return StreamDataset.of(channels, PERIOD_S, 600.0, records(8, 120, seed, channels, labelled=labelled))


@pytest.fixture(scope="module")
def fitted():
    made, skipped = registry.fitted(VITALS, PERIOD_S, data(1), seed=0)
    return {one.name: one for one in made}, skipped


def test_all_baselines_are_fitted_to_labelled_vital_signs(fitted):
    made, skipped = fitted
    assert skipped == {}
    assert set(made) == {
        "random", "static limits", "NEWS2", "EWMA", "PCA, T²", "PCA, Q", "gradient boosting", "untrained RNN",
    }  # fmt: skip


def test_no_baseline_looks_ahead(fitted):
    """Truncated streams give the scores of whole ones."""
    whole = data(2)
    short = StreamDataset.of(
        VITALS,
        PERIOD_S,
        600.0,
        [StreamRecord(r.stream, r.tick[:50], r.values[:50], None) for r in records(8, 120, 2, VITALS, labelled=True)],
    )
    for name, baseline in fitted[0].items():
        if name == "random":
            continue
        kept = np.concatenate([baseline.score(whole)[a : a + 50] for a in whole.start[:-1]])
        np.testing.assert_allclose(baseline.score(short), kept, rtol=1e-4, atol=1e-5, err_msg=name)


def test_a_drift_to_the_limit_raises_every_score_but_the_random_one(fitted):
    made, _ = fitted
    seen = data(3)
    inside = seen.label > 0
    for name in ("static limits", "NEWS2", "PCA, T²", "gradient boosting"):
        score = made[name].score(seen)
        assert np.nanmean(score[inside]) > 2 * np.nanmean(score[~inside]), name
    random = made["random"].score(seen)
    assert abs(random[inside].mean() - random[~inside].mean()) < 0.1


def test_bedside_limits_raise_alarms_above_the_limit_and_not_at_it(fitted):
    values = np.array(
        [[120, 97, 16, 120], [121, 97, 16, 120], [80, 90, 16, 120], [80, 89, 16, 120], [80, 100, 16, 120]]
    )
    rows = StreamDataset.of(VITALS, PERIOD_S, 600.0, [StreamRecord("a", np.arange(5), values.astype(float))])
    limits = fitted[0]["static limits"]
    assert (limits.score(rows) >= limits.threshold).tolist() == [False, True, False, True, False]


def test_a_baseline_that_the_data_do_not_allow_is_left_out_with_a_reason():
    made, skipped = registry.fitted(MACHINE, PERIOD_S, data(1, MACHINE, labelled=False), seed=0)
    assert [one.name for one in made] == ["random", "static limits", "EWMA", "PCA, T²", "PCA, Q", "untrained RNN"]
    assert skipped == {
        "NEWS2": "needs vital signs: of rr, spo2, sbp, hr, temp the bundle has none",
        "gradient boosting": "needs labels in the training part, which has none",
    }
    _, skipped = registry.fitted(VITALS, PERIOD_S, None, seed=0)
    assert skipped["PCA, Q"] == "needs a training part: name one by --train"
    assert "static limits" not in skipped, "limits of a bedside monitor are fixed"
