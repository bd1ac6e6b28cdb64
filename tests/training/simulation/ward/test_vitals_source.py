"""The ward as training data."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tocsin.bundle.manifest import ChannelEntry
from tocsin_training.data.dataset import DataRequest
from tocsin_training.errors import TrainingError
from tocsin_training.simulation.ward.simulator import CHANNELS, UNITS
from tocsin_training.simulation.ward.vitals_source import episodes, normal

ENTRIES = tuple(ChannelEntry(name=name, unit=unit, low=0, high=400) for name, unit in zip(CHANNELS, UNITS, strict=True))


def request(part, seed=1, channels=ENTRIES):
    options = {"train_beds": 3, "train_hours": 1, "valid_beds": 2, "valid_hours": 1.0}
    return DataRequest(part, Path(), channels, 1.0, 600.0, seed, options)


def test_a_part_has_its_beds_and_hours():
    data = normal(request("train"))
    assert len(data) == 3
    assert (data.lengths <= 3600).all()
    assert (data.lengths > 1800).all()
    assert data.mask.any(axis=1).all()  # a tick without any reading has no frame


def test_parts_and_seeds_share_no_patient():
    train, valid, other = normal(request("train")), normal(request("valid")), normal(request("train", seed=2))
    first = [data.x[:100] for data in (train, valid, other)]
    assert not any(np.array_equal(first[i], first[j]) for i, j in ((0, 1), (0, 2), (1, 2)))
    again = normal(request("train"))
    np.testing.assert_array_equal(train.x, again.x)


def test_columns_follow_the_recipe():
    turned = normal(request("train", channels=ENTRIES[::-1]))
    np.testing.assert_array_equal(normal(request("train")).x, turned.x[:, ::-1])


def test_episodes_are_labelled_until_treatment_works_and_unknown_until_it_has():
    asked = DataRequest("test", Path(), ENTRIES, 1.0, 600.0, 1, {"beds": 4, "hours": 2})
    data = episodes(asked)
    assert len(data) == 8
    for b, stream in enumerate(data.streams):
        label = data.label[data.start[b] : data.start[b + 1]]
        if "normal" in stream:
            assert not label.any()
            continue
        first = int(np.argmax(label > 0))
        assert label[:first].max() == 0
        assert data.tick[data.start[b] + first] >= 3600, "no patient deteriorates in the first hour"
        after = label[first:][np.cumsum(label[first:] != 1) > 0]
        assert np.isnan(after[:1]).all(), "recovery, if the record is long enough"
    assert {stream.split("-")[1] for stream in data.streams} == {
        "sepsis", "haemorrhage", "apnoea", "tachyarrhythmia", "normal",
    }  # fmt: skip
    assert np.array_equal(episodes(asked).x, data.x)
    with pytest.raises(TrainingError, match="ask for valid or test"):
        episodes(replace(asked, part="train"))
