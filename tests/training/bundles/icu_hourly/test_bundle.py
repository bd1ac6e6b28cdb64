"""The shipped bundle icu-hourly: causal scores and features, and the figures of its card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tocsin.bundle import load
from tocsin_training.backtest import rollout
from tocsin_training.bundles.icu_hourly import records
from tocsin_training.data.dataset import DataRequest, StreamDataset, StreamRecord
from tocsin_training.evaluation.baselines import boosting

ROOT = Path(__file__).parents[4]
BUNDLE = ROOT / "models" / "icu-hourly" / "1"
DATA = ROOT.parent / "shared" / "data"
STAYS = 12


@pytest.fixture(scope="module")
def bundle():
    return load(BUNDLE)


@pytest.fixture(scope="module")
def stays(bundle):
    """Some recorded stays, half of them septic."""
    if not (DATA / records.FILE).exists():
        pytest.skip(f"{records.FILE} is not here: the records are no part of the repository")
    manifest = bundle.manifest
    every = list(records.records(DataRequest("valid", DATA, manifest.channels, 3600.0, manifest.delta_cap_s, 0, {})))
    septic = [record for record in every if record.label.any()]
    return septic[: STAYS // 2] + [record for record in every if not record.label.any()][: STAYS // 2]


def _sequences(bundle, stays):
    return StreamDataset.of(bundle.manifest.channels, bundle.manifest.period_s, bundle.manifest.delta_cap_s, stays)


def test_truncating_a_stay_changes_no_earlier_score(bundle, stays):
    whole = _sequences(bundle, stays)
    cut = _sequences(
        bundle,
        [
            StreamRecord(stay.stream, stay.tick[: len(stay.tick) // 2], stay.values[: len(stay.tick) // 2], None, None)
            for stay in stays
        ],
    )
    of_whole, of_cut = (rollout.scores(bundle.model.step, bundle.model.state_size, data) for data in (whole, cut))
    for b, (stay, start) in enumerate(zip(stays, whole.start, strict=False)):
        half = len(stay.tick) // 2
        assert np.array_equal(of_whole[start : start + half], of_cut[cut.start[b] : cut.start[b + 1]]), stay.stream


def test_truncating_a_stay_changes_no_earlier_feature_of_the_baseline(bundle, stays):
    whole = boosting.features(_sequences(bundle, stays[:1]))
    half = len(whole) // 2
    cut = StreamRecord("cut", stays[0].tick[:half], stays[0].values[:half])
    np.testing.assert_array_equal(boosting.features(_sequences(bundle, [cut])), whole[:half])


def test_scores_are_probabilities_and_contributions_name_channels(bundle, stays):
    data = _sequences(bundle, stays)
    score = rollout.scores(bundle.model.step, bundle.model.state_size, data)
    assert ((score > 0) & (score < 1)).all()
    first = data.start[:-1]
    result = bundle.model.step(
        data.x[first],
        data.mask[first],
        data.delta[first],
        np.zeros((len(first), bundle.model.state_size), dtype=np.float32),
    )
    assert np.isfinite(result.contribution).all()
    assert (result.contribution[data.mask[first] == 0] == 0).all(), "a missing channel contributes nothing"


def test_the_card_and_the_manifest_agree(bundle):
    figures = bundle.manifest.figures
    assert figures["test utility"] >= 0.30
    assert figures["test AUROC"] >= 0.83
    card = (BUNDLE / "CARD.md").read_text(encoding="utf-8")
    assert "Reyna" in card
    assert "CC BY 4.0" in card
    assert f"| test utility | {figures['test utility']:g} |" in card
    assert (BUNDLE / "model.onnx").stat().st_size < 4_000_000
