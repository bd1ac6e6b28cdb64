"""Leave-one-out classification of records."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tocsin_studies.pressure_minute import leave_one_out
from tocsin_training import recipe_file
from tocsin_training.data.dataset import StreamDataset, StreamRecord

RECIPE = Path(__file__).parents[4] / "training" / "recipes" / "pressure-episode.yaml"


@pytest.fixture
def recipe():
    torch.set_num_threads(1)
    read = recipe_file.read(RECIPE)
    return read.model_copy(
        update={
            "training": read.training.model_copy(update={"epochs": 12, "learning_rate": 0.1}),
            "loss": read.loss.model_copy(update={"burn_in": 8}),
        }
    )


def _histories(recipe):
    """Six records of ten ticks; those that are followed by an episode are low."""
    random = np.random.default_rng(2)
    return StreamDataset.of(
        recipe.channels,
        600.0,
        7200.0,
        [
            StreamRecord(str(b), np.arange(10), 90 - 25 * (b % 2) + random.normal(0, 3, (10, 1)), kind=b % 2)
            for b in range(6)
        ],
    )


def test_low_records_are_separated_from_high_ones(recipe, tmp_path):
    data = _histories(recipe)
    found = leave_one_out.probabilities(recipe, data, tmp_path)
    assert found.shape == (6, leave_one_out.MEMBERS)
    assert ((found.mean(axis=1) > 0.5) == (data.kind == 1)).all()


def test_what_a_record_holds_changes_nothing_of_the_network_that_weights_it(recipe, tmp_path):
    recipe = recipe.model_copy(update={"training": recipe.training.model_copy(update={"epochs": 2})})
    data = _histories(recipe)
    other = data.x.copy()
    other[: data.lengths[0]] += 40
    weights = []
    for name, one in (("as it was", data), ("other", replace(data, x=other))):
        leave_one_out.probabilities(recipe, one, tmp_path / name)
        kept = torch.load(tmp_path / name / "pressure-episode-1" / "0-0.pt", weights_only=True)
        weights.append(kept["best"])
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][part], weights[1][part]) for part in weights[0])
