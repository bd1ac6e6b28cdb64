"""Growing tables: complete at the end, and refused if a column would be dropped."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from tocsin.recording import RecordingError, TableWriter

START_NS = 1_767_225_600 * 1_000_000_000


def test_a_growing_table_renames_labels_that_clash_with_columns(tmp_path):
    table = TableWriter(tmp_path / "out.parquet", ["stream", "hr", "ward"], ["hr", "spo2"])
    table.append(["a"], [START_NS], [{"stream": "x", "hr": "y"}], np.array([[np.inf, 97.0]]))
    table.finish()
    assert [file.name for file in tmp_path.iterdir()] == ["out.parquet"]
    assert pl.read_parquet(tmp_path / "out.parquet").rows(named=True) == [
        {
            "stream": "a",
            "t": datetime(2026, 1, 1, tzinfo=UTC),
            "label_stream": "x",
            "label_hr": "y",
            "ward": None,
            "hr": None,
            "spo2": 97.0,
        }
    ]


def test_a_table_without_a_row_has_its_columns(tmp_path):
    TableWriter(tmp_path / "out.parquet", ["ward"], ["hr"]).finish()
    assert pl.read_parquet(tmp_path / "out.parquet").columns == ["stream", "t", "ward", "hr"]


def test_a_table_with_two_columns_of_one_name_is_refused(tmp_path):
    with pytest.raises(RecordingError, match="two columns of the table would have the name 't'"):
        TableWriter(tmp_path / "out.csv", [], ["t"])
    assert list(tmp_path.iterdir()) == []
