"""Summary line of a part of the records."""

from __future__ import annotations

import numpy as np

from tocsin.bundle.manifest import ChannelEntry
from tocsin_training.data.dataset import StreamDataset, StreamRecord
from tocsin_training.data.summary import summary

CHANNELS = (
    ChannelEntry(name="temp", unit="Cel", low=-20, high=150),
    ChannelEntry(name="age", unit="a", low=0, high=120, kind="static"),
    ChannelEntry(name="hours", unit="h", low=0, high=1e4, kind="clock"),
)


def streams(*ticks, label=None):
    """Temperatures, of which every second is in kelvin."""
    records = []
    for number, tick in enumerate(ticks):
        values = np.full((len(tick), 3), np.nan)
        values[:, 0] = np.where(np.arange(len(tick)) % 2, 295.0, 22.0)
        values[:, 1] = 40.0
        records.append(StreamRecord(str(number), np.array(tick), values, label, label))
    return StreamDataset.of(CHANNELS, 60.0, 3600.0, records)


def test_the_summary_gives_duration_density_and_coverage():
    data = streams([0, 2, 4, 6], [1000, 1002, 1004, 1010])
    line = summary("train", data, 60.0)
    assert line == "train: 2 streams, 8 frames over 0.3 hours, mostly 120 s apart; there: temp 50 %, age 100 %"
    line = summary("valid", streams([0, 1439], label=np.float32([0, 1])), 60.0)
    assert line.startswith("valid: 1 streams, 2 frames over 1.0 days, mostly 86340 s apart; there: ")
    assert line.endswith("; labelled 50 %")
    assert "over 2,778 days" in summary("test", streams([0, 4_000_000]), 60.0)
    assert "apart" not in summary("test", streams([5]), 60.0)
