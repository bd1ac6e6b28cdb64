"""Drift of a normal run after its first minutes, applied to another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")
pytest.importorskip("polars")

from tocsin_studies.machines import detector, drift, recipes, skab  # noqa: E402

DATA = Path(__file__).parents[5] / "shared" / "data"
needs_records = pytest.mark.skipif(not (DATA / skab.FOLDER).exists(), reason="the records are not here")
NOISE = np.array([0.0015, 0.0015, 0.48, 0.25, 0.28, 0.05, 11.0, 0.5])  # similar to the records
WARMS = skab.CHANNELS.index("thermocouple")
FLOWS = skab.CHANNELS.index("flow")


def run(seed):
    """700 rows of noise; the thermocouple warms up by ten times its noise."""
    rows = np.random.default_rng(seed).standard_normal((700, len(skab.CHANNELS))) * NOISE
    rows[:, WARMS] += np.clip(np.arange(700) - 400, 0, None) / 300 * 10 * NOISE[WARMS]
    return skab.SkabExperiment(str(seed), rows, np.zeros(700, dtype=np.float32))


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Two epochs: the tests concern the score and not the network."""
    torch.set_num_threads(1)
    recipe = recipes.of_experiment()
    recipe = recipe.model_copy(update={"training": recipe.training.model_copy(update={"epochs": 2})})
    monkeypatch.setattr(recipes, "of_experiment", lambda: recipe)


def test_a_drift_of_normal_runs_is_no_anomaly_and_another_is():
    learned = drift.NormalDrift.learn([run(seed) for seed in range(6)])
    strays = np.sqrt(np.diag(learned.covariance)) / NOISE
    assert strays.argmax() == WARMS

    other = run(9)
    fault = other.rows.copy()
    fault[500:, FLOWS] += 5 * NOISE[FLOWS]
    assert (learned.score(other)[skab.FITTED :] > 1).mean() < 0.25
    assert (learned.score(replace(other, rows=fault))[550:] > 1).mean() > 0.9

    plain = drift.fit(other).contributions(other.stream())
    assert plain[600:, WARMS].mean() > 3 * plain[600:, FLOWS].mean(), "without slack the warm-up raises alarms"


def test_units_are_those_of_the_channels():
    fitted = drift.fit(run(1))
    assert isinstance(fitted, detector.MachineDetector)
    np.testing.assert_allclose(fitted.units, NOISE, rtol=0.5)


@needs_records
def test_only_adjacent_runs_share_rows():
    pretended = skab.pretended(DATA)
    assert len(pretended) == 16
    np.testing.assert_array_equal(pretended[0].rows[skab.EVERY :], pretended[1].rows[: skab.LASTS - skab.EVERY])
    assert drift.APART * skab.EVERY >= skab.LASTS
