"""Records of an evaluation: labels, or the classes of whole streams."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from tocsin.bundle.manifest import ChannelEntry
from tocsin_training.data.dataset import StreamDataset, StreamRecord
from tocsin_training.errors import TrainingError
from tocsin_training.evaluation.records import RecordSelection, evaluation_data, labelled_by_class

HR = ChannelEntry(name="hr", unit="/min", low=20, high=300)


def streams(*told):
    records = [StreamRecord(f"s{n}", np.arange(2), np.full((2, 1), 60.0), *own) for n, own in enumerate(told)]
    return StreamDataset.of((HR,), 60.0, 600.0, records)


def test_a_stream_of_another_class_than_the_first_is_an_event_where_rows_have_no_labels():
    assert labelled_by_class(streams((None, None, 0), (None, None, 2))).label.tolist() == [0, 0, 1, 1]
    label = np.float32([0, 1])
    assert labelled_by_class(streams((label, label, 1), (label, label, 0))).label.tolist() == [0, 1, 0, 1]
    assert labelled_by_class(streams((), ())).label is None


def test_a_table_may_name_each_stream_s_class(tmp_path):
    (tmp_path / "t.csv").write_text("bed,t,hr,sort\na,0,60,calm\nb,0,60,ill\nb,60,61,ill\n")
    columns = {"stream": "bed", "label": None, "kind": "sort"}
    asked = RecordSelection(tmp_path / "t.csv", "test", None, None, columns, tmp_path / "runs", None, 0)

    def bundle(classes):
        return SimpleNamespace(
            manifest=SimpleNamespace(channels=(HR,), period_s=60.0, delta_cap_s=600.0, classes=classes)
        )

    data, about = evaluation_data(asked, bundle(("calm", "ill")), None)
    assert (data.label.tolist(), about) == ([0, 1, 1], "the table t.csv")
    with pytest.raises(TrainingError, match="kind 'sort' is for task classify alone; leave it out"):
        evaluation_data(asked, bundle(None), None)
