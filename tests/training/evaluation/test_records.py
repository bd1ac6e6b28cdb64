"""What is judged: labels, or the classes of whole streams."""

from __future__ import annotations

import numpy as np

from tocsin.bundle.manifest import ChannelEntry
from tocsin_training.evaluation.records import told_by_class
from tocsin_training.sequences import Record, Sequences

HR = ChannelEntry(name="hr", unit="/min", low=20, high=300)


def streams(*told):
    records = [Record(f"s{n}", np.arange(2), np.full((2, 1), 60.0), *own) for n, own in enumerate(told)]
    return Sequences.of((HR,), 60.0, 600.0, records)


def test_a_stream_of_another_class_than_the_first_is_an_event_where_rows_have_no_labels():
    assert told_by_class(streams((None, None, 0), (None, None, 2))).label.tolist() == [0, 0, 1, 1]
    label = np.float32([0, 1])
    assert told_by_class(streams((label, label, 1), (label, label, 0))).label.tolist() == [0, 1, 0, 1]
    assert told_by_class(streams((), ())).label is None
