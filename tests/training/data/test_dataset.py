"""Frames for training equal the frames of the engine."""

from __future__ import annotations

import numpy as np

from tocsin.bundle.manifest import ChannelEntry
from tocsin_training.data.dataset import StreamDataset, StreamRecord, frames

NAN = np.nan
CHANNELS = (
    ChannelEntry(name="hr", unit="/min", low=20, high=300),
    ChannelEntry(name="lactate", unit="mmol/L", low=0, high=40, expected=False),
    ChannelEntry(name="age", unit="a", low=0, high=120, kind="static"),
    ChannelEntry(name="hours", unit="h", low=0, high=1e4, kind="clock"),
)


def test_delta_counts_from_the_last_observation_strictly_before():
    tick = np.array([10, 11, 13, 20])
    values = np.array([[80, NAN, NAN, 5], [NAN, 2.0, 60, 5], [82, NAN, NAN, 5], [83, NAN, NAN, 5]])
    x, mask, delta = frames(tick, values, CHANNELS, 1800.0, 9000.0)

    assert delta[:, 0].tolist() == [0, 1800, 3 * 1800, 9000], "capped"
    assert delta[:, 1].tolist() == [0, 1800, 2 * 1800, 9000], "never observed: since the first frame"
    assert delta[:, 2:].max() == 0
    assert x[:, 2].tolist() == [0, 60, 60, 60], "a static value is kept once it is known"
    assert mask[:, 2].tolist() == [0, 1, 1, 1]
    assert x[:, 3].tolist() == [0, 0.5, 1.5, 5], "hours since the first frame, regardless of the records"
    assert x.dtype == mask.dtype == delta.dtype == np.float32


def test_an_implausible_value_is_missing():
    x, mask, _ = frames(np.array([0, 1]), np.array([[500.0, 1, 40, 0], [80, 1, 40, 0]]), CHANNELS, 60.0, 600.0)
    assert (x[0, 0], mask[0, 0]) == (0, 0)
    assert mask[1, 0] == 1


def test_streams_are_selected_and_concatenated_whole():
    records = [StreamRecord(name, np.arange(ticks), np.full((ticks, 4), 50.0)) for name, ticks in (("a", 3), ("b", 5))]
    both = StreamDataset.of(CHANNELS, 60.0, 600.0, records)
    other = both.pick(np.array([1])).join(both.pick(np.array([0])))
    assert other.streams == ("b", "a")
    assert other.lengths.tolist() == [5, 3]
    assert other.x[:5].tolist() == both.x[3:].tolist()
    assert other.tick.tolist() == [0, 1, 2, 3, 4, 0, 1, 2]
