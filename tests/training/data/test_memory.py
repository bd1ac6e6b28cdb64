"""Memory needed to read a large table."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import polars as pl
import pytest

pytest.importorskip("torch", reason="training needs PyTorch")

STREAMS, TICKS, CHANNELS = 320, 5000, 8
IN_MEMORY = STREAMS * TICKS * CHANNELS * 8  # size of the values as float64: 102 MB

PROGRAM = """
import resource, sys
from pathlib import Path
import numpy as np, polars, torch
from tocsin.bundle.manifest import ChannelEntry
from tocsin_training.data.batches import padded
from tocsin_training.data.tables import table
from tocsin_training.data.dataset import DataRequest

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

polars.DataFrame({"a": [1.0, 2.0]}).lazy().collect()
before = peak()
folder = Path(sys.argv[1])
data = table(DataRequest(
    part="train",
    folder=folder,
    channels=tuple(ChannelEntry(name=f"c{c}", unit="1", low=-99, high=99) for c in range(%d)),
    period_s=1,
    delta_cap_s=60,
    seed=1,
    options={"files": sys.argv[2], "stream": "stream", "split": {"by": "stream"}},
    runs=folder / "runs",
))
for at in range(0, 64, 16):
    batch = padded(data, np.arange(at, at + 16), torch.device("cpu"))
print(peak() - before, len(data), data.start[-1], float(batch.mask.sum()))
"""


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_reading_needs_a_fraction_of_the_table_s_size_in_memory(tmp_path, kind):
    rng = np.random.default_rng(1)
    for part in range(4):  # the file itself is written in chunks too
        frame = pl.DataFrame(
            {"stream": np.tile(np.arange(STREAMS), TICKS // 4), "t": np.repeat(np.arange(TICKS // 4), STREAMS)}
            | {f"c{c}": rng.standard_normal(STREAMS * TICKS // 4).round(3) for c in range(CHANNELS)}
        ).with_columns(pl.col("t") + part * TICKS // 4)
        frame.write_parquet(tmp_path / f"{part}.parquet")
        if kind == "csv":
            with (tmp_path / "whole.csv").open("ab") as file:
                frame.write_csv(file, include_header=part == 0)
    files = "whole.csv" if kind == "csv" else "*.parquet"
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM % CHANNELS, str(tmp_path), files], capture_output=True, text=True, check=True
    )
    taken, streams, rows, seen = (float(word) for word in result.stdout.split())
    assert (streams, rows) == (STREAMS, STREAMS * TICKS)
    assert seen == 16 * TICKS * CHANNELS
    assert taken < 0.6 * IN_MEMORY, f"{taken / 1e6:.0f} MB"
