from pathlib import Path

import numpy as np
import pytest

from tocsin.bundle.manifest import ChannelEntry
from tocsin_training.data.dataset import DataRequest
from tocsin_training.errors import TrainingError
from tocsin_training.simulation.sensor.faults import FAULTS
from tocsin_training.simulation.sensor.series import DETECTION_TICKS, SETTLING, normal, sensors, simulate
from tocsin_training.simulation.sensor.shapes import FAMILIES

VALUE = ChannelEntry(name="value", unit="1", low=-1e30, high=1e30)


@pytest.mark.parametrize("family", dict.fromkeys(FAMILIES), ids=lambda family: family.__name__)
def test_every_family_gives_series_that_move_and_differ(family):
    made = family(np.random.default_rng(1), 8, 800)
    assert made.shape == (8, 800)
    assert np.isfinite(made).all()
    assert (made.std(axis=1) > 0).all()
    assert len(np.unique(made.round(9), axis=0)) == 8


@pytest.mark.parametrize("fault", dict.fromkeys(FAULTS), ids=lambda fault: fault.__name__)
def test_a_fault_changes_nothing_but_its_own_ticks(fault):
    random = np.random.default_rng(1)
    before = random.standard_normal(1000)
    after = before.copy()
    length = fault(random, after, 600)
    changed = np.flatnonzero(after != before)
    assert len(changed)
    assert 600 <= changed.min() <= changed.max() < 600 + length


def test_the_same_seed_gives_the_same_series_and_parts_share_none():
    def values(part, seed=1):
        return np.stack([one.value for one in simulate(seed, part, 6, 300, 1.0)])

    assert np.array_equal(values("train"), values("train"))
    assert not np.array_equal(values("train"), values("train", seed=2))
    assert not np.isclose(values("train")[:, None], values("valid")[None]).all(axis=2).any()


def test_units_lie_ten_powers_of_ten_apart():
    size = normal(np.random.default_rng(1), 60, 300).std(axis=1)
    assert size.max() / size.min() > 1e10


def test_ringing_is_wanted_when_a_fault_begins_and_costs_where_there_is_none():
    options = {"train_streams": 20, "train_ticks": 1000, "faulty": 1.0, "miss": 5}
    data = sensors(DataRequest("train", Path(), (VALUE,), 1.0, 10.0, 3, options))
    for stream, one in enumerate(simulate(3, "train", 20, 1000, 1.0)):
        rows = data.rows(np.array([stream]))
        gain, label = data.gain[rows], data.label[rows]
        assert one.faults
        for onset, length in one.faults:
            assert (gain[onset : onset + min(length, DETECTION_TICKS)] == 5).all()
            assert (label[onset : onset + min(length, DETECTION_TICKS)] == 1).all()
            assert (gain[onset + DETECTION_TICKS + 3 : onset + length + SETTLING] <= 0).all()
        assert (gain[: one.faults[0][0]] == -1).all()
        assert not label[: one.faults[0][0]].any()


def test_a_recipe_needs_no_test_part_to_be_judged_by_one():
    data = sensors(DataRequest("test", Path(), (VALUE,), 1.0, 10.0, 3, {"valid_streams": 5, "test_ticks": 300}))
    assert len(data) == 160
    assert set(data.lengths) == {300}


@pytest.mark.parametrize(
    ("part", "options", "told"),
    [
        ("train", {"train_streams": 3}, "data.options says nothing of train_ticks, for the part 'train'"),
        ("train", {"train_streams": "many"}, "data.options.train_streams 'many' is no number of streams"),
        (
            "valid",
            {"valid_streams": 0},
            "data.options.valid_streams 0 is no number of streams .legal: whole, 1 or more",
        ),
        ("train", {"train_streams": 1.9}, "data.options.train_streams 1.9 is no number of streams"),
        ("train", {"train_streams": float("inf")}, "data.options.train_streams inf is no number of streams"),
        ("tset", {}, "simulated sensors have no part 'tset'; ask for train or valid or test"),
    ],
)
def test_what_cannot_be_made_is_told(part, options, told):
    with pytest.raises(TrainingError, match=told):
        sensors(DataRequest(part, Path(), (VALUE,), 1.0, 10.0, 3, options))
