"""A record is judged by networks that have not met it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tocsin_training import recipe as recipes
from tocsin_training.pressure import leave_one_out
from tocsin_training.sequences import Record, Sequences

RECIPE = Path(__file__).parents[3] / "training" / "recipes" / "pressure-episode.yaml"


@pytest.fixture
def recipe():
    torch.set_num_threads(1)
    read = recipes.read(RECIPE)
    return read.model_copy(
        update={
            "training": read.training.model_copy(update={"epochs": 12, "learning_rate": 0.1}),
            "loss": read.loss.model_copy(update={"burn_in": 8}),
        }
    )


def _histories(recipe):
    """Six records of ten ticks; those that are followed by an episode are low."""
    random = np.random.default_rng(2)
    return Sequences.of(
        recipe.channels,
        600.0,
        7200.0,
        [Record(str(b), np.arange(10), 90 - 25 * (b % 2) + random.normal(0, 3, (10, 1)), kind=b % 2) for b in range(6)],
    )


def test_low_records_are_told_from_high_ones(recipe, tmp_path):
    data = _histories(recipe)
    found = leave_one_out.chances(recipe, data, tmp_path)
    assert found.shape == (6, leave_one_out.MEMBERS)
    assert ((found.mean(axis=1) > 0.5) == (data.kind == 1)).all()


def test_the_label_of_the_record_left_out_changes_nothing_of_its_chance(recipe, tmp_path):
    recipe = recipe.model_copy(update={"training": recipe.training.model_copy(update={"epochs": 2})})
    data = _histories(recipe)
    turned = replace(data, kind=np.concatenate([1 - data.kind[:1], data.kind[1:]]))
    first, second = (leave_one_out.chances(recipe, one, tmp_path / str(i))[0] for i, one in enumerate((data, turned)))
    assert first.tolist() == second.tolist()
